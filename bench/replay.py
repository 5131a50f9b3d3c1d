"""Recording and replay: how well the spacing is kept, and what both take of a bare client's speed."""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tsuji_platform.runtime.private import private_broker
from tsuji_platform.settings import BrokerAddress
from tsuji_simulators import replaying
from tsuji_simulators.tape.message import Carried
from tsuji_simulators.tape.reader import Tape
from tsuji_simulators.tape.writer import TapeWriter

_START_US = 1_775_000_000_000_000
_PACED, _PER_S = 2_000, 200
_FLOOD = 20_000
_PAYLOAD = b'{"time":"2026-04-01T09:00:00+09:00","results":{"air_temperature":12.4,"rainfall":0.0}}'


def run() -> None:
    """Print the spacing's errors and the speeds."""
    with tempfile.TemporaryDirectory(prefix="tsuji-bench-") as folder, private_broker() as server:
        address = BrokerAddress.parse(server.url)
        _spacing(address, Path(folder))
        _speeds(address, Path(folder), server.url)


@contextmanager
def _listening(
    address: BrokerAddress, wanted: int
) -> Iterator[tuple[list[float], threading.Event]]:
    """Moments at which messages arrive, and when so many have."""
    arrivals: list[float] = []
    done = threading.Event()

    def arrived(_client: Client, _data: object, message: MQTTMessage) -> None:
        arrivals.append(message.timestamp)
        if len(arrivals) == wanted:
            done.set()

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    subscribed = threading.Event()
    client.on_message = arrived
    client.on_connect = lambda one, *_: one.subscribe("bench/#", 1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(address.host, address.port)
    client.loop_start()
    subscribed.wait(30)
    try:
        yield arrivals, done
    finally:
        client.disconnect()
        client.loop_stop()


def _tape(path: Path, times_us: list[int]) -> Path:
    writer = TapeWriter(path, started_us=_START_US)
    for begin in range(0, len(times_us), 1_000):
        writer.write(
            [
                Carried(_START_US + at, f"bench/{n % 100}", _PAYLOAD)
                for n, at in enumerate(times_us[begin : begin + 1_000], begin)
            ]
        )
    writer.close()
    return path


def _spacing(address: BrokerAddress, folder: Path) -> None:
    """Arrivals against the recording, both from their first message; a message's own way included."""
    draw, at, times_us = Random(1), 0.0, []
    for _ in range(_PACED):
        times_us.append(round(at * 1e6))
        at += draw.expovariate(_PER_S)
    path = _tape(folder / "paced.tsuji", times_us)
    print(f"{_PACED:,} messages at {_PER_S}/s on the average; off by, ms:")
    print(f"{'':>24}{'half':>8}{'95 %':>8}{'99 %':>8}{'worst':>8}")
    for speed in (1.0, 4.0):
        with (
            _listening(address, _PACED) as (arrivals, done),
            replaying(path, broker=address, speed=speed) as replay,
        ):
            final = replay.finish()
            done.wait(30)
        expected = [one / 1e6 / speed for one in times_us]
        offset = statistics.median(a - e for a, e in zip(arrivals, expected, strict=True))
        errors = sorted(abs(a - e - offset) * 1e3 for a, e in zip(arrivals, expected, strict=True))
        picked = [errors[int(len(errors) * share)] for share in (0.5, 0.95, 0.99)]
        shown = "".join(f"{one:8.2f}" for one in (*picked, errors[-1]))
        print(f"{f'received at speed {speed:g}':<24}{shown}")
        print(f"{'  sent, the latest':<24}{'':>24}{final.latest_s * 1e3:8.2f}")


def _speeds(address: BrokerAddress, folder: Path, url: str) -> None:
    path = _tape(folder / "flood.tsuji", [n * 10 for n in range(_FLOOD)])
    bare = max(_bare(address) for _ in range(2))
    ours = max(_replayed(address, path) for _ in range(2))
    print(
        f"\n{_FLOOD:,} messages of {len(_PAYLOAD)} bytes as fast as the broker takes them, messages/s"
    )
    print(f"bare paho publisher, MQTT 5 {bare:12,.0f}")
    print(f"replay --speed max          {ours:12,.0f} {ours / bare:6.0%}")
    begun = time.process_time()
    count = sum(1 for _ in Tape(path).messages())
    print(f"reading the file            {count / (time.process_time() - begun):12,.0f}")
    recorded = folder / "recorded.tsuji"
    process = subprocess.Popen(
        [sys.executable, "-m", "tsuji", "record", str(recorded)],
        env={"TSUJI_BROKER_URL": url},
        stdout=subprocess.DEVNULL,
    )
    try:
        while not recorded.exists():
            time.sleep(0.05)
        time.sleep(1)
        _replayed(address, path)
        time.sleep(2)
    finally:
        process.terminate()
        process.wait()
    kept = list(Tape(recorded).messages())
    span = (kept[-1].time_us - kept[0].time_us) / 1e6
    size = recorded.stat().st_size / len(kept)
    print(
        f"recorded beside the replay  {len(kept) / span:12,.0f} ({len(kept):,}, {size:.1f} bytes each)"
    )


def _bare(address: BrokerAddress) -> float:
    """Messages per second of a client that does nothing else, with a window of 1,000."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(8_000)
    client.max_queued_messages_set(0)
    window, left, done = threading.Semaphore(1_000), [_FLOOD], threading.Event()
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()

    def acknowledged(*_: object) -> None:
        window.release()
        left[0] -= 1
        if not left[0]:
            done.set()

    client.on_publish = acknowledged
    client.connect(address.host, address.port)
    client.loop_start()
    connected.wait(30)
    begun = time.monotonic()
    for n in range(_FLOOD):
        window.acquire()
        client.publish(f"bench/{n % 100}", _PAYLOAD, qos=1)
    done.wait(60)
    taken = time.monotonic() - begun
    client.disconnect()
    client.loop_stop()
    return _FLOOD / taken


def _replayed(address: BrokerAddress, path: Path) -> float:
    begun = time.monotonic()
    with replaying(path, broker=address) as replay:
        final = replay.finish()
    assert final.acknowledged == _FLOOD
    return _FLOOD / (time.monotonic() - begun)
