"""What reading costs in an empty table and in one that holds a year; what loading and rolling up cost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx
import psycopg

from bench.history_city import (
    AREA_SET,
    CROWDED,
    DAY,
    LONG_AGO,
    MONTH,
    PERIOD,
    QUIET,
    YEAR,
    City,
    Loaded,
    ceiling,
    load,
    roll_up,
    settle,
)
from bench.ingest import _until_ready
from tsuji_platform.runtime.mqtt import free_port
from tsuji_platform.runtime.private import private_database, private_folder
from tsuji_platform.store import migrate

ROWS = 6_000_000
_ROUNDS = 100
_NEW_ROWS = 100_000
_HOUR = timedelta(hours=1)
_TABLES = ("observation", "rollup_5min", "rollup_hour", "rollup_day", "rollup_profile")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figures:
    """What was measured with one amount of data.

    Attributes:
        loaded: how the rows came in.
        refresh_s: to roll 100,000 new rows up.
        reads: milliseconds of each answer, by question.
        sizes: bytes of each table with its indexes.
        rows: observations in it.
    """

    loaded: Loaded
    refresh_s: float
    reads: Mapping[str, Sequence[float]]
    sizes: Mapping[str, int]
    rows: int


def run(rows: int = ROWS) -> None:
    """Print the tables of this part.

    Args:
        rows: observations in the full table, about.
    """
    city = City.of(rows)
    print(
        f"{city.streams} datastreams of {len(city.things)} things in 62 municipalities, an observation "
        f"every {PERIOD / timedelta(minutes=1):.0f} minutes, {city.share:.0%} of a year",
        flush=True,
    )
    with private_database() as database:
        migrate(database.url)
        copied = ceiling(database.url, city.rows(asked_for=False))
    with private_database() as database:
        print(database.description, flush=True)
        migrate(database.url)
        city.register(database.url)
        empty = _measure(city, database.url, asked_for=True)
        begun = time.perf_counter()
        full = _measure(city, database.url, asked_for=False)
    _print(copied, empty, full)
    print(f"\nthe full table took {time.perf_counter() - begun:,.0f} s to load, roll up and read")


def _measure(city: City, url: str, *, asked_for: bool) -> _Figures:
    name = "empty" if asked_for else "full"
    loaded = load(url, name, city.rows(asked_for=asked_for))
    took = roll_up(url)
    print(
        f"{name}: {loaded.rows:,} rows at {loaded.rate:,.0f}/s, rolled up at {loaded.rows / took:,.0f}/s",
        flush=True,
    )
    steps = _NEW_ROWS // city.streams
    shift = timedelta(seconds=1 if asked_for else 2)
    news = load(url, f"{name} news", city.rows_since(city.end - PERIOD * steps, steps, shift))
    refresh_s = roll_up(url) * _NEW_ROWS / news.rows
    since = max(1, (datetime.now(UTC) - city.end) // PERIOD)
    shift += PERIOD
    load(url, f"{name} now", city.rows_since(city.end, since, shift - timedelta(seconds=10)))
    roll_up(url)
    settle(url)
    print(f"{name}: read with a load of {os.getloadavg()[0]:.1f} on the machine", flush=True)
    with _api(url) as client:
        reads = {label: _times(client, paths) for label, paths in _questions(city).items()}
    with psycopg.connect(url) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM observation").fetchone() or (0,)
        sizes = {table: _size(connection, table) for table in _TABLES}
    return _Figures(loaded=loaded, refresh_s=refresh_s, reads=reads, sizes=sizes, rows=rows)


def _questions(city: City) -> dict[str, list[str]]:
    """Addresses by what they ask for; where a moment is asked for, each asks for another one."""
    end = city.end - timedelta(minutes=5)
    thing = f"/v1/things/{city.things[0].thing_id}"
    area_set = f"/v1/area-sets/{AREA_SET}"
    of_thing = {"observed_property": "air_temperature"}

    def series(area: str, figure: str) -> list[str]:
        return [
            _address(
                f"{area_set}/areas/{area}/series",
                figure=figure,
                step=3600,
                start=end - MONTH,
                end=end,
            )
        ]

    moments = [
        city.end - LONG_AGO - _HOUR - (DAY - 3 * _HOUR) * n / _ROUNDS for n in range(_ROUNDS)
    ]
    return {
        "latest of all things": ["/v1/latest"],
        "a datastream's last 24 h, raw": [
            _address(f"{thing}/observations", **of_thing, start=end - DAY, end=end, limit=10_000)
        ],
        "a datastream's year by the hour": [
            _address(f"{thing}/series", **of_thing, start=end - YEAR, end=end, step=3600)
        ],
        "an area's month, 1 thing": series(QUIET, "air_temperature"),
        "an area's month, 67 things": series(CROWDED, "air_temperature"),
        "an area's month, 134 datastreams": series(CROWDED, "footfall"),
        "all municipalities now": [f"{area_set}/snapshot"],
        "all municipalities half a year ago": [
            _address(f"{area_set}/snapshot", at=moment) for moment in moments
        ],
    }


def _address(path: str, **asked: object) -> str:
    return (
        path
        + "?"
        + urlencode(
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in asked.items()
            }
        )
    )


@contextmanager
def _api(url: str) -> Iterator[httpx.Client]:
    port = free_port()
    with private_folder() as home:
        process = subprocess.Popen(
            [sys.executable, "-m", "tsuji", "api"],
            env={
                **os.environ,
                "TSUJI_DATABASE_URL": url,
                "TSUJI_API_PORT": str(port),
                "TSUJI_ANONYMOUS_RATE": "0",
                "TSUJI_KEPT_SECONDS": "0",  # what is read is measured, not what is handed on
                "TSUJI_HOME": str(home),
            },
        )
        try:
            _until_ready(port, "/v1/health")
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                yield client
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def _times(client: httpx.Client, addresses: Sequence[str]) -> list[float]:
    """Milliseconds from question to whole answer, in ascending order, after a few that warm it up."""
    took = []
    for number in range(-5, _ROUNDS):
        begun = time.perf_counter()
        answer = client.get(addresses[number % len(addresses)])
        took.append((time.perf_counter() - begun) * 1_000)
        answer.raise_for_status()
        if len(answer.content) < 300:
            raise RuntimeError(f"hardly an answer: {answer.text}")
    return sorted(took[5:])


def _size(connection: psycopg.Connection, table: str) -> int:
    (size,) = connection.execute(
        "SELECT pg_total_relation_size(%(table)s) + coalesce("
        " (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
        "  WHERE inhparent = %(table)s::regclass), 0)",
        {"table": table},
    ).fetchone() or (0,)
    return int(size)


def _print(copied: float, empty: _Figures, full: _Figures) -> None:
    print(f"\n{'':40}{'empty':>14}{'full':>14}{'full/empty':>12}")
    _line("observations", empty.rows, full.rows, "{:,.0f}")
    print(f"{'ceiling: COPY of packed rows, rows/s':40}{copied:14,.0f}{copied:14,.0f}")
    first, last = empty.loaded.rate, full.loaded.last_rate
    _line("bulk load, rows/s (full: last million)", first, last, "{:,.0f}")
    _line("  of ceiling", first / copied, last / copied, "{:.0%}")
    _line("rolling 100,000 new rows up, s", empty.refresh_s, full.refresh_s, "{:.2f}")
    for table in _TABLES:
        size = [one.sizes[table] / one.rows for one in (empty, full)]
        _line(f"bytes per observation: {table}", *size, "{:.1f}")
    heads = "".join(f"{name:>8}" for name in ("least", "half", "95 %"))
    print(f"\n{f'milliseconds, {_ROUNDS} times':36}{heads}{heads}{'half/half':>11}")
    for label, before in empty.reads.items():
        figures = [
            _at(its, share) for its in (before, full.reads[label]) for share in (0, 0.5, 0.95)
        ]
        row = "".join(f"{one:8.1f}" for one in figures)
        print(f"{label:36}{row}{figures[4] / figures[1]:11.2f}")


def _line(label: str, empty: float, full: float, form: str) -> None:
    print(f"{label:40}{form.format(empty):>14}{form.format(full):>14}{full / empty:12.2f}")


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
