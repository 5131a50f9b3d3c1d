"""Observations and aggregates of many things at once, in the format that the caller wants."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from tsuji_platform.api.answers import RowsDep, Wanted, described_by
from tsuji_platform.api.bbox import parse_bbox
from tsuji_platform.api.callers import Caller
from tsuji_platform.api.choosing import (
    MOST_NAMES,
    AreaQuery,
    AreaSetQuery,
    BoxQuery,
    Kind,
    chosen_things,
)
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.formats import ROWS, Format, media_type
from tsuji_platform.api.hub import Hub, HubDep
from tsuji_platform.api.intervals import IntervalQuery, bounds
from tsuji_platform.api.steps import WIDTHS, AggregateStep, width_name
from tsuji_platform.store.export_choice import Choice
from tsuji_platform.store.finding import ThingFilter
from tsuji_platform.store.quality import Wanted as Quality

_CONTENT: dict[str, dict[str, str]] = {media_type(one): {} for one in ROWS}
router = APIRouter(
    tags=["history"],
    responses={
        200: {"description": "rows by Tokyo day, datastream and time", "content": _CONTENT},
    },
)
_LENGTH = timedelta(hours=24)


def _choice(
    hub: HubDep,
    thing: Annotated[
        list[str] | None,
        Query(description="only of these things; may be repeated", examples=[["pole-001"]]),
    ] = None,
    kind: Kind = None,
    observed_property: Annotated[
        list[str] | None,
        Query(description="only of these; may be repeated", examples=[["air_temperature"]]),
    ] = None,
    area_set: AreaSetQuery = None,
    area: AreaQuery = None,
    bbox: BoxQuery = None,
    interval: IntervalQuery = None,
    start: Annotated[
        str | None,
        Query(
            description="RFC 3339 with offset, excluded; 24 hours before `end` where left out",
            examples=["2026-04-01T00:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        str | None,
        Query(
            description="RFC 3339 with offset, included; now where left out",
            examples=["2026-04-01T09:00:00+09:00"],
        ),
    ] = None,
    quality: Annotated[
        Quality,
        Query(
            description="made of all observations, of those with flags or of those without: what is picked "
            "is looked at observation by observation, so it takes longer",
            examples=["good"],
        ),
    ] = "all",
) -> Choice:
    now = hub.clock()
    since, until = bounds(interval, start, end, now)
    until = until or now
    since = since or until - _LENGTH
    if since >= until:
        shown = "now" if end is None else f"end {end!r:.80}"
        raise BadParameterError(f"start {start!r:.80} must be before {shown}")
    if area and area_set is None:
        raise BadParameterError(f"area {area[0]!r:.80} needs the `area_set` that it belongs to")
    named = {"thing": thing, "observed_property": observed_property, "area": area}
    for name, values in named.items():
        if values is not None and len(values) > MOST_NAMES:
            raise BadParameterError(f"{name}: {len(values)} values are over {MOST_NAMES}")
    things = _things(hub, thing, kind, bbox)
    return Choice(
        start=since,
        end=until,
        area_set=area_set,
        areas=area or (),
        things=things or (),
        observed_properties=observed_property or (),
        is_nothing=things == [],
        quality=quality,
    )


def _things(
    hub: Hub, asked: list[str] | None, kind: str | None, bbox: str | None
) -> list[str] | None:
    """Ids of the things that are meant; None for all."""
    if kind is None and bbox is None:
        return asked or None
    return chosen_things(hub, ThingFilter(thing_ids=asked or (), kind=kind, bbox=parse_bbox(bbox)))


Chosen = Annotated[Choice, Depends(_choice)]


@router.get(
    "/observations", summary="Observations of many things, of any number", response_class=Response
)
def observations(hub: HubDep, wanted: RowsDep, choice: Chosen) -> Response:
    """Raw observations as they were stored: thing, observed property, time, result, unit, period.

    All of it is of one moment, however long the download takes, and its memory does not grow with
    its length. Rows come by Tokyo day, then by datastream and time. Where older observations are no longer
    kept, the header `Tsuji-Kept-Since` says since when.
    """
    return _download(hub, wanted, choice, "observations")


@router.get(
    "/aggregates",
    summary="Aggregates of many things: 5 minutes, 1 hour or 1 Tokyo day",
    response_class=Response,
)
def aggregates(
    hub: HubDep,
    wanted: RowsDep,
    choice: Chosen,
    step: AggregateStep = "1h",
) -> Response:
    """Rows of n, sum, mean, minimum and maximum, each ending at its time, once it is over.

    `result` is what the observed property wants of these: mean, sum, maximum, or circular mean of
    directions. With `quality`, rows are made of the observations that meet it, as far back as these are
    kept, and those of which none does are left out.
    """
    name = width_name(step)
    return _download(hub, wanted, replace(choice, width=WIDTHS[name]), f"aggregates-{name}")


def _download(hub: Hub, wanted: Wanted, choice: Choice, name: str) -> Response:
    caller: Caller | None = getattr(wanted.request.state, "caller", None)
    return hub.downloads.answer(
        choice,
        wanted.format,
        name,
        bom=wanted.bom,
        address=wanted.address(format="csv"),
        link=described_by(wanted)["Link"] if wanted.format is Format.CSV else "",
        caller=None if caller is None or caller.policy == "dashboard" else caller.subject,
    )
