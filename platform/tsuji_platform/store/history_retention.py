"""Drops observations, and rollups of five minutes and hours, once they are old enough; days stay for ever.

One step is one transaction: under the refresher's lock it drops what ended up to a moment, makes sure
that nothing in the log of changes names any of it, and moves the horizon (see `horizon`) there. So

- only what is rolled up is dropped. The log is read in a statement after the drop, and so with a newer
  snapshot: whatever the drop saw was committed before, with its log row, which only a refresher could
  have taken off, and refreshers are locked out. Where a row of the log names something of it, all is
  undone, and tried again after the refresher has been there;
- what commits later for that time is late (see `late`): it finds the horizon moved;
- readers see the horizon exactly if they see the deletion of rows: both are in one snapshot. Whole chunks
  go for older snapshots, too: who began to read just before such a drop looks, and reads again
  (see `horizon.at_one_moment`);
- a step that is killed has done nothing.

Hypertables lose whole chunks, at the cost of a file's removal; so up to the length of a chunk more is
kept than asked for (observations 7 days, five minutes 30 days, hours 360 days). Ordinary tables lose
rows, the oldest first, so many a transaction that nobody notices; their room is used again, not given
back to the system.

Ages count back from the newest observation that is stored, or from the clock if that is behind: a hub
that was away for a year, or whose clock has leapt ahead by one, drops nothing for that.

What came late is kept until nothing else has come late for a day (`_GRACE`), so that an import of old
files is whole before its sums are sealed; but no longer than three days (`_LONGEST_GRACE`), so that a
trickle keeps nothing for ever. Meanwhile nothing else is dropped of that width either, since every drop
seals.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import psycopg

from tsuji_platform.settings import RetentionSettings
from tsuji_platform.store import queries
from tsuji_platform.store.cover import DAY, FIVE_MINUTES, HOUR, RAW, ceiling, floor_to_step
from tsuji_platform.store.database import Connection
from tsuji_platform.store.errors import DatabaseAwayError
from tsuji_platform.store.horizon import Horizon, Horizons, horizons
from tsuji_platform.store.session import Session

_SQL = queries.load("history_retention")
_GRACE = timedelta(days=1)
_LONGEST_GRACE = timedelta(days=3)
_ROWS_AT_ONCE = 50_000
_CHUNKS_AT_ONCE = 20
"""Every chunk takes some of the server's locks."""
_NO_LIMIT = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """A kind of history that ages.

    Attributes:
        table: its name.
        grid: what is made of it; it is dropped by multiples of that.
        slices: how much time to take at once where rows are deleted, the longest first.
    """

    table: str
    grid: timedelta
    slices: tuple[timedelta, ...]


_LEVELS: Mapping[timedelta, _Level] = {
    RAW: _Level(table="observation", grid=FIVE_MINUTES, slices=(30 * DAY, DAY, HOUR, FIVE_MINUTES)),
    FIVE_MINUTES: _Level(table="rollup_5min", grid=HOUR, slices=(30 * DAY, DAY, HOUR)),
    HOUR: _Level(table="rollup_hour", grid=DAY, slices=(360 * DAY, 30 * DAY, DAY)),
}
_FINER = {FIVE_MINUTES: RAW, HOUR: FIVE_MINUTES}

Ages = Mapping[timedelta, timedelta]
"""How long to keep, by the width of the rollup's buckets, `RAW` for observations; the rest for ever."""


_NAMES = {
    RAW: "observations",
    FIVE_MINUTES: "rollups of five minutes",
    HOUR: "rollups of an hour",
}


def ages(settings: RetentionSettings) -> Ages:
    """What the settings say."""
    days = {
        RAW: settings.raw_days,
        FIVE_MINUTES: settings.five_minute_days,
        HOUR: settings.hour_days,
    }
    return {width: it * DAY for width, it in days.items() if it is not None}


