"""A database that does not answer for a while, or slowly: nothing is lost, doubled or given up."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import psycopg
import pytest

from devices import Device, hour
from fault_hub import MEMBERS, FaultHub, Worker
from reckoning import Reckoning
from tsuji_simulators.publish import Publisher

(MEMBER, _) = MEMBERS
MESSAGES = 2_000


@contextmanager
def _locked(stand: FaultHub) -> Iterator[None]:
    with psycopg.connect(stand.server.url) as connection:
        connection.execute("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@contextmanager
def _network(stand: FaultHub, how: str, **settings: float) -> Iterator[None]:
    network = stand.networks["ingest-database"]
    getattr(network, how)(**settings)
    yield
    network.heal()


SLOW: dict[str, Callable[[FaultHub], AbstractContextManager[None]]] = {
    "frozen": lambda stand: stand.server.frozen(),
    "locked": _locked,
    "stalled": lambda stand: _network(stand, "stall"),
    "far": lambda stand: _network(stand, "slow", latency_s=0.1),
    "narrow": lambda stand: _network(stand, "slow", bytes_per_s=20_000),
}


@pytest.mark.parametrize("how", SLOW)
def test_a_slow_database_is_waited_for(
    stand: FaultHub, how: str, eventually: Callable[..., None]
) -> None:
    stand.start([MEMBER], group=None)
    with Publisher(stand.device_address) as publisher:
        device = Device("slow", publisher)
        publisher.publish_things(device.things)
        device.run(0, "before", 50)
        eventually(lambda: stand.owed() == 0)
        with SLOW[how](stand):
            worker = Worker(device.run, 1, how, MESSAGES)
            worker.start()
            worker.finish(120)
            if how in ("frozen", "locked", "stalled"):
                eventually(lambda: stand.owed() == MESSAGES, what="the broker keeps them")
    reckoning = Reckoning(stand, [device])
    spans = [(hour(0), hour(2)), (device.began - timedelta(seconds=1), device.began + timedelta(1))]
    reckoning.settle(spans, within=180, undecided=lambda _: False)
    reckoning.check_counters()
    assert stand.tally().received == device.values, "nothing was given up and done again"
    assert stand.log(MEMBER).count(" ERROR ") == 0
