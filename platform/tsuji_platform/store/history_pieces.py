"""What to read from where: each datastream's time in pieces, each piece from one source."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tsuji_platform.store.cover import (
    DAY,
    FIVE_MINUTES,
    RAW,
    Interval,
    Piece,
    ceiling,
    cover,
    moment,
)
from tsuji_platform.store.horizon import Horizons, divided, known

StreamPiece = tuple[int, datetime, datetime]
"""A datastream, a time that is not part of it, and its end."""
Pieces = Mapping[timedelta, Sequence[StreamPiece]]
"""By the width of the rollup's buckets, `RAW` for observations."""
Streams = Iterable[Mapping[str, Any]]
"""Rows of the query `stale`."""


def pieces_of(
    streams: Streams, start: datetime, end: datetime, sources: Sequence[timedelta], kept: Horizons
) -> tuple[Pieces, set[Interval]]:
    """The pieces of some datastreams, and the times of which something is no longer kept.

    Args:
        streams: which.
        start: not included.
        end: included.
        sources: widths of the rollups to use, the coarsest first.
        kept: what is no longer kept.
    """
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


def told_pieces(
    streams: Streams, start: datetime, end: datetime, sources: Sequence[timedelta], kept: Horizons
) -> tuple[Pieces, set[Interval]]:
    """The same of datastreams of which small counts are withheld.

    From when on observations are kept, sums of an hour and longer are read, of which small counts are taken
    off; sums of five minutes are not worth that. Before, sums of five minutes stand for the observations.
    """
    ends = [kept[width].since for width in (RAW, *sources) if width in kept]
    since = min(max([start, *(ceiling(one, DAY) for one in ends)]), end)
    short = [width for width in sources if width <= FIVE_MINUTES]
    old, lost = pieces_of(streams, start, since, short, kept)
    new, gone = pieces_of(streams, since, end, sources, kept)
    return joined(_one_by_one(old, kept), _one_by_one(new, kept)), lost | gone


def _one_by_one(pieces: Pieces, kept: Horizons) -> Pieces:
    """The same from the observations instead of from sums of five minutes, as far as they are kept."""
    found: defaultdict[timedelta, list[StreamPiece]] = defaultdict(list)
    for width, its in pieces.items():
        for key, start, end in its:
            since = end if width > FIVE_MINUTES else start
            if width == FIVE_MINUTES and RAW in kept:
                since = min(max(start, kept[RAW].since), end)
            if start < since:
                found[width].append((key, start, since))
            if since < end:
                found[RAW].append((key, since, end))
    return found


def joined(*parts: Pieces) -> Pieces:
    """Several together."""
    found: defaultdict[timedelta, list[StreamPiece]] = defaultdict(list)
    for part in parts:
        for width, its in part.items():
            found[width] += its
    return found