class Obstacle(StrEnum):
    """Why nothing is dropped although it is old enough; the value completes "waits: …"."""

    PENDING = "not all of it is rolled up yet; `tsuji ingest` does that"
    LATE = "observations of that time came within the last day, and more may come"
    BUSY = "someone reads or writes it, such as an export"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What one step has done.

    Attributes:
        width: of what: `RAW` for observations, or the width of a rollup's buckets.
        until: the horizon now; None where nothing was dropped.
        chunks: dropped as a whole.
        rows: deleted one by one.
        too_late: of the dropped observations, those that are in no rollup.
        obstacle: why nothing was dropped.
    """

    width: timedelta
    until: datetime | None = None
    chunks: int = 0
    rows: int = 0
    too_late: int = 0
    obstacle: Obstacle | None = None

    @property
    def what(self) -> str:
        """What it is about, in words."""
        return _NAMES[self.width]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is kept of one kind of history, and what the next run would drop.

    Attributes:
        width: of what, as in `Dropped`.
        age: how long it is to be kept; None for ever.
        horizon: what is no longer kept; None where nothing was dropped ever.
        oldest: of what there is.
        until: up to which moment the next run would drop; None where there is nothing to drop.
        chunks: how many it would drop; 0 where rows are deleted.
        octets: their size on disk.
        rows: how many it would delete where there are no chunks.
        obstacle: why it would have to wait.
        late: observations that came after those of their time were dropped, and are still there.
        too_late: of these, those that are in no rollup; see `horizon.too_late` for those before.
    """

    width: timedelta
    age: timedelta | None
    horizon: Horizon | None
    oldest: datetime | None
    until: datetime | None
    chunks: int
    octets: int
    rows: int
    obstacle: Obstacle | None
    late: int
    too_late: int

    @property
    def what(self) -> str:
        """What it is about, in words."""
        return _NAMES[self.width]


class HistoryRetention:
    """Drops history that is old enough, step by step; used by one thread at a time.

    Any number may run, in any processes.

    Args:
        url: PostgreSQL address.
        ages: how long to keep; what is coarser must be kept for as long at least.
        rows_at_once: rows in one transaction at the most, where five minutes (an hour, a day) hold no more.
        chunks_at_once: chunks in one transaction at the most.
    """

    def __init__(
        self,
        url: str,
        ages: Ages,
        *,
        rows_at_once: int = _ROWS_AT_ONCE,
        chunks_at_once: int = _CHUNKS_AT_ONCE,
    ) -> None:
        self._session = Session(url, "tsuji history retention")
        self._ages = ages
        self._rows = rows_at_once
        self._chunks = chunks_at_once

    def close(self) -> None:
        """Let the connection go; the next call opens another."""
        self._session.close()

    def drop_some(self, now: datetime) -> list[Dropped]:
        """Do one step of each kind of history of which something is old enough.

        Args:
            now: by the hub's clock, aware.

        Returns:
            What was done and what could not be; nothing where nothing is old enough.

        Raises:
            StoreError: what was done until then is done.
        """
        done = []
        for width in sorted(self._ages):
            try:
                with self._session.transaction() as connection:
                    one = self._step(connection, width, now)
            except DatabaseAwayError as error:
                if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                    raise
                one = Dropped(width=width, obstacle=Obstacle.BUSY)
            except _UndoError:
                one = Dropped(width=width, obstacle=Obstacle.PENDING)
            if one is not None:
                done.append(one)
        return done

    def outlook(self, now: datetime) -> list[Outlook]:
        """What is kept, and what `drop_some`, called again and again, would drop now."""
        with self._session.transaction() as connection:
            return list(self._outlooks(connection, now))

    def _outlooks(self, connection: Connection, now: datetime) -> Iterator[Outlook]:
        kept = horizons(connection)
        for width, level in _LEVELS.items():
            target = self._target(connection, width, now, kept)
            until, chunks, octets, rows = None, 0, 0, 0
            if target is not None and _is_hypertable(connection, level.table):
                found = _droppable(connection, level, target)
                if found:
                    until = ceiling(found[-1]["range_end"], level.grid)
                chunks, octets = len(found), sum(row["octets"] for row in found)
            elif target is not None:
                rows = _count(connection, width, target, _NO_LIMIT)
                until = target if rows else None
            late = {"late": 0, "too_late": 0}
            if width == RAW and width in kept and kept[width].late_since is not None:
                late = _late(connection, kept, kept[width].since)
            yield Outlook(
                width=width,
                age=self._ages.get(width),
                horizon=kept.get(width),
                oldest=_oldest(connection, width),
                until=until,
                chunks=chunks,
                octets=octets,
                rows=rows,
                obstacle=None if until is None else _obstacle(connection, width, until),
                **late,
            )

    def _target(
        self, connection: Connection, width: timedelta, now: datetime, kept: Horizons
    ) -> datetime | None:
        """Up to which moment all is old enough; None where that can't be said, or nothing is to age."""
        if width not in self._ages:
            return None
        newest = _one(connection, "reference", {"now": now})["newest"]
        if newest is None:
            return None
        until = newest - self._ages[width]
        finer = _FINER.get(width)
        if finer is not None:
            # sums of what can still change must be there to be made anew
            if finer not in kept:
                return None
            until = min(until, kept[finer].since)
        return floor_to_step(until, _LEVELS[width].grid)

    def _step(self, connection: Connection, width: timedelta, now: datetime) -> Dropped | None:
        level, kept = _LEVELS[width], horizons(connection)
        target = self._target(connection, width, now, kept)
        if target is None:
            return None
        by_chunks = _is_hypertable(connection, level.table)
        if by_chunks:
            found = _droppable(connection, level, target)
            until = ceiling(found[: self._chunks][-1]["range_end"], level.grid) if found else None
            if until is not None and width in kept and len(found) <= self._chunks:
                until = max(until, kept[width].since)  # then nothing late is left
        else:
            until = self._slice(connection, width, target)
        if until is None:
            return None
        connection.execute(_SQL["limit_waiting"])
        connection.execute(_SQL["lock_refresh"])
        if by_chunks and width == RAW:
            connection.execute(_SQL["lock_writers"])
        obstacle = _obstacle(connection, width, until)
        if obstacle is not None:
            return Dropped(width=width, obstacle=obstacle)
        kept = horizons(connection)
        too_late = 0
        if width == RAW and width in kept and kept[width].late_since is not None:
            too_late = _late(connection, kept, min(until, kept[width].since))["too_late"]
        chunks = rows = 0
        if by_chunks:
            values = {"name": level.table, "until": until}
            is_ours = _one(connection, "owns", {"name": level.table})["mine"]
            drop = _SQL["drop_chunks" if is_ours else "have_chunks_dropped"]
            chunks = len(connection.execute(drop, values).fetchall())
            connection.execute(_SQL[f"delete_rest_{_seconds(width)}"], {"until": until})
        else:
            rows = connection.execute(_SQL[f"delete_{_seconds(width)}"], {"until": until}).rowcount
        if _obstacle(connection, width, until) is not None:
            raise _UndoError
        connection.execute(
            _SQL["move_horizon"],
            {"width_s": _seconds(width), "until": until, "too_late": too_late},
        )
        return Dropped(width=width, until=until, chunks=chunks, rows=rows, too_late=too_late)

    def _slice(self, connection: Connection, width: timedelta, target: datetime) -> datetime | None:
        """Up to which moment to delete at once, so that there are not too many rows."""
        oldest = _oldest(connection, width)
        if oldest is None or oldest > target:
            return None
        until = target
        ends = (ceiling(oldest, length) for length in _LEVELS[width].slices)
        for end in (target, *ends):
            until = min(target, end)
            if _count(connection, width, until, self._rows + 1) <= self._rows:
                break
        return until


