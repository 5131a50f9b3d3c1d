"""Brings a database's schema up to date: SQL files in order, each once, forward only."""

import hashlib
from importlib.resources import files

import psycopg

from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection, connect
from tsuji_platform.store.errors import SchemaError, translated

_SQL = queries.load("schema")


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
    with connect(url, "tsuji migrate") as connection, translated(), connection.transaction():
        connection.execute(_SQL["lock_migration"])
        connection.execute(_SQL["create_migration"])
        return [name for name, _ in _lacking(connection)]


def migrate(url: str, *, timescaledb: bool = True) -> list[str]:
    """Apply what is lacking, all in one transaction, and return the names of what was applied.

    Args:
        url: PostgreSQL address.
        timescaledb: whether to use the extension where the server offers it.

    Raises:
        SchemaError: as `pending`.
        DatabaseAwayError: where the database can't be reached.
    """
    with connect(url, "tsuji migrate") as connection:
        if timescaledb:
            _offer_timescaledb(connection)
        with translated(), connection.transaction():
            connection.execute(_SQL["lock_migration"])
            connection.execute(_SQL["create_migration"])
            applied = []
            for name, sql in _lacking(connection):
                connection.execute(sql.encode())
                connection.execute(
                    _SQL["record_migration"], {"name": name, "checksum": _checksum(sql)}
                )
                applied.append(name)
            return applied


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


def _offer_timescaledb(connection: Connection) -> None:
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
    applied = {row["name"]: row["checksum"] for row in connection.execute(_SQL["migrations"])}
    for name, checksum in applied.items():
        if name not in shipped:
            raise SchemaError(
                f"the database has migration {name!r}, which this version of Tsuji does not know: "
                "use the version that wrote it, or a newer one"
            )
        if _checksum(shipped[name]) != checksum:
            raise SchemaError(f"migration {name!r} is not the one that the database was made with")
    return [(name, sql) for name, sql in shipped.items() if name not in applied]


def _checksum(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()
