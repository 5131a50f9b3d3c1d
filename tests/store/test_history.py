"""Series equal the observations at every moment, refreshed or not; periods likewise."""

import math
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollup_check import refresh_to_rest
from samples import (
    T0,
    after,
    message,
    observations,
    packed,
    registration,
)
from tsuji_platform.analytics.combine import over_things
from tsuji_platform.analytics.readings import Step
from tsuji_platform.store import Database, history_combined
from tsuji_platform.store.changed import note_changed
from tsuji_platform.store.history import History, steps_of
from tsuji_platform.store.rollups import Refresher
from tsuji_platform.store.writer import Writer

_NAMES = ("pedestrians", "air_temperature", "wind_from_direction", "pedestrians_in")
_TOLD_TWICE = ("pedestrians", "pedestrians_in")
_THINGS = ("a", "b")
_PLAIN = """
    SELECT thing_id, observed_property,
        date_bin(%(step)s, phenomenon_time - interval '1 microsecond', %(origin)s) + %(step)s,
        count(*), sum(result), max(result), sum(sin(radians(result))), sum(cos(radians(result)))
    FROM datastream JOIN observation USING (datastream_id)
    WHERE phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    GROUP BY 1, 2, 3
"""
_USUAL = """
    SELECT max(usual) FROM (
        SELECT mode() WITHIN GROUP (ORDER BY period_s DESC) AS usual
        FROM datastream JOIN observation USING (datastream_id)
        WHERE observed_property = 'pedestrians'
            AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
        GROUP BY datastream_id
    ) AS counted
"""
STEPS = [timedelta(minutes=m) for m in (1, 5, 7, 15, 60, 90, 1440, 2880)]


@pytest.fixture
def refresher(store_url: str) -> Iterator[Refresher]:
    refresher = Refresher(store_url, buckets_at_once=30)
    yield refresher
    refresher.close()


def assert_equal_to_the_observations(
    found: list[Any],
    connection: psycopg.Connection,
    start: datetime,
    end: datetime,
    step: timedelta,
) -> None:
    values = {
        "start": start,
        "end": end,
        "step": step,
        "origin": datetime.fromisoformat("2000-01-01T00:00:00+09:00"),
    }
    wanted = {tuple(row[:3]): row[3:] for row in connection.execute(_PLAIN, values).fetchall()}
    assert [it.end for it in found] == sorted(it.end for it in found)
    got = {(it.thing_id, it.observed_property, it.end): it for it in found}
    assert len(got) == len(found)
    assert set(got) == set(wanted)
    for key, (n, total, highest, sine, cosine) in wanted.items():
        it = got[key]
        assert (it.n, it.highest) == (n, highest), key
        assert math.isclose(it.total, total, rel_tol=1e-9), key
        if key[1] == "wind_from_direction":
            assert math.isclose(it.sine, sine, abs_tol=1e-9 * n), key
            assert math.isclose(it.cosine, cosine, abs_tol=1e-9 * n), key


def assert_adds_up(
    history: History, steps: list[Step], start: datetime, end: datetime, step: timedelta
) -> None:
    """Things added up in the database are what they are one by one."""
    for names in [*([name] for name in _NAMES), _TOLD_TWICE]:
        if names is _TOLD_TWICE and step < timedelta(hours=1):
            continue  # which are many windows
        wanted = over_things(it for it in steps if it.observed_property in names)
        found = {it.end: it for it in history.combined(_THINGS, names, start, end, step)}
        assert list(found) == list(wanted)
        for time, want in wanted.items():
            got = found[time]
            assert (got.n, got.highest) == (want.n, want.highest), (names, time)
            for name in ("total", "means", "sine", "cosine"):
                if name[-4:] != "sine" or "wind_from_direction" in names:
                    pair = getattr(got, name), getattr(want, name)
                    assert math.isclose(*pair, rel_tol=1e-9, abs_tol=1e-9), (names, time, name)


