"""What the rollups must be, computed from the observations alone by the database's plainest means."""

import math
from datetime import datetime
from typing import Any

import psycopg

from tsuji_platform.store.rollups import Refresher

LEVELS = {"rollup_5min": "5 minutes", "rollup_hour": "1 hour", "rollup_day": "1 day"}
_COLUMNS = (
    *("n", "total", "lowest", "highest", "sine", "cosine", "covered_s", "shortest_s", "longest_s"),
    "magnitude",
)
_EXPECTED = """
    SELECT datastream_id,
        date_bin(%(width)s::interval, phenomenon_time - interval '1 microsecond',
            '2000-01-01T00:00:00+09:00') + %(width)s::interval AS bucket_end,
        count(*), sum(result), min(result), max(result),
        sum(sin(radians(result))) FILTER (WHERE observed_property = 'wind_from_direction'),
        sum(cos(radians(result))) FILTER (WHERE observed_property = 'wind_from_direction'),
        sum(period_s),
        CASE WHEN count(period_s) > 0 THEN min(coalesce(period_s, 0)) END,
        max(period_s), sum(abs(result))
    FROM observation JOIN datastream USING (datastream_id)
    GROUP BY 1, 2
"""

Rows = dict[tuple[int, datetime], tuple[Any, ...]]


def expected(connection: psycopg.Connection, level: str) -> Rows:
    """One row a datastream and bucket that has observations."""
    rows = connection.execute(_EXPECTED, {"width": LEVELS[level]}).fetchall()
    return {row[:2]: row[2:] for row in rows}


def kept(connection: psycopg.Connection, level: str) -> Rows:
    """What the rollup holds."""
    columns = ", ".join(["datastream_id", "bucket_end", *_COLUMNS[:-1]])
    rows = connection.execute(f"SELECT {columns} FROM {level}").fetchall()
    assert len({row[:2] for row in rows}) == len(rows), "a bucket is there twice"
    return {row[:2]: row[2:] for row in rows}


def assert_exact(connection: psycopg.Connection, *, whole_numbers: bool = False) -> None:
    """Every rollup row equals recomputation, and there is one wherever there are observations."""
    for level in LEVELS:
        wanted, found = expected(connection, level), kept(connection, level)
        assert set(found) == set(wanted), level
        for key, want in wanted.items():
            got = dict(zip(_COLUMNS, found[key], strict=False))
            should = dict(zip(_COLUMNS, want, strict=True))
            magnitude = should.pop("magnitude")
            for name, value in should.items():
                if name in ("total", "sine", "cosine") and value is not None:
                    scale = magnitude if name == "total" else should["n"]
                    tolerance = 0 if name == "total" and whole_numbers else 1e-9 * scale
                    assert math.isclose(got[name], value, rel_tol=0, abs_tol=tolerance), (
                        level, key, name, got[name], value,
                    )  # fmt: skip
                else:
                    assert got[name] == value, (level, key, name)


def refresh_to_rest(refresher: Refresher) -> int:
    """Refresh until nothing is left; returns the number of slices."""
    slices = 0
    while refresher.refresh() != 0:
        slices += 1
        assert slices < 10_000, "the log never gets empty"
    return slices
