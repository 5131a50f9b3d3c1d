"""Forgets rejected messages that are too old or too many, so that a flood of them can't fill the disk."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tsuji_platform.store import queries
from tsuji_platform.store.records import Amount
from tsuji_platform.store.session import Session

_SQL = queries.load("retention")
_AT_ONCE = 1_000
"""Messages in one transaction: short enough that nobody notices."""
_LOOKED_UP = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is kept of rejected messages.

    Attributes:
        age: since they last came.
        messages: how many.
        octets: sum of payloads, topics and details.
    """

    age: timedelta
    messages: int
    octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How far the rejected messages have got: highest id, and octets on disk."""

    newest_id: int
    room: int


class Retention:
    """Deletes what is beyond the limits; several may do so at once.

    Args:
        url: PostgreSQL address.
        ingest_id: under which name what was forgotten is counted.
        limits: how much is kept.
    """

    def __init__(self, url: str, ingest_id: str, limits: Limits) -> None:
        self._session = Session(url, f"tsuji {ingest_id} retention")
        self._ingest_id = ingest_id
        self._limits = limits

    def close(self) -> None:
        """Let the connection go; the next call opens another."""
        self._session.close()

    def extent(self) -> Extent:
        """How far the rejected messages have got; costs nothing to speak of.

        Raises:
            StoreError: ask again later.
        """
        (row,) = self._session.rows(_SQL["rejected_extent"])
        return Extent(**row)

    def forget(
        self,
        now: datetime,
        *,
        by_age: bool = True,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Amount:
        """Delete what is beyond the limits, a few at a time.

        The oldest go first; messages that wait for their thing go last, as far as they take no more than
        nine tenths of the room.

        Args:
            now: the moment from which age is counted.
            by_age: whether age counts at all.
            stopped: asked in between, to leave the rest for another time.

        Returns:
            How much was forgotten.

        Raises:
            StoreError: what was deleted until then is counted; go on later.
        """
        asked = {
            "messages": self._limits.messages,
            "octets": self._limits.octets,
            "before": now - self._limits.age if by_age else None,
            "limit": _LOOKED_UP,
        }
        messages = values = 0
        (found,) = self._session.rows(_SQL["rejected_too_much"], asked)
        more = found["too_much"]
        while more and not stopped():
            ids = [row["rejected_id"] for row in self._session.rows(_SQL["forgettable"], asked)]
            before = messages
            for start in range(0, len(ids), _AT_ONCE):
                if stopped():
                    break
                gone = self._delete(ids[start : start + _AT_ONCE])
                messages += gone.messages
                values += gone.value_count
            more = len(ids) == _LOOKED_UP and messages > before
        return Amount(messages=messages, value_count=values)

    def _delete(self, ids: list[int]) -> Amount:
        with self._session.transaction() as connection:
            (row,) = connection.execute(_SQL["forget_rejected"], {"rejected_ids": ids}).fetchall()
            if row["messages"]:
                connection.execute(_SQL["count_forgotten"], row | {"ingest_id": self._ingest_id})
        return Amount(**row)
