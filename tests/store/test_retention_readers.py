"""Readers and writers beside retention: nobody gets a part for the whole, and nothing is lost."""

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from retention_steps import (
    DAY,
    MONTH,
    NOW,
    OLD,
    Retain,
    a_day_passes,
    cut_chunks,
    drop,
    horizon,
    raw,
    sums,
)
from rollup_check import LEVELS, kept, refresh_to_rest
from samples import T0, after, message, registration
from tsuji_platform.analytics.gaps import Absence, gaps
from tsuji_platform.store import ConflictError, Database, Reader, export
from tsuji_platform.store import horizon as horizons_module
from tsuji_platform.store.cover import FIVE_MINUTES, HOUR, RAW
from tsuji_platform.store.history import History
from tsuji_platform.store.history_retention import HistoryRetention, Obstacle
from tsuji_platform.store.horizon import at_one_moment, horizons
from tsuji_platform.store.profiles import Profiles
from tsuji_platform.store.rollups import Refresher
from tsuji_platform.store.writer import Writer


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
    ended, dropped = threading.Event(), threading.Event()

    def write() -> int:
        mine = Writer(store_url, "late")
        mine.save([registration("new", "air_temperature")])
        number = 0
        while number < 60 or not dropped.is_set():
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
        try:
            with psycopg.connect(store_url, autocommit=True) as clock:
                while not ended.is_set():
                    done += sum(one.until is not None for one in mine.drop_some(NOW))
                    a_day_passes(clock)
                    if done > 0:
                        dropped.set()
        finally:
            dropped.set()  # whatever happens, who writes does not wait in vain
            mine.close()
        return done

    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(refresh), pool.submit(refresh), pool.submit(age)]
        try:
            written = pool.submit(write).result(timeout=400)
        finally:
            ended.set()
        assert [one.result(timeout=400) for one in others][2] > 0
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


Meanwhile = Callable[[Callable[[], object]], None]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Do something when a reader has its view of the database, and has read nothing yet."""

    def set_up(act: Callable[[], object]) -> None:
        real = horizons_module.drops

        def drops(connection: psycopg.Connection[dict[str, Any]]) -> int | None:
            found = real(connection)
            act()
            return found

        monkeypatch.setattr(horizons_module, "drops", drops)
        monkeypatch.setattr(export, "drops", drops)

    return set_up


@pytest.mark.parametrize("read", [History.steps, History.combined])
def test_who_began_to_read_before_a_drop_gets_nothing_made_of_a_part(
    gate: Writer, rest, retain: Retain, reader: Reader, store_url: str, meanwhile: Meanwhile, read
) -> None:
    gate.save([message("gate", OLD + timedelta(minutes=2), 60, pedestrians=3)])
    rest()
    with Database(store_url, size=1) as database:
        history = History(database)
        asked = ["gate"], ["pedestrians"], OLD + timedelta(minutes=1), OLD + 3 * DAY, DAY
        before = read(history, *asked)
        dropped = []
        meanwhile(lambda: dropped.extend(drop(retain())))
        found = read(history, *asked)
        assert dropped
        afterwards = read(history, *asked)
    assert len(before) == len(afterwards) + 1  # the first day lacks its first minutes
    assert found == (afterwards if any(one.chunks for one in dropped) else before)


def test_what_is_read_at_one_moment_is_what_its_horizon_says(
    gate: Writer, rest, retain: Retain, connection, store_url: str, meanwhile: Meanwhile
) -> None:
    rest()
    written = raw(connection)
    retention = retain(chunks_at_once=1, rows_at_once=100)
    steps: list[int] = []

    def drop_once() -> None:
        if len(steps) < 3:
            steps.append(sum(one.chunks for one in retention.drop_some(NOW)))

    def read(seen: psycopg.Connection[dict[str, Any]]) -> tuple[set, Any]:
        found = seen.execute("SELECT phenomenon_time FROM observation").fetchall()
        return {row["phenomenon_time"] for row in found}, horizons(seen).get(RAW)

    meanwhile(drop_once)
    with Database(store_url, size=1) as database:
        found, held = at_one_moment(database, read)
        assert found == {time for time in written if held is None or time > held.since}
        assert len(steps) == (
            3 if any(steps) else 1
        )  # rows are there for an older view, chunks aren't


@pytest.mark.parametrize("store_url", ["timescaledb"], indirect=True)
def test_who_never_reads_without_a_drop_is_told_to_try_again(
    gate: Writer, rest, retain: Retain, store_url: str, meanwhile: Meanwhile
) -> None:
    rest()
    retention = retain(chunks_at_once=1)
    meanwhile(lambda: retention.drop_some(NOW))
    with (
        Database(store_url, size=1) as database,
        pytest.raises(ConflictError, match="try again"),
    ):
        at_one_moment(database, lambda _: None)


@pytest.mark.parametrize("store_url", ["timescaledb"], indirect=True)
def test_an_export_that_begins_during_a_drop_says_what_it_lacks_and_then_keeps_its_chunks(
    gate: Writer, rest, retain: Retain, connection, store_url: str, meanwhile: Meanwhile
) -> None:
    rest()
    written = raw(connection)
    one_chunk, dropped = retain(chunks_at_once=1), []

    def drop_once() -> None:
        if not dropped:
            dropped.extend(one_chunk.drop_some(NOW))

    meanwhile(drop_once)
    with export.exporting(store_url, export.Choice()) as found:
        assert found.kept_since == dropped[0].until
        assert {one.obstacle for one in retain().drop_some(NOW)} == {Obstacle.BUSY}
        times = [time for day in found.days for part in found.rows(day) for time in part["time_us"]]
        assert len(times) == 2 * len({time for time in written if time > found.kept_since})
    assert drop(retain())
