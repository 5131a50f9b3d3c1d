"""What tests of retention do again and again: drop what is old enough, let time pass, look what is left."""

from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg

from rollup_check import LEVELS, kept
from samples import T0
from tsuji_platform.store.cover import RAW
from tsuji_platform.store.history_retention import Ages, Dropped, HistoryRetention

DAY = timedelta(days=1)
OLD = T0 - 60 * DAY
"""Long before what is kept below."""
NOW = T0 + timedelta(hours=1)
MONTH: Ages = {RAW: 30 * DAY}
Retain = Callable[..., HistoryRetention]


def drop(retention: HistoryRetention, now: datetime = NOW) -> list[Dropped]:
    """Everything that is old enough."""
    done = []
    while step := [one for one in retention.drop_some(now) if one.until is not None]:
        done += step
        assert len(done) < 10_000
    return done


def raw(connection: psycopg.Connection) -> set[datetime]:
    """When there are observations."""
    return {time for (time,) in connection.execute("SELECT phenomenon_time FROM observation")}


def horizon(connection: psycopg.Connection, width_s: int = 0) -> datetime:
    """Since when there are observations, or rollups of a width."""
    return connection.execute(
        "SELECT since FROM horizon WHERE width_s = %s", (width_s,)
    ).fetchone()[0]


def sums(connection: psycopg.Connection) -> dict[str, dict]:
    """All rollups."""
    return {level: kept(connection, level) for level in LEVELS}


def a_day_passes(connection: psycopg.Connection) -> None:
    """Let what came late be so much older."""
    hours_pass(connection, 25)


def hours_pass(connection: psycopg.Connection, hours: int) -> None:
    """See `a_day_passes`."""
    connection.execute(
        "UPDATE horizon SET late_since = late_since - make_interval(hours => %(hours)s),"
        " late_last = late_last - make_interval(hours => %(hours)s)",
        {"hours": hours},
    )


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
