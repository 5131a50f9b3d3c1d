"""Recordings that end cleanly, say what they missed, and miss nothing where the broker keeps it."""

import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from taped import Ear, Eventually, recorded
from tsuji_platform.runtime import broker as brokers
from tsuji_platform.runtime.broker import EmbeddedBroker
from tsuji_platform.runtime.home import Instance
from tsuji_platform.runtime.private import PrivateServer, private_folder
from tsuji_platform.settings import BrokerAddress
from tsuji_simulators import replaying
from tsuji_simulators.mqtt5 import Mqtt5, mqtt5_of
from tsuji_simulators.publish import Publisher
from tsuji_simulators.record import Recorder
from tsuji_simulators.tape.reader import Tape
from tsuji_simulators.tape.writer import TapeWriter


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

        eventually(has_parts, what="three files")
        publisher.flush()
        # it may be told to end before it has read what the broker has sent
        last = str(count - 1).encode() * 30
        eventually(
            lambda: any(one.payload == last for path in folder.iterdir() for one in recorded(path)),
            what="the last one is recorded",
        )
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=90)
    assert (process.returncode, b"missed" in said) == (0, False), said
    carried = [one for path in sorted(folder.iterdir()) for one in recorded(path)]
    numbers = [int(one.payload[: len(one.payload) // 30]) for one in carried]
    assert numbers == list(range(numbers[0], count))
    assert {one.topic for one in carried} == {"wanted/0", "wanted/1", "wanted/2"}


def test_a_recording_of_a_set_length_does_not_wait_for_a_broker_for_ever(
    recorder: Callable[..., subprocess.Popen[bytes]],
    broker: PrivateServer,
    tmp_path: Path,
) -> None:
    path = tmp_path / "nothing.tsuji"
    broker.stop()
    try:
        process = recorder(path, "--for", "0.2s")
        _, said = process.communicate(timeout=180)
    finally:
        broker.start()
    assert process.returncode == 1
    assert b"no broker answers at" in said
    assert b"nothing is recorded: no broker came in the time of --for" in said
    assert not path.exists()


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
        eventually(lambda: hears(b"after"), what="the recorder listens again")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=90)
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
            thread.join(90)
        assert done[0].away_s == 0
        count = len(recorded(path))
        with replaying(path, broker=address) as replay:
            final = replay.finish(240)
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
        assert publisher.flush(timeout_s=180)
        assert publisher.counts.acknowledged == publisher.counts.unheard == 700
        with Ear(address) as ear:
            publisher.publish("test/numbers", b"7")
            assert publisher.flush(timeout_s=180)
            assert publisher.counts.unheard == 700
            eventually(lambda: ear.numbers == [7])
