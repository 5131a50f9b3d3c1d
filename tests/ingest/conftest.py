"""Ingest in a thread of its own, with a real broker and a real database."""

import threading
from collections.abc import Callable, Iterator

import pytest

from broker_queue import BrokerQueue
from tsuji_ingest.service import Ingest
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress, IngestSettings
from tsuji_platform.store import Database, Reader
from tsuji_simulators.publish import Publisher

CLIENT_ID = "tsuji-ingest-test"


class Running:
    """One ingest that runs until stopped."""

    def __init__(self, ingest: Ingest) -> None:
        self.ingest = ingest
        self._thread = threading.Thread(target=ingest.run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.ingest.stop()
        self._thread.join(timeout=90)
        assert not self._thread.is_alive()


@pytest.fixture
def start_ingest(
    hub_url: str, broker: PrivateServer, eventually: Callable
) -> Iterator[Callable[..., Running]]:
    """Start an ingest and wait until the broker delivers to it."""
    started: list[Running] = []

    def start(
        database_url: str = hub_url, on_things_changed: Callable[[], None] | None = None, **settings
    ) -> Running:
        chosen = IngestSettings(ingest_id=CLIENT_ID, ingest_wait_ms=10, **settings)
        address = BrokerAddress.parse(broker.url)
        running = Running(Ingest(database_url, address, chosen, on_things_changed))
        started.append(running)
        eventually(lambda: running.ingest.connected, what="ingest is connected")
        return running

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def publisher(broker: PrivateServer) -> Iterator[Publisher]:
    with Publisher(BrokerAddress.parse(broker.url)) as publisher:
        yield publisher


@pytest.fixture
def waiting(broker: PrivateServer) -> BrokerQueue:
    """What the broker still keeps for ingest."""
    return BrokerQueue(broker, CLIENT_ID)


@pytest.fixture
def reader(hub_database: Database) -> Reader:
    return Reader(hub_database)
