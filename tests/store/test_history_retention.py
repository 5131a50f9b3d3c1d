"""What is old enough is dropped once it is rolled up, and no sum ever loses a part of itself."""

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import psycopg
import pytest

from rollup_check import LEVELS, assert_exact, kept, refresh_to_rest
from samples import T0, after, message, registration
from tsuji_platform.analytics.gaps import Absence, gaps
from tsuji_platform.store import Database, Reader, Writer
from tsuji_platform.store.cover import FIVE_MINUTES, HOUR, RAW
from tsuji_platform.store.history_retention import Ages, Dropped, HistoryRetention, Obstacle
from tsuji_platform.store.profiles import Profiles
from tsuji_platform.store.rollups import Refresher

DAY = timedelta(days=1)
OLD = T0 - 60 * DAY
"""Long before what is kept below."""
NOW = T0 + timedelta(hours=1)
MONTH: Ages = {RAW: 30 * DAY}
Retain = Callable[..., HistoryRetention]


@pytest.fixture
def connection(store_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(store_url, autocommit=True, options="-c timezone=UTC") as connection:
        yield connection


@pytest.fixture
def refresher(store_url: str) -> Iterator[Refresher]:
    refresher = Refresher(store_url)
    yield refresher
    refresher.close()


@pytest.fixture
def retain(store_url: str) -> Iterator[Retain]:
    opened = []

    def make(ages: Ages = MONTH, **more: int) -> HistoryRetention:
        opened.append(HistoryRetention(store_url, ages, **more))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def rest(refresher: Refresher) -> Callable[[], None]:
    """Make all sums, and all days by their quarter hours."""

    def make() -> None:
        refresh_to_rest(refresher)
        while refresher.profile():
            pass

    return make


@pytest.fixture
def gate(writer: Writer) -> Writer:
    """A counter with one count an hour from 90 days ago until now, and a thermometer."""
    writer.save([registration("gate", "pedestrians", "air_temperature", "wind_from_direction")])
    writer.save(
        [
            message(
                "gate",
                T0 - timedelta(hours=hours),
                300,
                pedestrians=hours % 7,
                air_temperature=hours % 11 / 4,
            )
            for hours in range(90 * 24)
        ]
    )
    return writer


def drop(retention: HistoryRetention, now: datetime = NOW) -> list[Dropped]:
    """Everything that is old enough."""
    done = []
    while step := [one for one in retention.drop_some(now) if one.until is not None]:
        done += step
        assert len(done) < 10_000
    return done


def raw(connection: psycopg.Connection) -> set[datetime]:
    return {time for (time,) in connection.execute("SELECT phenomenon_time FROM observation")}


def horizon(connection: psycopg.Connection, width_s: int = 0) -> datetime:
    return connection.execute(
        "SELECT since FROM horizon WHERE width_s = %s", (width_s,)
    ).fetchone()[0]


def sums(connection: psycopg.Connection) -> dict[str, dict]:
    return {level: kept(connection, level) for level in LEVELS}


def a_day_passes(connection: psycopg.Connection) -> None:
    hours_pass(connection, 25)


def hours_pass(connection: psycopg.Connection, hours: int) -> None:
    connection.execute(
        "UPDATE horizon SET late_since = late_since - make_interval(hours => %(hours)s),"
        " late_last = late_last - make_interval(hours => %(hours)s)",
        {"hours": hours},
    )


def test_observations_go_and_their_sums_stay(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    before, held = sums(connection), raw(connection)
    retention = retain()
    (outlook, *_) = retention.outlook(NOW)
    done = drop(retention)
    since = horizon(connection)
    assert T0 - 38 * DAY < since <= T0 - 30 * DAY
    assert outlook.until == since
    assert raw(connection) == {time for time in held if time > since}
    assert sums(connection) == before
    assert sum(one.chunks for one in done) == outlook.chunks
    assert sum(one.rows for one in done) == outlook.rows
    assert bool(outlook.chunks) != bool(outlook.rows)
    assert drop(retention) == []
    assert retention.outlook(NOW)[0].until is None


def test_nothing_is_dropped_without_a_setting(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    held = raw(connection)
    assert drop(retain({})) == []
    assert raw(connection) == held
    assert [one.age for one in retain({}).outlook(NOW)] == [None] * 3


def test_what_is_not_rolled_up_stays(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    held = raw(connection)
    (one,) = retain().drop_some(NOW)
    assert one == Dropped(width=RAW, obstacle=Obstacle.PENDING)
    assert retain().outlook(NOW)[0].obstacle is Obstacle.PENDING
    assert raw(connection) == held
    rest()
    before = sums(connection)
    gate.save([message("gate", OLD, 300, pedestrians=99)])  # a correction, not rolled up yet
    (one,) = retain().drop_some(NOW)
    assert one.obstacle is Obstacle.PENDING
    rest()
    assert sums(connection) != before
    drop(retain())
    assert horizon(connection) > OLD
    rest()
    assert max(row[1] for row in sums(connection)["rollup_5min"].values()) == 99


def test_a_late_observation_never_replaces_a_sum_by_a_part_of_it(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    drop(retain())
    before = sums(connection)
    late = [message("gate", OLD + timedelta(seconds=s), 300, pedestrians=50) for s in (-1, -2)]
    gate.save(late)
    rest()
    assert sums(connection) == before
    (outlook, *_) = retain().outlook(NOW)
    assert (outlook.late, outlook.too_late) == (2, 2)
    assert [one.obstacle for one in retain().drop_some(NOW)] in ([], [Obstacle.LATE])
    a_day_passes(connection)
    drop(retain())
    assert sums(connection) == before
    assert min(raw(connection)) > horizon(connection)
    (outlook, *_) = retain().outlook(NOW)
    assert (outlook.late, outlook.too_late, outlook.horizon.too_late) == (0, 0, 2)
    assert outlook.horizon.late_since is None


def test_history_that_comes_late_is_rolled_up_where_there_was_none(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    """An import of old files, in two parts that share a bucket, while observations are dropped."""
    rest()
    drop(retain())
    before = sums(connection)
    gate.save([registration("old", "pedestrians")])
    times = [OLD + timedelta(minutes=m) for m in range(1, 600)]
    gate.save([message("old", time, 60, pedestrians=1) for time in times[:302]])
    rest()
    assert {one.obstacle for one in retain().drop_some(NOW)} <= {Obstacle.LATE}
    gate.save([message("old", time, 60, pedestrians=1) for time in times[302:]])
    gate.save([message("old", times[0], 60, pedestrians=3)])  # a correction
    rest()
    (key,) = connection.execute(
        "SELECT datastream_id FROM datastream WHERE thing_id = 'old'"
    ).fetchone()

    def check(gone: dict) -> None:
        for level in LEVELS:
            new = {k: row for k, row in gone[level].items() if k not in before[level]}
            assert {k[0] for k in new} == {key}
            assert sum(row[0] for row in new.values()) == len(times)
            assert sum(row[1] for row in new.values()) == len(times) + 2
            assert {k: gone[level][k] for k in before[level]} == before[level]

    check(sums(connection))
    a_day_passes(connection)
    assert [one.too_late for one in drop(retain())] in ([0], [0, 0])
    assert min(raw(connection)) > horizon(connection)
    gate.save([message("old", times[10], 60, pedestrians=7)])  # now it is sealed
    gate.save([message("old", OLD - DAY, 60, pedestrians=7)])  # and this is still new
    rest()
    after_all = sums(connection)
    assert after_all["rollup_5min"].pop((key, OLD - DAY))[1] == 7
    after_all["rollup_hour"].pop((key, OLD - DAY))
    assert after_all["rollup_day"].pop((key, OLD - DAY + timedelta(hours=15)))[1] == 7
    check(after_all)
    assert retain().outlook(NOW)[0].too_late == 1


def test_each_late_observation_has_a_day_of_grace_but_a_trickle_keeps_nothing_for_ever(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    drop(retain())
    late = []
    for number in range(4):  # every 20 hours: 60 after the first
        hours_pass(connection, 20)
        late.append(OLD + timedelta(minutes=number, seconds=1))
        gate.save([message("gate", late[-1], 60, pedestrians=1)])
        rest()
        assert [one.obstacle for one in retain().drop_some(NOW)] == [Obstacle.LATE]
    assert raw(connection) >= set(late)
    hours_pass(connection, 13)
    gate.save([message("gate", OLD + timedelta(seconds=2), 60, pedestrians=1)])
    rest()
    drop(retain())
    assert min(raw(connection)) > horizon(connection)
    late_times = "SELECT late_since, late_last FROM horizon WHERE width_s = 0"
    assert connection.execute(late_times).fetchall() == [(None, None)]


def test_every_width_has_a_time_of_its_own_and_days_stay(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    cut_chunks(connection)
    before = sums(connection)
    drop(retain({RAW: 10 * DAY, FIVE_MINUTES: 20 * DAY, HOUR: 40 * DAY}))
    found = sums(connection)
    assert found["rollup_day"] == before["rollup_day"]
    for width_s, level, days in ((300, "rollup_5min", 20), (3600, "rollup_hour", 40)):
        since = horizon(connection, width_s)
        assert T0 - (days + 3) * DAY < since <= T0 - days * DAY
        assert found[level] == {k: v for k, v in before[level].items() if k[1] > since}
    assert horizon(connection, 3600).hour == 15  # midnight in Tokyo: hours make days


def test_a_late_observation_changes_no_day_whose_hours_are_gone(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    ages = {RAW: 1 * DAY, FIVE_MINUTES: 1 * DAY, HOUR: 2 * DAY}
    cut_chunks(connection)
    drop(retain(ages))
    since = horizon(connection, 3600)
    assert since > OLD
    before = sums(connection)
    days = before["rollup_day"]
    (keys,) = connection.execute("SELECT array_agg(datastream_id) FROM datastream").fetchone()
    assert len({k[0] for k in days}) == 2
    direction = max(keys)
    for time in (
        OLD,
        since - timedelta(minutes=1),
        horizon(connection, 300) - timedelta(minutes=7),
    ):
        gate.save([message("gate", time, 300, pedestrians=1000, wind_from_direction=90)])
    gate.save([message("gate", OLD + timedelta(hours=1), 300, wind_from_direction=90)])
    rest()
    found = sums(connection)["rollup_day"]
    assert {k: v for k, v in found.items() if k[0] != direction} == days
    news = {k[1]: v for k, v in found.items() if k[0] == direction}
    assert {k: (v[0], v[4] > 0.99 * v[0]) for k, v in news.items()} == {
        OLD + timedelta(hours=15): (2, True),
        since: (1, True),
        max(news): (1, True),
    }
    # a second one joins them until the next drop, and none after it
    gate.save([message("gate", OLD + timedelta(hours=2), 300, wind_from_direction=90)])
    rest()
    key = direction, OLD + timedelta(hours=15)
    assert sums(connection)["rollup_day"][key][0] == 3
    a_day_passes(connection)
    drop(retain(ages))
    gate.save([message("gate", OLD + timedelta(hours=3), 300, wind_from_direction=90)])
    rest()
    assert sums(connection)["rollup_day"][key][0] == 3
    assert sums(connection)["rollup_day"].keys() == found.keys()


def cut_chunks(connection: psycopg.Connection) -> None:
    """Let rollups have chunks of two days, so that some are old enough."""
    if connection.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").fetchall():
        for table in ("rollup_5min", "rollup_hour"):
            connection.execute(
                "SELECT set_chunk_time_interval(%s::regclass, interval '2 days')", (table,)
            )
            connection.execute(
                f"CREATE TEMP TABLE held AS SELECT * FROM {table}; TRUNCATE {table};"
                f"INSERT INTO {table} SELECT * FROM held; DROP TABLE held"
            )


def test_series_leave_out_what_is_gone_and_say_so(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection, reader: Reader
) -> None:
    rest()
    asked = ["gate"], ["pedestrians"]
    start, end = T0 - 50 * DAY, T0
    steps = {
        step: reader.steps(*asked, start, end, step)
        for step in (timedelta(minutes=7), FIVE_MINUTES, HOUR, DAY)
    }
    drop(retain())
    since = horizon(connection)
    for step in (FIVE_MINUTES, HOUR, DAY):
        assert reader.steps(*asked, start, end, step) == steps[step]
        assert reader.evidence(*asked, start, end, step).kept_since is None
    seven = timedelta(minutes=7)
    evidence = reader.evidence(*asked, start, end, seven)
    assert evidence.kept_since == since
    left = reader.steps(*asked, start, end, seven)
    assert left == [one for one in steps[seven] if one.end - seven >= since]
    assert left
    assert gaps([since, since + seven], seven, {since + seven}, evidence)[0].reason is (
        Absence.NO_LONGER_KEPT
    )
    # ends that cut a day in two need its hours, ends that cut five minutes its observations
    cut = reader.steps(*asked, start + timedelta(minutes=1), end, DAY)
    assert [one.end for one in cut] == [one.end for one in steps[DAY]][1:]
    assert sum(one.n for one in reader.steps(*asked, start - HOUR, end, DAY)) == 50 * 24 + 1


def test_a_late_observation_does_not_hide_the_sum_from_readers(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection, reader: Reader
) -> None:
    rest()
    drop(retain())
    asked = ["gate"], ["pedestrians"], OLD - DAY, OLD + DAY
    before = [reader.steps(*asked, step) for step in (FIVE_MINUTES, HOUR, DAY)]
    gate.save([message("gate", OLD - timedelta(minutes=1), 300, pedestrians=50)])
    assert [reader.steps(*asked, step) for step in (FIVE_MINUTES, HOUR, DAY)] == before
    rest()
    assert [reader.steps(*asked, step) for step in (FIVE_MINUTES, HOUR, DAY)] == before


@pytest.mark.parametrize("five_minutes", [False, True])
def test_days_by_their_quarter_hours_stay_as_they_were(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection, store_url: str, five_minutes
) -> None:
    rest()
    cut_chunks(connection)
    asked = ["gate"], ["pedestrians"], [(OLD + n * DAY).date() for n in range(-2, 60)]

    def read() -> dict:
        with Database(store_url, size=1) as database:
            found = Profiles(database).of(*asked)
        return {key: values.tobytes() for key, values in found.items()}

    before = read()
    assert before
    drop(retain(MONTH | ({FIVE_MINUTES: 30 * DAY} if five_minutes else {})))
    assert read() == before
    late = [OLD, horizon(connection) - timedelta(minutes=1)]
    gate.save([message("gate", time, 300, pedestrians=50) for time in late])
    assert read() == before
    refresh_to_rest(refresher := Refresher(store_url))
    assert read() == before
    refresher.close()
    rest()
    assert read() == before


def test_ages_count_from_the_newest_observation_that_is_not_ahead_of_the_clock(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    drop(retain(), T0 + 1000 * DAY)  # the clock is wrong, or the hub was away
    assert T0 - 38 * DAY < horizon(connection) <= T0 - 30 * DAY
    connection.execute("TRUNCATE horizon")
    connection.execute("UPDATE latest SET phenomenon_time = %s", (T0 + 1000 * DAY,))
    assert drop(retain()) == []


def test_an_empty_database_has_nothing_to_drop(retain: Retain, store_url: str) -> None:
    assert drop(retain()) == []
    assert [one.oldest for one in retain().outlook(NOW)] == [None] * 3


def test_rows_go_in_slices_and_chunks_a_few_at_a_time(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    before = sums(connection)
    done = drop(retain(rows_at_once=100, chunks_at_once=2))
    assert len(done) > 3
    assert all(one.rows <= 100 and one.chunks <= 2 for one in done)
    assert sorted(one.until for one in done) == [one.until for one in done]
    assert done[-1].until == horizon(connection)
    assert sums(connection) == before


def test_who_reads_or_rolls_up_is_not_disturbed_and_nothing_is_half_done(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection, store_url: str
) -> None:
    rest()
    held = raw(connection)
    with psycopg.connect(store_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('tsuji rollups'))")
        (one,) = retain().drop_some(NOW)
        assert one.obstacle is Obstacle.BUSY
    with psycopg.connect(store_url) as other:
        other.execute("LOCK TABLE horizon IN ACCESS SHARE MODE")
        other.execute("SELECT FROM observation WHERE phenomenon_time < %s", (T0,)).fetchall()
        one = retain().drop_some(NOW)[0]
        gate.save([message("gate", after(minutes=1), 300, pedestrians=1)])
        assert one.obstacle in (None, Obstacle.BUSY)
        if one.obstacle is Obstacle.BUSY:  # a chunk goes only when nobody reads it
            assert raw(connection) - {after(minutes=1)} == held
    rest()
    drop(retain())
    assert horizon(connection) > T0 - 38 * DAY


def test_writers_refreshers_and_retention_at_once_lose_nothing(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection, store_url: str
) -> None:
    """Late values for times with and without sums come while everything is dropped."""
    rest()
    before = sums(connection)
    ended = threading.Event()

    def write() -> int:
        mine = Writer(store_url, "late")
        mine.save([registration("new", "air_temperature")])
        number = 0
        while number < 60:
            mine.save(
                [
                    message("gate", OLD - timedelta(hours=number, minutes=1), air_temperature=50),
                    message("new", OLD - timedelta(hours=number, minutes=1), air_temperature=20),
                ]
            )
            number += 1
        mine.close()
        return number

    def refresh() -> None:
        mine = Refresher(store_url, buckets_at_once=50)
        while not ended.is_set():
            mine.refresh()
            mine.profile()
        mine.close()

    def age() -> int:
        mine, done = HistoryRetention(store_url, MONTH, rows_at_once=300, chunks_at_once=1), 0
        with psycopg.connect(store_url, autocommit=True) as clock:
            while not ended.is_set():
                done += sum(one.until is not None for one in mine.drop_some(NOW))
                a_day_passes(clock)
        mine.close()
        return done

    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(refresh), pool.submit(refresh), pool.submit(age)]
        try:
            written = pool.submit(write).result(timeout=90)
        finally:
            ended.set()
        assert [one.result(timeout=30) for one in others][2] > 0
    rest()
    a_day_passes(connection)
    drop(retain())
    assert min(raw(connection)) > horizon(connection)
    (new,) = connection.execute(
        "SELECT datastream_id FROM datastream WHERE thing_id = 'new'"
    ).fetchone()
    (too_late,) = connection.execute("SELECT too_late FROM horizon WHERE width_s = 0").fetchone()
    gained = 0
    for level in LEVELS:
        found = kept(connection, level)
        assert set(before[level]) <= set(found)
        gained = 0
        for key, row in found.items():
            old = before[level].get(key)
            if key[0] == new:
                continue
            extra = row[0] - (old[0] if old else 0)
            gained += extra
            assert math.isclose(row[1], (old[1] if old else 0) + 50 * extra)
    mine = {k: v for k, v in kept(connection, "rollup_5min").items() if k[0] == new}
    assert len(mine) == written  # none of them had a sum before
    assert {(row[0], row[1]) for row in mine.values()} == {(1, 20)}
    assert gained + too_late == written  # in time, or counted


def test_before_the_first_drop_all_is_as_ever(
    gate: Writer, rest, connection: psycopg.Connection, store_url: str
) -> None:
    rest()
    assert_exact(connection)
    assert connection.execute("SELECT count(*) FROM horizon").fetchone() == (0,)
    with Database(store_url, size=1) as database:
        assert (
            Reader(database).evidence(["gate"], ["pedestrians"], OLD, T0, HOUR).kept_since is None
        )
