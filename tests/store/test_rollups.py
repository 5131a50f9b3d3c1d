"""Rollups equal recomputation from the observations, whatever came in what order."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import psycopg
import pytest

from rollup_check import assert_exact, kept, refresh_to_rest
from samples import after, message, registration
from tsuji_platform.store import DatabaseAwayError, migrate
from tsuji_platform.store.changed import bucket_of, note_changed
from tsuji_platform.store.migrate import available
from tsuji_platform.store.retry import RetryWriter
from tsuji_platform.store.rollups import Refresher, kept_fresh
from tsuji_platform.store.writer import Writer

FIVE = timedelta(minutes=5)


@pytest.fixture
def refresher(store_url: str) -> Iterator[Refresher]:
    refresher = Refresher(store_url)
    yield refresher
    refresher.close()


@pytest.fixture
def connection(store_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(store_url, autocommit=True, options="-c timezone=UTC") as connection:
        yield connection


@pytest.fixture
def gate(writer: Writer) -> Writer:
    writer.save([registration("gate", "pedestrians", "air_temperature", "wind_from_direction")])
    return writer


def totals(connection: psycopg.Connection, level: str = "rollup_5min") -> dict[datetime, float]:
    return {key[1]: row[1] for key, row in kept(connection, level).items()}


def pending(connection: psycopg.Connection) -> int:
    return connection.execute("SELECT count(*) FROM changed").fetchone()[0]


def delete(connection: psycopg.Connection, condition: str, *values: Any) -> None:
    """What whoever deletes observations has to do."""
    with connection.transaction(), connection.cursor() as cursor:
        gone = cursor.execute(
            f"DELETE FROM observation WHERE {condition} RETURNING datastream_id, phenomenon_time",
            values,
        ).fetchall()
        note_changed(cursor, [row[0] for row in gone], [row[1] for row in gone])


def test_a_bucket_is_named_by_its_end_and_includes_it(
    gate: Writer, refresher: Refresher, connection: psycopg.Connection
) -> None:
    moments = {
        after(minutes=5): 1,
        after(minutes=5, microseconds=1): 2,
        after(minutes=10): 4,
        after(minutes=55, microseconds=1): 8,
        after(hours=1): 16,
        after(hours=6): 32,
        after(hours=6, microseconds=1): 64,
    }
    gate.save([message("gate", time, 60, pedestrians=n) for time, n in moments.items()])
    assert refresh_to_rest(refresher) == 1
    assert totals(connection) == {
        after(minutes=5): 1,
        after(minutes=10): 6,
        after(hours=1): 24,
        after(hours=6): 32,
        after(hours=6, minutes=5): 64,
    }
    assert totals(connection, "rollup_hour") == {
        after(hours=1): 31,
        after(hours=6): 32,
        after(hours=7): 64,
    }
    assert totals(connection, "rollup_day") == {after(hours=15): 127}
    assert_exact(connection, whole_numbers=True)


def test_a_day_ends_at_midnight_in_tokyo(
    gate: Writer, refresher: Refresher, connection: psycopg.Connection
) -> None:
    gate.save(
        [
            message("gate", after(hours=15), 60, pedestrians=1),
            message("gate", after(hours=15, microseconds=1), 60, pedestrians=2),
        ]
    )
    refresh_to_rest(refresher)
    assert totals(connection, "rollup_day") == {after(hours=15): 1, after(hours=39): 2}


@pytest.mark.parametrize(
    "time",
    [
        "2026-04-01T00:00:00+00:00",
        "2026-04-01T00:00:00.000001+00:00",
        "2026-04-01T00:04:59.999999+09:00",
        "1970-01-01T00:00:00+00:00",
        "1970-01-01T00:00:00.000001+00:00",
        "1999-12-31T23:59:59.999999-07:00",
        "2199-12-31T23:59:59.999999+00:00",
    ],
)
def test_python_and_the_database_number_buckets_alike(
    gate: Writer, refresher: Refresher, connection: psycopg.Connection, time: str
) -> None:
    moment = datetime.fromisoformat(time)
    gate.save([message("gate", moment, 60, pedestrians=1)])
    refresh_to_rest(refresher)
    (end,) = totals(connection)
    assert end == datetime.fromtimestamp(bucket_of(moment) * 300, tz=end.tzinfo)
    assert end - FIVE < moment <= end
    assert_exact(connection, whole_numbers=True)


def test_corrections_and_deletions_are_followed_and_the_last_one_takes_the_row_away(
    gate: Writer, refresher: Refresher, connection: psycopg.Connection
) -> None:
    gate.save([message("gate", after(minutes=m), 60, pedestrians=10**m) for m in range(1, 5)])
    refresh_to_rest(refresher)
    assert totals(connection) == {after(minutes=5): 11110}
    gate.save([message("gate", after(minutes=2), 60, pedestrians=7)])
    refresh_to_rest(refresher)
    assert totals(connection) == {after(minutes=5): 11017}
    delete(connection, "result > 1000")
    refresh_to_rest(refresher)
    for level in ("rollup_5min", "rollup_hour", "rollup_day"):
        assert list(totals(connection, level).values()) == [1017]
    delete(connection, "true")
    refresh_to_rest(refresher)
    for level in ("rollup_5min", "rollup_hour", "rollup_day"):
        assert totals(connection, level) == {}


def test_what_changes_nothing_is_not_logged(
    gate: Writer, refresher: Refresher, connection: psycopg.Connection
) -> None:
    batch = [message("gate", after(minutes=m), 60, pedestrians=m) for m in range(5)]
    gate.save(batch)
    assert pending(connection) > 0
    refresh_to_rest(refresher)
    assert pending(connection) == 0
    gate.save(batch)
    gate.save(batch[:1])
    assert pending(connection) == 0
    assert refresher.refresh() == 0


def test_what_was_healed_or_retried_is_rolled_up(
    writer: Writer,
    store_url: str,
    refresher: Refresher,
    connection: psycopg.Connection,
) -> None:
    healed = message("gate", after(minutes=1), 60, pedestrians=1)
    writer.save([healed])
    writer.save([registration("gate", "pedestrians")])
    assert pending(connection) == 0
    (found,) = writer.healable()
    writer.heal([(found, healed)])
    refresh_to_rest(refresher)
    assert totals(connection) == {after(minutes=5): 1}
    retried = message("other", after(minutes=1), 60, pedestrians=2)
    writer.save([retried])
    writer.save([registration("other", "pedestrians")])
    other = RetryWriter(store_url, "retry")
    other.retry([retried])
    other.close()
    refresh_to_rest(refresher)
    assert sum(totals(connection).values()) == 2  # of the datastream that came last
    assert_exact(connection, whole_numbers=True)
    assert len(kept(connection, "rollup_5min")) == 2


def test_periods_say_what_counts_cover(
    gate: Writer, refresher: Refresher, connection: psycopg.Connection
) -> None:
    gate.save(
        [
            message("gate", after(minutes=1), 60, pedestrians=1),
            message("gate", after(minutes=2), 7200, pedestrians=1),
            message("gate", after(minutes=3), air_temperature=1),
            message("gate", after(minutes=9), 300, pedestrians=1),
        ]
    )
    refresh_to_rest(refresher)
    rows = connection.execute(
        "SELECT covered_s, shortest_s, longest_s FROM rollup_5min"
        " ORDER BY datastream_id, bucket_end"
    ).fetchall()
    assert sorted(rows, key=str) == sorted(
        [(7260, 60, 7200), (300, 300, 300), (None, None, None)], key=str
    )
    with connection.transaction(), connection.cursor() as cursor:
        (key,) = cursor.execute(
            "UPDATE observation SET period_s = NULL WHERE period_s = 60 RETURNING datastream_id"
        ).fetchone()
        note_changed(cursor, [key], [after(minutes=1)])
    refresh_to_rest(refresher)
    assert_exact(connection, whole_numbers=True)
    (shortest,) = connection.execute(
        "SELECT shortest_s FROM rollup_hour WHERE longest_s = 7200"
    ).fetchone()
    assert shortest == 0  # one of them says none


def test_a_long_backlog_is_done_in_bounded_slices_and_what_is_new_does_not_wait_for_it(
    gate: Writer, store_url: str, connection: psycopg.Connection
) -> None:
    gate.save(
        [
            message("gate", after(minutes=10 * m), 60, pedestrians=m, air_temperature=m % 50)
            for m in range(200)
        ]
    )
    refresher = Refresher(store_url, buckets_at_once=40)
    now = datetime.now(UTC)
    assert 0 < (refresher.refresh() or 0) <= 60
    gate.save([message("gate", now, 60, pedestrians=1000)])
    assert 0 < (refresher.refresh() or 0) <= 60
    assert 1000 in totals(connection).values()
    assert pending(connection) > 0
    assert refresh_to_rest(refresher) > 15
    assert_exact(connection, whole_numbers=True)
    refresher.close()


def test_every_datastream_gets_its_turn_while_another_never_rests(
    writer: Writer, store_url: str, connection: psycopg.Connection
) -> None:
    names = [f"gate-{n:02}" for n in range(70)]  # several rows of the log
    writer.save([registration(name, "pedestrians") for name in names])
    writer.save([message(name, after(minutes=1), 60, pedestrians=1) for name in names])
    refresher = Refresher(store_url, buckets_at_once=4)
    for round_ in range(100):
        writer.save([message("gate-00", after(hours=round_), 60, pedestrians=1)])
        refresher.refresh()
    refresher.close()
    done = {key[0] for key in kept(connection, "rollup_5min")}
    assert len(done) == len(names)


def test_one_refreshes_at_a_time_and_others_do_not_wait(
    gate: Writer, store_url: str, refresher: Refresher, connection: psycopg.Connection
) -> None:
    gate.save([message("gate", after(minutes=1), 60, pedestrians=1)])
    with psycopg.connect(store_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('tsuji rollups'))")
        assert refresher.refresh() is None
        gate.save([message("gate", after(minutes=2), 60, pedestrians=1)])  # nor do writers
    assert refresher.refresh() == 1
    assert totals(connection) == {after(minutes=5): 2}


def test_what_a_writer_has_not_committed_is_rolled_up_after_it_has(
    gate: Writer, store_url: str, refresher: Refresher, connection: psycopg.Connection
) -> None:
    gate.save([message("gate", after(minutes=1), 60, pedestrians=1)])
    with psycopg.connect(store_url) as other, other.cursor() as cursor:
        cursor.execute(
            "INSERT INTO observation (datastream_id, period_s, phenomenon_time, result)"
            " SELECT datastream_id, 60, phenomenon_time + interval '1 minute', 10 FROM observation"
            " RETURNING datastream_id, phenomenon_time"
        )
        ((key, time),) = cursor.fetchall()
        note_changed(cursor, [key], [time])
        refresh_to_rest(refresher)
        assert totals(connection) == {after(minutes=5): 1}
        other.commit()
    refresh_to_rest(refresher)
    assert totals(connection) == {after(minutes=5): 11}


def test_an_older_state_never_replaces_a_newer_one(
    gate: Writer,
    refresher: Refresher,
    connection: psycopg.Connection,
    store_url: str,
    eventually: Callable[..., None],
) -> None:
    """One refresher stands still, having read the observations; another must not overtake it."""
    early, late = after(minutes=1), after(minutes=20)
    gate.save([message("gate", time, 60, pedestrians=1) for time in (early, late)])
    refresh_to_rest(refresher)
    gate.save([message("gate", time, 60, pedestrians=2) for time in (early, late)])
    other = Refresher(store_url)
    with psycopg.connect(store_url) as holder, ThreadPoolExecutor(2) as pool:
        holder.execute(
            "SELECT FROM rollup_5min WHERE bucket_end = %s FOR UPDATE", (after(minutes=5),)
        )
        first = pool.submit(refresher.refresh)

        def standing() -> int:
            return len(
                connection.execute(
                    "SELECT FROM pg_stat_activity WHERE application_name = 'tsuji rollups'"
                    " AND wait_event_type = 'Lock' AND datname = current_database()"
                ).fetchall()
            )

        eventually(standing, what="the first stands still")
        gate.save([message("gate", late, 60, pedestrians=3)])
        second = pool.submit(other.refresh)
        eventually(lambda: second.done() or standing() == 2, what="the second has had its chance")
        holder.rollback()
        assert first.result(timeout=400)
        assert second.result(timeout=400) is None
    refresh_to_rest(refresher)
    other.close()
    assert totals(connection) == {after(minutes=5): 2, after(minutes=20): 3}


def test_a_refresher_that_loses_its_connection_in_the_middle_has_done_nothing(
    gate: Writer, refresher: Refresher, connection: psycopg.Connection, store_url: str
) -> None:
    gate.save([message("gate", after(minutes=m), 60, pedestrians=1) for m in range(30)])
    before = pending(connection)
    with psycopg.connect(store_url) as lock, ThreadPoolExecutor(1) as pool:
        lock.execute("LOCK TABLE rollup_hour IN ACCESS EXCLUSIVE MODE")
        slice_ = pool.submit(refresher.refresh)
        deadline = time.monotonic() + 120
        killed = False
        while not killed and time.monotonic() < deadline:
            killed = bool(
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
                    " WHERE application_name = 'tsuji rollups' AND wait_event_type = 'Lock'"
                    " AND datname = current_database()"
                ).fetchall()
            )
        assert killed
        with pytest.raises(DatabaseAwayError):
            slice_.result(timeout=400)
    assert pending(connection) == before
    assert kept(connection, "rollup_5min") == {}
    assert refresh_to_rest(refresher) == 1
    assert_exact(connection, whole_numbers=True)


def test_the_thread_follows_within_seconds_and_survives_outages(
    gate: Writer,
    store_url: str,
    connection: psycopg.Connection,
    eventually: Callable[..., None],
) -> None:
    with kept_fresh(store_url):
        gate.save([message("gate", after(minutes=1), 60, pedestrians=1)])
        eventually(lambda: totals(connection) == {after(minutes=5): 1})
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'tsuji rollups' AND datname = current_database()"
        )
        gate.save([message("gate", after(minutes=2), 60, pedestrians=1)])
        eventually(lambda: totals(connection) == {after(minutes=5): 2})


@pytest.mark.parametrize("versions", [1, 2])
def test_what_an_older_version_has_stored_is_rolled_up_after_the_migration(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, versions: int
) -> None:
    every = available()
    with monkeypatch.context() as patch:
        patch.setattr(import_module(available.__module__), "available", lambda: every[:versions])
        migrate(empty_url)
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO thing (thing_id, name, kind, longitude, latitude)"
            " VALUES ('gate', 'gate', 'other', 139, 35)"
        )
        connection.execute(
            "INSERT INTO datastream (thing_id, observed_property)"
            " VALUES ('gate', 'pedestrians'), ('gate', 'wind_from_direction'), ('gate', 'pm2_5')"
        )
        connection.execute(
            "INSERT INTO observation (datastream_id, period_s, phenomenon_time, result)"
            " SELECT id, CASE WHEN id = 1 THEN 900 END, time, id * extract(hour FROM time)"
            " FROM generate_series(1, 2) AS id, generate_series(timestamptz '2025-02-25',"
            " timestamptz '2025-04-02', interval '15 minutes') AS time"
        )
        migrate(empty_url)
        refresher = Refresher(empty_url, buckets_at_once=5_000)
        assert refresh_to_rest(refresher) > 1
        refresher.close()
        assert_exact(connection, whole_numbers=True)
        assert len(kept(connection, "rollup_day")) == 2 * 37
