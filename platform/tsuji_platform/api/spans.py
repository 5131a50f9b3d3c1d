"""The time that a series covers, as its resources are asked for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query

from tsuji_platform.api.hub import HubDep
from tsuji_platform.api.intervals import IntervalQuery, bounds
from tsuji_platform.api.steps import SeriesStep, series_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that a series covers."""

    start: datetime | None
    end: datetime | None
    step: timedelta | None


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
    step: SeriesStep = None,
) -> Span:
    since, until = bounds(interval, start, end, hub.clock())
    return Span(start=since, end=until, step=series_step(step))


SpanDep = Annotated[Span, Depends(_span)]
