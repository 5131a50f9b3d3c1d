"""How far back observations and rollups are kept: what retention, refreshers and readers agree on.

A chunk that is dropped is gone for those, too, whose view of the database is older than the drop: only
rows are kept for them. So whoever reads at one moment looks at the end, with fresh eyes, whether something
was dropped meanwhile (`at_one_moment`); else an answer might lack rows of which its own view of the
horizon says that they are there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from tsuji_platform.store import queries
from tsuji_platform.store.cover import DAY, FIVE_MINUTES, HOUR, RAW, Interval, Piece
from tsuji_platform.store.database import Connection, Database
from tsuji_platform.store.errors import ConflictError

_SQL = queries.load("horizon")
_T = TypeVar("_T")
_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """Where the observations, or the rollups of one width, begin.

    Attributes:
        since: what ended then or earlier is no longer kept. A multiple of the width that is made of it:
            five minutes for observations, an hour for rollups of five minutes, a Tokyo day for hours.
        drops: how often something was dropped.
        dropped_at: when for the last time.
        late_since: since when there is something again that ended before `since`; None without any.
        too_late: observations that came when those of their time were gone, and are in no rollup.
    """

    since: datetime
    drops: int
    dropped_at: datetime
    late_since: datetime | None
    too_late: int


Horizons = Mapping[timedelta, Horizon]
"""By the width of the rollup's buckets, `RAW` for observations; what is not in it is kept for ever."""


def horizons(connection: Connection) -> Horizons:
    """What is kept no longer, as this transaction sees it."""
    return {
        timedelta(seconds=row.pop("width_s")): Horizon(**row)
        for row in connection.execute(_SQL["horizons"])
    }


def at_one_moment(database: Database, read: Callable[[Connection], _T]) -> _T:
    """Read as everything is at one moment, and anew where chunks were dropped meanwhile.

    Args:
        database: where.
        read: gets a connection within a transaction that sees one moment; may be called several times.

    Raises:
        ConflictError: something was dropped each time.
    """

    def one_moment(connection: Connection) -> tuple[int | None, _T]:
        see_one_moment(connection)
        return drops(connection), read(connection)

    for _ in range(_TRIES):
        before, found = database.reading(one_moment)
        (after,) = database.rows(_SQL["drops"])
        if after["drops"] == before:
            return found
    raise ConflictError(
        f"old chunks were dropped while they were read, {_TRIES} times one after another: try again"
    )


def see_one_moment(connection: Connection) -> None:
    """Let all that follows in the transaction see the database as its next statement does."""
    connection.execute(_SQL["one_moment"])


def drops(connection: Connection) -> int | None:
    """Changes with every drop of chunks; None where there are no chunks."""
    (row,) = connection.execute(_SQL["drops"]).fetchall()
    count: int | None = row["drops"]
    return count


def kept_since(kept: Horizons, step: timedelta) -> datetime | None:
    """From when on steps of a length, counted from midnight in Tokyo, can be answered; None: all.

    Whole steps are made of the coarsest rollup that they can be made of.
    """
    coarsest = next((width for width in (DAY, HOUR, FIVE_MINUTES) if not step % width), RAW)
    return kept[coarsest].since if coarsest in kept else None


def known(stale: Sequence[Interval], kept: Horizons) -> tuple[Interval, ...]:
    """Of the times that the log of changes names, those that can be read from the observations.

    What it names before them are late observations, whose sums are made anew in a moment, or not at all.
    """
    if RAW not in kept:
        return tuple(stale)
    since = kept[RAW].since
    return tuple((max(start, since), end) for start, end in stale if end > since)


def divided(pieces: Sequence[Piece], kept: Horizons) -> tuple[list[Piece], list[Interval]]:
    """The parts of some pieces that can be read, and those that are no longer kept."""
    readable: list[Piece] = []
    gone: list[Interval] = []
    for width, start, end in pieces:
        since = kept[width].since if width in kept else start
        if start < since:
            gone.append((start, min(end, since)))
        if end > since:
            readable.append((width, max(start, since), end))
    return readable, gone
