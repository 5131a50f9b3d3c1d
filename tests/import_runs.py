"""Runs `tsuji import` as a stranger does, and reads what it has left."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg

import warm_tsuji
from tsuji_platform.store import Refresher

Run = Callable[..., subprocess.CompletedProcess[str]]


def runner(url: str, folder: Path) -> Run:
    """Runs it in a folder."""

    def call(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        done = warm_tsuji.run(
            "import", *arguments, env=environment(url, folder), cwd=folder, stdin=stdin
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return call


def command(*arguments: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "tsuji", "import", *arguments]


def environment(url: str, home: Path) -> dict[str, str]:
    """Its surroundings."""
    return {**os.environ, "TSUJI_DATABASE_URL": url, "TSUJI_HOME": str(home)}


_TABLES = {
    "observation": "SELECT thing_id, observed_property, o.phenomenon_time, o.result, o.period_s"
    " FROM observation AS o JOIN datastream USING (datastream_id) ORDER BY 1, 2, 3",
    "latest": "SELECT thing_id, observed_property, l.phenomenon_time, l.result, l.period_s"
    " FROM latest AS l JOIN datastream USING (datastream_id) ORDER BY 1, 2",
    **{
        name: f"SELECT thing_id, observed_property, bucket_end, n, total, lowest, highest, covered_s"
        f" FROM {name} JOIN datastream USING (datastream_id) ORDER BY 1, 2, 3"
        for name in ("rollup_5min", "rollup_hour", "rollup_day")
    },
    "thing": "SELECT thing_id, name, kind, longitude, latitude, owner FROM thing ORDER BY 1",
    "datastream": "SELECT thing_id, observed_property, declared FROM datastream ORDER BY 1, 2",
}


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All that there is of observations, sums and things."""
    refresher = Refresher(url)
    while refresher.refresh() != 0:
        pass
    refresher.close()
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        return {name: connection.execute(query).fetchall() for name, query in _TABLES.items()}


def empty(url: str) -> None:
    """Leave nothing of that."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE observation, latest, rollup_5min, rollup_hour, rollup_day, changed, thing,"
            " datastream, ingest_counter, import_progress, registry RESTART IDENTITY CASCADE"
        )
