"""Things and their newest observations."""

from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response

from tsuji_platform.analytics import combine
from tsuji_platform.api import models, shape
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.geo_json import GeoJsonResponse
from tsuji_platform.api.hub import At, HubDep, SpanDep
from tsuji_platform.api.routers import rejected
from tsuji_platform.api.routers.series import explained, fill, resolve
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.contract.topics import THING_ID
from tsuji_platform.store.records import ThingRow

router = APIRouter(tags=["things"])


@router.get("/things", summary="Things, page by page")
def things(
    hub: HubDep,
    limit: Annotated[int, Query(ge=1, le=10_000, description="things on a page")] = 1_000,
    after: Annotated[str | None, Query(max_length=64, description="the id before the page")] = None,
) -> models.Things:
    """Registered things in order of their ids."""
    rows = hub.reader.things(limit=limit + 1, after=after)
    page = rows[:limit]
    more = (
        f"/v1/things?limit={limit}&after={page[-1].thing.thing_id}" if len(rows) > limit else None
    )
    now = hub.clock()
    return models.Things(items=[shape.thing(row, now) for row in page], next=more)


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
def one_thing(hub: HubDep, thing_id: str) -> models.ThingDetail:
    """A thing, what it said last, the areas that it stands in, and what of it was rejected."""
    row = hub.thing(thing_id)
    marks = hub.flags.marks(thing_id)
    latest = {
        it.observed_property: models.ThingLatest(
            result=it.result,
            time=it.time,
            unit=shape.unit_of(it.observed_property),
            quality=marks.of(it),
        )
        for it in hub.reader.latest(thing_id=thing_id)
    }
    areas = [models.AreaOfThing(**area) for area in hub.areas.of_thing(thing_id)]
    thing = shape.thing(row, hub.clock())
    return models.ThingDetail(
        **thing.model_dump(), latest=latest, areas=areas, rejected=rejected.of_thing(hub, thing_id)
    )


@router.get("/things/{thing_id}/series", summary="One observed property of a thing over time")
def thing_series(
    hub: HubDep,
    thing_id: str,
    observed_property: Annotated[str, Query(examples=["air_temperature"])],
    span: SpanDep,
) -> models.ThingSeries:
    """Observations combined into steps; one without any is null, and `gaps` says why there are none."""
    hub.thing(thing_id)
    known = OBSERVED_PROPERTIES.get(observed_property)
    if known is None:
        raise BadParameterError(
            f"observed_property {observed_property!r:.80} is not one of "
            + ", ".join(OBSERVED_PROPERTIES)
        )
    full = resolve(hub, span, [thing_id], [observed_property])
    steps = hub.reader.steps([thing_id], [observed_property], full.start, full.end, full.step)
    values = {it.end: combine.step_value(it, known.aggregation) for it in steps}
    times, filled = fill(full, values)
    return models.ThingSeries(
        thing=thing_id,
        observed_property=observed_property,
        unit=known.unit,
        unit_label=known.unit_label,
        start=full.start,
        end=full.end,
        step_s=int(full.step / timedelta(seconds=1)),
        times=times,
        values=filled,
        gaps=explained(hub, full, [thing_id], [observed_property], times, {it.end for it in steps}),
    )


@router.get("/latest", summary="Newest observations")
def latest(
    hub: HubDep,
    thing: Annotated[
        str | None, Query(pattern=f"^{THING_ID.pattern}$", description="only of this")
    ] = None,
    observed_property: Annotated[str | None, Query(max_length=64, description="only this")] = None,
) -> models.Latest:
    """The newest observation of every datastream."""
    marks = hub.flags.marks(thing)
    return models.Latest(
        items=[
            models.LatestItem(
                thing=it.thing_id,
                observed_property=it.observed_property,
                time=it.time,
                result=it.result,
                unit=shape.unit_of(it.observed_property),
                quality=marks.of(it),
            )
            for it in hub.reader.latest(thing_id=thing, observed_property=observed_property)
        ]
    )
