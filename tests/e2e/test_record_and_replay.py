"""What a broker carries, recorded and sent again: an hour of a city, and whatever ends either early."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from psycopg.conninfo import make_conninfo

import warm_tsuji
from broker_queue import BrokerQueue
from hub_processes import HubProcesses
from tsuji_platform.runtime import broker as brokers
from tsuji_platform.runtime.broker import EmbeddedBroker
from tsuji_platform.runtime.home import Instance
from tsuji_platform.runtime.mqtt import free_port
from tsuji_platform.runtime.private import PrivateServer, private_broker, private_folder
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import migrate
from tsuji_simulators import replaying
from tsuji_simulators import run as service
from tsuji_simulators.mqtt5 import Mqtt5, mqtt5_of
from tsuji_simulators.publish import Publisher
from tsuji_simulators.record import Recorder
from tsuji_simulators.scenario_files import load_scenario
from tsuji_simulators.tape.message import Carried
from tsuji_simulators.tape.player import Position
from tsuji_simulators.tape.reader import Tape
from tsuji_simulators.tape.writer import TapeWriter

Eventually = Callable[..., None]
_TABLES = {
    "things": "SELECT thing_id, name, name_en, kind, longitude, latitude, effective_width_m, capacity, owner"
    " FROM thing ORDER BY 1",
    "observations": "SELECT thing_id, observed_property, declared, phenomenon_time, result, period_s"
    " FROM observation JOIN datastream USING (datastream_id) ORDER BY 1, 2, 4",
    "latest": "SELECT thing_id, observed_property, phenomenon_time, result, period_s"
    " FROM latest JOIN datastream USING (datastream_id) ORDER BY 1, 2",
    "rejected": "SELECT topic, payload, thing_id, reason, value_count, seen FROM rejected_message"
    " ORDER BY 1, 2",
    "counters": "SELECT messages, received, stored, duplicate, corrected, rejected FROM ingest_counter",
}


def tables(hub: HubProcesses) -> dict[str, list[tuple[Any, ...]]]:
    with psycopg.connect(hub.environment["TSUJI_DATABASE_URL"]) as connection:
        return {name: connection.execute(query).fetchall() for name, query in _TABLES.items()}


def ingesting(hub: HubProcesses, broker: PrivateServer, eventually: Eventually) -> BrokerQueue:
    """Start ingest, and wait until the broker collects messages for it."""
    hub.start("ingest")
    queue = BrokerQueue(broker, "tsuji-ingest")
    eventually(lambda: queue.subscribed, what="a session")
    return queue


def recorded(path: Path) -> list[Carried]:
    return list(Tape(path).messages()) if path.exists() else []


@pytest.fixture
def recorder(broker: PrivateServer, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start `tsuji record`; it listens once its file has a beginning and a message has come through."""
    running: list[subprocess.Popen[bytes]] = []

    def start(path: Path, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {"TSUJI_BROKER_URL": broker.url, "TSUJI_HOME": str(tmp_path)}
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "tsuji", "record", str(path), *arguments],
                env=environment,
                stderr=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def second_hub(timescaledb_server: PrivateServer, tmp_path: Path) -> Iterator[Any]:
    """A broker and a hub on it over an empty database, beside the first."""
    with psycopg.connect(timescaledb_server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE replayed")
        url = make_conninfo(timescaledb_server.url, dbname="replayed")
        migrate(url)
        (tmp_path / "second").mkdir()
        with private_broker() as broker:
            hub = HubProcesses(url, broker.url, tmp_path / "second")
            try:
                yield hub, broker
            finally:
                hub.close()
        connection.execute("DROP DATABASE replayed WITH (FORCE)")


def simulate_an_hour(address: BrokerAddress, folder: Path, eventually: Eventually) -> None:
    """The city's last hour, and what it says meanwhile."""
    stop = threading.Event()
    told: list[service.FleetProgress] = []
    thread = threading.Thread(
        target=service.run,
        args=(address, load_scenario("ordinary-day"), 1, folder, 1 / 24, stop, told.append),
    )
    thread.start()
    try:
        eventually(lambda: told and told[-1].backlog_s == 0, 90, "the whole hour")
    finally:
        stop.set()
        thread.join(30)


def test_a_recorded_hour_makes_the_same_tables_in_an_empty_hub(
    hub: HubProcesses,
    broker: PrivateServer,
    second_hub: tuple[HubProcesses, PrivateServer],
    recorder: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    address, path = BrokerAddress.parse(broker.url), tmp_path / "hour.tsuji"
    queue = ingesting(hub, broker, eventually)
    process = recorder(path)
    with Publisher(address) as publisher:

        def is_recording() -> bool:
            publisher.publish("probe", b"of no concern to ingest")
            return bool(recorded(path))

        eventually(is_recording, what="the recorder listens")
        simulate_an_hour(address, tmp_path, eventually)
        for payload in (b"{broken", b"{broken", b"\xff\xfe"):
            publisher.publish("tsuji/v1/things/nobody/observations", payload)
        publisher.publish("v1.1/Observations", b"[]")
        publisher.flush()
    eventually(lambda: queue.unacknowledged == 0, 60, "everything is stored")
    first = tables(hub)
    hub.end("ingest")
    eventually(lambda: recorded(path)[-1].payload == b"[]", 20, "the last one is recorded")
    process.kill()
    process.wait()
    carried = [one for one in recorded(path) if one.topic != "probe"]
    assert {one.topic for one in carried if one.retain} == {
        f"tsuji/v1/things/{row[0]}" for row in first["things"]
    }

    second, second_broker = second_hub
    queue = ingesting(second, second_broker, eventually)
    only = ("--topic", "tsuji/#", "--topic", "v1.1/#")
    done = second.run("replay", str(path), "--speed", "max", *only)
    assert done.returncode == 0, done.stderr
    assert f"{len(carried):,} messages sent, {len(carried):,} of them acknowledged" in done.stdout
    eventually(lambda: queue.unacknowledged == 0, 60, "everything is stored again")
    again = tables(second)
    assert len(first["observations"]) > 3_000
    for name, rows in first.items():
        assert again[name] == rows, name


def test_a_simulated_hour_is_the_same_published_recorded_and_replayed(
    hub: HubProcesses,
    broker: PrivateServer,
    second_hub: tuple[HubProcesses, PrivateServer],
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    hour = ("simulate", "--from", "2026-04-06T08:00:00+09:00", "--to", "1h", "--seed", "5")
    path = tmp_path / "hour.tsuji"
    done = hub.run(*hour, "--out", str(path))
    assert done.returncode == 0, done.stderr
    printed = hub.run(*hour, "--dry-run").stdout
    assert hub.run("replay", str(path), "--dry-run").stdout == printed

    queue = ingesting(hub, broker, eventually)
    done = hub.run(*hour, "--speed", "max")
    assert done.returncode == 0, done.stderr
    assert "6,100 messages sent, 6,100 of them acknowledged" in done.stdout
    eventually(lambda: queue.unacknowledged == 0, 60, "everything is stored")
    first = tables(hub)
    hub.end("ingest")

    second, second_broker = second_hub
    queue = ingesting(second, second_broker, eventually)
    done = second.run("replay", str(path), "--speed", "max")
    assert done.returncode == 0, done.stderr
    eventually(lambda: queue.unacknowledged == 0, 60, "everything is stored again")
    again = tables(second)
    assert len(first["things"]) == 100
    assert len(first["observations"]) > 20_000
    assert first["rejected"] == []
    for name, rows in first.items():
        assert again[name] == rows, name


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere.toml"], "neither one of fireworks"),
        (
            ["fireworks", "--from", "2025-07-27T09:00:00+09:00", "--to", "1s", "--speed", "0"],
            "above 0",
        ),
        (
            ["--from", "2026-04-06T08:00:00+09:00", "--to", "2026-04-06T07:00:00+09:00"],
            "must be before",
        ),
        (["--out", "x.tsuji", "--dry-run"], "two outputs"),
        (["--out", "x.tsuji", "--speed", "2"], "are for a broker"),
        (["--out", "/"], "is there already"),
    ],
)
def test_a_simulation_that_is_asked_for_wrongly_says_why(
    arguments: list[str], complaint: str
) -> None:
    done = warm_tsuji.run_text("simulate", *arguments, env=dict(os.environ))
    assert done.returncode in (1, 2)
    assert complaint in " ".join(done.stderr.replace("│", " ").split())


class Ear:
    """Whoever listens to a broker."""

    def __init__(self, address: BrokerAddress, topic: str = "#") -> None:
        self.messages: list[MQTTMessage] = []
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_connect = lambda client, *_: client.subscribe(topic, 2)
        self.client.connect(address.host, address.port)
        self.client.loop_start()
        assert subscribed.wait(30)

    def __enter__(self) -> "Ear":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    @property
    def numbers(self) -> list[int]:
        return [int(one.payload) for one in self.messages]


@pytest.fixture
def address(broker: PrivateServer) -> BrokerAddress:
    return BrokerAddress.parse(broker.url)


def tape(path: Path, count: int, *, gap_us: int = 1_000) -> Path:
    writer = TapeWriter(path, started_us=1_775_000_000_000_000)
    writer.write(
        [
            Carried(
                1_775_000_000_000_000 + n * gap_us, f"test/{n % 4}", str(n).encode(), n % 3, n == 1
            )
            for n in range(count)
        ]
    )
    writer.close()
    return path


def test_a_replay_sends_what_was_recorded_as_it_was(
    address: BrokerAddress, tmp_path: Path, eventually: Eventually
) -> None:
    path = tape(tmp_path / "some.tsuji", 90)
    with Ear(address) as ear, replaying(path, broker=address, speed=2.0) as replay:
        final = replay.finish(60)
        assert final.is_complete
        assert (final.sent, final.acknowledged, final.unheard) == (90, 90, 0)
        eventually(lambda: len(ear.messages) == 90)
    for qos in range(3):  # MQTT keeps no order between them
        numbers = [int(one.payload) for one in ear.messages if one.qos == qos]
        assert numbers == list(range(qos, 90, 3))
    with Ear(address) as late:
        eventually(lambda: late.messages)
        assert [(one.topic, one.payload, one.retain) for one in late.messages] == [
            ("test/1", b"1", True)
        ]


def test_a_replay_to_nowhere_does_not_wait_for_ever(tmp_path: Path) -> None:
    path = tape(tmp_path / "some.tsuji", 3)
    with (
        pytest.raises(ConnectionError, match=r"no broker answers at 127\.0\.0\.1"),
        replaying(path, broker=f"mqtt://127.0.0.1:{free_port()}", connect_timeout_s=0),
    ):
        pass


def test_times_moved_to_now_keep_their_spacing_and_are_never_ahead(
    address: BrokerAddress, tmp_path: Path, eventually: Eventually
) -> None:
    begun, path = datetime(2026, 4, 1, tzinfo=UTC), tmp_path / "minute.tsuji"
    times = [begun + timedelta(seconds=2 * n) for n in range(30)]
    writer = TapeWriter(path, started_us=0)
    writer.write(
        [
            Carried(
                int(one.timestamp() * 1e6),
                "tsuji/v1/things/pole/observations",
                b'{"time": "%s", "results": {}}' % one.isoformat().encode(),
            )
            for one in times
        ]
    )
    writer.close()
    with (
        Ear(address) as ear,
        replaying(path, broker=address, speed=100, to_now=True, passes=2) as replay,
    ):
        final = replay.finish(60)
        eventually(lambda: len(ear.messages) == 60)
        ended = datetime.now(UTC)
    assert (final.sent, final.timeless, final.position) == (60, 0, Position(passes=1, messages=30))
    sent = [datetime.fromisoformat(json.loads(one.payload)["time"]) for one in ear.messages]
    for one in (sent[:30], sent[30:]):
        assert [time - one[0] for time in one] == [time - begun for time in times]
        assert ended - timedelta(seconds=30) < one[-1] <= ended
    assert sent[30] >= sent[0]


def test_what_reaches_nobody_is_said(hub: HubProcesses, tmp_path: Path) -> None:
    path = tape(tmp_path / "some.tsuji", 90)
    done = hub.run("replay", str(path), "--speed", "max")
    assert done.returncode == 3
    assert "29 messages reached no subscriber" in done.stderr
    assert "tsuji ingest" in done.stderr
    with Ear(BrokerAddress.parse(hub.broker_url), "test/#"):
        done = hub.run("replay", str(path), "--speed", "max")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_simulated_fleet_says_that_it_reaches_nobody(
    hub: HubProcesses, eventually: Eventually
) -> None:
    hub.environment["TSUJI_HISTORY_DAYS"] = "0.01"
    hub.start("simulate")
    eventually(lambda: "reached no subscriber and are lost" in hub.log("simulate").read_text())


def test_what_no_broker_takes_is_passed_over_and_said(hub: HubProcesses, tmp_path: Path) -> None:
    path = tmp_path / "hostile.jsonl"
    lines = [
        {"time": "2026-04-01T00:00:00Z", "topic": topic, "payload": "x", "qos": 2}
        for topic in ("test/#", "test/\0", "test/good")
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with Ear(BrokerAddress.parse(hub.broker_url)):
        done = hub.run("replay", str(path))
    assert done.returncode == 3
    assert "1 messages sent, 1 of them acknowledged" in done.stdout
    assert "2 more could not be sent" in done.stderr


def test_a_killed_replay_goes_on_where_it_was(
    hub: HubProcesses, address: BrokerAddress, tmp_path: Path, eventually: Eventually
) -> None:
    path, state = tape(tmp_path / "long.tsuji", 4_000), tmp_path / "state"
    arguments = ["replay", str(path), "--state", str(state)]
    with Ear(address) as ear:
        process = subprocess.Popen(
            [sys.executable, "-m", "tsuji", *arguments], env={**hub.environment}
        )
        try:
            eventually(lambda: state.exists() and len(ear.messages) < 4_000, 60, "a state")
        finally:
            process.kill()
            process.wait()
        first = len(ear.messages)
        done = hub.run(*arguments, "--speed", "max")
        assert done.returncode == 0, done.stderr
        assert "going on behind" in done.stderr
        eventually(lambda: set(ear.numbers) == set(range(4_000)), what="every message")
        again = len(ear.messages) - 4_000
        assert 0 <= again < first  # what the killed one had not noted yet
    assert not state.exists()


def test_a_damaged_file_is_named_and_skipped_on_demand(hub: HubProcesses, tmp_path: Path) -> None:
    path = tape(tmp_path / "damaged.tsuji", 50)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with Ear(BrokerAddress.parse(hub.broker_url)):
        done = hub.run("replay", str(path))
        assert done.returncode == 1
        assert "is damaged from byte" in done.stderr
        assert "--skip-damaged" in done.stderr
        done = hub.run("replay", str(path), "--skip-damaged")
        assert done.returncode == 0
        assert "50 messages are lost" in done.stderr


def test_a_dry_run_prints_what_a_replay_reads(hub: HubProcesses, tmp_path: Path) -> None:
    path = tape(tmp_path / "some.tsuji", 12)
    done = hub.run("replay", str(path), "--dry-run", "--topic", "test/2")
    lines = done.stdout.splitlines()
    assert [json.loads(one)["payload"] for one in lines] == ["2", "6", "10"]
    (tmp_path / "some.jsonl").write_text(done.stdout)
    assert hub.run("replay", str(tmp_path / "some.jsonl"), "--dry-run").stdout == done.stdout


def test_a_recording_ends_cleanly_and_in_several_files(
    address: BrokerAddress,
    recorder: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    process = recorder(folder / "city.tsuji", "--topic", "wanted/#", "--rotate-mb", "0.001")
    with Publisher(address) as publisher:
        count = 0

        def has_parts() -> bool:
            nonlocal count
            publisher.publish("unwanted", b"x")
            publisher.publish(f"wanted/{count % 3}", str(count).encode() * 30)
            count += 1
            return len(list(folder.iterdir())) >= 3

        eventually(has_parts, 30, "three files")
        publisher.flush()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, b"missed" in said) == (0, False), said
    carried = [one for path in sorted(folder.iterdir()) for one in recorded(path)]
    numbers = [int(one.payload[: len(one.payload) // 30]) for one in carried]
    assert numbers == list(range(numbers[0], count))
    assert {one.topic for one in carried} == {"wanted/0", "wanted/1", "wanted/2"}


def test_a_recording_says_what_it_missed(
    broker: PrivateServer,
    address: BrokerAddress,
    recorder: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    path = tmp_path / "gap.tsuji"
    process = recorder(path)
    with Publisher(address) as publisher:

        def hears(text: bytes) -> bool:
            publisher.publish("test", text)
            return any(one.payload == text for one in recorded(path))

        eventually(lambda: hears(b"before"), what="the recorder listens")
        broker.stop()
        broker.start()
        eventually(lambda: hears(b"after"), 60, what="the recorder listens again")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"missed: what came in" in said
    told: list[str] = []
    assert list(Tape(path, tell=told.append).messages())
    assert "nothing is recorded from" in told[0]
    assert "the broker was away" in told[0]


def test_a_broker_of_mqtt_3_is_recorded_and_replayed_to(
    tmp_path: Path, eventually: Eventually
) -> None:
    """The one that Python brings, which hangs up on whoever asks for $SYS."""
    with private_folder() as folder, ExitStack() as stack:
        instance = Instance.locate(folder).create()
        port = brokers.choose_port(None, instance.broker_folder, standard=None)
        program = EmbeddedBroker()
        child = brokers.broker_child(program, instance.broker_folder, port, instance.account)
        server = PrivateServer(child, f"mqtt://127.0.0.1:{port}", folder / "broker.log", "embedded")
        stack.callback(server.stop)
        server.start()
        address, path = BrokerAddress.parse(server.url), tmp_path / "old.tsuji"
        assert mqtt5_of(address) is None
        writer = TapeWriter(path, started_us=0)
        stop, done = threading.Event(), []
        recorder = Recorder(address, writer, mqtt5=None)
        thread = threading.Thread(target=lambda: done.append(recorder.run(stop)))
        thread.start()
        try:
            with Publisher(address) as publisher:

                def is_heard() -> bool:
                    publisher.publish("test", b"x")
                    return bool(recorded(path))

                eventually(is_heard, what="the recorder listens")
        finally:
            stop.set()
            thread.join(30)
        assert done[0].away_s == 0
        count = len(recorded(path))
        with replaying(path, broker=address) as replay:
            final = replay.finish(30)
        assert (final.acknowledged, final.unheard) == (count, None)


def test_a_lasting_session_misses_nothing_between_two_recordings(
    address: BrokerAddress,
    recorder: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    first, second = tmp_path / "first.tsuji", tmp_path / "second.tsuji"
    process = recorder(first, "--session", "night-watch")
    with Publisher(address) as publisher:
        count = 0

        def is_recording() -> bool:
            nonlocal count
            publisher.publish("test/numbers", str(count).encode())
            count += 1
            return bool(recorded(first))

        eventually(is_recording, what="the recorder listens")
        process.kill()
        process.wait()
        for number in range(count, count + 100):
            publisher.publish("test/numbers", str(number).encode())
        publisher.flush()
        recorder(second, "--session", "night-watch")
        last = str(count + 99).encode()
        eventually(lambda: any(one.payload == last for one in recorded(second)))
    numbers = [int(one.payload) for one in (*recorded(first), *recorded(second))]
    assert set(numbers) == set(range(min(numbers), count + 100))


def test_a_broker_of_mqtt_5_loses_nothing_of_a_publisher_that_keeps_to_its_window(
    broker: PrivateServer, address: BrokerAddress, eventually: Eventually
) -> None:
    assert isinstance(mqtt5_of(address), Mqtt5)
    with Publisher(address, mqtt5=Mqtt5(receive_maximum=3)) as publisher:
        for number in range(400):
            publisher.publish("test/numbers", str(number).encode())
        broker.stop()
        for number in range(400, 700):
            publisher.publish("test/numbers", str(number).encode())
        broker.start()
        assert publisher.flush(timeout_s=60)
        assert publisher.counts.acknowledged == publisher.counts.unheard == 700
        with Ear(address) as ear:
            publisher.publish("test/numbers", b"7")
            assert publisher.flush(timeout_s=60)
            assert publisher.counts.unheard == 700
            eventually(lambda: ear.numbers == [7])
