"""What a broker has had of the newest observations, so that whoever publishes next goes on from there.

Any number of publishers may stand by, in any processes. One of them works at a time: it holds a lock in a
transaction from before it looks until it has noted what the broker acknowledged. A kill ends the
transaction, and the next publishes what was not noted once more.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString
from uuid import uuid4

from psycopg.rows import DictRow

from tsuji_platform.analytics.suppression import Gate
from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection
from tsuji_platform.store.live import Live, Look, Newest, Snapshot
from tsuji_platform.store.session import Session

_SQL = queries.load("live_publisher")


class _Asking:
    """A connection that is in a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, query: LiteralString, values: Mapping[str, Any] | None = None) -> list[DictRow]:
        """Run one statement and return its rows."""
        return self._connection.execute(query, values).fetchall()


class Publication:
    """One publisher's way into the database; used by one thread at a time.

    Args:
        url: PostgreSQL address.
        holder: whose publisher it is.
        broker: which one is published to.
        gate: withholds small counts from whoever may subscribe there.
    """

    def __init__(self, url: str, holder: str, broker: str, gate: Gate) -> None:
        self._session = Session(url, f"tsuji {holder} live topics"[:60])
        self._holder = holder
        self._run = uuid4().hex
        self._broker = broker
        self._gate = gate

    def close(self) -> None:
        """Let the connection go; the next turn opens another."""
        self._session.close()

    @contextmanager
    def turn(self, *, whole: bool) -> Iterator["Turn | None"]:
        """What is to be published now; None while another one publishes.

        Args:
            whole: everything, whatever the broker has had: it may have forgotten it.

        Raises:
            StoreError: nothing was noted: what was published meanwhile is published again.
        """
        with self._session.transaction() as connection:
            connection.execute(_SQL["limit_publisher_idleness"])
            (row,) = connection.execute(_SQL["lock_publisher"]).fetchall()
            if not row["mine"]:
                yield None
                return
            known = connection.execute(_SQL["published"], {"broker": self._broker}).fetchone()
            since = None if whole or known is None else Snapshot.parse(known["published"])
            look = Live(_Asking(connection), self._gate).look(since)
            yield Turn(connection, self, look)

    def note(self, connection: Connection, snapshot: Snapshot) -> None:
        """Keep what the broker has acknowledged."""
        values = {
            "holder": self._holder,
            "run": self._run,
            "broker": self._broker,
            "published": str(snapshot),
        }
        connection.execute(_SQL["put_published"], values)

    def was_published(self) -> bool:
        """Whether there is anything at a broker that could be taken away."""
        return bool(self._session.rows(_SQL["publisher"]))


class Turn:
    """What has changed since the broker was last told, and what became of it."""

    def __init__(self, connection: Connection, publication: Publication, look: Look) -> None:
        self._connection = connection
        self._publication = publication
        self._look = look

    @property
    def newest(self) -> list[Newest]:
        """Datastreams whose newest observation is another, or that no longer have one."""
        return self._look.rows

    def go_on(self) -> None:
        """We are still at it: the database does not take us for frozen.

        Raises:
            psycopg.Error: it does already.
        """
        self._connection.execute(_SQL["go_on"])

    def published(self) -> None:
        """The broker has acknowledged all of it."""
        self._publication.note(self._connection, self._look.snapshot)

    def withdrawn(self) -> None:
        """The broker keeps nothing of it any more."""
        self._connection.execute(_SQL["withdrawn"])