_offsets = st.builds(
    lambda hours, minutes, odd: timedelta(hours=hours, minutes=minutes, microseconds=odd),
    st.sampled_from([-60, -9, 0, 1, 15, 39, 40]),
    st.integers(-7, 11),
    st.sampled_from([0, 0, 0, 1, -1]),
)
_values = st.tuples(
    st.sampled_from(_THINGS),
    st.sampled_from(_NAMES),
    _offsets,
    st.integers(0, 40),
    st.sampled_from([60, 60, 300, 7200]),
)
_actions = st.one_of(
    st.tuples(st.just("save"), st.lists(_values, min_size=1, max_size=10)),
    st.tuples(st.just("delete"), st.tuples(_offsets, st.integers(1, 90))),
    st.tuples(st.just("refresh"), st.none()),
    st.tuples(st.just("rest"), st.none()),
)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(actions=st.lists(_actions, min_size=1, max_size=8), span=st.tuples(_offsets, _offsets))
def test_at_every_moment_a_series_is_what_the_observations_say(
    writer: Writer,
    database: Database,
    connection: psycopg.Connection,
    refresher: Refresher,
    monkeypatch: pytest.MonkeyPatch,
    actions,
    span,
) -> None:
    monkeypatch.setattr(history_combined, "_AT_ONCE", 40)
    connection.execute(
        "TRUNCATE observation, latest, ingest_counter, changed, rollup_5min, rollup_hour, rollup_day"
    )
    writer.save([registration(name, *_NAMES) for name in _THINGS])
    history = History(database)
    start, end = (T0 + offset for offset in sorted(span))
    for action, argument in actions:
        if action == "save":
            writer.save(
                [
                    packed(thing, observations(thing, T0 + offset, period_s, **{name: value}))
                    for thing, name, offset, value, period_s in argument
                ]
            )
        elif action == "delete":
            delete(connection, T0 + argument[0], argument[1])
        elif action == "refresh":
            refresher.refresh()
        else:
            refresh_to_rest(refresher)
        for step in STEPS:
            steps = history.steps(_THINGS, _NAMES, start, end, step)
            assert_equal_to_the_observations(steps, connection, start, end, step)
            assert_adds_up(history, steps, start, end, step)
        (usual,) = connection.execute(_USUAL, {"start": start, "end": end}).fetchone()
        assert history.usual_period_s(_THINGS, ["pedestrians"], start, end) == usual


def delete(connection: psycopg.Connection, start: datetime, minutes: int) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        gone = cursor.execute(
            "DELETE FROM observation WHERE phenomenon_time > %s AND phenomenon_time <= %s"
            " RETURNING datastream_id, phenomenon_time",
            (start, start + timedelta(minutes=minutes)),
        ).fetchall()
        note_changed(cursor, [row[0] for row in gone], [row[1] for row in gone])


