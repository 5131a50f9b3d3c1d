"""The database's disk is full: ingest says why once and waits; when there is room, all comes in once."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest

from devices import Device, Key, hour
from fault_hub import MEMBERS, FaultHub, Worker
from reckoning import Reckoning
from tsuji_simulators.publish import Publisher

(MEMBER, _) = MEMBERS
MESSAGES = 1_000


@pytest.fixture
def device(stand: FaultHub) -> Iterator[Device]:
    stand.start([MEMBER], group=None)
    with Publisher(stand.device_address) as publisher:
        device = Device("full", publisher)
        publisher.publish_things(device.things)
        yield device


def _nothing(_: Key) -> bool:
    return False


def _settle(stand: FaultHub, device: Device) -> None:
    reckoning = Reckoning(stand, [device])
    spans = [
        (hour(0), hour(20)),
        (device.began - timedelta(seconds=1), device.began + timedelta(1)),
    ]
    reckoning.settle(spans, within=180, undecided=_nothing)
    reckoning.check_counters()
    assert stand.wrong_latest() == 0


def test_a_full_disk_is_said_once_and_costs_nothing(
    stand: FaultHub, device: Device, eventually: Callable[..., None]
) -> None:
    device.run(0, "before", MESSAGES)
    _settle(stand, device)
    with psycopg.connect(stand.server.url, autocommit=True) as connection:
        connection.execute(
            "CHECKPOINT"
        )  # the next is ten minutes away: on a full disk it ends the server
    stand.server.volume.fill()
    said = stand.server.log.read_text().count("No space left")
    worker = Worker(device.run, 1, "full", 5 * MESSAGES)
    worker.start()
    eventually(lambda: "no space left" in stand.log(MEMBER), what="the cause is named")
    eventually(
        lambda: stand.server.log.read_text().count("No space left") >= said + 4
    )  # it goes on trying
    lines = stand.log(MEMBER).splitlines()
    errors = [line for line in lines if " ERROR " in line]
    for line in errors:
        assert "no space left" in line
        assert "make room on the volume" in line
        assert "wait at the broker" in line
    # Once an outage; what a failed transaction frees may be enough for another one, which ends it.
    assert len(errors) <= 1 + sum("the database is back" in line for line in lines)
    assert stand.owed() > 0
    assert stand.process(MEMBER).is_running()
    stand.server.volume.empty()
    stand.server.make_serve()
    worker.finish(120)
    _settle(stand, device)
    log = stand.log(MEMBER)
    assert log.count("the database is back") == log.count(" ERROR ")
    assert "Traceback" not in stand.log(MEMBER)


def test_a_server_that_gives_up_for_want_of_space_is_started_again(
    stand: FaultHub, device: Device, eventually: Callable[..., None]
) -> None:
    """Without room for its log of changes PostgreSQL panics, and can't even recover."""
    device.run(0, "before", MESSAGES)
    stand.server.volume.fill()
    worker = Worker(device.run, 1, "panic", MESSAGES)
    worker.start()

    def gives_up() -> bool:
        try:
            with psycopg.connect(
                stand.server.url, connect_timeout=3, autocommit=True
            ) as connection:
                for _ in range(10):
                    connection.execute("SELECT pg_logical_emit_message(false, 'x', 'x')")
                    connection.execute("SELECT pg_switch_wal()")
        except psycopg.Error:
            return "PANIC" in stand.server.log.read_text()
        return False

    eventually(gives_up, what="PostgreSQL has no room for its log")
    stand.server.volume.empty()
    stand.server.make_serve()
    worker.finish(120)
    _settle(stand, device)
    assert stand.process(MEMBER).is_running()
