"""What ingest holds in memory is bounded while the database is away, whatever comes and however often."""

import queue
import threading
from collections.abc import Callable, Iterator

import paho.mqtt.client as mqtt
import pytest

from broker_queue import BrokerQueue
from tsuji_ingest import intake, service
from tsuji_ingest.inbox import Inbox
from tsuji_ingest.packet import Packet
from tsuji_ingest.service import Ingest
from tsuji_ingest.subscriber import Subscriber
from tsuji_platform.contract import observations_topic
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress, IngestSettings

_NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"
_TOPIC = observations_topic("pole")
_BATCHES = 5 * 50
"""In the hands of decoder and writer at the most."""


@pytest.fixture
def address(broker: PrivateServer) -> BrokerAddress:
    return BrokerAddress.parse(broker.url)


@pytest.fixture
def device(address: BrokerAddress) -> Iterator[mqtt.Client]:
    """A client that, unlike our publisher, sends nothing twice and knows QoS 0."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="device")
    client.max_inflight_messages_set(1_000)
    client.connect(address.host, address.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def _publish(device: mqtt.Client, count: int, qos: int, begin: int = 0) -> None:
    infos = [device.publish(_TOPIC, b"%d" % n, qos=qos) for n in range(begin, begin + count)]
    for info in infos:
        info.wait_for_publish(90)


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """A small one."""
    inbox = Inbox(packets=1_000)
    monkeypatch.setattr(service, "Inbox", lambda: inbox)
    return inbox


@pytest.fixture
def ingest(
    address: BrokerAddress, inbox: Inbox, eventually: Callable[..., None]
) -> Iterator[Ingest]:
    """An ingest whose database is away."""
    assert inbox.held == 0
    settings = IngestSettings(ingest_id="x", ingest_batch=50, ingest_wait_ms=10)
    ingest = Ingest(_NO_DATABASE, address, settings)
    thread = threading.Thread(target=ingest.run, daemon=True)
    thread.start()
    eventually(lambda: ingest.connected)
    yield ingest
    ingest.stop()
    thread.join(timeout=90)
    assert not thread.is_alive()


def test_a_flood_of_qos_0_is_dropped_beyond_the_bound_and_counted(
    ingest: Ingest,
    inbox: Inbox,
    device: mqtt.Client,
    eventually: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "_SAY_AGAIN_S", 86_400)  # however long the flood takes here
    for begin in range(0, 5_000, 500):  # few enough at once for the broker to pass all on
        _publish(device, 500, 0, begin)
        eventually(lambda end=begin + 500: inbox.held + ingest.subscriber.no_room == end)
    assert inbox.held == 500
    assert ingest.subscriber.no_room == 4_500
    assert caplog.text.count("messages of QoS 0") == 1
    _publish(device, 400, 1)
    eventually(lambda: inbox.held == 900, what="there is room for QoS 1")
    assert ingest.connected


def test_connections_that_are_lost_add_nothing(
    ingest: Ingest,
    inbox: Inbox,
    broker: PrivateServer,
    device: mqtt.Client,
    eventually: Callable[..., None],
) -> None:
    queued = BrokerQueue(broker, "x")
    _publish(device, 600, 1)
    eventually(lambda: queued.delivered == 600 and inbox.held == 600)
    device.disconnect()
    for _ in range(4):
        broker.stop()
        eventually(lambda: not ingest.connected)
        broker.start()
        eventually(lambda: ingest.connected and inbox.held >= 600)
        eventually(lambda: queued.delivered == 600)
        assert inbox.held <= 600 + _BATCHES
    assert ingest.subscriber.no_room == 0


class _Consumer:
    """Takes out and acknowledges once it may."""

    def __init__(self, address: BrokerAddress, inbox: Inbox) -> None:
        self.may = threading.Event()
        self.payloads: list[int] = []
        self._inbox = inbox
        self._stop = threading.Event()
        self.subscriber = Subscriber(address, "x", inbox)
        self._thread = threading.Thread(target=self._run)
        self.subscriber.start()
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self.may.wait(0.05):
                continue
            try:
                packet: Packet = self._inbox.get(timeout=0.05)
            except queue.Empty:
                continue
            self.payloads.append(int(packet.payload))
            self.subscriber.acknowledge([packet])

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.subscriber.stop()


@pytest.fixture
def consume(address: BrokerAddress) -> Iterator[Callable[[Inbox], _Consumer]]:
    consumers: list[_Consumer] = []

    def start(inbox: Inbox) -> _Consumer:
        consumers.append(_Consumer(address, inbox))
        return consumers[-1]

    yield start
    for consumer in consumers:
        consumer.close()


@pytest.mark.parametrize(
    "inbox", [Inbox(packets=100), Inbox(octets=100 * (len(_TOPIC) + 3))], ids=["packets", "octets"]
)
def test_a_broker_that_sends_more_than_fits_is_asked_again_and_nothing_is_lost_or_overtaken(
    consume: Callable[[Inbox], _Consumer],
    broker: PrivateServer,
    device: mqtt.Client,
    eventually: Callable[..., None],
    inbox: Inbox,
) -> None:
    consumer = consume(inbox)
    eventually(lambda: consumer.subscriber.connected)
    queued = BrokerQueue(broker, "x")
    _publish(device, 900, 1, begin=100)
    eventually(lambda: queued.delivered == 900)
    eventually(lambda: inbox.held == 100)  # of what the broker has sent
    consumer.may.set()
    eventually(lambda: queued.unacknowledged == 0)
    assert list(dict.fromkeys(consumer.payloads)) == list(range(100, 1_000))
    assert inbox.held == 0
