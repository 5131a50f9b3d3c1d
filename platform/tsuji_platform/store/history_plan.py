"""What to read for a series, and what of that is no longer kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation
from tsuji_platform.store import queries
from tsuji_platform.store.changed import bucket_of
from tsuji_platform.store.cover import DAY, FIVE_MINUTES, HOUR, ORIGIN, Interval, widths
from tsuji_platform.store.database import Connection
from tsuji_platform.store.errors import TooMuchError
from tsuji_platform.store.history_pieces import (
    Pieces,
    StreamPiece,
    joined,
    pieces_of,
    told_pieces,
)
from tsuji_platform.store.horizon import horizons
from tsuji_platform.store.quality import Wanted, judging

_SQL = queries.load("history")
DIRECTIONS = frozenset(
    p.id for p in OBSERVED_PROPERTIES.values() if p.aggregation is Aggregation.CIRCULAR_MEAN
)

MOST_SUMS = 5_000_000
"""Rollups or observations that are read for one series at the most: some seconds' work."""
MOST_JUDGED = 250_000
"""Observations that are looked at for their flags for one series at the most."""
_OBSERVED_EVERY = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is read for a series.

    Attributes:
        names: thing and observed property of each datastream.
        pieces: no two of a datastream overlap.
        gone: the times of which something that would be needed is no longer kept.
        step: the length of the series' steps.
        quality: of the observations that are read.
        small_below: of each datastream below which a count above 0 is withheld; 0 withholds none.
    """

    names: Mapping[int, tuple[str, str]]
    pieces: Pieces
    gone: Sequence[Interval]
    step: timedelta
    small_below: Mapping[int, float]
    quality: Wanted = "all"

    def lacks(self, end: datetime) -> bool:
        """Whether something of the step that ends then is no longer kept."""
        return any(end > lost_from and end - self.step < to for lost_from, to in self.gone)

    def counted(
        self, width: timedelta, pieces: Sequence[StreamPiece]
    ) -> tuple[Sequence[StreamPiece], Sequence[StreamPiece]]:
        """Those pieces of a source of which small counts are to be taken off, and the others."""
        if width <= FIVE_MINUTES or not any(self.small_below.values()):
            return (), pieces
        return (
            [it for it in pieces if self.small_below[it[0]]],
            [it for it in pieces if not self.small_below[it[0]]],
        )

    def values(self, pieces: Sequence[StreamPiece]) -> dict[str, Any]:
        """For queries of some pieces, of which there is at least one."""
        ids, starts, ends = (list(column) for column in zip(*pieces, strict=True))
        return {
            "datastream_ids": ids,
            "starts": starts,
            "ends": ends,
            "small_below": [self.small_below[key] for key in ids],
            # the outer bounds are constants, so that chunks beyond them are not even planned for
            "start": min(starts),
            "end": max(ends),
            "directions": [key for key, (_, name) in self.names.items() if name in DIRECTIONS],
            "step": self.step,
            "origin": ORIGIN,
            "behind_origin": ORIGIN + _MICROSECOND,
            "to_end": self.step - _MICROSECOND,
            **({} if self.quality == "all" else judging(self.quality)),
        }


def plan(
    connection: Connection,
    thing_ids: Sequence[str],
    observed_properties: Sequence[str],
    start: datetime,
    end: datetime,
    step: timedelta,
    gate: Gate = OPEN,
    quality: Wanted = "all",
) -> Plan:
    """Divide what is asked for among the sources; in a transaction that sees one moment.

    Which of the counts in a sum are small its rollup can't tell: where small ones are withheld, they are read
    from the observations and taken from the sums, and where observations are no longer kept, sums of five
    minutes that may hold one are left out whole. Flags hang on single observations: what is picked by them is
    read from these alone.

    Raises:
        TooMuchError: where more than `MOST_SUMS` of the cheapest source would be read.
    """
    asked = {
        "thing_ids": list(thing_ids),
        "observed_properties": list(observed_properties),
        "first_bucket": bucket_of(start),
        "last_bucket": bucket_of(end),
        **gate.parameters(),
    }
    streams = connection.execute(_SQL["stale"], asked).fetchall()
    small_below = {row["datastream_id"]: row["small_below"] for row in streams}
    kept, sources = horizons(connection), widths(step) if quality == "all" else ()
    counted = [row for row in streams if row["small_below"] and sources]
    if counted:
        # by what is read where observations are gone, so that the answer hangs on no retention
        short = tuple(width for width in sources if width <= FIVE_MINUTES)
    _refuse_too_much(len(streams), end - start, step, short if counted else sources, quality)
    others = [row for row in streams if row not in counted]
    pieces, gone = pieces_of(others, start, end, sources, kept)
    if counted:
        told, lost = told_pieces(counted, start, end, sources, kept)
        pieces, gone = joined(pieces, told), gone | lost
    names = {row["datastream_id"]: (row["thing_id"], row["observed_property"]) for row in streams}
    return Plan(
        names=names,
        pieces=pieces,
        gone=sorted(gone),
        step=step,
        small_below=small_below,
        quality=quality,
    )


def _refuse_too_much(
    streams: int,
    length: timedelta,
    step: timedelta,
    sources: Sequence[timedelta],
    quality: Wanted,
) -> None:
    """By what is asked for, whether rolled up yet or not, so that the answer is the same tomorrow."""
    width = next(iter(sources), _OBSERVED_EVERY)
    sums = int(streams * (length / width))
    if quality != "all" and sums > MOST_JUDGED:
        raise TooMuchError(
            f"{sums:,} observations of {streams} datastreams over {length.days} days would be looked at for "
            f"quality={quality}, more than {MOST_JUDGED:,}: ask for a shorter time, or leave quality out"
        )
    if sums <= MOST_SUMS:
        return
    longer = next((one for one in (FIVE_MINUTES, HOUR, DAY) if one > width), None)
    raise TooMuchError(
        f"steps of {step} of {streams} datastreams over {length.days} days are made of {sums:,} values, "
        f"more than {MOST_SUMS:,}: ask for "
        + (
            ""
            if longer is None
            else f"a step that is a multiple of {longer // _SECOND} s, of which there are sums ready, or for "
        )
        + "a shorter time"
    )
