"""Random inserts, late, doubled, corrected and deleted observations, by one hand and by many at once."""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollup_check import assert_exact, refresh_to_rest
from samples import T0, message, observations, packed, registration
from tsuji_platform.store import ConflictError, DatabaseAwayError
from tsuji_platform.store.changed import note_changed
from tsuji_platform.store.rollups import Refresher
from tsuji_platform.store.writer import Writer

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


class Deadlocks:
    """Those of one connection that deletes, which meets rows in another order than writers; no others may be.

    PostgreSQL ends the one that is the first to look, after `deadlock_timeout`, and to find the circle
    closed: that may be the writer as well as the deletion. Whichever it is, it is told of all in the circle.

    Attributes:
        count: how many there were.
    """

    def __init__(self, deleter: psycopg.Connection) -> None:
        self.count = 0
        self._deleter = str(deleter.info.backend_pid)

    def outlast(self, work: Callable[[], object], within: float = 400) -> None:
        """Do it again as long as a deletion was in the way."""
        deadline = time.monotonic() + within
        while True:
            try:
                work()
            except (ConflictError, psycopg.errors.DeadlockDetected) as error:
                self._see_who(error if isinstance(error, psycopg.Error) else error.__cause__)
                if time.monotonic() > deadline:
                    pytest.fail(f"not within {within} s, for {self.count} deadlocks: {error}")
            else:
                return

    def _see_who(self, error: BaseException | None) -> None:
        assert isinstance(error, psycopg.errors.DeadlockDetected), f"no deadlock: {error!r}"
        detail = error.diag.message_detail or ""
        assert self._deleter in re.findall(r"\d+", detail), f"without a deletion: {error}"
        self.count += 1


def crash_in_the_middle(connection: psycopg.Connection, refresher: Refresher) -> None:
    """End a refresher's connection when it has taken rows off the log and made the five minutes."""
    with psycopg.connect(connection.info.dsn) as lock, ThreadPoolExecutor(1) as pool:
        lock.execute("LOCK TABLE rollup_hour IN ACCESS EXCLUSIVE MODE")
        slice_ = pool.submit(refresher.refresh)
        while not slice_.done():
            connection.execute(
                # until it is gone: it tells us before it gives back the lock that the next one needs
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
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
            batch = [
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
            deadlocks.outlast(lambda batch=batch: mine.save(batch))
            if turn % 10 == 0:  # what was just saved is rolled up in between, by whomever
                assert worked.wait(400)
        mine.close()

    def remove() -> None:
        generator = random.Random(seed - 1)
        for _ in range(40):
            start = T0 + timedelta(minutes=generator.randrange(30))
            deadlocks.outlast(lambda start=start: remove_one(start))

    def remove_one(start: datetime) -> None:
        with deleter.transaction():
            deleter.execute("SELECT pg_sleep(0.005)")
            delete(deleter, start, 3)

    def refresh(budget: int) -> None:
        refresher = Refresher(store_url, buckets_at_once=budget)
        while not ended.is_set():
            if refresher.refresh():
                worked.set()
        refresher.close()

    with psycopg.connect(store_url, autocommit=True) as deleter, ThreadPoolExecutor(6) as pool:
        deadlocks = Deadlocks(deleter)
        refreshers = [pool.submit(refresh, budget) for budget in (2, 100, 10**6)]
        others = [pool.submit(write, 1), pool.submit(write, 2), pool.submit(remove)]
        try:
            for other in others:
                other.result(timeout=600)
        finally:
            ended.set()
        for one in refreshers:
            one.result(timeout=400)
    print(f"{deadlocks.count} deadlocks with a deletion")
    refresher = Refresher(store_url)
    refresh_to_rest(refresher)
    refresher.close()
    assert_exact(connection)
