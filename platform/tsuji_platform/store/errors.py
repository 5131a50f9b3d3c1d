"""What can go wrong with the database, in the hub's terms; no driver error leaves the package."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg.errors
import psycopg_pool


class StoreError(Exception):
    """Something is wrong with the database."""


class DatabaseAwayError(StoreError):
    """The database can't be reached or can't serve now; the same call may succeed later."""


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


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into the store's."""
    try:
        yield
    except _TRANSIENT as error:
        raise DatabaseAwayError(f"the database can't serve now: {_line(error)}") from error
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise RowRefusedError(_line(error)) from error
    except psycopg.errors.UndefinedTable as error:
        raise SchemaError(f"{_line(error)}; run `tsuji migrate`") from error
    except psycopg.Error as error:
        raise StoreError(_line(error)) from error


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
