"""Migrations: once, in order, forward only."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tsuji_platform.runtime.private import PrivateServer
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


@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        ("CREATE TABLE thing (id int)", "another program's: .*: thing. Give Tsuji a database"),
        ("CREATE VIEW latest AS SELECT 1", "another program's: .*: latest. Give Tsuji a database"),
        ("CREATE TABLE migration (version int)", "a table migration that Tsuji has not made"),
    ],
)
def test_another_programs_database_is_refused_as_it_is(
    timescaledb_server: PrivateServer, theirs: str, named: str
) -> None:
    with psycopg.connect(timescaledb_server.url, autocommit=True) as server:
        server.execute("CREATE DATABASE theirs")
    url = make_conninfo(timescaledb_server.url, dbname="theirs")
    try:
        with psycopg.connect(url) as connection:
            connection.execute(theirs)
        with pytest.raises(SchemaError, match=named):
            migrate(url)
        with psycopg.connect(url) as connection:
            extensions = connection.execute("SELECT extname FROM pg_extension").fetchall()
            tables = connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            ).fetchall()
        assert extensions == [("plpgsql",)]
        assert len(tables) == 1
    finally:
        with psycopg.connect(timescaledb_server.url, autocommit=True) as server:
            server.execute("DROP DATABASE theirs WITH (FORCE)")


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
