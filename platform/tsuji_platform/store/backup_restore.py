"""Reads a backup into a database, in one transaction: it is all there or, whatever happens, nothing is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tsuji_platform.store import queries
from tsuji_platform.store.backup_archive import About, ArchiveError, ArchiveReader
from tsuji_platform.store.backup_tables import Table, identifiers, kept_names, tables_of
from tsuji_platform.store.database import Connection, connect, dropped_when_interrupted
from tsuji_platform.store.errors import ConflictError, StoreError, translated
from tsuji_platform.store.migrate import (
    applied,
    apply,
    available,
    checksum,
    made_by_us,
    offer_timescaledb,
    pending_of,
    taken_names,
)

_SQL = queries.load("backup")
_SCHEMA = queries.load("schema")
_WRITING = queries.load("writing")
_NOT_EMPTIED = frozenset({"migration", "backup_run"})


class NotEmptyError(StoreError):
    """The database holds something already; the text says what, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored.

    Attributes:
        about: the archive.
        rows: by table.
        migrated: what the backup's schema lacked, and was applied.
    """

    about: About
    rows: dict[str, int]
    migrated: list[str]


def restore(
    url: str,
    archive: ArchiveReader,
    told: Callable[[str], object],
    *,
    replace: bool = False,
    timescaledb: bool = True,
) -> Restored:
    """Restore an archive, and bring an older one's schema up to date.

    Args:
        url: PostgreSQL address of a database that is empty, with our schema or without; the role must own
            our tables.
        archive: read to its end.
        told: called with each table's name before it is read.
        replace: drop what is there; otherwise a database that holds anything is refused.
        timescaledb: whether to use the extension where the server offers it.

    Raises:
        ArchiveError: the archive is damaged, or of a newer version.
        NotEmptyError: the database holds something, or is newer than the archive.
        ConflictError: somebody else uses the tables.
        DatabaseAwayError: it can't be reached.
    """
    _check(archive.about)
    try:
        with connect(url, "tsuji restore") as connection:
            with translated():
                _check_target(connection, archive.about, replace=replace)
            if timescaledb:  # can't be undone with a transaction, so only now
                offer_timescaledb(connection)
            with translated(), connection.transaction(), dropped_when_interrupted(connection):
                connection.execute(_SQL["limit_waiting"])
                connection.execute(_SCHEMA["lock_migration"])
                return _restore(connection, archive, told, replace=replace)
    except StoreError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise ConflictError(
                "the database is in use: stop ingest, API and whatever else uses it, then restore. Nothing "
                "was changed"
            ) from error
        if isinstance(error.__cause__, psycopg.DataError | psycopg.IntegrityError):
            raise ArchiveError(
                f"the backup does not fit into its own schema: {error}. Use another backup; nothing was "
                "changed"
            ) from error
        raise


def _restore(
    connection: Connection,
    archive: ArchiveReader,
    told: Callable[[str], object],
    *,
    replace: bool,
) -> Restored:
    about = archive.about
    there = applied(connection)
    _refuse_newer(there, about)
    version = _make_room(connection, replace=replace) if there else None
    apply(connection, [name for name in about.migrations if name not in there])
    kept = kept_names(connection)
    _check_tables(about, tables_of(connection, kept, numbers=False))
    if not there:
        _drop_all(connection, kept)  # what migrations put in themselves
    rows = {}
    for table in about.tables:
        told(table.name)
        rows[table.name] = _fill(connection, table, archive.parts(table.name))
    archive.finish(rows.__getitem__)
    for table in about.tables:
        _go_on_numbering(connection, table)
    if version is not None:
        connection.execute(_SQL["change_registry"], {"version": version + 1})
    migrated = [name for name, _ in available() if name not in about.migrations]
    apply(connection, migrated)
    connection.execute(sql.SQL(_SQL["analyse"]).format(tables=identifiers(kept)))
    connection.execute(_WRITING["announce"])
    return Restored(about=about, rows=rows, migrated=migrated)


def _check_target(connection: Connection, about: About, *, replace: bool) -> None:
    """Refuse before anything changes what is refused for good once nobody else can change it."""
    lacking = pending_of(connection)
    there = [name for name, _ in available() if name not in lacking]
    _refuse_newer(there, about)
    if there and not replace:
        _refuse_rows(connection)
    if not there and (others := taken_names(connection)):
        raise NotEmptyError(
            "the database is another program's: it holds tables or views by names that Tsuji wants for its "
            f"own: {', '.join(others)[:200]}. Create a new, empty database and restore into that"
        )


def _refuse_newer(there: Sequence[str], about: About) -> None:
    newer = [name for name in there if name not in about.migrations]
    if newer:
        raise NotEmptyError(
            f"the database's schema has {', '.join(newer)}, which the backup of {about.made_at:%Y-%m-%d} "
            "lacks: create a new, empty database and restore into that. Its schema is made as the backup's "
            "was, and then brought up to date"
        )


def _refuse_rows(connection: Connection) -> None:
    for name in kept_names(connection):
        query = sql.SQL(_SQL["is_empty"]).format(table=sql.Identifier(name))
        (found,) = connection.execute(query).fetchall()
        if not found["empty"]:
            raise NotEmptyError(
                "the database is not empty: it holds what a hub has kept. Restore into a new one, or give "
                "--replace to drop all that is there"
            )


def _check(about: About) -> None:
    shipped = {name: checksum(text) for name, text in available()}
    for name, its in about.migrations.items():
        if name not in shipped:
            raise ArchiveError(
                f"the backup was made by Tsuji {about.tsuji}, whose migration {name!r:.80} this version "
                "does not know: use that version, or a newer one"
            )
        if shipped[name] != its:
            raise ArchiveError(
                f"migration {name!r:.80} of the backup is not the one of this version: use the version "
                f"that made it ({about.tsuji})"
            )


def _check_tables(about: About, own: Iterable[Table]) -> None:
    """What an archive names goes into statements only if it is what the schema has."""
    expected = {table.name: table.columns for table in own}
    given = {table.name: table.columns for table in about.tables}
    if expected != given or len(given) != len(about.tables):
        odd = sorted(name for name in {*expected, *given} if expected.get(name) != given.get(name))
        raise ArchiveError(
            f"the backup's tables are not those of its schema: {', '.join(odd)[:200]}. It was altered, or "
            "is of a version that was never released; nothing was changed"
        )
    for table in about.tables:
        if not set(table.next_numbers) <= set(table.columns):
            raise ArchiveError(f"the backup numbers columns that {table.name} has not")


def _make_room(connection: Connection, *, replace: bool) -> int | None:
    """Let nobody else in, and see that nothing is there; returns which version of things was dropped."""
    names = _all(connection)
    connection.execute(sql.SQL(_SQL["lock_for_restoring"]).format(tables=identifiers(names)))
    if replace:
        (row,) = connection.execute(_SQL["registry_version"]).fetchall()
        _drop_all(connection, names)
        return int(row["version"])
    _refuse_rows(connection)
    return None


def _all(connection: Connection) -> list[str]:
    wanted = [name for name in made_by_us() if name not in _NOT_EMPTIED]
    return _named(connection, "all_tables", wanted)


def _named(connection: Connection, query: str, names: Sequence[str]) -> list[str]:
    return [row["name"] for row in connection.execute(_SQL[query], {"names": names})]


def _drop_all(connection: Connection, names: list[str]) -> None:
    connection.execute(sql.SQL(_SQL["empty_all"]).format(tables=identifiers(names)))


def _fill(connection: Connection, table: Table, parts: Iterable[bytes]) -> int:
    query = sql.SQL(_SQL["copy_in"]).format(
        table=sql.Identifier(table.name), columns=identifiers(table.columns)
    )
    with connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            for part in parts:
                copy.write(part)
        return max(cursor.rowcount, 0)  # psycopg says -1 where there is none


def _go_on_numbering(connection: Connection, table: Table) -> None:
    for column, number in table.next_numbers.items():
        connection.execute(
            sql.SQL(_SQL["go_on_numbering"]).format(
                table=sql.Identifier(table.name),
                column=sql.Identifier(column),
                next=sql.Literal(number),
            )
        )
