"""Which source answers for which part of a span: the coarsest rollup that is whole there and up to date."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

ORIGIN = datetime.fromisoformat("2000-01-01T00:00:00+09:00")
"""Steps and buckets are counted from a Tokyo midnight, so that those of a day are Tokyo days."""

RAW = timedelta(0)
FIVE_MINUTES = timedelta(minutes=5)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_ROLLUPS = (DAY, HOUR, FIVE_MINUTES)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Interval = tuple[datetime, datetime]
"""Start, not included, and end, included."""
Piece = tuple[timedelta, datetime, datetime]
"""The width of the rollup's buckets, `RAW` for observations; start and end as above."""


def floor_to_step(time: datetime, step: timedelta) -> datetime:
    """The end of the newest step that is complete at `time`."""
    return time - (time - ORIGIN) % step


def ceiling(time: datetime, step: timedelta) -> datetime:
    """The end of the step that `time` lies in, which is `time` where a step ends then."""
    return time + (ORIGIN - time) % step


def widths(step: timedelta) -> tuple[timedelta, ...]:
    """The rollups that steps of this length can be made of, the coarsest first."""
    return tuple(width for width in _ROLLUPS if not step % width)


def moment(bucket: int) -> datetime:
    """When a five-minute bucket ends."""
    return _EPOCH + bucket * FIVE_MINUTES


def cover(
    start: datetime, end: datetime, stale: Sequence[Interval], sources: Sequence[timedelta]
) -> Iterator[Piece]:
    """Divide a span among sources, each moment to one.

    Args:
        start: of the span, not included.
        end: of the span, included.
        stale: where rollups may differ from the observations; in order, none touching another.
        sources: widths of the rollups to use, the coarsest first.
    """
    if start >= end:
        return
    if not sources:
        yield RAW, start, end
        return
    width, finer = sources[0], sources[1:]
    first, last = ceiling(start, width), floor_to_step(end, width)
    if first >= last:
        yield from cover(start, end, stale, finer)
        return
    yield from cover(start, first, stale, finer)
    fresh_from = first
    for stale_start, stale_end in stale:
        if stale_end <= fresh_from or stale_start >= last:
            continue
        from_, to = floor_to_step(stale_start, width), min(ceiling(stale_end, width), last)
        if from_ > fresh_from:
            yield width, fresh_from, from_
        yield from cover(max(from_, fresh_from), to, stale, finer)
        fresh_from = to
    if fresh_from < last:
        yield width, fresh_from, last
    yield from cover(last, end, stale, finer)
