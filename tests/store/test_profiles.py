"""Days by their quarter hours equal the observations at every moment, and the kept ones at rest."""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollup_check import refresh_to_rest
from samples import T0, message, observations, packed, received_at, registration
from tsuji_platform.analytics.quarters import place_of
from tsuji_platform.store import Database
from tsuji_platform.store.changed import note_changed
from tsuji_platform.store.profiles import Profiles
from tsuji_platform.store.rollups import Refresher
from tsuji_platform.store.writer import Writer

_THINGS = ("a", "b")
_NAMES = ("pedestrians", "air_temperature", "sound_level", "wind_from_direction")
_DAYS = [date(2026, 3, 31) + timedelta(days=i) for i in range(5)]


@pytest.fixture
def connection(store_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(store_url, autocommit=True, options="-c timezone=UTC") as connection:
        yield connection


@pytest.fixture
def profiles(store_url: str) -> Iterator[Profiles]:
    with Database(store_url, size=1) as database:
        yield Profiles(database)


@pytest.fixture
def refresher(store_url: str) -> Iterator[Refresher]:
    refresher = Refresher(store_url, buckets_at_once=20)
    yield refresher
    refresher.close()


def rest(refresher: Refresher) -> None:
    refresh_to_rest(refresher)
    while refresher.profile():
        pass


Rows = dict[tuple[str, str, date, int], tuple[float, int]]


def wanted(connection: psycopg.Connection) -> Rows:
    """Total (or highest) and weight of each quarter hour, from the observations one by one."""
    rows: Rows = {}
    for thing, name, time, result, period_s in connection.execute(
        "SELECT thing_id, observed_property, phenomenon_time, result, period_s"
        " FROM observation JOIN datastream USING (datastream_id)"
    ):
        if name == "wind_from_direction":
            continue
        key = (thing, name, *place_of(time))
        total, weight = rows.get(key, (-math.inf if name == "sound_level" else 0.0, 0))
        total = max(total, result) if name == "sound_level" else total + result
        rows[key] = total, weight + (period_s or 1)
    return rows


def found(profiles: Profiles, days: list[date], first: int = 1, last: int = 96) -> Rows:
    rows: Rows = {}
    read = profiles.of(_THINGS, _NAMES, days, first=first, last=last)
    for (thing, name), (totals, weights) in read.items():
        assert np.array_equal(np.isnan(totals), weights == 0)
        for place, quarter in zip(*np.nonzero(weights), strict=True):
            key = thing, name, days[place], int(quarter) + first
            rows[key] = float(totals[place, quarter]), int(weights[place, quarter])
    return rows


def kept(connection: psycopg.Connection) -> Rows:
    rows: Rows = {}
    for thing, name, day, totals, weights in connection.execute(
        "SELECT thing_id, observed_property, day, totals, weights"
        " FROM rollup_profile JOIN datastream USING (datastream_id)"
    ):
        assert len(totals) == len(weights) == 96
        assert any(weights)
        for i, (total, weight) in enumerate(zip(totals, weights, strict=True)):
            assert (total is None) == (weight == 0)
            if weight:
                rows[thing, name, day, i + 1] = total, weight
    return rows


def assert_sums(profiles: Profiles, connection: psycopg.Connection) -> None:
    """Hours that end with some quarter hours, those that begin the day before among them."""
    rows = wanted(connection)
    days = _DAYS[1:3]
    asked = (
        (range(2, 3), 4),
        (range(1, 2), 2),
        (range(1, 5), 4),
        (range(57, 62), 4),
        (range(61, 62), 1),
    )
    for lasts, width in asked:
        found = profiles.sums(_THINGS, ("pedestrians",), days, lasts, width)
        nothing = np.zeros((2, len(lasts), len(days)))
        for thing in _THINGS:
            sums = found.get((thing, "pedestrians"), nothing)
            for (number, last), (place, day) in product(enumerate(lasts), enumerate(days)):
                parts = [
                    rows.get((thing, "pedestrians", day - timedelta(days=n < 1), n + 96 * (n < 1)))
                    for n in range(last - width + 1, last + 1)
                ]
                held = [part for part in parts if part is not None]
                assert sums[0, number, place] == sum(total for total, _ in held)
                assert sums[1, number, place] == sum(weight for _, weight in held)


_moments = st.builds(
    lambda days, hours, quarters, offset: (
        T0 + timedelta(days=days, hours=hours, minutes=15 * quarters, microseconds=offset)
    ),
    st.integers(0, 2),
    st.sampled_from([0, 1, 14, 15]),
    st.integers(-1, 1),
    st.sampled_from([-1, 0, 1, 150_000_000]),
)
_values = st.tuples(
    st.sampled_from(_THINGS),
    st.sampled_from(_NAMES),
    _moments,
    st.integers(0, 40),
    st.sampled_from([60, 900, 3600]),
)
_actions = st.one_of(
    st.tuples(st.just("save"), st.lists(_values, min_size=1, max_size=10)),
    st.tuples(st.just("delete"), st.tuples(_moments, st.sampled_from([5, 90, 3000]))),
    st.tuples(st.just("refresh"), st.none()),
    st.tuples(st.just("rest"), st.none()),
    st.tuples(st.just("read"), st.none()),
)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(actions=st.lists(_actions, min_size=1, max_size=14))
def test_any_sequence_reads_equal_to_recomputation_and_so_it_is_kept(
    writer: Writer,
    connection: psycopg.Connection,
    refresher: Refresher,
    profiles: Profiles,
    actions: list[tuple[str, Any]],
) -> None:
    connection.execute(
        "TRUNCATE observation, latest, ingest_counter, changed, rollup_5min, rollup_hour, rollup_day,"
        " rollup_profile, stale_profile"
    )
    writer.save([registration(name, *_NAMES) for name in _THINGS])
    late = T0 + timedelta(days=30)
    for action, argument in actions:
        if action == "save":
            writer.save(
                [
                    received_at(
                        packed(thing, observations(thing, time, period_s, **{name: value})), late
                    )
                    for thing, name, time, value, period_s in argument
                ]
            )
        elif action == "delete":
            start, minutes = argument
            with connection.transaction(), connection.cursor() as cursor:
                gone = cursor.execute(
                    "DELETE FROM observation WHERE phenomenon_time > %s AND phenomenon_time <= %s"
                    " RETURNING datastream_id, phenomenon_time",
                    (start, start + timedelta(minutes=minutes)),
                ).fetchall()
                note_changed(cursor, [row[0] for row in gone], [row[1] for row in gone])
        elif action == "refresh":
            refresher.refresh()
        elif action == "rest":
            rest(refresher)
        else:
            assert found(profiles, _DAYS) == wanted(connection)
            assert_sums(profiles, connection)
    assert found(profiles, _DAYS) == wanted(connection)
    rest(refresher)
    assert kept(connection) == wanted(connection)
    assert found(profiles, _DAYS) == wanted(connection)
    narrow = {
        k: v for k, v in wanted(connection).items() if 57 <= k[3] <= 60 and k[2] in _DAYS[1:3]
    }
    assert found(profiles, _DAYS[1:3], 57, 60) == narrow


def test_a_day_of_which_nothing_is_left_is_not_kept_either(
    writer: Writer, connection: psycopg.Connection, refresher: Refresher, profiles: Profiles
) -> None:
    writer.save([registration("a", *_NAMES)])
    writer.save([message("a", T0, 900, pedestrians=5)])
    rest(refresher)
    assert len(kept(connection)) == 1
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM observation")
        note_changed(cursor, [1], [T0])
    assert found(profiles, _DAYS) == {}
    assert_sums(profiles, connection)
    refresher.refresh()
    assert found(profiles, _DAYS) == {}
    rest(refresher)
    assert kept(connection) == found(profiles, _DAYS) == {}


def test_today_is_read_but_not_kept_until_it_is_over(
    writer: Writer, connection: psycopg.Connection, refresher: Refresher, profiles: Profiles
) -> None:
    writer.save([registration("a", *_NAMES)])
    # a few minutes on: the day that is today is not over before this is
    now = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=4)
    before = now - timedelta(days=2)
    for time in (before, now):
        writer.save([received_at(message("a", time, 900, pedestrians=5), now)])
    rest(refresher)
    days = [place_of(before)[0], place_of(now)[0]]
    rows = connection.execute("SELECT day FROM rollup_profile").fetchall()
    assert rows == [(days[0],)]
    assert sum(total for total, _ in found(profiles, days).values()) == 10


