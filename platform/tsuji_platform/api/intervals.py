"""Reads a span of time as ISO 8601 writes intervals: two moments, or a moment and a length."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query

from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.hub import parse_moment
from tsuji_platform.contract.lengths import parse_length

_EXAMPLES = (
    "PT24H, 24h, 2026-04-01T00:00:00+09:00/PT6H or 2026-04-01T00:00:00Z/2026-04-02T00:00:00Z"
)

IntervalQuery = Annotated[
    str | None,
    Query(
        description="instead of start and end, ISO 8601: two moments, a moment and a length, or a length "
        "that ends now; the beginning is excluded, the end included",
        examples=["PT24H", "2026-04-01T00:00:00+09:00/PT6H"],
    ),
]


def parse_duration(text: str) -> timedelta | None:
    """Read a length such as `PT24H`, `P7D` or `24h`; None where it is none, or is nothing at all."""
    return parse_length(text) or None


def parse_interval(text: str, name: str, now: datetime) -> tuple[datetime, datetime]:
    """Read `start/end`, `start/length`, `length/end`, or a length that ends now.

    Args:
        text: what stood in the request.
        name: of the parameter.
        now: the hub's clock.

    Raises:
        BadParameterError: it is none of these, or ends before it begins.
    """
    first, slash, second = text.partition("/")
    length = parse_duration(first) or parse_duration(second)
    wrong = BadParameterError(f"{name} {text!r:.120} is not an interval, such as {_EXAMPLES}")
    try:
        if not slash:
            if length is None:
                raise wrong
            start, end = now - length, now
        elif length is None:
            start, end = _moment(first, name), _moment(second, name)
        elif parse_duration(first):
            end = _moment(second, name)
            start = end - length
        else:
            start = _moment(first, name)
            end = start + length
    except OverflowError:
        raise wrong from None
    if start >= end:
        raise BadParameterError(f"{name} {text!r:.120} ends before it begins")
    return start, end


def bounds(
    interval: str | None, start: str | None, end: str | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """The two ends of a span that is given as an interval, or by one or both of its ends.

    Raises:
        BadParameterError: it is given in both ways, or something of it is none.
    """
    if interval is None:
        return parse_moment(start, "start"), parse_moment(end, "end")
    if start is not None or end is not None:
        raise BadParameterError("interval says it all: leave out start and end")
    return parse_interval(interval, "interval", now)


def _moment(text: str, name: str) -> datetime:
    moment = parse_moment(text, name)
    if moment is None:  # can't be: only None gives None
        raise BadParameterError(f"{name} has no time")
    return moment.astimezone(UTC)
