"""What TLS costs the receiving side: waiting messages taken in and acknowledged, with and without it."""

import queue
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tsuji_ingest.inbox import Inbox
from tsuji_ingest.packet import Packet
from tsuji_ingest.subscriber import Subscriber
from tsuji_platform.contract.topics import observations_topic
from tsuji_platform.devices.folder import ADMIN, INGEST
from tsuji_platform.devices.passwords import make_password
from tsuji_platform.devices.rights import Role
from tsuji_platform.runtime.private import (
    private_broker,
    private_folder,
    private_secured_broker,
)
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.settings_broker import BrokerTls
from tsuji_simulators.publish import Publisher

_MESSAGES = 60_000
_ROUNDS = 3
_PAYLOAD = b'{"time":"2026-01-01T00:00:00Z","results":{%s}}' % b",".join(
    b'"property_%d":1.5' % number for number in range(8)
)
_ID = "tsuji-bench"


def run() -> None:
    """Print the table of this part: medians of rounds in which both are run in turns."""
    found: dict[str, list[tuple[float, float]]] = {"plain text": [], "TLS": []}
    for _ in range(_ROUNDS):
        for way, connected in (("plain text", _plain), ("TLS", _secured)):
            with connected() as (publishing, receiving):
                found[way].append(_drained(publishing, receiving))
    print(
        f"{_MESSAGES:,} messages of {len(_PAYLOAD)} octets, received and acknowledged, no database"
    )
    print(f"{'':12}{'messages/s':>12}{'CPU s/100k':>12}{'messages/s of the rounds':>28}")
    for way, rounds in found.items():
        rates = [rate for rate, _ in rounds]
        cpu_s = statistics.median(cpu_s for _, cpu_s in rounds)
        each = ", ".join(f"{rate:,.0f}" for rate in rates)
        print(f"{way:12}{statistics.median(rates):12,.0f}{cpu_s:12.2f}{each:>28}")


@contextmanager
def _plain() -> Iterator[tuple[BrokerAddress, BrokerAddress]]:
    with private_broker() as server:
        address = BrokerAddress.parse(server.url)
        yield address, address


@contextmanager
def _secured() -> Iterator[tuple[BrokerAddress, BrokerAddress]]:
    from tsuji_ingest.broker_users import BrokerUsers

    with private_folder() as home, private_secured_broker(home / "broker") as (_, places):
        folder = Path(places.folder)

        def address(name: str, port: int, password: str | None = None) -> BrokerAddress:
            kept = folder.parent / "private" / f"{name}.password"
            return BrokerAddress(
                host="localhost",
                port=port,
                username=name,
                password=password or kept.read_text().strip(),
                tls=BrokerTls(ca=folder / "tls" / "ca.crt"),
            )

        password = make_password()
        with BrokerUsers(address(ADMIN, places.services_port)) as users:
            users.add({"bench": password}, Role.REPLAY)
        yield (
            address("bench", places.things_port, password),
            address(INGEST, places.services_port),
        )


def _drained(publishing: BrokerAddress, receiving: BrokerAddress) -> tuple[float, float]:
    """Messages a second, and CPU seconds of this process for 100,000, where all wait already."""
    session = Subscriber(receiving, _ID, Inbox())
    session.start()
    while not session.connected:
        time.sleep(0.01)
    session.stop()
    topic = observations_topic("pole")
    with Publisher(publishing) as publisher:
        for _ in range(_MESSAGES):
            publisher.publish(topic, _PAYLOAD)
        publisher.flush()
    inbox = Inbox()
    subscriber = Subscriber(receiving, _ID, inbox)
    begun, cpu_begun = time.perf_counter(), _cpu_s()
    subscriber.start()
    left = _MESSAGES
    while left > 0:
        some = _some(inbox)
        left -= len(some)
        subscriber.acknowledge(some)
    took, cpu_s = time.perf_counter() - begun, _cpu_s() - cpu_begun
    subscriber.stop()
    return _MESSAGES / took, cpu_s / _MESSAGES * 100_000


def _some(inbox: Inbox) -> list[Packet]:
    """What is there, at the most as many as ingest stores at once."""
    some = [inbox.get(timeout=60)]
    try:
        while len(some) < 2_000:
            some.append(inbox.get_nowait())
    except queue.Empty:
        time.sleep(0.001)  # as storing would take a while
    return some


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
