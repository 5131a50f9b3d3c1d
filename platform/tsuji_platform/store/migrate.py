"""Brings a database's schema up to date: SQL files in order, each once, forward only."""

import hashlib
import re
from collections.abc import Callable, Collection
from importlib.resources import files
from time import monotonic, sleep

import psycopg

from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection, connect
from tsuji_platform.store.errors import ConflictError, SchemaError, StoreError, translated
from tsuji_platform.store.roles import grant_again

_SQL = queries.load("schema")
_MADE = re.compile(r"^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)
_PATIENCE_S = 600.0
_AGAIN_AFTER_S = 2.0
_IN_THE_WAY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


def available() -> list[tuple[str, str]]:
    """The shipped migrations as (name, SQL), in order."""
    folder = files(__package__) / "migrations"
    return sorted(
        (entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    )


def pending(url: str) -> list[str]:
    """Names of the migrations that the database still lacks.

    Raises:
        SchemaError: where it holds migrations that this version does not know, or changed ones.
        DatabaseAwayError: where it can't be reached.
    """
    with connect(url, "tsuji migrate") as connection, translated():
        return pending_of(connection)


def migrate(
    url: str,
    *,
    timescaledb: bool = True,
    patience_s: float = _PATIENCE_S,
    waiting: Callable[[str], object] = lambda _: None,
) -> list[str]:
    """Apply what is lacking, all in one transaction, and return the names of what was applied.

    Who waits for a table in PostgreSQL makes all wait who come later. So nobody is waited for any longer
    than a moment: then all is undone, the others go on, and it is tried again. Only another migration, a
    backup or a restore is waited for until it ends: nobody queues behind that.

    Args:
        url: PostgreSQL address.
        timescaledb: whether to use the extension where the server offers it.
        patience_s: for how long others may be in the way.
        waiting: told, once of each kind, that somebody is.

    Raises:
        SchemaError: as `pending`, or it is another program's.
        ConflictError: others were in the way all the time; nothing has changed.
        DatabaseAwayError: where the database can't be reached.
    """
    deadline, told = monotonic() + patience_s, False
    with connect(url, "tsuji migrate") as connection:
        with translated():
            _check_target(connection)
        if timescaledb:  # can't be undone with a transaction, so only now
            offer_timescaledb(connection)
        while True:
            try:
                return _migrate(connection, waiting)
            except StoreError as error:
                if not isinstance(error.__cause__, _IN_THE_WAY):
                    raise
                if monotonic() > deadline:
                    raise ConflictError(
                        f"somebody has read or written what is to be changed for {patience_s:.0f} s, such as "
                        "an export, a download or a backup: let it end, and migrate again; nothing was "
                        "changed"
                    ) from error
            if not told:
                told = True
                waiting(
                    "somebody reads or writes what is to be changed: trying again for up to "
                    f"{patience_s:.0f} s"
                )
            sleep(_AGAIN_AFTER_S)


def _migrate(connection: Connection, waiting: Callable[[str], object]) -> list[str]:
    with translated(), connection.transaction():
        (row,) = connection.execute(_SQL["try_lock_migration"]).fetchall()
        if not row["locked"]:
            waiting("another migration, a backup or a restore is under way: waiting for its end")
            connection.execute(_SQL["lock_migration"])
        connection.execute(_SQL["create_migration"])
        connection.execute(_SQL["limit_waiting"])
        names = [name for name, _ in _lacking(connection)]
        apply(connection, names)
        return names


def _check_target(connection: Connection) -> None:
    """Refuse another program's database before anything is changed."""
    if others := taken_names(connection):
        raise SchemaError(
            "the database is another program's: it holds tables or views by names that Tsuji wants for its "
            f"own: {', '.join(others)[:200]}. Give Tsuji a database of its own"
        )


def taken_names(connection: Connection) -> list[str]:
    """What a database without our schema holds by names that our tables have; views and the like, too.

    Raises:
        SchemaError: as `pending`.
    """
    rows = connection.execute(_SQL["taken_names"], {"names": made_by_us()}).fetchall()
    # asked second: what another migration made meanwhile is ours, and it tells so in the same transaction
    is_ours = len(pending_of(connection)) < len(available())
    return [] if is_ours else [row["name"] for row in rows]


def made_by_us() -> list[str]:
    """The names of all tables that the migrations of this version make."""
    return sorted({name for _, text in available() for name in _MADE.findall(text)})


def apply(connection: Connection, names: Collection[str]) -> None:
    """Apply these migrations, in order, within a transaction that holds the lock."""
    for name, sql in available():
        if name in names:
            connection.execute(sql.encode())
            connection.execute(_SQL["record_migration"], {"name": name, "checksum": checksum(sql)})
    grant_again(connection)


def applied(connection: Connection) -> list[str]:
    """The migrations that the database has; it is prepared for them where it has none.

    Raises:
        SchemaError: as `pending`.
    """
    connection.execute(_SQL["create_migration"])
    lacking = {name for name, _ in _lacking(connection)}
    return [name for name, _ in available() if name not in lacking]


def pending_of(connection: Connection) -> list[str]:
    """As `pending`, by a role that may read only."""
    (row,) = connection.execute(_SQL["has_migrations"]).fetchall()
    found = _lacking(connection) if row["there"] else available()
    return [name for name, _ in found]


def roll_up_again(url: str) -> int:
    """Let refreshers make all rollups anew of which the observations are kept.

    Returns:
        How many datastreams there are anything of.

    Raises:
        SchemaError: where migrations are lacking, or as `pending`.
        DatabaseAwayError: where the database can't be reached.
    """
    lacking = pending(url)
    if lacking:
        raise SchemaError(f"the database lacks {', '.join(lacking)}; run `tsuji migrate` first")
    with connect(url, "tsuji migrate") as connection, translated():
        return connection.execute(_SQL["log_everything"]).rowcount


def offer_timescaledb(connection: Connection) -> None:
    """Create the extension where that is possible; Tsuji works without it."""
    try:
        connection.execute(_SQL["create_timescaledb"])
    except (
        psycopg.errors.FeatureNotSupported,  # not installed (PostgreSQL ≥ 15)
        psycopg.errors.UndefinedFile,  # not installed (older message)
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.ObjectNotInPrerequisiteState,  # not in shared_preload_libraries
        psycopg.errors.ConfigFileError,
        psycopg.errors.UniqueViolation,  # someone else creates it this very moment
    ):
        return
    except psycopg.OperationalError as error:
        if connection.closed:  # not preloaded: the extension ends the session
            raise SchemaError(
                "the server offers TimescaleDB but does not preload it: add timescaledb to "
                "shared_preload_libraries and restart the server"
            ) from error
        raise


def _lacking(connection: Connection) -> list[tuple[str, str]]:
    shipped = dict(available())
    try:
        there = {row["name"]: row["checksum"] for row in connection.execute(_SQL["migrations"])}
    except psycopg.errors.UndefinedColumn as error:
        raise SchemaError(
            "the database holds a table migration that Tsuji has not made: give Tsuji a database of its own"
        ) from error
    for name, its in there.items():
        if name not in shipped:
            raise SchemaError(
                f"the database has migration {name!r}, which this version of Tsuji does not know: "
                "use the version that wrote it, or a newer one"
            )
        if checksum(shipped[name]) != its:
            raise SchemaError(f"migration {name!r} is not the one that the database was made with")
    return [(name, sql) for name, sql in shipped.items() if name not in there]


def checksum(sql: str) -> str:
    """By which a migration is known to be the one that was applied."""
    return hashlib.sha256(sql.encode()).hexdigest()
