"""Connections to the one database: a pool for readers, a connection of its own for each writer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from tsuji_platform.store import queries
from tsuji_platform.store.errors import translated
from tsuji_platform.store.records import Edition

Connection = psycopg.Connection[DictRow]


def connect(url: str, application: str = "tsuji") -> Connection:
    """Open one connection with explicit transactions, keep-alives and rows as dicts.

    Raises:
        DatabaseAwayError: where it can't be reached.
    """
    with translated():
        return psycopg.connect(
            url,
            autocommit=True,
            row_factory=dict_row,
            application_name=application,
            connect_timeout=5,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            options="-c timezone=UTC",
        )


class Database:
    """A pool of connections for readers; each method call is one statement or one transaction."""

    def __init__(self, url: str, *, size: int = 8, timeout_s: float = 5.0) -> None:
        self.url = url
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=1,
            max_size=size,
            timeout=timeout_s,
            open=False,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "application_name": "tsuji",
                "connect_timeout": 5,
                "options": "-c timezone=UTC",
            },
            check=ConnectionPool.check_connection,
            name="tsuji",
        )
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
        with translated(), self._pool.connection() as connection, connection.transaction():
            yield connection

    def rows(self, query: LiteralString, values: Mapping[str, Any] | None = None) -> list[DictRow]:
        """Run one statement and return its rows."""
        with translated(), self._pool.connection() as connection:
            return connection.execute(query, values).fetchall()

    def edition(self) -> Edition:
        """What kind of database it is."""
        (row,) = self.rows(queries.load("schema")["edition"])
        return Edition(**row)
