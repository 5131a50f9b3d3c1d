"""What can go wrong with a hub, each with its beginning and its end."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import psycopg

from fault_hub import FaultHub

DAY_S = 86_400
CLOCK_LOOK_S = 1.2
"""Longer than ingest needs to notice; a step there and back in between would be none to it."""

Trouble = Callable[[FaultHub, random.Random], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of trouble.

    Attributes:
        name: for people.
        strikes: what it takes; two that strike the same don't overlap.
        trouble: begins when entered and is over when left.
        repeats: whether messages or transactions may happen twice because of it.
    """

    name: str
    strikes: str
    trouble: Trouble
    repeats: bool = True


@contextmanager
def _ingest(hub: FaultHub, generator: random.Random, *, number: signal.Signals) -> Iterator[None]:
    member = generator.choice(hub.members)
    hub.end_ingest(member, number)
    try:
        yield
    finally:
        hub.start_ingest(member)


@contextmanager
def _database(hub: FaultHub, _: random.Random, *, kill: bool) -> Iterator[None]:
    hub.server.kill() if kill else hub.server.stop()
    try:
        yield
    finally:
        hub.server.start()


@contextmanager
def _broker(hub: FaultHub, _: random.Random, *, kill: bool) -> Iterator[None]:
    hub.broker.kill() if kill else hub.broker.stop()
    try:
        yield
    finally:
        hub.broker.start()


@contextmanager
def _network(hub: FaultHub, generator: random.Random, *, pair: str, how: str) -> Iterator[None]:
    network = hub.networks[pair]
    if how == "cut":
        network.cut()
    elif how == "stall":
        network.stall()
    else:
        network.slow(
            latency_s=generator.choice((0.0, 0.01, 0.05)),
            bytes_per_s=generator.choice((20_000, 100_000, 1_000_000)),
        )
    try:
        yield
    finally:
        network.heal()


@contextmanager
def _frozen_database(hub: FaultHub, _: random.Random) -> Iterator[None]:
    with hub.server.frozen():
        yield


@contextmanager
def _locked_table(hub: FaultHub, _: random.Random) -> Iterator[None]:
    with psycopg.connect(hub.server.url) as connection:
        connection.execute("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@contextmanager
def full_disk(hub: FaultHub, _: random.Random) -> Iterator[None]:
    """Not a byte is left; afterwards somebody makes room, and starts the server if it has given up."""
    hub.server.volume.fill()
    try:
        yield
    finally:
        hub.server.volume.empty()
        hub.server.make_serve()


@contextmanager
def _jumping_clock(hub: FaultHub, generator: random.Random) -> Iterator[None]:
    hub.clock.shift(generator.choice((DAY_S, -DAY_S)))
    time.sleep(CLOCK_LOOK_S)
    try:
        yield
    finally:
        hub.clock.shift(0)


KILLED_BROKER = "kill -9 broker"
CLOCK = "clock jumps"

FAULTS = (
    Fault(name="kill -9 ingest", strikes="ingest", trouble=partial(_ingest, number=signal.SIGKILL)),
    Fault(name="restart ingest", strikes="ingest", trouble=partial(_ingest, number=signal.SIGTERM)),
    Fault(name="kill -9 database", strikes="database", trouble=partial(_database, kill=True)),
    Fault(name="restart database", strikes="database", trouble=partial(_database, kill=False)),
    Fault(name=KILLED_BROKER, strikes="broker", trouble=partial(_broker, kill=True)),
    Fault(name="restart broker", strikes="broker", trouble=partial(_broker, kill=False)),
    *(
        Fault(
            name=f"{how} {pair}",
            strikes=pair,
            trouble=partial(_network, pair=pair, how=how),
            repeats=how == "cut",
        )
        for how in ("cut", "stall", "slow")
        for pair in ("device-broker", "broker-ingest", "ingest-database")
    ),
    Fault(name="freeze database", strikes="database", trouble=_frozen_database, repeats=False),
    Fault(name="lock table", strikes="database", trouble=_locked_table, repeats=False),
    Fault(name="disk full", strikes="database", trouble=full_disk),
    Fault(name=CLOCK, strikes="clock", trouble=_jumping_clock, repeats=False),
)
