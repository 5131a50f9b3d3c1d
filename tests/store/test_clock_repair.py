"""After a wrong clock: what it refused is found with its true time, and the newest is chosen anew."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic

import psycopg
import pytest
from msgspec.structs import replace

from samples import T0, after, broken, message, registration
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.contract.topics import observations_topic
from tsuji_platform.store import Reader
from tsuji_platform.store.clock import ClockRepair
from tsuji_platform.store.records import Received
from tsuji_platform.store.writer import Writer
from tsuji_platform.uptime import uptime_s

FUTURE = Rejection(reason=Reason.FUTURE_TIME, detail="ahead")
TOLERANCE = timedelta(minutes=5)


@pytest.fixture
def repair(store_url: str) -> Iterator[ClockRepair]:
    repair = ClockRepair(store_url, "test")
    yield repair
    repair.close()


def refused(number: int, clock: datetime, ago_s: float, why: Rejection = FUTURE) -> Received:
    """A message that came `ago_s` seconds ago, while the clock showed `clock`."""
    came = broken(observations_topic("pole"), str(number).encode(), why)
    return replace(came, received_at=clock, arrived_s=monotonic() - ago_s)


def test_what_a_clock_that_was_behind_refused_is_found_with_the_time_at_which_it_came(
    writer: Writer, repair: ClockRepair
) -> None:
    now = after(days=1)
    came = [
        *(refused(i, T0 + timedelta(seconds=i), 100 - i) for i in range(7)),
        refused(7, now - timedelta(seconds=20), 20),  # the clock was right then
        refused(8, after(days=2), 10),  # and here ahead
        refused(9, T0, 50, Rejection(reason=Reason.BAD_TIME, detail="no offset")),
    ]
    looked_at_s = uptime_s()  # however long it takes to save them
    for one in came:
        writer.save([one])
    found = list(repair.misjudged(now, looked_at_s, limit=3))
    assert [[int(one.payload) for one in page] for page in found] == [[4, 5, 6], [1, 2, 3], [0]]
    for page in found:
        for one in page:
            expected = now - timedelta(seconds=100 - int(one.payload))
            assert abs(one.last_received_at - expected) < timedelta(seconds=5)


def test_what_came_in_one_piece_is_found_in_the_order_in_which_it_came(
    writer: Writer, repair: ClockRepair
) -> None:
    """Ingest takes all that one read of its socket brought as come at one moment."""
    first = refused(0, T0, 100)
    together = [replace(refused(i, T0, 100), arrived_s=first.arrived_s) for i in range(50)]
    writer.save(together)
    (page,) = repair.misjudged(after(days=1), uptime_s())
    assert [int(one.payload) for one in page] == list(range(50))


def test_what_was_refused_before_the_boot_is_left_to_people(
    writer: Writer, repair: ClockRepair, store_url: str
) -> None:
    writer.save([refused(1, T0, 100), replace(refused(2, T0, 100), arrived_s=None)])
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute("UPDATE rejected_message SET boot_id = 'another' WHERE payload = '1'")
    assert list(repair.misjudged(after(days=1), uptime_s())) == []


def test_what_another_took_meanwhile_is_passed_over(
    writer: Writer, repair: ClockRepair, store_url: str
) -> None:
    writer.save([refused(i, T0, 100 - i) for i in range(4)])
    pages = repair.misjudged(after(days=1), uptime_s(), limit=2)
    assert [one.payload for one in next(pages)] == [b"2", b"3"]
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute("DELETE FROM rejected_message WHERE payload = '0'")
    assert [one.payload for one in next(pages)] == [b"1"]


@pytest.fixture
def newest(reader: Reader) -> Callable[[], dict[tuple[str, str], tuple[datetime, float]]]:
    return lambda: {
        (it.thing_id, it.observed_property): (it.time, it.result) for it in reader.latest()
    }


def test_what_is_ahead_of_a_clock_that_was_set_back_is_not_the_newest_until_its_time_has_come(
    writer: Writer, repair: ClockRepair, newest: Callable, rows: Callable
) -> None:
    now = after(hours=1)
    writer.save(
        [
            registration("pole", "air_temperature", "wind_speed"),
            registration("new", "air_temperature"),
            message("pole", after(minutes=50), air_temperature=5, wind_speed=1),
            message("pole", after(days=1), air_temperature=6),
            message("new", after(days=1), air_temperature=7),
        ]
    )
    before = rows()
    assert repair.settle_latest(now, now + TOLERANCE) == 2
    assert newest() == {
        ("pole", "air_temperature"): (after(minutes=50), 5.0),
        ("pole", "wind_speed"): (after(minutes=50), 1.0),
    }
    assert repair.settle_latest(now, now + TOLERANCE) == 0
    writer.save([message("pole", after(hours=1), air_temperature=8)])
    assert newest()["pole", "air_temperature"] == (after(hours=1), 8.0)

    later = after(days=1)
    assert repair.settle_latest(later, later + TOLERANCE) == 2
    assert newest() == {
        ("new", "air_temperature"): (after(days=1), 7.0),
        ("pole", "air_temperature"): (after(days=1), 6.0),
        ("pole", "wind_speed"): (after(minutes=50), 1.0),
    }
    assert before.items() <= rows().items(), "nothing that was stored is taken back"


def test_what_is_within_the_tolerance_stays_the_newest(
    writer: Writer, repair: ClockRepair, newest: Callable
) -> None:
    writer.save([registration("pole"), message("pole", after(minutes=4), air_temperature=5)])
    assert repair.settle_latest(T0, T0 + TOLERANCE) == 0
    assert newest() == {("pole", "air_temperature"): (after(minutes=4), 5.0)}


def test_nobody_is_disturbed_where_all_is_right(
    writer: Writer, repair: ClockRepair, store_url: str
) -> None:
    writer.save([registration("pole"), message("pole", air_temperature=5)])
    with psycopg.connect(store_url) as connection:
        connection.execute("SELECT FROM latest FOR UPDATE")
        assert repair.settle_latest(T0, T0 + TOLERANCE) == 0, "it would wait here"


def test_when_something_was_last_stored(writer: Writer, repair: ClockRepair) -> None:
    assert repair.last_stored_at() is None
    writer.save([registration("pole"), message("pole", air_temperature=5)])
    stored_at = repair.last_stored_at()
    assert stored_at is not None
    assert abs(datetime.now(UTC) - stored_at) < timedelta(minutes=1)
