"""Random inserts, late, doubled, corrected and deleted observations, by one hand and by many at once."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollup_check import assert_exact, refresh_to_rest
from samples import T0, message, observations, packed, registration
from tsuji_platform.store import DatabaseAwayError, Writer
from tsuji_platform.store.changed import note_changed
from tsuji_platform.store.rollups import Refresher

_THINGS = ("a", "b")
_NAMES = ("pedestrians", "air_temperature", "wind_from_direction")

# moments on, just before and just behind the ends of buckets, hours and days, which so meet often
_moments = st.builds(
    lambda hours, buckets, offset: (
        T0 + timedelta(hours=hours, minutes=5 * buckets, microseconds=offset)
    ),
    st.sampled_from([0, 1, 14, 15, 16, 24 * 40]),
    st.integers(-1, 2),
    st.sampled_from([-1_000_000, -1, 0, 1, 150_000_000]),
)
_values = st.tuples(
    st.sampled_from(_THINGS),
    st.sampled_from(_NAMES),
    _moments,
    st.integers(0, 40),
    st.sampled_from([60, 300, 7200]),
)
_actions = st.one_of(
    st.tuples(st.just("save"), st.lists(_values, min_size=1, max_size=10)),
    st.tuples(st.just("delete"), st.tuples(_moments, st.integers(0, 90))),
    st.tuples(st.just("refresh"), st.none()),
    st.tuples(st.just("crash"), st.none()),
)


@pytest.fixture
def connection(store_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(store_url, autocommit=True, options="-c timezone=UTC") as connection:
        yield connection


def delete(connection: psycopg.Connection, start: datetime, minutes: int) -> None:
    """Delete a span, as whoever deletes has to."""
    with connection.transaction(), connection.cursor() as cursor:
        gone = cursor.execute(
            "DELETE FROM observation WHERE phenomenon_time > %s AND phenomenon_time <= %s"
            " RETURNING datastream_id, phenomenon_time",
            (start, start + timedelta(minutes=minutes)),
        ).fetchall()
        note_changed(cursor, [row[0] for row in gone], [row[1] for row in gone])


def crash_in_the_middle(connection: psycopg.Connection, refresher: Refresher) -> None:
    """End a refresher's connection when it has taken rows off the log and made the five minutes."""
    with psycopg.connect(connection.info.dsn) as lock, ThreadPoolExecutor(1) as pool:
        lock.execute("LOCK TABLE rollup_hour IN ACCESS EXCLUSIVE MODE")
        slice_ = pool.submit(refresher.refresh)
        while not slice_.done():
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'tsuji rollups' AND wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
        if isinstance(slice_.exception(), DatabaseAwayError):
            return
        assert slice_.result() == 0  # there was nothing to do


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(actions=st.lists(_actions, min_size=1, max_size=12), budget=st.sampled_from([1, 7, 10**6]))
def test_any_sequence_ends_equal_to_recomputation(
    store_url: str, writer: Writer, connection: psycopg.Connection, actions, budget: int
) -> None:
    connection.execute(
        "TRUNCATE observation, latest, ingest_counter, changed, rollup_5min, rollup_hour, rollup_day"
    )
    writer.save([registration(name, *_NAMES) for name in _THINGS])
    refresher = Refresher(store_url, buckets_at_once=budget)
    for action, argument in actions:
        if action == "save":
            writer.save(
                [
                    packed(thing, observations(thing, time, period_s, **{name: value}))
                    for thing, name, time, value, period_s in argument
                ]
            )
        elif action == "delete":
            delete(connection, *argument)
        elif action == "refresh":
            refresher.refresh()
        else:
            crash_in_the_middle(connection, refresher)
    refresh_to_rest(refresher)
    refresher.close()
    assert_exact(connection, whole_numbers=True)


def test_writers_deleters_and_refreshers_at_once_end_exact(
    store_url: str, writer: Writer, connection: psycopg.Connection
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    writer.save([registration(name, *_NAMES) for name in _THINGS])
    ended, worked = threading.Event(), threading.Event()

    def write(number: int) -> None:
        generator = random.Random(seed + number)
        mine = Writer(store_url, f"writer-{number}")
        for turn in range(50):
            worked.clear()
            mine.save(
                [
                    message(
                        generator.choice(_THINGS),
                        T0 + timedelta(seconds=30 * generator.randrange(60)),
                        60,
                        **{
                            name: generator.uniform(0, 50)
                            if name != "pedestrians"
                            else generator.randrange(50)
                            for name in generator.sample(_NAMES, 2)
                        },
                    )
                    for _ in range(generator.randrange(1, 6))
                ]
            )
            if turn % 10 == 0:  # what was just saved is rolled up in between, by whomever
                assert worked.wait(60)
        mine.close()

    def remove() -> None:
        generator = random.Random(seed - 1)
        with psycopg.connect(store_url, autocommit=True) as own:
            for _ in range(40):
                with own.transaction():
                    own.execute("SELECT pg_sleep(0.005)")
                    delete(own, T0 + timedelta(minutes=generator.randrange(30)), 3)

    def refresh(budget: int) -> None:
        refresher = Refresher(store_url, buckets_at_once=budget)
        while not ended.is_set():
            if refresher.refresh():
                worked.set()
        refresher.close()

    with ThreadPoolExecutor(6) as pool:
        refreshers = [pool.submit(refresh, budget) for budget in (2, 100, 10**6)]
        others = [pool.submit(write, 1), pool.submit(write, 2), pool.submit(remove)]
        try:
            for other in others:
                other.result(timeout=600)
        finally:
            ended.set()
        for one in refreshers:
            one.result(timeout=60)
    refresher = Refresher(store_url)
    refresh_to_rest(refresher)
    refresher.close()
    assert_exact(connection)
