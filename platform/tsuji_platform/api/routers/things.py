"""Things and their newest observations."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response

from tsuji_platform.analytics.quarters import PROFILED
from tsuji_platform.api import links, models, shape
from tsuji_platform.api.answers import PlacesDep, RowsDep, offered
from tsuji_platform.api.choosing import ChosenDep
from tsuji_platform.api.formats import PLACES
from tsuji_platform.api.geo_json import GeoJsonResponse
from tsuji_platform.api.hub import At, HubDep, ThingPath
from tsuji_platform.api.paging import CountQuery, counted
from tsuji_platform.api.routers import rejected
from tsuji_platform.api.tables import of_items
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.store.finding import DatastreamRow
from tsuji_platform.store.quality import Wanted
from tsuji_platform.store.records import ThingRow

router = APIRouter(tags=["things"])


@router.get(
    "/things",
    summary="Things, page by page",
    response_model=models.Things,
    responses=offered(PLACES),
)
def things(
    hub: HubDep,
    wanted: PlacesDep,
    chosen: ChosenDep,
    count: CountQuery = None,
    limit: Annotated[
        int, Query(ge=1, le=10_000, description="things on a page", examples=[1000])
    ] = 1_000,
    after: Annotated[
        str | None,
        Query(
            max_length=64,
            description="the id before the page; take it from `next`",
            examples=["pole-001"],
        ),
    ] = None,
) -> Response:
    """Registered things in order of their ids."""
    rows = hub.reader.things(limit=limit + 1, after=after, thing_ids=chosen.thing_ids)
    page, now = rows[:limit], hub.clock()
    body = models.Things(
        items=[shape.thing(row, now) for row in page],
        next=wanted.address(after=page[-1].thing.thing_id) if len(rows) > limit else None,
        count=counted(
            count,
            lambda way: (
                hub.reader.count_things(way) if chosen.thing_ids is None else len(chosen.thing_ids)
            ),
        ),
        links={"self": wanted.address(), "geojson": links.to("things.geojson"), "front": "/v1"},
    )
    return wanted.answer(
        body,
        lambda: of_items(
            models.Thing, body.items, points=[one.location.coordinates for one in body.items]
        ),
    )


@router.get(
    "/datastreams",
    summary="What things measure, page by page",
    response_model=models.Datastreams,
    responses=offered(),
)
def datastreams(
    hub: HubDep,
    wanted: RowsDep,
    chosen: ChosenDep,
    count: CountQuery = None,
    limit: Annotated[
        int, Query(ge=1, le=10_000, description="datastreams on a page", examples=[1000])
    ] = 1_000,
    after: Annotated[
        str | None,
        Query(
            max_length=200,
            description="thing and observed property before the page; take it from `next`",
            examples=["pole-001,air_temperature"],
        ),
    ] = None,
) -> Response:
    """Each with its unit and newest observation, in order of things, then of observed properties."""
    thing_id, _, name = (after or "").partition(",")
    rows = hub.finding.datastreams(
        limit=limit + 1,
        after=None if after is None else (thing_id, name),
        thing_ids=chosen.thing_ids,
        observed_properties=chosen.observed_properties,
    )
    page = rows[:limit]
    more = f"{page[-1].thing_id},{page[-1].observed_property}" if len(rows) > limit else None
    body = models.Datastreams(
        items=[_datastream(row) for row in page],
        next=None if more is None else wanted.address(after=more),
        count=counted(
            count,
            lambda way: hub.finding.count_datastreams(
                way, chosen.thing_ids, chosen.observed_properties
            ),
        ),
        links={"self": wanted.address(), "observed_properties": links.to("observed-properties")},
    )
    return wanted.answer(body, lambda: of_items(models.Datastream, body.items))


def _datastream(row: DatastreamRow) -> models.Datastream:
    known = OBSERVED_PROPERTIES.get(row.observed_property)
    return models.Datastream(
        thing=row.thing_id,
        observed_property=row.observed_property,
        label=known.label if known else row.observed_property,
        label_ja=known.label_ja if known else row.observed_property,
        unit=known.unit if known else "",
        unit_label=known.unit_label if known else "",
        time=row.phenomenon_time,
        result=row.result,
        period_s=row.period_s,
        suppressed=row.suppressed,
        links=links.datastream(
            row.thing_id, row.observed_property, is_profiled=row.observed_property in PROFILED
        ),
    )


@router.get(
    "/things.geojson",
    summary="All things as GeoJSON points",
    response_model=models.GeoJson,
    response_class=GeoJsonResponse,
)
def things_geojson(hub: HubDep, at: At) -> Response:
    """A FeatureCollection (RFC 7946) of all things with state and newest results.

    With `at`, results and state are those of that moment.
    """
    rows = hub.things()
    states = (
        shape.thing_states(rows, hub.reader.latest(), hub.clock())
        if at is None
        else shape.thing_states_at(rows, hub.readings(at).newest)
    )
    features = [_feature(row, states[row.thing.thing_id]) for row in rows]
    body = {"type": "FeatureCollection", "features": features}
    return GeoJsonResponse(orjson.dumps(body))


def _feature(row: ThingRow, state: dict[str, Any]) -> dict[str, Any]:
    it = row.thing
    return {
        "type": "Feature",
        "id": it.thing_id,
        "geometry": {"type": "Point", "coordinates": [it.longitude, it.latitude]},
        "properties": {
            "id": it.thing_id,
            "name": it.name,
            "name_en": it.name_en,
            "kind": it.kind,
            "state": state["state"],
            "last_observed_at": state["last_observed_at"],
            "latest": state["latest"],
        },
    }


@router.get("/things/{thing_id}", summary="One thing with its newest observations")
def one_thing(hub: HubDep, thing_id: ThingPath) -> models.ThingDetail:
    """A thing, what it said last, the areas that it stands in, and what of it was rejected."""
    row = hub.thing(thing_id)
    marks = hub.flags.marks(thing_id)
    latest = {
        it.observed_property: models.ThingLatest(
            result=it.told,
            time=it.time,
            unit=shape.unit_of(it.observed_property),
            quality=marks.of(it),
            suppressed=it.suppressed,
        )
        for it in hub.reader.latest(thing_id=thing_id)
    }
    areas = [
        models.AreaOfThing(**area, links=links.area(area["area_set"], area["code"]))
        for area in hub.areas.of_thing(thing_id)
    ]
    thing = shape.thing(row, hub.clock())
    return models.ThingDetail(
        **thing.model_dump(), latest=latest, areas=areas, rejected=rejected.of_thing(hub, thing_id)
    )


@router.get(
    "/latest",
    summary="Newest observations",
    response_model=models.Latest,
    responses=offered(),
)
def latest(
    hub: HubDep,
    wanted: RowsDep,
    chosen: ChosenDep,
    quality: Annotated[
        Wanted, Query(description="all, those with flags or those without", examples=["good"])
    ] = "all",
) -> Response:
    """The newest observation of every datastream."""
    marks = hub.flags.marks(None)
    items = [
        models.LatestItem(
            thing=it.thing_id,
            observed_property=it.observed_property,
            time=it.time,
            result=it.told,
            unit=shape.unit_of(it.observed_property),
            quality=marks.of(it),
            suppressed=it.suppressed,
        )
        for it in hub.reader.latest(
            thing_ids=chosen.thing_ids, observed_properties=chosen.observed_properties
        )
    ]
    body = models.Latest(
        items=[
            it for it in items if quality == "all" or bool(it.quality) == (quality == "flagged")
        ],
        links={
            "self": wanted.address(),
            "things": links.to("things"),
            "quality": links.to("quality"),
        },
    )
    return wanted.answer(body, lambda: of_items(models.LatestItem, body.items))
