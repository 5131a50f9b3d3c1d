"""What rollups save readers, and what they cost writers."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg

from tsuji_platform.runtime.private import private_database
from tsuji_platform.store import Database, Reader, Refresher, migrate
from tsuji_platform.store.changed import note_runs

_THINGS = 100
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_DAYS = 60
_YEAR = timedelta(days=365)
_MINUTE = timedelta(minutes=1)
_PROPERTY = "air_temperature"


def run() -> None:
    """Print the tables of this part."""
    with private_database() as server:
        migrate(server.url)
        with psycopg.connect(server.url, autocommit=True) as connection:
            _register(connection)
            _costs(connection, Refresher(server.url))
            _load(connection)
            connection.execute("ANALYZE")
            refresher = Refresher(server.url)
            with Database(server.url, size=1) as database:
                reader = Reader(database)
                _note_all(connection)
                before = _reads(reader)
                rows = connection.execute("SELECT count(*) FROM observation").fetchone()
                begun = time.perf_counter()
                while refresher.refresh():
                    pass
                took = time.perf_counter() - begun
                connection.execute("VACUUM ANALYZE")
                after = _reads(reader)
        count = rows[0] if rows else 0
    print(f"\n{count:,} observations rolled up in {took:.0f} s, {count / took:,.0f}/s\n")
    print(f"{'reading, best of 5':44}{'raw, ms':>10}{'rollups, ms':>13}{'raw/rollups':>13}")
    for label, raw in before.items():
        print(f"{label:44}{raw * 1e3:10.1f}{after[label] * 1e3:13.1f}{raw / after[label]:13.1f}")


def _register(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO thing (thing_id, name, kind, longitude, latitude)"
        " SELECT 't' || n, '', 'smart_pole', 139.7, 35.7 FROM generate_series(1, %s) AS n",
        (_THINGS,),
    )
    connection.execute(
        "INSERT INTO datastream (thing_id, observed_property)"
        " SELECT 't' || n, %s FROM generate_series(1, %s) AS n ORDER BY n",
        (_PROPERTY, _THINGS),
    )


def _costs(connection: psycopg.Connection, refresher: Refresher) -> None:
    """Refreshing as a ratio to the COPY of the same rows, by how much comes between two refreshes."""
    print(f"{'refreshing, after each so much':44}{'us/row':>10}{'of COPY':>10}")
    now = _BEGIN - _YEAR
    for label, minutes, rounds in (
        ("a minute: one row a datastream", 1, 60),
        ("five minutes", 5, 40),
        ("an hour", 60, 20),
        ("a day", 1440, 2),
    ):
        copied = refreshed = 0.0
        for _ in range(rounds):
            first = int(now.timestamp()) // 300 + 1
            begun = time.perf_counter()
            with connection.cursor().copy(
                "COPY observation (datastream_id, phenomenon_time, result) FROM STDIN (FORMAT binary)"
            ) as copy:
                copy.set_types(["int4", "timestamptz", "float8"])
                for _ in range(minutes):
                    now += _MINUTE
                    for number in range(1, _THINGS + 1):
                        copy.write_row((number, now, 1.5))
            copied += time.perf_counter() - begun
            last = -(-int(now.timestamp()) // 300)
            with connection.transaction(), connection.cursor() as cursor:
                note_runs(cursor, [(n, first, last) for n in range(1, _THINGS + 1)])
            begun = time.perf_counter()
            while refresher.refresh():
                pass
            refreshed += time.perf_counter() - begun
        rows = minutes * rounds * _THINGS
        print(f"{label:44}{refreshed / rows * 1e6:10.1f}{refreshed / copied:10.1f}")
    refresher.close()


def _load(connection: psycopg.Connection) -> None:
    """A minute's value of each thing for some weeks, of one for a year; in the order of time."""
    for begin, end, things in (
        (_BEGIN, _BEGIN + timedelta(days=_DAYS), _THINGS),
        (_BEGIN + timedelta(days=_DAYS), _BEGIN + _YEAR, 1),
    ):
        connection.execute(
            "INSERT INTO observation (datastream_id, phenomenon_time, result)"
            " SELECT id, time, 15 + 10 * sin(extract(epoch FROM time) / 13751 + id)"
            " FROM generate_series(%s + interval '1 minute', %s, interval '1 minute') AS time,"
            " generate_series(1, %s) AS id",
            (begin, end, things),
        )


def _note_all(connection: psycopg.Connection) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        last = int((_BEGIN + timedelta(days=_DAYS)).timestamp()) // 300
        first = int(_BEGIN.timestamp()) // 300 + 1
        runs = [(n, first, last) for n in range(2, _THINGS + 1)]
        runs.append((1, first, int((_BEGIN + _YEAR).timestamp()) // 300))
        note_runs(cursor, runs)


def _reads(reader: Reader) -> dict[str, float]:
    everything = [f"t{n}" for n in range(1, _THINGS + 1)]
    end = _BEGIN + timedelta(days=_DAYS)
    hour, quarter, day = timedelta(hours=1), timedelta(minutes=15), timedelta(days=1)

    def series(things: list[str], end: datetime, length: timedelta, step: timedelta) -> int:
        return len(reader.steps(things, [_PROPERTY], end - length, end, step))

    asked: dict[str, Callable[[], int]] = {
        "1 thing, a day, 15 min": lambda: series(["t2"], end, day, quarter),
        "1 thing, a year, 1 h": lambda: series(["t1"], _BEGIN + _YEAR, _YEAR, hour),
        "1 thing, a year, 1 day": lambda: series(["t1"], _BEGIN + _YEAR, _YEAR, day),
        f"{_THINGS} things, a day, 15 min": lambda: series(everything, end, day, quarter),
        f"{_THINGS} things, 30 days, 15 min": lambda: series(everything, end, 30 * day, quarter),
        f"{_THINGS} things, 30 days, 1 h": lambda: series(everything, end, 30 * day, hour),
        f"{_THINGS} things, 30 days, 1 day": lambda: series(everything, end, 30 * day, day),
    }
    return {label: min(_timed(ask) for _ in range(5)) for label, ask in asked.items()}


def _timed(ask: Callable[[], int]) -> float:
    begun = time.perf_counter()
    if not ask():
        raise RuntimeError("nothing was read")
    return time.perf_counter() - begun
