"""Publishing against a real broker: nothing taken is lost, whatever happens to the broker meanwhile."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from proxy import Proxy
from tsuji_platform.contract import decode_observations, decode_thing, parse_topic
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress
from tsuji_simulators import run as service
from tsuji_simulators.publish import Publisher, PublisherClosedError
from tsuji_simulators.recorded import Recording, melbourne
from tsuji_simulators.replay import ReplayProgress, replay
from tsuji_simulators.scenario import Scenario
from tsuji_simulators.scenario_files import load_scenario
from tsuji_simulators.signals import results

Eventually = Callable[..., None]


class Listener:
    """Everything that the broker carries, kept across its restarts by a persistent session."""

    def __init__(self, address: BrokerAddress) -> None:
        self.messages: list[MQTTMessage] = []
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)
        self.subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.connect_async(address.host, address.port)
        self.client.loop_start()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def listening(address: BrokerAddress) -> Iterator[Listener]:
    listener = Listener(address)
    try:
        assert listener.subscribed.wait(90)
        yield listener
    finally:
        listener.close()


@pytest.fixture
def address(broker: PrivateServer) -> BrokerAddress:
    return BrokerAddress.parse(broker.url)


@pytest.fixture
def listener(address: BrokerAddress) -> Iterator[Listener]:
    with listening(address) as one:
        yield one


def test_what_the_readme_publishes_arrives_without_a_word(
    address: BrokerAddress, listener: Listener, eventually: Eventually
) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    snippet = text.split("python - <<'EOF'\n")[1].split("\nEOF\n")[0]
    assert "1883" in snippet
    code = snippet.replace("1883", str(address.port))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=180)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    eventually(lambda: len(listener.messages) == 2)
    registered, observed = listener.messages
    assert decode_thing("my-pole", registered.payload).name_en == "My pole"
    assert observed.topic == f"{registered.topic}/observations"


def test_every_message_is_acknowledged_within_the_bound(
    address: BrokerAddress, listener: Listener, eventually: Eventually
) -> None:
    most = 0

    with Publisher(address, max_unacknowledged=50) as publisher:
        for number in range(3_000):
            publisher.publish("test/numbers", str(number).encode())
            most = max(most, publisher.counts.unacknowledged)
        assert publisher.flush(timeout_s=90)
        assert publisher.counts.published == publisher.counts.acknowledged == 3_000
    assert 1 < most <= 50
    eventually(lambda: len(listener.messages) == 3_000)
    assert [int(message.payload) for message in listener.messages] == list(range(3_000))
    assert {message.qos for message in listener.messages} == {1}


def test_progress_is_told_with_each_acknowledgement(address: BrokerAddress) -> None:
    told = []
    with Publisher(address, on_progress=told.append) as publisher:
        for _ in range(10):
            publisher.publish("test/progress", b"x")
        publisher.flush()
    assert [counts.acknowledged for counts in told] == list(range(1, 11))


def test_what_was_taken_before_there_was_a_broker_arrives(
    broker: PrivateServer, address: BrokerAddress, eventually: Eventually
) -> None:
    with listening(address) as listener:
        broker.stop()
        with Publisher(address) as publisher:
            receipts = [publisher.publish("test/early", str(n).encode()) for n in range(100)]
            assert not publisher.flush(timeout_s=0.3)
            assert not publisher.is_connected
            broker.start()
            publisher.wait(receipts)
            assert publisher.flush(timeout_s=90)
        eventually(lambda: {int(m.payload) for m in listener.messages} == set(range(100)))


def test_broker_restarts_lose_nothing_that_was_taken(
    broker: PrivateServer, address: BrokerAddress, eventually: Eventually
) -> None:
    total = 20_000
    with listening(address) as listener, Publisher(address, max_unacknowledged=500) as publisher:

        def publish() -> None:
            for number in range(total):
                publisher.publish("test/restart", str(number).encode())

        thread = threading.Thread(target=publish)
        thread.start()
        for reached in (2_000, 8_000):
            eventually(lambda n=reached: publisher.counts.acknowledged > n)
            # Cleanly: what a killed broker forgets of what it acknowledged is not the publisher's.
            broker.stop()
            broker.start()
        thread.join()
        assert publisher.flush(timeout_s=90)
        assert publisher.counts.acknowledged == total
        eventually(
            lambda: len({m.payload for m in listener.messages}) == total,
            what="every message arrives",
        )


@pytest.fixture
def network(address: BrokerAddress) -> Iterator[Proxy]:
    """What lies between a publisher and the broker."""
    with Proxy((address.host, address.port)) as proxy:
        yield proxy


def _said(listener: Listener) -> list[int]:
    return [int(message.payload) for message in listener.messages]


def test_what_was_acknowledged_just_before_a_loss_is_sent_again_ahead_of_the_rest(
    address: BrokerAddress, network: Proxy, eventually: Eventually
) -> None:
    """Corrections of one value: whatever the broker has forgotten, the last one comes last."""
    near = BrokerAddress(host="127.0.0.1", port=network.port)
    with Publisher(near, resend_s=600) as publisher:  # "just" is longer on a busy machine
        for number in range(5):
            publisher.publish("test/value", str(number).encode())
        assert publisher.flush(timeout_s=90)
        network.stall()
        for number in range(5, 10):
            publisher.publish("test/value", str(number).encode())
        assert not publisher.flush(timeout_s=0.2)
        network.cut()
        eventually(lambda: not publisher.is_connected)
        for number in range(10, 15):
            publisher.publish("test/value", str(number).encode())
        with listening(address) as listener:
            network.heal()
            assert publisher.flush(timeout_s=90)
            eventually(lambda: len(listener.messages) >= 15)
            assert _said(listener) == list(range(15))
        counts = publisher.counts
        assert (counts.published, counts.acknowledged, counts.sent_again) == (15, 15, 5)


def test_a_flush_waits_for_what_is_sent_again(network: Proxy, eventually: Eventually) -> None:
    near = BrokerAddress(host="127.0.0.1", port=network.port)
    with Publisher(near, resend_s=600) as publisher:
        publisher.publish("test/flush", b"1")
        assert publisher.flush(timeout_s=90)
        network.cut()
        eventually(lambda: not publisher.is_connected)
        assert not publisher.flush(timeout_s=0.2)
        network.heal()
        assert publisher.flush(timeout_s=90)
        assert publisher.counts.sent_again == 1


def test_nothing_is_sent_again_where_that_is_switched_off(
    address: BrokerAddress, network: Proxy, eventually: Eventually
) -> None:
    near = BrokerAddress(host="127.0.0.1", port=network.port)
    with Publisher(near, resend_s=0) as publisher, listening(address) as listener:
        for number in range(5):
            publisher.publish("test/once", str(number).encode())
        assert publisher.flush(timeout_s=90)
        network.cut()
        eventually(lambda: not publisher.is_connected)
        network.heal()
        eventually(lambda: publisher.is_connected)
        publisher.publish("test/once", b"5")
        assert publisher.flush(timeout_s=90)
        eventually(lambda: len(listener.messages) >= 6)
        assert _said(listener) == list(range(6))
        assert publisher.counts.sent_again == 0


def test_a_topic_on_which_nothing_can_be_published_is_refused_at_once(
    address: BrokerAddress,
) -> None:
    with Publisher(address) as publisher:
        for topic in ("", "tsuji/#", "tsuji/+/x"):
            with pytest.raises(ValueError, match="name one topic"):
                publisher.publish(topic, b"")
        publisher.publish("test/fine", b"")
        assert publisher.flush(timeout_s=90)


def test_closing_wakes_whoever_waits(broker: PrivateServer, address: BrokerAddress) -> None:
    broker.stop()
    stop = threading.Event()
    with Publisher(address, max_unacknowledged=1, stop=stop) as publisher:
        publisher.publish("test/stop", b"taken")
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(PublisherClosedError):
            publisher.publish("test/stop", b"no room")
        publisher.close()
        with pytest.raises(PublisherClosedError):
            publisher.flush()


@pytest.fixture(scope="module")
def counts(data_folder: Path) -> Recording:
    return melbourne.read(
        data_folder / "footfall" / "melbourne_hourly_2014_raw.csv",
        data_folder / "footfall" / "melbourne_sensor_locations_2016.csv",
    )


def received(listener: Listener) -> tuple[dict[str, str], dict[tuple[str, float, str], float]]:
    """Names of the things, and results by thing, time and property."""
    names, values = {}, {}
    for message in listener.messages:
        topic = parse_topic(message.topic)
        if topic.is_observations:
            decoded = decode_observations(topic.thing_id, message.payload, datetime.now(UTC))
            assert decoded.rejections == []
            for one in decoded.observations:
                key = (one.thing_id, one.phenomenon_time.timestamp(), one.observed_property)
                assert values.setdefault(key, one.result) == one.result
        else:
            names[topic.thing_id] = decode_thing(topic.thing_id, message.payload).name
    return names, values


def test_a_replay_delivers_every_row_with_its_time(
    address: BrokerAddress, listener: Listener, counts: Recording, eventually: Eventually
) -> None:
    told: list[ReplayProgress] = []
    final = replay(counts, address, on_progress=told.append)
    assert final.is_complete
    assert told[-1] == final
    assert final.observations == final.total == 42_951
    eventually(lambda: len(listener.messages) == final.messages)
    names, values = received(listener)
    assert set(names) == {thing.thing_id for thing in counts.things}
    assert values == {
        (one.thing_id, one.phenomenon_time.timestamp(), one.observed_property): one.result
        for one in counts.observations
    }


def test_a_replay_of_a_part_keeps_to_its_bounds_and_its_speed(
    address: BrokerAddress, listener: Listener, counts: Recording, eventually: Eventually
) -> None:
    start = datetime(2014, 4, 6, tzinfo=melbourne.ZONE)
    end = datetime(2014, 4, 6, 6, tzinfo=melbourne.ZONE)
    began = time.monotonic()
    final = replay(counts, address, speed=3_600 * 5, start=start, end=end)
    # Ends at 1, 2, 3 (two hours), 4, 5 and 6 o'clock: six hours between first and last, at 5 hours/s.
    assert 1.2 <= time.monotonic() - began < 600  # at their own speed it were hours
    assert final.observations == 32 * 6
    eventually(lambda: len(listener.messages) == final.messages)
    assert len(received(listener)[1]) == 32 * 6


def test_a_stopped_replay_says_that_it_is_not_complete(
    broker: PrivateServer, address: BrokerAddress, counts: Recording
) -> None:
    broker.stop()
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    final = replay(counts, address, stop=stop)
    assert not final.is_complete
    assert final.observations == 0


@contextmanager
def simulating(
    address: BrokerAddress, city: Scenario, folder: Path, history_days: float = 0.5
) -> Iterator[list[service.FleetProgress]]:
    stop = threading.Event()
    told: list[service.FleetProgress] = []
    thread = threading.Thread(
        target=service.run, args=(address, city, 1, folder, history_days, stop, told.append)
    )
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join(90)
        assert not thread.is_alive()


def held_past() -> tuple[Callable[..., None], threading.Event]:
    """What publishes the past once the event is set: else it may be done before the first live second."""
    publish, may_begin = service._publish_backlog, threading.Event()

    def wait(*arguments) -> None:
        *_, stop = arguments
        while not may_begin.wait(0.05) and not stop.is_set():
            pass
        publish(*arguments)

    return wait, may_begin


def check_tiling(city: Scenario, listener: Listener) -> None:
    """Counts of each counter tile time, and every value is that of the signals."""
    periods: dict[str, set[tuple[int, int]]] = {}
    for message in listener.messages:
        topic = parse_topic(message.topic)
        if topic.is_observations:
            document = json.loads(message.payload)
            for one in document if isinstance(document, list) else [document]:
                if "period_s" in one:
                    end = int(datetime.fromisoformat(one["time"]).timestamp())
                    periods.setdefault(topic.thing_id, set()).add((end, one["period_s"]))
    _, values = received(listener)
    assert len(periods) > 60
    for member in city.members:
        if member.id in periods:
            ends = sorted(periods[member.id])
            for (before, _), (after, covered) in pairwise(ends):
                assert after - covered == before
            for covered in (60, 300):
                chosen = np.array([end for end, period in ends if period == covered])
                if len(chosen):
                    expected = results(city, 1, member, chosen, covered)["pedestrians_in"]
                    assert [
                        values[member.id, float(end), "pedestrians_in"] for end in chosen
                    ] == expected.tolist()


def test_the_fleet_publishes_live_at_once_and_its_past_behind_it(
    address: BrokerAddress,
    listener: Listener,
    tmp_path: Path,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "BACKLOG_OBSERVATIONS_PER_S", 1_000_000)
    city, publish_past, may_begin = load_scenario("ordinary-day"), *held_past()
    monkeypatch.setattr(service, "_publish_backlog", publish_past)
    with simulating(address, city, tmp_path) as told:
        eventually(lambda: told, what="the first live second")
        assert told[0].backlog_s > 0
        assert told[0].is_connected
        may_begin.set()
        eventually(lambda: told[-1].backlog_s == 0, what="the whole past")
    eventually(lambda: len(listener.messages) >= told[-1].published)
    names, _ = received(listener)
    assert set(names) == {member.id for member in city.members}
    check_tiling(city, listener)


_PROCESS = """
import sys, threading
from pathlib import Path
from tsuji_platform.settings import BrokerAddress
from tsuji_simulators.scenario_files import load_scenario
from tsuji_simulators.run import run
city = load_scenario("ordinary-day")
run(BrokerAddress.parse(sys.argv[1]), city, 1, Path(sys.argv[2]), 0.5, threading.Event())
"""


def test_a_killed_fleet_goes_on_without_gap_or_overlap(
    broker: PrivateServer,
    address: BrokerAddress,
    listener: Listener,
    tmp_path: Path,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "BACKLOG_OBSERVATIONS_PER_S", 1_000_000)
    city = load_scenario("ordinary-day")
    process = subprocess.Popen([sys.executable, "-c", _PROCESS, broker.url, str(tmp_path)])
    try:
        eventually(lambda: len(listener.messages) > 350, what="some of the past")
    finally:
        process.kill()
        process.wait()
    broker.stop()
    with simulating(address, city, tmp_path) as told:
        time.sleep(1.0)
        assert told == []
        broker.start()
        eventually(lambda: told and told[-1].backlog_s == 0, what="the rest of the past")
    with Publisher(address) as publisher:  # the broker keeps to the order in which things came
        publisher.publish("test/last", b"")
        assert publisher.flush(timeout_s=90)
    eventually(lambda: listener.messages[-1].topic == "test/last")
    listener.messages.pop()
    check_tiling(city, listener)
