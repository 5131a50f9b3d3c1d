"""Messages that ingest has received and not committed survive its kill -9: each is stored once."""

import signal
from collections.abc import Callable
from pathlib import Path

import psycopg

from broker_queue import BrokerQueue
from hub_processes import HubProcesses
from samples import after, observations, thing
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import Database, Reader
from tsuji_simulators.publish import Publisher

MESSAGES = 500


def _unread_bytes(port: int) -> int:
    """Bytes on their way on connections with a local server: sent and unconfirmed, or not yet read."""
    total = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        if state == "01" and port in (int(local.split(":")[1], 16), int(remote.split(":")[1], 16)):
            sent, unread = queues.split(":")
            total += int(sent, 16) + int(unread, 16)
    return total


def _waits_for_the_lock(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return bool(
            connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tsuji tsuji-ingest'"
                " AND wait_event_type = 'Lock' AND query ~* '(INSERT INTO|COPY) observation'"
            ).fetchone()
        )


def test_received_and_uncommitted_messages_are_stored_once_after_a_kill(
    hub: HubProcesses,
    hub_url: str,
    hub_database: Database,
    broker: PrivateServer,
    eventually: Callable[..., None],
) -> None:
    reader = Reader(hub_database)
    owed = BrokerQueue(broker, "tsuji-ingest")
    address = BrokerAddress.parse(broker.url)
    hub.start("ingest")
    eventually(lambda: owed.subscribed)
    with Publisher(address) as publisher:
        publisher.publish_things([thing("gate", "pedestrians")])
        eventually(lambda: len(reader.things()) == 1 and owed.unacknowledged == 0)
        with psycopg.connect(hub_url) as lock:
            lock.execute("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE")
            for minute in range(MESSAGES):
                publisher.publish_observations(
                    "gate", observations("gate", after(minutes=minute), 60, pedestrians=minute)
                )
            assert publisher.flush(timeout_s=90)
            # Ingest has them all: the broker has sent each, and no byte is left on the way. It has
            # committed none: its insert stands before the lock, and the broker has no acknowledgement.
            eventually(lambda: owed.delivered == MESSAGES)
            eventually(lambda: _unread_bytes(address.port) == 0)
            eventually(lambda: _waits_for_the_lock(hub_url))
            assert owed.unacknowledged == MESSAGES
            assert reader.counters().tally.received == 0
            assert hub.end("ingest", signal.SIGKILL) == -signal.SIGKILL
            lock.rollback()
    assert owed.unacknowledged == MESSAGES
    assert reader.counters().tally.received == 0
    hub.start("ingest")
    eventually(lambda: owed.unacknowledged == 0)
    with psycopg.connect(hub_url) as connection:
        results = connection.execute(
            "SELECT result FROM observation ORDER BY phenomenon_time"
        ).fetchall()
    assert results == [(float(minute),) for minute in range(MESSAGES)]
    tally = reader.counters().tally
    assert (tally.received, tally.stored) == (MESSAGES, MESSAGES)
    assert tally.balanced()