def test_readers_beside_writers_and_refreshers_never_see_a_wrong_step(
    store_url: str, writer: Writer
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    writer.save([registration(name, *_NAMES) for name in _THINGS])
    ended, has_read = threading.Event(), [threading.Event(), threading.Event()]
    start, end = T0 - timedelta(days=1), T0 + timedelta(days=1)

    def write(number: int) -> None:
        generator = random.Random(seed + number)
        mine, turns = Writer(store_url, f"writer-{number}"), 0
        while turns < 100 or not all(one.is_set() for one in has_read):
            turns += 1
            time = T0 + timedelta(seconds=60 * generator.randrange(90))
            mine.save(
                [message(generator.choice(_THINGS), time, 60, pedestrians=generator.randrange(50))]
            )
        mine.close()

    def refresh() -> None:
        refresher = Refresher(store_url, buckets_at_once=3)
        while not ended.is_set():
            refresher.refresh()
        refresher.close()

    def read(number: int) -> int:
        generator = random.Random(seed - 1)
        reads = 0
        with ExitStack() as held:
            held.callback(has_read[number].set)  # whatever happens, writers don't wait in vain
            database = held.enter_context(Database(store_url, size=1, timeout_s=120))
            while not ended.is_set():
                step = generator.choice(STEPS)
                with database.transaction() as one_moment:
                    one_moment.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    steps = steps_of(one_moment, _THINGS, _NAMES, start, end, step)
                    with one_moment.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
                        assert_equal_to_the_observations(steps, cursor, start, end, step)
                reads += 1
                if reads > 5:
                    has_read[number].set()
        return reads

    with ThreadPoolExecutor(6) as pool:
        others = [
            pool.submit(refresh),
            pool.submit(refresh),
            pool.submit(read, 0),
            pool.submit(read, 1),
        ]
        writers = [pool.submit(write, 1), pool.submit(write, 2)]
        try:
            for one in writers:
                one.result(timeout=400)
        finally:
            ended.set()
        for one in others:
            one.result(timeout=400)
        assert min(one.result() for one in others[2:]) > 5


def test_an_answer_is_of_one_moment(store_url: str, writer: Writer) -> None:
    """Observations wander from bucket to bucket, a transaction each: no reader sees more or fewer."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    writer.save([registration("a", *_NAMES)])
    writer.save([message("a", after(minutes=7 * m), air_temperature=1) for m in range(20)])
    ended = threading.Event()

    def wander() -> None:
        generator = random.Random(seed)
        with psycopg.connect(store_url, autocommit=True) as own:
            for _ in range(300):
                with own.transaction(), own.cursor() as cursor:
                    old, new = (after(minutes=7 * generator.randrange(400)) for _ in range(2))
                    found = cursor.execute(
                        "SELECT datastream_id, max(phenomenon_time) FROM observation"
                        " WHERE phenomenon_time <= %s GROUP BY 1",
                        (old,),
                    ).fetchall()
                    for key, held in found:
                        put = cursor.execute(
                            "INSERT INTO observation (datastream_id, phenomenon_time, result)"
                            " VALUES (%s, %s, 1) ON CONFLICT DO NOTHING RETURNING 1",
                            (key, new),
                        ).fetchall()
                        if put:
                            cursor.execute(
                                "DELETE FROM observation WHERE phenomenon_time = %s", (held,)
                            )
                            note_changed(cursor, [key, key], [held, new])

    def refresh() -> None:
        refresher = Refresher(store_url, buckets_at_once=50)
        while not ended.is_set():
            refresher.refresh()
        refresher.close()

    with ThreadPoolExecutor(2) as pool, Database(store_url, size=1) as database:
        others = [pool.submit(wander), pool.submit(refresh)]
        while not others[0].done():
            for step in STEPS[1::3]:
                steps = History(database).steps(
                    ["a"], ["air_temperature"], after(hours=-1), after(hours=60), step
                )
                if sum(it.n for it in steps) != 20:
                    ended.set()
                assert sum(it.n for it in steps) == 20
        ended.set()
        for one in others:
            one.result(timeout=400)


def test_what_is_up_to_date_is_read_from_rollups_alone(
    writer: Writer, database: Database, connection: psycopg.Connection, refresher: Refresher
) -> None:
    """Seen by putting something else into the rollups than the observations say."""
    writer.save([registration("gate", "pedestrians")])
    writer.save([message("gate", after(hours=h), 60, pedestrians=1) for h in range(64)])
    refresh_to_rest(refresher)
    for number, level in enumerate(("rollup_5min", "rollup_hour", "rollup_day"), start=1):
        connection.execute(f"UPDATE {level} SET total = {number} * 1000")
    writer.save([message("gate", after(hours=38, minutes=1), 60, pedestrians=5)])

    def totals(step: timedelta) -> dict[datetime, float]:
        span = after(hours=15), after(hours=63)  # two days in Tokyo
        steps = History(database).steps(["gate"], ["pedestrians"], *span, step)
        return {it.end: it.total for it in steps}

    late = after(hours=38, minutes=5)
    found = totals(timedelta(minutes=1))
    assert set(found.values()) == {1, 5}
    found = totals(timedelta(minutes=5))
    assert found.pop(late) == 5
    assert list(found.values()) == [1000] * 48
    found = totals(timedelta(hours=1))
    assert found.pop(after(hours=39)) == 1000 + 5
    assert list(found.values()) == [2000] * 47
    assert totals(timedelta(days=1)) == {
        after(hours=39): 23 * 2000 + 1000 + 5,
        after(hours=63): 3000,
    }


def test_only_what_was_asked_for_is_answered(writer: Writer, database: Database) -> None:
    writer.save([registration(name, *_NAMES) for name in _THINGS])
    writer.save(
        [message(name, after(minutes=1), 60, pedestrians=1, air_temperature=2) for name in _THINGS]
    )
    history = History(database)
    span = T0, after(hours=1), timedelta(hours=1)
    assert [
        (it.thing_id, it.observed_property) for it in history.steps(["a"], ["pedestrians"], *span)
    ] == [("a", "pedestrians")]
    assert history.steps([], _NAMES, *span) == []
    assert history.steps(_THINGS, [], *span) == []
    assert history.steps(["' OR true --"], _NAMES, *span) == []
    assert history.steps(_THINGS, _NAMES, after(hours=1), T0, timedelta(hours=1)) == []
