"""Sets right what a wrong wall clock has left behind: refusals as from the future, and what is newest."""

from collections.abc import Iterator
from datetime import datetime

from tsuji_platform.store import queries
from tsuji_platform.store.records import Retryable
from tsuji_platform.store.session import Session
from tsuji_platform.uptime import boot_id

_SQL = queries.load("clock")
_WRITING = queries.load("writing")
_TOLERANCE_S = 1.0
"""Differences between the clocks that are none: a wall clock is slewed, and read a moment later."""


class ClockRepair:
    """The store's part of it; used by one thread at a time.

    Args:
        url: PostgreSQL address.
        ingest_id: by which name the server lists it.
    """

    def __init__(self, url: str, ingest_id: str) -> None:
        self._session = Session(url, f"tsuji {ingest_id} clock")

    def close(self) -> None:
        """Let the connection go; the next call opens another."""
        self._session.close()

    def last_stored_at(self) -> datetime | None:
        """When something new was last stored, by the database's clock."""
        (row,) = self._session.rows(_SQL["last_stored"])
        found: datetime | None = row["last_stored_at"]
        return found

    def misjudged(
        self, now: datetime, uptime_s: float, *, after: int = 0, limit: int = 200
    ) -> Iterator[list[Retryable]]:
        """What this machine refused as from the future since its boot, by a clock that was behind.

        Pages of it, the newest page first, each in the order of arrival. `last_received_at` is when they
        really came, as follows from the time since the boot.

        Args:
            now: by the clock that is believed now.
            uptime_s: the same moment in seconds since the boot.
            after: only with an id above this one.
            limit: messages on a page.
        """
        found = self._session.rows(
            _SQL["misjudged"],
            {
                "now": now,
                "uptime_s": uptime_s,
                "boot_id": boot_id(),
                "after": after,
                "tolerance_s": _TOLERANCE_S,
            },
        )
        for start in range(0, len(found), limit):
            really = {
                row["rejected_id"]: row["received_at"]
                for row in reversed(found[start : start + limit])
            }
            rows = self._session.rows(_SQL["rejected_by_id"], {"rejected_ids": list(really)})
            kept = {row["rejected_id"]: row for row in rows}
            yield [
                Retryable(**(kept[number] | {"last_received_at": really[number]}))
                for number in really
                if number in kept
            ]

    def settle_latest(self, now: datetime, newest: datetime) -> int:
        """Choose the newest observation of each datastream anew, where another is written down.

        Args:
            now: by the clock that is believed now.
            newest: what is later is ahead of the clock, and not yet the newest.

        Returns:
            Of how many datastreams it was another.
        """
        astray = [
            row["datastream_id"]
            for row in self._session.rows(_SQL["latest_astray"], {"newest": newest})
        ]
        if not astray:
            return 0
        values = {"datastream_ids": astray, "newest": newest, "now": now}
        with self._session.transaction() as connection:
            connection.execute(_SQL["lock_latest"], values)
            changed = connection.execute(_SQL["settle_latest"], values).rowcount
            changed += connection.execute(_SQL["drop_latest"], values).rowcount
            connection.execute(_WRITING["announce"])
        return changed
