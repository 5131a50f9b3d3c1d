"""Moves old observations into the columnstore of TimescaleDB's community edition, where it has one.

An extra, off by default: nothing here depends on it. Chunks of the hypertable that are older than
asked for are kept compressed by column; they are read, corrected and dropped like the others, if
slower to correct. https://www.tigerdata.com/docs/reference/timescaledb/hypercore
"""

from datetime import timedelta

from tsuji_platform.store import queries
from tsuji_platform.store.errors import StoreError
from tsuji_platform.store.records import Edition
from tsuji_platform.store.session import Session

_SQL = queries.load("columnstore")
_SCHEMA = queries.load("schema")


class NoColumnstoreError(StoreError):
    """This database has none."""


class Columnstore:
    """The policy by which observations go there.

    Args:
        url: PostgreSQL address.
    """

    def __init__(self, url: str) -> None:
        self._session = Session(url, "tsuji columnstore")

    def close(self) -> None:
        """Let the connection go; the next call opens another."""
        self._session.close()

    def after(self) -> timedelta | None:
        """The age at which observations go there; None where they don't.

        Raises:
            NoColumnstoreError: the edition has none.
        """
        self._check_edition()
        rows = self._session.rows(_SQL["compressed_after"])
        return rows[0]["after"] if rows else None

    def enable(self, after: timedelta) -> None:
        """Have chunks go there by TimescaleDB's own jobs, once all of it is older than so much.

        Raises:
            NoColumnstoreError: the edition has none; nothing was changed.
        """
        self._check_edition()
        with self._session.transaction() as connection:
            connection.execute(_SQL["enable"])
            connection.execute(_SQL["remove_policy"])
            connection.execute(_SQL["add_policy"], {"after": after})

    def disable(self) -> None:
        """Let no further chunk go there; those that are there stay.

        Raises:
            NoColumnstoreError: the edition has none.
        """
        self._check_edition()
        with self._session.transaction() as connection:
            connection.execute(_SQL["remove_policy"])

    def _check_edition(self) -> None:
        edition = Edition(**self._session.rows(_SCHEMA["edition"])[0])
        if edition.timescaledb is None or edition.licence != "timescale":
            raise NoColumnstoreError(
                f"this database is {edition}, which has no columnstore; TimescaleDB's community edition "
                "has one (SHOW timescaledb.license says timescale there). Everything else works without"
            )
