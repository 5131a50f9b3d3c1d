"""Looks at rejected messages, and purges them; `retry` takes them in."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from tsuji_platform.store import queries
from tsuji_platform.store.counting import Way, count
from tsuji_platform.store.database import Database
from tsuji_platform.store.records import (
    IMPORT_ID,
    Amount,
    RejectedCount,
    RejectedFilter,
    RejectedOfThing,
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

    def by_reason(self) -> dict[str, Amount]:
        """How much is kept, by reason."""
        rows = self._database.rows(_SQL["rejected_by_reason"])
        return {row.pop("reason"): Amount(**row) for row in rows}

    def of_thing(self, thing_id: str, lately: datetime) -> list[RejectedOfThing]:
        """How much is kept of one thing by reason, and how many messages of that came after `lately`."""
        rows = self._database.rows(
            _SQL["rejected_of_thing"], {"thing_id": thing_id, "lately": lately}
        )
        return [RejectedOfThing(**row) for row in rows]

    def counts(
        self,
        *,
        limit: int,
        after: tuple[str | None, str] | None = None,
        reason: str | None = None,
        thing_id: str | None = None,
    ) -> list[RejectedCount]:
        """How much is kept by thing and reason, in this order; what is nobody's comes last.

        Args:
            limit: rows at the most.
            after: thing and reason of the row before the first.
            reason: only of this reason.
            thing_id: only of this thing.
        """
        values = _asked(after, reason, thing_id) | {"limit": limit}
        rows = self._database.rows(_SQL["rejected_counts"], values)
        return [RejectedCount(**row) for row in rows]

    def count_counts(self, way: Way, *, reason: str | None, thing_id: str | None) -> int:
        """How many rows `counts` has."""
        return count(self._database, _SQL["rejected_counts"], _asked(None, reason, thing_id), way)

    def in_files(self) -> int:
        """How many values that are counted as rejected imports keep in files of rejected rows."""
        (row,) = self._database.rows(_SQL["refused_by_imports"], {"ingest_id": IMPORT_ID})
        return int(row["value_count"])

    def forgotten(self) -> Amount:
        """How much is kept no longer, since it was too old or too much."""
        (row,) = self._database.rows(_SQL["forgotten"])
        return Amount(**row)

    def purge(self, which: RejectedFilter) -> tuple[int, int]:
        """Delete what fits; returns how many messages and values that were.

        The counters stay: they say what was received and rejected, whether or not it is still kept.
        """
        rows = self._database.rows(_SQL["purge_rejected"], asdict(which))
        return len(rows), sum(row["value_count"] for row in rows)

    def to_retry(
        self, which: RejectedFilter, rejected_ids: list[int] | None = None, *, limit: int = 100
    ) -> Iterator[list[Retryable]]:
        """Pages of what is kept now, the newest page first, each in the order of arrival.

        Of values for the same time the last to arrive is right, and what is in the table already stays:
        so what goes in first must be the newest. What a retry keeps anew does not come up again.
        """
        (row,) = self._database.rows(_SQL["newest_rejected"])
        values = asdict(which) | {"rejected_ids": rejected_ids, "newest": row["rejected_id"] or 0}
        yield from self._pages(values, limit)

    def _pages(self, values: dict[str, Any], limit: int) -> Iterator[list[Retryable]]:
        below: dict[str, Any] = {"below_time": None, "below_id": None}
        while rows := self._database.rows(
            _SQL["rejected_to_retry"], values | below | {"limit": limit}
        ):
            below = {
                "below_time": rows[-1]["last_received_at"],
                "below_id": rows[-1]["rejected_id"],
            }
            page = {(row["topic"], row["payload"]): Retryable(**row) for row in reversed(rows)}
            yield list(page.values())


def _asked(
    after: tuple[str | None, str] | None, reason: str | None, thing_id: str | None
) -> dict[str, Any]:
    after_thing, after_reason = after or (None, None)
    return {
        "after_thing_id": after_thing,
        "after_reason": after_reason,
        "after_the_last_thing": after is not None and after_thing is None,
        "reason": reason,
        "thing_id": thing_id,
    }
