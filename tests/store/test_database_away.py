"""A database that goes away and comes back: said as such, nothing half done, and work goes on."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from killed import kill_with_backends
from samples import T0, after, message, registration
from tsuji_platform.runtime.private import PrivateServer, private_database
from tsuji_platform.store import (
    Database,
    DatabaseAwayError,
    Reader,
    SchemaError,
    StoreError,
    migrate,
    pending,
)
from tsuji_platform.store.database import connect
from tsuji_platform.store.errors import translated
from tsuji_platform.store.writer import Writer


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateServer]:
    """A server of this file's own, since it is killed."""
    with private_database(kind="timescaledb") as server:
        migrate(server.url)
        yield server


def test_no_connection_waits_for_ever_for_a_server_that_vanished(server: PrivateServer) -> None:
    with Database(server.url, size=1) as database, database.transaction() as pooled:
        for connection in (pooled, connect(server.url)):
            kept = connection.info.get_parameters()
            wanted = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3"}
            assert kept.items() >= (wanted | {"tcp_user_timeout": "20000"}).items()
        connection.close()


def test_what_is_wrong_with_an_address_is_said_with_what_to_do(server: PrivateServer) -> None:
    nowhere = make_conninfo(server.url, dbname="nowhere")
    with pytest.raises(DatabaseAwayError, match='"nowhere" does not exist; make that, or mend'):
        connect(nowhere)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ('FATAL:  password authentication failed for user "x"', "check user and password"),
        ("fe_sendauth: no password supplied", "give the password"),
        ("Connection refused", "start it"),
    ],
)
def test_every_kind_of_refusal_has_its_advice(said: str, advice: str) -> None:
    line = f'connection failed: connection to server at "db", port 5432 failed: {said}'
    with pytest.raises(DatabaseAwayError, match=f"; {advice}"), translated():
        raise psycopg.OperationalError(line)
    with pytest.raises(DatabaseAwayError) as after_it_was_made, translated():
        raise psycopg.OperationalError(said)
    assert "TSUJI_DATABASE_URL" not in str(after_it_was_made.value)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_writer_works_on_after_the_database_was_away(server: PrivateServer, how: str) -> None:
    writer = Writer(server.url, how)
    writer.save([registration(how), message(how, T0, air_temperature=1)])
    kill_with_backends(server) if how == "kill" else server.stop()
    with pytest.raises(DatabaseAwayError, match="can't serve now"):
        writer.save([message(how, after(minutes=1), air_temperature=2)])
    with pytest.raises(DatabaseAwayError):
        writer.save([message(how, after(minutes=1), air_temperature=2)])
    with pytest.raises(DatabaseAwayError):
        writer.healable()
    server.start()
    saved = writer.save(
        [
            message(how, T0, air_temperature=1),
            message(how, after(minutes=1), air_temperature=2),
        ]
    )
    assert (saved.tally.duplicate, saved.tally.stored) == (1, 1)
    writer.close()


def test_readers_and_migrations_say_that_it_is_away_and_read_on_afterwards(
    server: PrivateServer, eventually
) -> None:
    with Database(server.url, timeout_s=0.5) as database:
        reader = Reader(database)

        def answers() -> bool:
            try:
                return reader.counters() == before
            except DatabaseAwayError:
                return False

        with Database(server.url) as patient:
            before = Reader(patient).counters()
        eventually(answers)
        kill_with_backends(server)
        with pytest.raises(DatabaseAwayError):
            reader.counters()
        with pytest.raises(DatabaseAwayError):
            migrate(server.url)
        server.start()
        eventually(answers)


def test_a_database_without_the_schema_is_told_apart(empty_url: str) -> None:
    writer = Writer(empty_url, "test")
    with pytest.raises(SchemaError, match="tsuji migrate"):
        writer.save([registration("pole")])
    writer.close()
    with (
        Database(empty_url, size=1) as database,
        pytest.raises(SchemaError, match="tsuji migrate"),
    ):
        Reader(database).counters()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://tsuji:hunter2/more@127.0.0.1/tsuji",
        "host=127.0.0.1 password=correct hunter2",
        "hunter2",
    ],
)
def test_an_address_that_is_none_is_said_without_quoting_it(address: str) -> None:
    with pytest.raises(StoreError, match="postgresql://user@host/name") as refused:
        pending(address)
    assert "hunter2" not in str(refused.value)
