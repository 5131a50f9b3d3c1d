"""A database of the first version with data in every table comes through all migrations."""

import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest

import warm_tsuji
from rollup_check import LEVELS, assert_exact, kept, refresh_to_rest
from samples import T0, after, message, registration
from tsuji_platform.store import Areas, Database, Reader, Refresher, Rejected, migrate
from tsuji_platform.store.migrate import available
from tsuji_platform.store.records import RejectedFilter
from tsuji_platform.store.writer import Writer

Run = Callable[..., subprocess.CompletedProcess[str]]
FIRST = "0001_things_observations_areas"

_DATA = """
INSERT INTO thing (thing_id, name, name_en, kind, longitude, latitude, effective_width_m, capacity, owner)
VALUES ('gate', '改札', 'Gate', 'footfall_counter', 139.69, 35.69, 3.5, 900, '辻市'),
       ('pole', 'ポール', '', 'smart_pole', 139.7, 35.7, NULL, NULL, '');
INSERT INTO datastream (thing_id, observed_property, declared)
VALUES ('gate', 'pedestrians', true), ('pole', 'wind_from_direction', true),
       ('pole', 'air_temperature', false);
INSERT INTO observation (datastream_id, period_s, phenomenon_time, result)
SELECT id, CASE WHEN id = 1 THEN 600 END, time, (id * extract(epoch FROM time)::int8 / 600) % 50
FROM generate_series(1, 3) AS id, generate_series(timestamptz '2025-12-25',
    timestamptz '2026-01-20', interval '10 minutes') AS time;
INSERT INTO latest SELECT DISTINCT ON (datastream_id) datastream_id, phenomenon_time, result, period_s,
    phenomenon_time + interval '2 s' FROM observation ORDER BY datastream_id, phenomenon_time DESC;
INSERT INTO rejected_message (digest, topic, payload, thing_id, reason, detail, observed_properties,
    value_count, seen, first_received_at, last_received_at)
VALUES ('\\x01', 'tsuji/v1/things/gate/observations', '\\x7b00ff', 'gate', 'broken_json', 'not JSON', '{}',
        1, 3, '2026-01-01Z', '2026-01-02Z'),
       ('\\x02', 'elsewhere', '', NULL, 'unknown_topic', 'no such topic', '{}', 1, 1,
        '2026-01-03Z', '2026-01-03Z');
INSERT INTO ingest_counter (ingest_id, messages, received, stored, duplicate, corrected, rejected,
    last_stored_at)
VALUES ('tsuji-ingest', 100, 12010, 12000, 5, 1, 4, '2026-01-20Z');
INSERT INTO area_set (area_set_id, name, name_en, kind, source, licence)
VALUES ('town', '町', 'Town', 'polygon', 'test data', 'CC0-1.0');
INSERT INTO area (area_set_id, code, name, name_en, west, south, east, north, geometry, display_geometry)
VALUES ('town', 'A', '甲', 'A', 139.6, 35.6, 139.7, 35.7,
    '{"type": "Polygon", "coordinates": []}', '{"type": "Polygon", "coordinates": []}');
INSERT INTO area_thing SELECT area_id, 'gate' FROM area;
"""


@pytest.fixture
def tsuji(empty_url: str, tmp_path: Path) -> Run:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TSUJI_")}
    environment = {**inherited, "TSUJI_DATABASE_URL": empty_url, "TSUJI_HOME": str(tmp_path)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return warm_tsuji.run_text(*arguments, env=environment)

    return run


@pytest.fixture
def first_version(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the first version has left behind."""
    first = [one for one in available() if one[0] == FIRST]
    with monkeypatch.context() as patch:
        patch.setattr(import_module(available.__module__), "available", lambda: first)
        assert migrate(empty_url) == [FIRST]
    with psycopg.connect(empty_url) as connection:
        connection.execute(_DATA)
    return empty_url


def every_table(connection: psycopg.Connection) -> dict[str, list[str]]:
    """Columns by table."""
    tables: dict[str, list[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'migration' ORDER BY 1, 2"
    ):
        tables.setdefault(table, []).append(column)
    return tables


def contents(
    connection: psycopg.Connection, tables: dict[str, list[str]]
) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: sorted(connection.execute(f"SELECT {', '.join(columns)} FROM {table}"), key=repr)
        for table, columns in tables.items()
    }


def test_everything_is_there_and_rolled_up_after_all_migrations(
    first_version: str, tsuji: Run
) -> None:
    with psycopg.connect(first_version, autocommit=True, options="-c timezone=UTC") as connection:
        tables = every_table(connection)
        before = contents(connection, tables)
        assert [table for table, rows in before.items() if not rows] == []
        lacking = [name for name, _ in available() if name != FIRST]
        check = tsuji("migrate", "--check")
        assert check.returncode == 1
        assert check.stdout.split() == lacking
        assert contents(connection, tables) == before
        done = tsuji("migrate")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [f"applied {name}" for name in lacking]
        check = tsuji("migrate", "--check")
        assert (check.returncode, check.stdout) == (0, "the schema is up to date\n")
        assert contents(connection, tables) == before

        refresher = Refresher(first_version)
        assert refresh_to_rest(refresher) > 0
        while refresher.profile():
            pass
        refresher.close()
        assert_exact(connection)
        assert [level for level in LEVELS if not kept(connection, level)] == []
        (profiles,) = connection.execute("SELECT count(*) FROM rollup_profile").fetchone()
        assert profiles > 2 * 25
        assert connection.execute("SELECT count(*) FROM changed").fetchone() == (0,)


def test_readers_and_writers_go_on_with_what_was_there(first_version: str, tsuji: Run) -> None:
    assert tsuji("migrate").returncode == 0
    with Database(first_version, size=2) as database:
        reader, rejected = Reader(database), Rejected(database)
        tally = reader.counters().tally
        assert (tally.messages, tally.stored, tally.rejected) == (100, 12000, 4)
        assert {row.thing.thing_id: row.thing.name for row in reader.things()} == {
            "gate": "改札", "pole": "ポール",
        }  # fmt: skip
        assert {(row.topic, row.payload, row.seen) for row in rejected.find(RejectedFilter())} == {
            ("tsuji/v1/things/gate/observations", b"\x7b\x00\xff", 3), ("elsewhere", b"", 1),
        }  # fmt: skip
        assert Areas(database).membership("town") == {"A": ["gate"]}
        writer = Writer(first_version, "tsuji-ingest")
        writer.save([registration("gate", "pedestrians"), message("gate", T0, 300, pedestrians=7)])
        writer.close()
        tally = reader.counters().tally
        assert (tally.messages, tally.stored) == (102, 12001)
        # without any refresher the log and the observations answer together
        (step,) = reader.steps(
            ["gate"], ["pedestrians"], T0 - timedelta(days=1), T0, timedelta(days=1)
        )
        assert step.total == 7
        days = reader.steps(
            ["gate"], ["pedestrians"], T0 - timedelta(days=100), after(days=1), timedelta(days=1)
        )
        with psycopg.connect(first_version) as connection:
            (total,) = connection.execute(
                "SELECT sum(result) FROM observation WHERE datastream_id = 1"
            ).fetchone()
        assert sum(one.total for one in days) == total
