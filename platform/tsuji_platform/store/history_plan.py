"""What to read from where for a series: each datastream's time in pieces, each piece from one source."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation
from tsuji_platform.store import queries
from tsuji_platform.store.changed import bucket_of
from tsuji_platform.store.cover import (
    DAY,
    FIVE_MINUTES,
    HOUR,
    ORIGIN,
    RAW,
    Interval,
    Piece,
    cover,
    moment,
    widths,
)
from tsuji_platform.store.database import Connection
from tsuji_platform.store.errors import TooMuchError
from tsuji_platform.store.horizon import Horizons, divided, horizons, known

_SQL = queries.load("history")
_DIRECTIONS = frozenset(
    p.id for p in OBSERVED_PROPERTIES.values() if p.aggregation is Aggregation.CIRCULAR_MEAN
)

MOST_SUMS = 5_000_000
"""Rollups or observations that are read for one series at the most: some seconds' work."""
_OBSERVED_EVERY = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)

StreamPiece = tuple[int, datetime, datetime]
"""A datastream, a time that is not part of it, and its end."""
Pieces = Mapping[timedelta, Sequence[StreamPiece]]
"""By the width of the rollup's buckets, `RAW` for observations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is read for a series.

    Attributes:
        names: thing and observed property of each datastream.
        pieces: no two of a datastream overlap.
        gone: the times of which something that would be needed is no longer kept.
        step: the length of the series' steps.
        small_below: of each datastream below which a count above 0 is withheld; 0 withholds none.
    """

    names: Mapping[int, tuple[str, str]]
    pieces: Pieces
    gone: Sequence[Interval]
    step: timedelta
    small_below: Mapping[int, float]

    def lacks(self, end: datetime) -> bool:
        """Whether something of the step that ends then is no longer kept."""
        return any(end > lost_from and end - self.step < to for lost_from, to in self.gone)

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
            "directions": [key for key, (_, name) in self.names.items() if name in _DIRECTIONS],
            "step": self.step,
            "origin": ORIGIN,
        }


def plan(
    connection: Connection,
    thing_ids: Sequence[str],
    observed_properties: Sequence[str],
    start: datetime,
    end: datetime,
    step: timedelta,
    gate: Gate = OPEN,
) -> Plan:
    """Divide what is asked for among the sources; in a transaction that sees one moment.

    Which of the counts in a sum are small its rollup can't tell: where small ones are withheld, sums of
    counts are made of the observations, and of five minutes only where these are no longer kept.

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
    kept, sources = horizons(connection), widths(step)
    if any(small_below.values()):
        sources = tuple(width for width in sources if width <= FIVE_MINUTES)
    _refuse_too_much(len(streams), end - start, step, sources)
    pieces, gone = _pieces(streams, start, end, sources, kept)
    names = {row["datastream_id"]: (row["thing_id"], row["observed_property"]) for row in streams}
    return Plan(
        names=names,
        pieces=_one_by_one(pieces, small_below, kept),
        gone=sorted(gone),
        step=step,
        small_below=small_below,
    )


def _one_by_one(pieces: Pieces, small_below: Mapping[int, float], kept: Horizons) -> Pieces:
    """The same with sums of counts taken from the observations, where small ones are withheld."""
    if not any(small_below.values()):
        return pieces
    found: defaultdict[timedelta, list[StreamPiece]] = defaultdict(list)
    for width, its in pieces.items():
        for key, start, end in its:
            since = end
            if width != RAW and small_below[key]:
                since = min(max(start, kept[RAW].since), end) if RAW in kept else start
            if start < since:
                found[width].append((key, start, since))
            if since < end:
                found[RAW].append((key, since, end))
    return found


def _refuse_too_much(
    streams: int, length: timedelta, step: timedelta, sources: Sequence[timedelta]
) -> None:
    """By what is asked for, whether rolled up yet or not, so that the answer is the same tomorrow."""
    width = next(iter(sources), _OBSERVED_EVERY)
    sums = int(streams * (length / width))
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


def _pieces(
    streams: Iterable[Mapping[str, Any]],
    start: datetime,
    end: datetime,
    sources: Sequence[timedelta],
    kept: Horizons,
) -> tuple[Pieces, set[Interval]]:
    pieces: defaultdict[timedelta, list[StreamPiece]] = defaultdict(list)
    covers: dict[tuple[Interval, ...], list[Piece]] = {}
    lost: set[Interval] = set()
    for row in streams:
        stale = known(
            [(moment(run.lower - 1), moment(run.upper - 1)) for run in row["buckets"] or ()], kept
        )
        if stale not in covers:
            covers[stale], gone = divided(list(cover(start, end, stale, sources)), kept)
            lost.update(gone)
        for width, piece_start, piece_end in covers[stale]:
            pieces[width].append((row["datastream_id"], piece_start, piece_end))
    return pieces, lost
