"""Looks at rejected messages, and purges them; `retry` takes them in."""

from dataclasses import asdict

from tsuji_platform.store import queries
from tsuji_platform.store.database import Database
from tsuji_platform.store.records import (
    RejectedCount,
    RejectedFilter,
    RejectedRow,
    Retryable,
)

_SQL = queries.load("rejected")
_ALL = RejectedFilter()
_WHOLE = 2**31 - 1


class Rejected:
    """Access to the rejected messages of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self, which: RejectedFilter = _ALL, *, limit: int = 100, payload_bytes: int = _WHOLE
    ) -> list[RejectedRow]:
        """The newest that fit, each payload cut to `payload_bytes`."""
        rows = self._database.rows(
            _SQL["rejected"],
            {**asdict(which), "rejected_id": None, "limit": limit, "payload_bytes": payload_bytes},
        )
        return [RejectedRow(**row) for row in rows]

    def get(self, rejected_id: int) -> RejectedRow | None:
        """One of them, None where there is none of this id."""
        rows = self._database.rows(
            _SQL["rejected"],
            {**asdict(_ALL), "rejected_id": rejected_id, "limit": 1, "payload_bytes": _WHOLE},
        )
        return RejectedRow(**rows[0]) if rows else None

    def summary(self, which: RejectedFilter = _ALL) -> list[RejectedCount]:
        """How much is kept by reason and thing, the most frequent first."""
        rows = self._database.rows(_SQL["rejected_summary"], asdict(which))
        return [RejectedCount(**row) for row in rows]

    def by_reason(self) -> dict[str, int]:
        """How many messages are kept, by reason."""
        rows = self._database.rows(_SQL["rejected_by_reason"])
        return {row["reason"]: row["messages"] for row in rows}

    def purge(self, which: RejectedFilter) -> tuple[int, int]:
        """Delete what fits; returns how many messages and values that were.

        The counters stay: they say what was received and rejected, whether or not it is still kept.
        """
        rows = self._database.rows(_SQL["purge_rejected"], asdict(which))
        return len(rows), sum(row["value_count"] for row in rows)

    def newest_id(self) -> int:
        """The highest id so far, 0 where nothing is kept."""
        (row,) = self._database.rows(_SQL["newest_rejected"])
        return int(row["rejected_id"] or 0)

    def to_retry(
        self,
        which: RejectedFilter,
        rejected_ids: list[int] | None,
        *,
        after: int,
        newest: int,
        limit: int = 100,
    ) -> list[Retryable]:
        """One page of messages with `after` < id ≤ `newest`, by id.

        The next page begins behind the last one's id. What a retry keeps anew has an id above the
        `newest` of its beginning, so that it comes to an end.
        """
        rows = self._database.rows(
            _SQL["rejected_to_retry"],
            {
                **asdict(which),
                "rejected_ids": rejected_ids,
                "after": after,
                "newest": newest,
                "limit": limit,
            },
        )
        return [Retryable(**row) for row in rows]
