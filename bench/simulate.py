"""Simulation: messages made and published a second, beside a bare paho publisher of fixed bytes."""

import itertools
import statistics
import threading
import time
from collections.abc import Iterator

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tsuji_platform.runtime.private import private_broker
from tsuji_platform.settings import BrokerAddress
from tsuji_simulators.ahead import ahead
from tsuji_simulators.feed import messages
from tsuji_simulators.mqtt5 import mqtt5_of
from tsuji_simulators.publish import MAX_UNACKNOWLEDGED, Publisher
from tsuji_simulators.scenario_files import DEMONSTRATION, load_scenario
from tsuji_simulators.simulated import carried
from tsuji_simulators.tape.message import Carried

_START = 1_775_001_600
"""2026-04-01 09:00 in Tokyo."""
_MESSAGES = 20_000
_RUNS = 5


def run() -> None:
    """Print the table of this part."""
    sample = list(_simulated())
    size = round(statistics.fmean(len(one.payload) for one in sample))
    print(
        f"{len(sample):,} messages of an ordinary day, {size} bytes each on the average, window "
        f"{MAX_UNACKNOWLEDGED:,}; the median of {_RUNS} runs in turn\n"
    )
    rows: dict[str, list[tuple[float, float]]] = {}
    with private_broker() as server:
        address = BrokerAddress.parse(server.url)
        for _ in range(_RUNS):
            for name, work in (
                ("bare paho publisher of fixed bytes", lambda: _bare(address, b"x" * size)),
                ("made and published", lambda: _published(address, ahead(_simulated()))),
                ("made before, published", lambda: _published(address, iter(sample))),
                ("made, with nowhere to go", lambda: _made()),
            ):
                begun = time.process_time()
                rate = work()
                cpu_us = (time.process_time() - begun) / _MESSAGES * 1e6
                rows.setdefault(name, []).append((rate, cpu_us))
    print(f"{'':36}{'messages/s':>12}{'of bare':>10}{'from, to':>14}{'CPU µs each':>14}")
    bare = rows["bare paho publisher of fixed bytes"]
    for name, runs in rows.items():
        ratios = sorted(one[0] / beside[0] for one, beside in zip(runs, bare, strict=True))
        rate, cpu_us = (statistics.median(column) for column in zip(*runs, strict=True))
        span = f"{ratios[0]:.0%}, {ratios[-1]:.0%}"
        print(f"{name:36}{rate:12,.0f}{statistics.median(ratios):10.0%}{span:>14}{cpu_us:14.0f}")


def _simulated() -> Iterator[Carried]:
    stream = messages(load_scenario(DEMONSTRATION), 1, _START, _START + 7 * 86_400)
    return (carried(one) for one in itertools.islice(stream, _MESSAGES))


def _made() -> float:
    begun = time.perf_counter()
    count = sum(1 for _ in _simulated())
    return count / (time.perf_counter() - begun)


def _published(address: BrokerAddress, stream: Iterator[Carried]) -> float:
    with Publisher(address, client_id="bench", mqtt5=mqtt5_of(address)) as publisher:
        begun = time.perf_counter()
        count = 0
        for one in stream:
            publisher.publish(one.topic, one.payload, retain=one.retain, qos=one.qos)
            count += 1
        publisher.flush()
        return count / (time.perf_counter() - begun)


def _bare(address: BrokerAddress, payload: bytes) -> float:
    """A client that does nothing else, with the same window."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(
        0
    )  # our window is enough; paho looks through all at each answer
    client.max_queued_messages_set(0)
    window, connected = threading.Semaphore(MAX_UNACKNOWLEDGED), threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.on_publish = lambda *_: window.release()
    client.connect(address.host, address.port)
    client.loop_start()
    connected.wait(30)
    begun = time.perf_counter()
    for number in range(_MESSAGES):
        window.acquire()
        client.publish(f"tsuji/v1/things/pole-{number % 100:03}/observations", payload, qos=1)
    for _ in range(MAX_UNACKNOWLEDGED):
        window.acquire()
    taken = time.perf_counter() - begun
    client.disconnect()
    client.loop_stop()
    return _MESSAGES / taken
