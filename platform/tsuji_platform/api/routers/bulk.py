"""Observations and aggregates of many things at once, in the format that the caller wants."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from tsuji_platform.api.bbox import parse_bbox
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.formats import MEDIA_TYPES, Format, choose
from tsuji_platform.api.hub import Hub, HubDep, parse_moment
from tsuji_platform.api.intervals import parse_interval
from tsuji_platform.exports.about import STEPS
from tsuji_platform.store.export import Choice

_CONTENT: dict[str, dict[str, str]] = {
    media.partition(";")[0]: {} for media in MEDIA_TYPES.values()
}
router = APIRouter(
    tags=["history"],
    responses={
        200: {"description": "rows by Tokyo day, datastream and time", "content": _CONTENT},
    },
)
_LENGTH = timedelta(hours=24)
_MOST_NAMES = 1_000


def _choice(
    hub: HubDep,
    thing: Annotated[
        list[str] | None, Query(description="only of these things", examples=[["pole-01"]])
    ] = None,
    kind: Annotated[
        str | None, Query(max_length=64, description="only of things of this kind")
    ] = None,
    observed_property: Annotated[
        list[str] | None, Query(description="only of these", examples=[["air_temperature"]])
    ] = None,
    area_set: Annotated[
        str | None, Query(max_length=64, description="only of things in areas of this set")
    ] = None,
    area: Annotated[
        list[str] | None, Query(description="codes; only in these areas of `area_set`")
    ] = None,
    bbox: Annotated[
        str | None,
        Query(
            description="west,south,east,north in degrees: only of things within",
            examples=["139.69,35.68,139.71,35.70"],
        ),
    ] = None,
    interval: Annotated[
        str | None,
        Query(
            description="ISO 8601: two moments, a moment and a length, or a length that ends now; "
            "the beginning is excluded, the end included. 24 hours until now where left out",
            examples=["PT24H", "2026-04-01T00:00:00+09:00/PT6H"],
        ),
    ] = None,
    start: Annotated[
        str | None, Query(description="instead of `interval`: RFC 3339 with offset, excluded")
    ] = None,
    end: Annotated[
        str | None, Query(description="instead of `interval`: RFC 3339 with offset, included")
    ] = None,
) -> Choice:
    now = hub.clock()
    if interval is not None:
        if start is not None or end is not None:
            raise BadParameterError("interval says it all: leave out start and end")
        since, until = parse_interval(interval, "interval", now)
    else:
        until = parse_moment(end, "end") or now
        since = parse_moment(start, "start") or until - _LENGTH
        if since >= until:
            shown = "now" if end is None else f"end {end!r:.80}"
            raise BadParameterError(f"start {start!r:.80} must be before {shown}")
    if area and area_set is None:
        raise BadParameterError(f"area {area[0]!r:.80} needs the `area_set` that it belongs to")
    for names in (thing, observed_property, area):
        if names is not None and len(names) > _MOST_NAMES:
            raise BadParameterError(f"{len(names)} values of one parameter are over {_MOST_NAMES}")
    return Choice(
        start=since,
        end=until,
        area_set=area_set,
        areas=area or (),
        things=_things(hub, thing, kind, bbox),
        observed_properties=observed_property or (),
    )


def _things(hub: Hub, asked: list[str] | None, kind: str | None, bbox: str | None) -> list[str]:
    if kind is None and bbox is None:
        return asked or []
    west, south, east, north = parse_bbox(bbox) or (-180.0, -90.0, 180.0, 90.0)
    wanted = None if asked is None else set(asked)
    found = [
        row.thing.thing_id
        for row in hub.things()
        if (wanted is None or row.thing.thing_id in wanted)
        and (kind is None or row.thing.kind == kind)
        and west <= row.thing.longitude <= east
        and south <= row.thing.latitude <= north
    ]
    if not found:
        raise BadParameterError("no thing is of this kind, of these ids and within this bbox")
    return found


Chosen = Annotated[Choice, Depends(_choice)]
FormatQuery = Annotated[
    Format | None, Query(alias="format", description="instead of the header `Accept`")
]
Bom = Annotated[bool, Query(description="CSV begins with a mark, by which spreadsheets know UTF-8")]


@router.get(
    "/observations", summary="Observations of many things, of any number", response_class=Response
)
def observations(
    request: Request, hub: HubDep, choice: Chosen, format_: FormatQuery = None, bom: Bom = False
) -> Response:
    """Raw observations as they were stored: thing, observed property, time, result, unit, period.

    All of it is of one moment, however long the download takes, and its memory does not grow with
    its length. Rows come by Tokyo day, then by datastream and time. Where older observations are no longer
    kept, the header `Tsuji-Kept-Since` says since when.
    """
    format_ = choose(format_, ",".join(request.headers.getlist("accept")))
    return hub.downloads.answer(choice, format_, "observations", bom=bom)


@router.get(
    "/aggregates",
    summary="Aggregates of many things: 5 minutes, 1 hour or 1 Tokyo day",
    response_class=Response,
)
def aggregates(
    request: Request,
    hub: HubDep,
    choice: Chosen,
    step: Annotated[Literal["5min", "1h", "1day"], Query(description="width of the rows")] = "1h",
    format_: FormatQuery = None,
    bom: Bom = False,
) -> Response:
    """Rows of n, sum, mean, minimum and maximum, each ending at its time, once it is over.

    `result` is what the observed property wants of these: mean, sum, maximum, or circular mean of
    directions.
    """
    format_ = choose(format_, ",".join(request.headers.getlist("accept")))
    asked = replace(choice, width=STEPS[step])
    return hub.downloads.answer(asked, format_, f"aggregates-{step}", bom=bom)
