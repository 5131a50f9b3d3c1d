"""What a failing database says: whether to try again, to migrate, or to keep a message as rejected."""

from collections.abc import Iterator

import psycopg
import pytest

from samples import T0, after, message, registration
from small_volume import SmallServer, small_server
from tsuji_platform.store import (
    ConflictError,
    DatabaseAwayError,
    RowRefusedError,
    SchemaError,
    StoreError,
    TookTooLongError,
    migrate,
)
from tsuji_platform.store.database import connect
from tsuji_platform.store.errors import translated
from tsuji_platform.store.writer import Writer


@pytest.fixture(scope="module")
def server() -> Iterator[SmallServer]:
    with small_server() as server:
        migrate(server.url)
        yield server


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        ("53100", "could not extend file: No space left on device", DatabaseAwayError),
        ("XX000", "could not extend file: Disk quota exceeded", DatabaseAwayError),
        ("53200", "out of memory", DatabaseAwayError),
        ("53300", "too many clients already", DatabaseAwayError),
        ("58030", "could not read block: Input/output error", DatabaseAwayError),
        ("42501", "could not open file: Read-only file system", DatabaseAwayError),
        ("42501", "permission denied for table observation", DatabaseAwayError),
        ("25006", "cannot execute INSERT in a read-only transaction", DatabaseAwayError),
        ("40001", "could not serialize access", ConflictError),
        ("40P01", "deadlock detected", ConflictError),
        ("57014", "canceling statement due to statement timeout", TookTooLongError),
        ("57P01", "terminating connection", DatabaseAwayError),
        ("42P01", 'relation "observation" does not exist', SchemaError),
        ("42703", 'column "period_s" does not exist', SchemaError),
        ("42883", "function does not exist", SchemaError),
        ("22003", "out of range", RowRefusedError),
        ("23514", "violates check constraint", RowRefusedError),
        ("54000", "index row size exceeds maximum", RowRefusedError),
        ("XX000", "something unexpected", StoreError),
    ],
)
def test_each_code_has_its_kind(server: SmallServer, code: str, said: str, expected: type) -> None:
    connection = connect(server.url)
    with pytest.raises(StoreError) as caught, translated():
        connection.execute(f"DO $$ BEGIN RAISE '{said}' USING ERRCODE = '{code}'; END $$")
    connection.close()
    assert type(caught.value) is expected
    assert said in str(caught.value)


def _write_until_refused(writer: Writer, name: str) -> None:
    for number in range(10_000):
        writer.save(
            [
                message(name, after(hours=number, seconds=second), air_temperature=second % 40)
                for second in range(1_000)
            ]
        )


def test_a_full_disk_is_named_and_refuses_no_row(server: SmallServer) -> None:
    writer = Writer(server.url, "full")
    writer.save([registration("full")])
    server.volume.fill()
    try:
        with pytest.raises(DatabaseAwayError, match=r"no space left.*make room on the volume"):
            _write_until_refused(writer, "full")
    finally:
        server.volume.empty()
    if not server.is_running:
        server.start()
    saved = writer.save([message("full", after(days=-900), air_temperature=1)])
    assert (saved.tally.stored, saved.tally.rejected) == (1, 0)
    writer.close()


def test_missing_rights_are_named(server: SmallServer) -> None:
    connection = connect(server.url)
    connection.execute("CREATE ROLE weak")
    connection.execute("SET ROLE weak")
    wanted = r"permission denied for table observation; give its role the rights"
    with pytest.raises(DatabaseAwayError, match=wanted), translated():
        connection.execute("DELETE FROM observation")
    connection.close()


def test_a_schema_without_a_column_is_not_the_fault_of_a_row(server: SmallServer) -> None:
    writer = Writer(server.url, "column")
    writer.save([registration("column")])
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE latest RENAME COLUMN received_at TO renamed")
        try:
            with pytest.raises(SchemaError, match=r"received_at.*tsuji migrate"):
                writer.save([message("column", T0, air_temperature=1)])
        finally:
            connection.execute("ALTER TABLE latest RENAME COLUMN renamed TO received_at")
    assert writer.save([message("column", T0, air_temperature=1)]).tally.stored == 1
    writer.close()
