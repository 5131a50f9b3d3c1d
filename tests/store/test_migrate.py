"""Migrations: once, in order, forward only."""

import psycopg
import pytest

from tsuji_platform.store import Database, SchemaError, migrate, pending
from tsuji_platform.store.migrate import available


def test_an_empty_database_gets_every_migration_once(empty_url: str) -> None:
    names = [name for name, _ in available()]
    assert pending(empty_url) == names
    assert migrate(empty_url) == names
    assert pending(empty_url) == []
    assert migrate(empty_url) == []


def test_an_unknown_migration_is_refused(empty_url: str) -> None:
    migrate(empty_url)
    with psycopg.connect(empty_url) as connection:
        connection.execute("INSERT INTO migration (name, checksum) VALUES ('9999_future', 'x')")
    with pytest.raises(SchemaError, match=r"9999_future.*newer"):
        migrate(empty_url)


def test_a_changed_migration_is_refused(empty_url: str) -> None:
    migrate(empty_url)
    with psycopg.connect(empty_url) as connection:
        connection.execute("UPDATE migration SET checksum = 'other'")
    with pytest.raises(SchemaError, match="not the one"):
        pending(empty_url)


def test_the_edition_is_named(hub_database: Database) -> None:
    assert "TimescaleDB" in str(hub_database.edition())
    assert "Apache" in str(hub_database.edition())


def test_observations_and_rollups_are_hypertables_only_where_there_is_timescaledb(
    store_url: str,
) -> None:
    with psycopg.connect(store_url) as connection:
        (extension,) = connection.execute(
            "SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'"
        ).fetchone()
        if extension:
            rows = connection.execute(
                "SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1"
            ).fetchall()
            assert rows == [("observation",), ("rollup_5min",), ("rollup_hour",)]
        else:
            assert "timescaledb" not in store_url
            assert connection.execute("SELECT to_regclass('observation')").fetchone() != (None,)
