"""The database is away under full load: the broker keeps the backlog, ingest's memory stays bounded.

The tests let 10,000 messages wait, `make outage` a million (`MESSAGES=n` for another number).
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from broker_queue import BrokerQueue
from fault_hub import Worker
from hub_processes import HubProcesses
from own_ports import own_port
from samples import T0, thing
from tsuji_platform.contract import observations_topic
from tsuji_platform.runtime.private import PrivateServer, private_database
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import Database, Reader, migrate
from tsuji_simulators.publish import Publisher

MESSAGES = int(os.environ.get("MESSAGES", 10_000))
PUBLISHED = MESSAGES * 3 // 2
"""So many that at least `MESSAGES` of them wait."""
PADDING = 150_000_000 // MESSAGES
"""Blanks in each payload, so that even few messages would show in memory if they were held there."""
MIB = 1024 * 1024
LARGEST_MIB = 300
LARGEST_GROWTH_MIB = 110
"""The window of unacknowledged messages, 64 MiB, and what a few batches become when they are read."""


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    """A server of this test's own, since it is stopped."""
    with private_database(kind="timescaledb") as server:
        migrate(server.url)
        yield server


class Memory:
    """The memory of a process, looked at all the time."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.first_mib = self.peak_mib = self._now()
        self._thread.start()

    def _now(self) -> float:
        return self._process.memory_info().rss / MIB

    def _watch(self) -> None:
        with contextlib.suppress(psutil.Error):  # it has ended
            while not self._end.wait(0.02):
                self.peak_mib = max(self.peak_mib, self._now())

    def stop(self) -> None:
        self._end.set()
        self._thread.join()


def _publish(publisher: Publisher, away: threading.Event) -> None:
    """All of it at full speed; the last `MESSAGES` not before the database is away."""
    topic, blanks = observations_topic("well"), b" " * PADDING
    for number in range(PUBLISHED):
        if number == PUBLISHED - MESSAGES:
            away.wait()
        time = (T0 + timedelta(milliseconds=number)).isoformat()
        result = number % 50
        payload = f'{{"time": "{time}", "results": {{"air_temperature": {result}}}}}'
        publisher.publish(topic, payload.encode() + blanks)
    publisher.flush()


def test_a_long_outage_costs_neither_messages_nor_memory(
    server: PrivateServer,
    broker: PrivateServer,
    tmp_path: Path,
    eventually: Callable[..., None],
) -> None:
    hub, owed = HubProcesses(server.url, broker.url, tmp_path), BrokerQueue(broker, "tsuji-ingest")
    port = own_port()
    with Publisher(BrokerAddress.parse(broker.url)) as publisher:
        try:
            hub.start("ingest", TSUJI_INGEST_PORT=str(port))
            eventually(lambda: owed.subscribed)
            publisher.publish_things([thing("well")])
            eventually(lambda: owed.unacknowledged == 0)
            memory = Memory(hub.pid("ingest"))
            away = threading.Event()
            load = Worker(_publish, publisher, away)
            load.start()
            eventually(lambda: publisher.counts.acknowledged > MESSAGES // 50)
            server.stop()
            away.set()
            load.finish(180 + MESSAGES / 500)

            def is_noticed() -> bool:
                health = httpx.get(f"http://127.0.0.1:{port}/health", timeout=90).json()
                return (health["status"], health["database"]["ok"]) == ("waiting", False)

            eventually(is_noticed)
            backlog = owed.unacknowledged
            outage_mib = memory.peak_mib
            began = time.monotonic()
            server.start()
            eventually(lambda: owed.unacknowledged == 0, within=180 + MESSAGES / 500)
            elapsed_s = time.monotonic() - began
            memory.stop()
            log = hub.log("ingest").read_text()
        finally:
            hub.close()
    print(
        f"\n{PUBLISHED} messages of {PADDING + 70} bytes, {backlog} of them waited; drained in "
        f"{elapsed_s:.1f} s ({backlog / elapsed_s:.0f}/s); ingest's memory: {memory.first_mib:.0f} MiB "
        f"before, at most {outage_mib:.0f} MiB in the outage and {memory.peak_mib:.0f} MiB in all"
    )
    assert backlog >= MESSAGES
    assert memory.peak_mib < LARGEST_MIB
    assert outage_mib - memory.first_mib < LARGEST_GROWTH_MIB
    assert log.count("messages wait at the broker") == 1
    assert log.count("the database is back") == 1
    with psycopg.connect(server.url) as connection:
        rows = connection.execute(
            "SELECT count(*), count(DISTINCT phenomenon_time), sum(result) FROM observation"
        ).fetchone()
    assert rows == (PUBLISHED, PUBLISHED, sum(number % 50 for number in range(PUBLISHED)))
    with Database(server.url) as database:
        tally = Reader(database).counters().tally
    assert tally.balanced()
    assert (tally.stored, tally.corrected, tally.rejected) == (PUBLISHED, 0, 0)
