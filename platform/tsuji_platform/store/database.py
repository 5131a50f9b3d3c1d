"""Connections to the one database: a pool for readers, a connection of its own for each writer."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from tsuji_platform.settings import check_database_address
from tsuji_platform.store import queries
from tsuji_platform.store.errors import AddressError, translated
from tsuji_platform.store.records import Edition

Connection = psycopg.Connection[DictRow]
_T = TypeVar("_T")

_OPTIONS = (
    "-c timezone=UTC -c tsuji.logs_changes=on -c tsuji.marks_changes=on"
    " -c timescaledb.max_tuples_decompressed_per_dml_transaction=0"
)
"""The settings of ours let this version write: it logs and marks what it changes, older ones don't
(migrations 0004 and 0022). The last lets it correct what lies in a columnstore: up to a thousand values
are unpacked for each that is corrected, and by default a batch of corrections for a hundred datastreams
is refused, however often it is tried. No limit is no danger: batches are. Databases without TimescaleDB
take it for a setting of somebody else's."""
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
        AddressError: with the form that is expected.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        parts = None
    try:
        check_database_address(parts)
    except ValueError as error:
        raise AddressError(str(error)) from None


def connect(url: str, application: str = "tsuji") -> Connection:
    """Open one connection with explicit transactions, keep-alives and rows as dicts.

    Raises:
        DatabaseAwayError: where it can't be reached.
        AddressError: where the address is none.
    """
    check_address(url)
    with translated():
        return psycopg.connect(url, **_EVERY_CONNECTION, application_name=application)


@contextmanager
def dropped_when_interrupted(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Let go of a connection that somebody's Ctrl-C leaves in the middle of an answer.

    The driver asks the server to stop, but takes the beginning of a COPY for the end of that: it can't roll
    back then, and would complain of it. The transaction ends with the connection.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if connection.info.transaction_status is psycopg.pq.TransactionStatus.ACTIVE:
            connection.close()
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """How a pool stands.

    Attributes:
        idle: connections that nobody uses.
        busy: connections in use.
        waiting: callers that wait for one.
    """

    idle: int
    busy: int
    waiting: int


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

    def reading(self, read: Callable[[Connection], _T]) -> _T:
        """Read in one transaction.

        Args:
            read: gets a connection within it; may be called several times.
        """
        with self.transaction() as connection:
            return read(connection)

    @property
    def primary(self) -> "Database":
        """What is written to, and followed as it changes."""
        return self

    @property
    def reading_url(self) -> str:
        """PostgreSQL address from which much may be read at once."""
        return self.url

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

    def pool(self) -> Pool:
        """How the pool stands."""
        stats = self._pool.get_stats()
        idle = stats.get("pool_available", 0)
        return Pool(
            idle=idle,
            busy=max(0, stats.get("pool_size", 0) - idle),
            waiting=stats.get("requests_waiting", 0),
        )

    def edition(self) -> Edition:
        """What kind of database it is."""
        (row,) = self.rows(queries.load("schema")["edition"])
        return Edition(**row)