class _UndoError(Exception):
    """Something of what was dropped has changed meanwhile."""


def _one(connection: Connection, query: str, values: Mapping[str, Any]) -> dict[str, Any]:
    (row,) = connection.execute(_SQL[query], values).fetchall()
    return row


def _seconds(width: timedelta) -> int:
    return width // timedelta(seconds=1)


def _obstacle(connection: Connection, width: timedelta, until: datetime) -> Obstacle | None:
    asked = {"width_s": _seconds(width), "grace": _GRACE, "longest": _LONGEST_GRACE, "until": until}
    if _one(connection, "late_is_fresh", asked)["fresh"]:
        return Obstacle.LATE
    return Obstacle.PENDING if _one(connection, "pending", asked)["pending"] else None


def _is_hypertable(connection: Connection, table: str) -> bool:
    if not _one(connection, "has_timescaledb", {})["there"]:
        return False
    return any(row["name"] == table for row in connection.execute(_SQL["hypertables"]))


def _droppable(connection: Connection, level: _Level, target: datetime) -> list[dict[str, Any]]:
    """The chunks that end, with what is made of them, by a moment."""
    found = connection.execute(_SQL["chunks"], {"name": level.table, "until": target}).fetchall()
    return [row for row in found if ceiling(row["range_end"], level.grid) <= target]


def _oldest(connection: Connection, width: timedelta) -> datetime | None:
    oldest: datetime | None = _one(connection, f"oldest_{_seconds(width)}", {})["oldest"]
    return oldest


def _count(connection: Connection, width: timedelta, until: datetime, limit: int) -> int:
    asked = {"until": until, "limit": limit}
    return int(_one(connection, f"count_{_seconds(width)}", asked)["n"])


def _late(connection: Connection, kept: Horizons, until: datetime) -> dict[str, int]:
    values: dict[str, Any] = {"until": until}
    for name, width in (("raw", RAW), ("five", FIVE_MINUTES), ("hour", HOUR)):
        values[f"{name}_since"] = kept[width].since if width in kept else None
        values[f"{name}_drops"] = kept[width].drops if width in kept else None
    return _one(connection, "too_late", values)
