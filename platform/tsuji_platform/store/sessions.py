"""Remembers what an ingest has subscribed to, since the broker does not say what its session holds."""

from collections.abc import Collection
from dataclasses import dataclass

from tsuji_platform.store import queries
from tsuji_platform.store.session import Session

_SQL = queries.load("sessions")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSession:
    """What is known of the session that the broker keeps for an ingest.

    Attributes:
        filters: what it may subscribe to.
        existed: whether the broker has had it once.
    """

    filters: tuple[str, ...] = ()
    existed: bool = False


class IngestSessions:
    """One ingest's entry; used by one thread at a time.

    Args:
        url: PostgreSQL address.
        ingest_id: the client id.
    """

    def __init__(self, url: str, ingest_id: str) -> None:
        self._session = Session(url, f"tsuji {ingest_id} session")
        self._ingest_id = ingest_id

    def close(self) -> None:
        """Let the connection go; the next call opens another."""
        self._session.close()

    def known(self) -> KeptSession:
        """What earlier runs have noted.

        Raises:
            StoreError: ask again later.
        """
        rows = self._session.rows(_SQL["session"], {"ingest_id": self._ingest_id})
        return (
            KeptSession(filters=tuple(rows[0]["filters"]), existed=rows[0]["existed"])
            if rows
            else KeptSession()
        )

    def widen(self, filters: Collection[str]) -> None:
        """Note what is going to be subscribed to, beside what was.

        Raises:
            StoreError: nothing was noted.
        """
        self._note("widen_session", filters)

    def settle(self, filters: Collection[str]) -> None:
        """Note that the session exists and subscribes to this and nothing else.

        Raises:
            StoreError: nothing was noted.
        """
        self._note("settle_session", filters)

    def forget(self) -> None:
        """The session has been ended for good, and its ingest is not expected to show itself.

        Raises:
            StoreError: it is remembered still.
        """
        with self._session.transaction() as connection:
            for name in ("forget_session", "expect_no_more"):
                connection.execute(_SQL[name], {"ingest_id": self._ingest_id})

    def _note(self, name: str, filters: Collection[str]) -> None:
        with self._session.transaction() as connection:
            values = {"ingest_id": self._ingest_id, "filters": sorted(filters)}
            connection.execute(_SQL[name], values)
