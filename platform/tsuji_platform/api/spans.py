"""The time that a series covers, as its resources are asked for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query

from tsuji_platform.api.hub import HubDep
from tsuji_platform.api.intervals import IntervalQuery, bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that a series covers."""

    start: datetime | None
    end: datetime | None
    step: timedelta | None


_LONGEST_STEP = 31 * 86_400


async def _span(
    hub: HubDep,
    interval: IntervalQuery = None,
    start: Annotated[
        str | None,
        Query(
            description="RFC 3339 with offset; a day before `end` where left out",
            examples=["2026-04-01T00:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        str | None,
        Query(
            description="RFC 3339 with offset; now where left out",
            examples=["2026-04-01T09:00:00+09:00"],
        ),
    ] = None,
    step: Annotated[
        int | None,
        Query(
            ge=60,
            le=_LONGEST_STEP,
            description="length of a step, seconds, counted from midnight in Tokyo; where left out 900, "
            "3600 or 86400, the shortest that makes no more than 1,000 steps, or the usual counting "
            "period of the slowest counter behind the figure, if that is longer. Multiples of 300 are "
            "made of sums that are ready, others of the observations",
            examples=[3600],
        ),
    ] = None,
) -> Span:
    since, until = bounds(interval, start, end, hub.clock())
    return Span(start=since, end=until, step=None if step is None else timedelta(seconds=step))


SpanDep = Annotated[Span, Depends(_span)]
