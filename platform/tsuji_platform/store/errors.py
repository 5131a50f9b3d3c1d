"""What can go wrong with the database, in the hub's terms; no driver error leaves the package."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg.errors
import psycopg_pool


class StoreError(Exception):
    """Something is wrong with the database."""


class AddressError(StoreError):
    """What is given as the address of a database is none."""


class DatabaseAwayError(StoreError):
    """The database can't be reached or can't serve now; the same call may succeed later."""


class ConflictError(DatabaseAwayError):
    """Another transaction was in the way; the same call may succeed at once."""


class TookTooLongError(DatabaseAwayError):
    """A statement was ended, since it took longer than readers may; less may be asked for."""


class TooMuchError(StoreError):
    """More is asked for than is read at once; the text says how much, and what to ask for instead."""


class RowRefusedError(StoreError):
    """The database refuses a value for good; nothing of the transaction was kept."""


class SchemaError(StoreError):
    """The database's schema is not the one that this version of Tsuji knows."""


_TRANSIENT = (
    psycopg.OperationalError,  # connection lost, crash, shutdown, disk full, deadlock, …
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg_pool.PoolTimeout,
    psycopg_pool.PoolClosed,
)
_CONFLICTS = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_DISK_FULL = "53100"
_PRIVILEGE = "42501"
"""Rights that are missing, and PostgreSQL's name for a disk that may only be read."""
_LIMIT = "54"
"""Class: larger than PostgreSQL can keep, whatever is tried again."""
_UNREACHED = ("connection failed", "connection is bad", "failed to resolve")
"""How psycopg begins what went wrong before there was a connection; such errors have no SQLSTATE."""
_WHAT_TO_DO = (
    ("password authentication failed", "check user and password in its address"),
    ("no password supplied", "give the password in its address, or in the file of PGPASSFILE"),
    ("no pg_hba.conf entry", "let this user in there, or mend its address"),
    ("does not exist", "make that, or mend its address"),
    ("Connection refused", "start it, or mend host and port in its address"),
    ("failed to resolve", "mend the host in its address"),
    ("No such file or directory", "start it, or mend the host in its address"),
)
_UNKNOWN_NAME = "42"
"""Class: a table, column, function or type is not what we expect; values have no part in it."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into the store's.

    What depends on a value is told apart from what depends on the database's state: only the first
    may cost a message its place in the table.
    """
    try:
        yield
    except (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed) as error:
        raise _translation(error) from error


def _translation(error: Exception) -> StoreError:
    line = _line(error)
    state = getattr(error, "sqlstate", None) or ""
    # PostgreSQL has no code of its own for a quota
    if state == _DISK_FULL or (isinstance(error, psycopg.InternalError) and "quota" in line):
        return DatabaseAwayError(
            f"the database can't serve now, its disk has no space left: {line}; make room on the volume "
            "that holds its data"
        )
    if state == _PRIVILEGE:
        return DatabaseAwayError(
            f"the database can't serve now: {line}; give its role the rights, or make its disk writable"
        )
    if state.startswith(_LIMIT) or isinstance(error, psycopg.DataError | psycopg.IntegrityError):
        return RowRefusedError(line)
    if isinstance(error, _CONFLICTS):
        return ConflictError(f"another transaction was in the way: {line}")
    if isinstance(error, psycopg.errors.QueryCanceled):
        return TookTooLongError(f"the database can't serve now: {line}")
    if isinstance(error, _TRANSIENT):
        return DatabaseAwayError(f"the database can't serve now: {line}{_advice(line)}")
    if state.startswith(_UNKNOWN_NAME):
        return SchemaError(f"{line}; run `tsuji migrate`")
    return StoreError(line)


def _advice(line: str) -> str:
    """What to do about a connection that was not made, where that can be told."""
    if not line.startswith(_UNREACHED):
        return ""
    advice = next((advice for sign, advice in _WHAT_TO_DO if sign in line), None)
    return f"; {advice} (TSUJI_DATABASE_URL)" if advice else ""


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