def test_what_was_kept_before_is_made_by_the_migration_too(
    writer: Writer, connection: psycopg.Connection, refresher: Refresher
) -> None:
    """The migration's own statement over rollups that were there before it."""
    from tsuji_platform.store.migrate import available

    writer.save([registration("a", *_NAMES)])
    writer.save([message("a", T0, 900, pedestrians=5, wind_from_direction=3, air_temperature=1)])
    refresh_to_rest(refresher)
    connection.execute("TRUNCATE stale_profile, rollup_profile")
    sql = dict(available())["0007_typical"]
    connection.execute(sql[sql.index("INSERT INTO stale_profile") :].encode())
    rest(refresher)
    assert kept(connection) == wanted(connection)
    assert len(kept(connection)) == 2


def test_nothing_asked_is_nothing_found(profiles: Profiles) -> None:
    assert profiles.of([], _NAMES, _DAYS) == {}
    assert profiles.of(["a"], _NAMES, []) == {}
    assert profiles.sums([], _NAMES, _DAYS, range(4, 5), 4) == {}
    assert profiles.sums(["a"], _NAMES, [], range(4, 5), 4) == {}
    assert profiles.sums(["nobody"], _NAMES, _DAYS, range(4, 5), 4) == {}
    assert profiles.of(["nobody"], _NAMES, _DAYS) == {}
