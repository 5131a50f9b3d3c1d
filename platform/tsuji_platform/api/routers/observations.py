"""Raw observations of a thing as they were stored, with what looks wrong about them."""

import re
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from tsuji_platform.api import links, models, shape
from tsuji_platform.api.answers import RowsDep, offered
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.hub import HubDep, ThingPath, parse_moment
from tsuji_platform.api.intervals import IntervalQuery, bounds
from tsuji_platform.api.paging import CountQuery, counted
from tsuji_platform.api.tables import of_items
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.contract.messages import FUTURE_TOLERANCE
from tsuji_platform.store.cover import RAW
from tsuji_platform.store.quality import Wanted

router = APIRouter(tags=["things"])

_LENGTH = timedelta(hours=24)
_PROPERTY = re.compile(r"[a-z0-9_]{1,64}")


@router.get(
    "/things/{thing_id}/observations",
    summary="Raw observations of a thing, page by page",
    response_model=models.Observations,
    responses=offered(),
)
def observations(
    hub: HubDep,
    wanted: RowsDep,
    thing_id: ThingPath,
    observed_property: Annotated[
        str | None, Query(max_length=64, description="only of this", examples=["air_temperature"])
    ] = None,
    interval: IntervalQuery = None,
    start: Annotated[
        str | None,
        Query(
            description="RFC 3339 with offset, excluded; a day before `end` where left out",
            examples=["2026-04-01T00:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        str | None,
        Query(
            description="RFC 3339 with offset, included; where left out now, and the few minutes by "
            "which clocks may run ahead",
            examples=["2026-04-01T09:00:00+09:00"],
        ),
    ] = None,
    quality: Annotated[
        Wanted,
        Query(description="all observations, those with flags or those without", examples=["good"]),
    ] = "all",
    count: CountQuery = None,
    limit: Annotated[
        int, Query(ge=1, le=10_000, description="observations on a page", examples=[1000])
    ] = 1_000,
    after: Annotated[
        str | None,
        Query(
            max_length=200,
            description="time and observed property of the observation before the page",
            examples=["2026-04-01T00:00:00Z,air_temperature"],
        ),
    ] = None,
) -> Response:
    """Observations in order of time, then of observed property; later pages may be followed live.

    `quality` lists what looks wrong about each: `step`, it leaps away from the readings before it;
    `stuck`, it has stayed the same for too long. A page may hold fewer than `limit` and still have a
    next one, where `quality` picks few of many.
    """
    hub.check_thing(thing_id)
    if observed_property is not None and observed_property not in OBSERVED_PROPERTIES:
        raise BadParameterError(
            f"observed_property {observed_property!r:.80} is not one of "
            + ", ".join(OBSERVED_PROPERTIES)
        )
    since, until = bounds(interval, start, end, hub.clock())
    if until is None:
        now = hub.clock()
        until, since = now + FUTURE_TOLERANCE, since or now - _LENGTH
    since = since or until - _LENGTH
    if since >= until:
        raise BadParameterError(f"start {shape.iso(since)} must be before end {shape.iso(until)}")
    place = None if after is None else _parse_after(after)
    page = hub.quality.observations(
        thing_id,
        since,
        until,
        limit=limit,
        observed_property=observed_property,
        after=None if place is None or place[0] <= since else place,
        wanted=quality,
    )
    if count is not None and quality != "all":
        raise BadParameterError("count: only all observations are counted; leave out quality")
    more = None
    if page.after is not None:
        more = wanted.address(
            interval=None,
            start=shape.iso(since),
            end=shape.iso(until),
            after=f"{shape.iso(page.after[0])},{page.after[1]}",
        )
    body = models.Observations(
        thing=thing_id,
        items=[
            models.RawObservation(
                observed_property=it.observed_property,
                time=it.time,
                result=it.result,
                suppressed=it.result is None,
                unit=shape.unit_of(it.observed_property),
                period_s=it.period_s,
                quality=list(it.flags),
            )
            for it in page.items
        ],
        next=more,
        kept_since=None if (kept := hub.reader.horizons().get(RAW)) is None else kept.since,
        count=counted(
            count,
            lambda way: hub.finding.count_observations(
                thing_id, since, until, way, observed_property
            ),
        ),
        links=links.thing(thing_id) | {"self": wanted.address()},
    )
    about = {"thing": thing_id, "kept_since": body.kept_since and shape.iso(body.kept_since)}
    return wanted.answer(body, lambda: of_items(models.RawObservation, body.items, about=about))


def _parse_after(text: str) -> tuple[datetime, str]:
    time, _, name = text.partition(",")
    moment = parse_moment(time, "after") if _PROPERTY.fullmatch(name) else None
    if moment is None:
        raise BadParameterError(
            f"after {text!r:.120} is not a time and an observed property, such as "
            "2026-04-01T00:00:00Z,air_temperature"
        )
    return moment, name
