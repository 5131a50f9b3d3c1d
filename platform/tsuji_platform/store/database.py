"""Connections to the one database: a pool for readers, a connection of its own for each writer."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from tsuji_platform.settings import check_database_address
from tsuji_platform.store import queries
from tsuji_platform.store.errors import StoreError, translated
from tsuji_platform.store.records import Edition

Connection = psycopg.Connection[DictRow]

_OPTIONS = "-c timezone=UTC -c tsuji.logs_changes=on -c tsuji.marks_changes=on"
"""The others let this version write: it logs and marks what it changes, older ones don't (migrations
0004 and 0022)."""
_EVERY_CONNECTION: dict[str, Any] = {
    "autocommit": True,
    "row_factory": dict_row,
    "connect_timeout": 5,
    # a server that vanished without a word is noticed, whether we wait for it or send to it
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "options": _OPTIONS,
}
_READING = " -c plan_cache_mode=force_custom_plan"
"""A plan for any time would have to look at the chunks of all times."""


def check_address(url: str) -> None:
    """Refuse what is no address before any library quotes a password that stands in the wrong place.

    Raises:
        StoreError: with the form that is expected.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        parts = None
    try:
        check_database_address(parts)
    except ValueError as error:
        raise StoreError(str(error)) from None


def connect(url: str, application: str = "tsuji") -> Connection:
    """Open one connection with explicit transactions, keep-alives and rows as dicts.

    Raises:
        DatabaseAwayError: where it can't be reached.
        StoreError: where the address is none.
    """
    check_address(url)
    with translated():
        return psycopg.connect(url, **_EVERY_CONNECTION, application_name=application)


class Database:
    """A pool of connections for readers; each method call is one statement or one transaction.

    Args:
        url: PostgreSQL address.
        size: connections at the most.
        timeout_s: how long a caller waits for one.
        query_s: how long one statement may take; None sets no limit.
    """

    def __init__(
        self, url: str, *, size: int = 8, timeout_s: float = 5.0, query_s: float | None = None
    ) -> None:
        check_address(url)
        self.url = url
        limit = "" if query_s is None else f" -c statement_timeout={max(1, round(query_s * 1000))}"
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=1,
            max_size=size,
            timeout=timeout_s,
            # after a longer outage its pauses would grow with the outage; now a caller starts it anew
            reconnect_timeout=2.0,
            open=False,
            kwargs=_EVERY_CONNECTION
            | {"application_name": "tsuji", "options": _OPTIONS + _READING + limit},
            check=ConnectionPool.check_connection,
            name="tsuji",
        )
        self._held = threading.local()
        self._pool.open()

    def close(self) -> None:
        """Give all connections back."""
        self._pool.close()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection inside a transaction; errors leave as the store's own."""
        with translated(), self._connection() as connection, connection.transaction():
            yield connection

    def rows(self, query: LiteralString, values: Mapping[str, Any] | None = None) -> list[DictRow]:
        """Run one statement and return its rows."""
        with translated(), self._connection() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold one connection for all that this thread asks within.

        The pool tries a connection before it gives it away, which costs as long a wait as a small
        statement: here it is tried once. Not to be held while waiting for another thread that may need
        a connection, too.
        """
        with translated(), self._connection() as connection:
            before = getattr(self._held, "connection", None)
            self._held.connection = connection
            try:
                yield
            finally:
                self._held.connection = before

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        held: Connection | None = getattr(self._held, "connection", None)
        if held is not None:
            yield held
            return
        with self._pool.connection() as connection:
            yield connection

    def edition(self) -> Edition:
        """What kind of database it is."""
        (row,) = self.rows(queries.load("schema")["edition"])
        return Edition(**row)
