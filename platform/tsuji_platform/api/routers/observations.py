"""Raw observations of a thing as they were stored, with what looks wrong about them."""

import re
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query

from tsuji_platform.api import models, shape
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.hub import HubDep, parse_moment
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.contract.messages import FUTURE_TOLERANCE
from tsuji_platform.store.cover import RAW
from tsuji_platform.store.quality import Wanted

router = APIRouter(tags=["things"])

_LENGTH = timedelta(hours=24)
_PROPERTY = re.compile(r"[a-z0-9_]{1,64}")


@router.get("/things/{thing_id}/observations", summary="Raw observations of a thing, page by page")
def observations(
    hub: HubDep,
    thing_id: str,
    observed_property: Annotated[
        str | None, Query(max_length=64, description="only of this", examples=["air_temperature"])
    ] = None,
    start: Annotated[
        str | None,
        Query(description="RFC 3339 with offset, excluded; a day before `end` where left out"),
    ] = None,
    end: Annotated[
        str | None,
        Query(
            description="RFC 3339 with offset, included; where left out now, and the few minutes by "
            "which clocks may run ahead"
        ),
    ] = None,
    quality: Annotated[
        Wanted, Query(description="all observations, those with flags or those without")
    ] = "all",
    limit: Annotated[int, Query(ge=1, le=10_000, description="observations on a page")] = 1_000,
    after: Annotated[
        str | None,
        Query(
            max_length=200,
            description="time and observed property of the observation before the page",
            examples=["2026-04-01T00:00:00Z,air_temperature"],
        ),
    ] = None,
) -> models.Observations:
    """Observations in order of time, then of observed property; later pages may be followed live.

    `quality` lists what looks wrong about each: `step`, it leaps away from the readings before it;
    `stuck`, it has stayed the same for too long. A page may hold fewer than `limit` and still have a
    next one, where `quality` picks few of many.
    """
    hub.thing(thing_id)
    if observed_property is not None and observed_property not in OBSERVED_PROPERTIES:
        raise BadParameterError(
            f"observed_property {observed_property!r:.80} is not one of "
            + ", ".join(OBSERVED_PROPERTIES)
        )
    until = parse_moment(end, "end")
    since = parse_moment(start, "start")
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
    more = None
    if page.after is not None:
        asked = {
            "observed_property": observed_property,
            "start": shape.iso(since),
            "end": shape.iso(until),
            "quality": quality,
            "limit": limit,
            "after": f"{shape.iso(page.after[0])},{page.after[1]}",
        }
        named = urlencode({k: v for k, v in asked.items() if v is not None}, safe=":,")
        more = f"/v1/things/{quote(thing_id, safe='')}/observations?{named}"
    return models.Observations(
        thing=thing_id,
        items=[
            models.RawObservation(
                observed_property=it.observed_property,
                time=it.time,
                result=it.result,
                unit=shape.unit_of(it.observed_property),
                period_s=it.period_s,
                quality=list(it.flags),
            )
            for it in page.items
        ],
        next=more,
        kept_since=None if (kept := hub.reader.horizons().get(RAW)) is None else kept.since,
    )


def _parse_after(text: str) -> tuple[datetime, str]:
    time, _, name = text.partition(",")
    moment = parse_moment(time, "after") if _PROPERTY.fullmatch(name) else None
    if moment is None:
        raise BadParameterError(
            f"after {text!r:.120} is not a time and an observed property, such as "
            "2026-04-01T00:00:00Z,air_temperature"
        )
    return moment, name
