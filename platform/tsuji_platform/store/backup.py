"""Writes all of a hub's database into one archive, as it is at one moment, while the hub goes on.

Rows go as PostgreSQL's own text, table by table: so an archive of TimescaleDB can be restored into plain
PostgreSQL and back, and between versions of both, which a dump of hypertables can't. Rollups are in it, since
those of observations that are no longer kept can't be made anew.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from psycopg import sql

from tsuji_platform.store import queries
from tsuji_platform.store.backup_archive import About, ArchiveWriter, Sink
from tsuji_platform.store.backup_tables import Table, identifiers, kept_names, tables_of
from tsuji_platform.store.database import Connection, connect, dropped_when_interrupted
from tsuji_platform.store.errors import SchemaError, translated
from tsuji_platform.store.migrate import pending_of

_SQL = queries.load("backup")
_SCHEMA = queries.load("schema")
_log = logging.getLogger(__name__)
_PART_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What was written.

    Attributes:
        made_at: as of which moment, aware.
        rows: by table.
        size: of all rows as text, bytes.
    """

    made_at: datetime
    rows: dict[str, int]
    size: int


def back_up(url: str, file: Sink, told: Callable[[str, int], object]) -> Backup:
    """Write an archive.

    Args:
        url: PostgreSQL address; a role that may read all tables suffices.
        file: takes it, front to end.
        told: called with a table's name and the bytes of all rows so far, again and again.

    Raises:
        SchemaError: the database is not of this version's schema.
        DatabaseAwayError: it can't be reached, or not any more: what was written is no backup.
        OSError: the file can't be written.
    """
    with connect(url, "tsuji backup") as connection, translated():
        connection.execute(_SQL["no_migration"])
        lacking = pending_of(connection)
        if lacking:
            raise SchemaError(
                f"the database lacks {', '.join(lacking)}: run `tsuji migrate` first, or back it up with "
                "the version of Tsuji that it is of"
            )
        names = kept_names(connection)
        with connection.transaction(), dropped_when_interrupted(connection):
            connection.execute(_SQL["one_snapshot"])
            tables = identifiers(names)
            connection.execute(sql.SQL(_SQL["lock_for_reading"]).format(tables=tables))
            about = _about(connection, names)
            done = 0
            with ArchiveWriter(file, about) as writer:
                for table in about.tables:
                    done = _copy(connection, table, writer, done, told)
    return Backup(
        made_at=about.made_at,
        rows={name: one.rows for name, one in writer.sums.items()},
        size=done,
    )


def note(url: str, started: datetime, size: int, target: str) -> None:
    """Remember that a backup was made, for `tsuji doctor`.

    Args:
        url: PostgreSQL address.
        started: when, aware.
        size: of the archive, bytes.
        target: where it was written to.

    Raises:
        StoreError: it was not noted; the backup is as good as without.
    """
    with connect(url, "tsuji backup") as connection, translated():
        values = {"started": started, "bytes": size, "target": target}
        connection.execute(_SQL["note_backup"], values)


def _about(connection: Connection, names: list[str]) -> About:
    (moment,) = connection.execute(_SQL["moment"]).fetchall()
    extension = moment["timescaledb"]
    migrations = connection.execute(_SCHEMA["migrations"])
    return About(
        made_at=moment["made_at"],
        tsuji=version("tsuji"),
        database=f"PostgreSQL {moment['postgres']}"
        + (f" with TimescaleDB {extension}" if extension else ""),
        migrations={row["name"]: row["checksum"] for row in migrations},
        tables=tables_of(connection, names),
    )


def _copy(
    connection: Connection,
    table: Table,
    writer: ArchiveWriter,
    done: int,
    told: Callable[[str, int], object],
) -> int:
    query = sql.SQL(_SQL["copy_out"]).format(
        columns=identifiers(table.columns), table=sql.Identifier(table.name)
    )
    told(table.name, done)
    parts: list[bytes] = []
    held = 0
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for row in copy:  # the server sends one at a time
            parts.append(bytes(row))
            held += len(parts[-1])
            if held >= _PART_BYTES:
                writer.write(table.name, b"".join(parts), len(parts))
                done += held
                parts, held = [], 0
                told(table.name, done)
    if parts:
        writer.write(table.name, b"".join(parts), len(parts))
    return done + held
