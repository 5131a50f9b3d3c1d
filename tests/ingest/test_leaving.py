"""An ingest that leaves stores all that the broker keeps for it before the session is ended."""

import contextlib
import queue
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker_queue import BrokerQueue
from own_ports import own_port
from samples import after, observations, thing
from tsuji_ingest import leaving
from tsuji_ingest.inbox import Inbox
from tsuji_ingest.leaving import Leaver
from tsuji_ingest.packet import Packet
from tsuji_ingest.service import Ingest
from tsuji_ingest.subscriber import Subscriber
from tsuji_platform.contract import observations_topic
from tsuji_platform.contract.topics import OBSERVATIONS_FILTER
from tsuji_platform.runtime.broker import find
from tsuji_platform.runtime.mosquitto import Mosquitto
from tsuji_platform.runtime.mqtt import is_free
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress, IngestSettings
from tsuji_platform.store import Database, Reader
from tsuji_simulators.publish import Publisher

_ID = "leaver"


def _publish(address: BrokerAddress, count: int) -> None:
    with Publisher(address) as publisher:
        for minute in range(count):
            publisher.publish_observations(
                "pole", observations("pole", after(minutes=minute), air_temperature=1)
            )
        assert publisher.flush(timeout_s=90)


def _keep_session(
    address: BrokerAddress, eventually: Callable[..., None], group: str | None = None
) -> None:
    """Have a broker make a session."""
    subscriber = Subscriber(address, _ID, Inbox(), group)
    subscriber.start()
    eventually(lambda: subscriber.connected)
    subscriber.stop()


def test_the_session_is_not_ended_before_all_of_it_is_settled(
    broker: PrivateServer, eventually: Callable[..., None]
) -> None:
    address, kept = BrokerAddress.parse(broker.url), BrokerQueue(broker, _ID)
    _keep_session(address, eventually, "hub")
    with Publisher(address) as publisher:
        for number in range(300):
            publisher.publish(observations_topic("pole"), b"%d" % number)
        assert publisher.flush(timeout_s=90)
    eventually(lambda: kept.unacknowledged == 300)
    inbox = Inbox(packets=100)  # so that it has to ask again
    leaver = Leaver(address, _ID, inbox)
    leaver.start()
    try:
        leaver.recall([f"$share/hub/{OBSERVATIONS_FILTER}"], existed=True)
        eventually(lambda: inbox.held == 100)
        eventually(lambda: not any("things" in one for one in kept.filters))
        assert kept.unacknowledged >= 300
        payloads: list[int] = []

        def take() -> None:
            with contextlib.suppress(queue.Empty):
                while True:
                    packet: Packet = inbox.get(timeout=0.1)
                    assert not leaver.left.is_set()
                    payloads.append(int(packet.payload))
                    leaver.acknowledge([packet])

        eventually(lambda: take() or leaver.left.is_set())
        assert sorted(set(payloads)) == list(range(300))
        # which the broker has answered a moment before it is in its file
        eventually(lambda: kept.filters == set() and kept.unacknowledged == 0)
    finally:
        leaver.stop()


@pytest.fixture
def closed_broker(tmp_path: Path, eventually: Callable[..., None]) -> Iterator[BrokerAddress]:
    """A Mosquitto that lets nobody publish but on the topics of things."""
    program, _, _ = find()
    assert isinstance(program, Mosquitto)
    port = own_port()
    rights = tmp_path / "rights"
    rights.write_text("topic readwrite tsuji/v1/things/#\n")
    rights.chmod(0o600)
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\nuser root\nallow_anonymous true\nacl_file {rights}\n"
    )
    with subprocess.Popen([program.program, "-c", configuration]) as process:
        try:
            eventually(lambda: not is_free(port))
            yield BrokerAddress(host="127.0.0.1", port=port)
        finally:
            process.kill()


@pytest.mark.parametrize("away", ["machine", "database"])
def test_without_the_right_to_publish_a_mark_silence_has_to_do(
    closed_broker: BrokerAddress,
    hub_url: str,
    hub_database: Database,
    eventually: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    away: str,
) -> None:
    """Which is none while the broker could send nothing, for nobody was there or nothing was acknowledged."""
    monkeypatch.setattr(leaving, "_QUIET_UNMARKED_S", 4.0)
    send, was_away = Leaver._send_acknowledgements, threading.Event()

    def be_away_once(leaver: Leaver) -> None:
        """For an hour, in the middle of it: a machine that slept, or a database that answers only now."""
        held = leaver._inbox.held
        if away == "database" and held > 0:
            leaver._last_s -= 3_600
        send(leaver)
        if leaver._inbox.held < held and not was_away.is_set():
            was_away.set()
            if away == "machine":
                leaver._last_s -= 3_600
                leaver._looked_s -= 3_600

    monkeypatch.setattr(Leaver, "_send_acknowledgements", be_away_once)
    with Publisher(closed_broker) as publisher:
        publisher.publish_things([thing("pole")])
    _keep_session(closed_broker, eventually)
    _publish(closed_broker, 200)
    ingest = Ingest(hub_url, closed_broker, IngestSettings(ingest_id=_ID), leave=True)
    thread = threading.Thread(target=ingest.run, daemon=True)
    thread.start()
    thread.join(timeout=120)
    assert not thread.is_alive(), "it ends by itself"
    assert was_away.is_set()
    assert ingest.subscriber.left.is_set()
    assert Reader(hub_database).counters().tally.stored == 200
    assert Reader(hub_database).ingests() == []


def test_one_that_is_stopped_before_has_not_left(
    broker: PrivateServer, eventually: Callable[..., None]
) -> None:
    address, kept = BrokerAddress.parse(broker.url), BrokerQueue(broker, _ID)
    _keep_session(address, eventually)
    _publish(address, 50)
    settings = IngestSettings(ingest_id=_ID)
    ingest = Ingest("postgresql://nobody@127.0.0.1:1/nothing", address, settings, leave=True)
    thread = threading.Thread(target=ingest.run, daemon=True)
    thread.start()
    eventually(lambda: ingest.connected)
    eventually(lambda: kept.delivered == 50)
    ingest.stop()
    thread.join(timeout=90)
    assert not thread.is_alive()
    assert not ingest.subscriber.left.is_set()
    assert kept.unacknowledged == 50
    assert kept.subscribed
