"""One connection that is opened when it is needed, and again after it was lost."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

from psycopg.rows import DictRow

from tsuji_platform.store.database import Connection, connect
from tsuji_platform.store.errors import StoreError, translated


class Session:
    """A connection of its own for work in the background; used by one thread at a time.

    Args:
        url: PostgreSQL address.
        application: by which name the server lists it.
    """

    def __init__(self, url: str, application: str) -> None:
        self._url = url
        self._application = application
        self._connection: Connection | None = None

    def close(self) -> None:
        """Let the connection go; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """The connection inside a transaction; errors leave as the store's own."""
        try:
            with translated():
                connection = self._open()
                with connection.transaction():
                    yield connection
        except StoreError:
            self.close()
            raise

    def rows(self, query: LiteralString, values: Mapping[str, Any] | None = None) -> list[DictRow]:
        """Run one statement and return its rows."""
        try:
            with translated():
                return self._open().execute(query, values).fetchall()
        except StoreError:
            self.close()
            raise

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, self._application)
        return self._connection
