"""Area sets, their areas, and the figures of areas now, then and over time."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Response

from tsuji_platform.analytics import combine, estimate
from tsuji_platform.analytics.estimate import Neighbour
from tsuji_platform.analytics.figures import FIGURES, WINDOW
from tsuji_platform.analytics.readings import FigureValue
from tsuji_platform.api import models, shape
from tsuji_platform.api.errors import BadParameterError, NotFoundError
from tsuji_platform.api.explain import explained as explained_figures
from tsuji_platform.api.geo_json import GeoJsonResponse
from tsuji_platform.api.hub import At, Hub, HubDep, Readings, SpanDep
from tsuji_platform.api.nearby import distances
from tsuji_platform.api.routers.series import explained, fill, per_step, resolve
from tsuji_platform.api.typical_models import TypicalNow
from tsuji_platform.store.records import Area

router = APIRouter(prefix="/area-sets", tags=["areas"])


@router.get("", summary="Area sets")
def area_sets(hub: HubDep) -> models.AreaSets:
    """Municipalities first, then other polygons, then meshes."""
    return models.AreaSets(items=[shape.area_set(row) for row in hub.areas.sets()])


@router.get(
    "/{area_set}/areas",
    summary="Areas as GeoJSON",
    response_model=models.GeoJson,
    response_class=GeoJsonResponse,
)
def areas(
    hub: HubDep, area_set: str, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """A FeatureCollection (RFC 7946) of the areas' display shapes."""
    known = hub.area_set(area_set)
    features = [_feature(area) for area in hub.areas.areas(area_set)]
    body = orjson.dumps({"type": "FeatureCollection", "source": known.source, "features": features})
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "public, max-age=60"}
    if if_none_match is not None and etag in if_none_match:
        return Response(status_code=304, headers=headers)
    return GeoJsonResponse(body, headers=headers)


def _feature(area: Area) -> dict[str, object]:
    return {
        "type": "Feature",
        "id": area.code,
        "bbox": area.bbox,
        "geometry": area.geometry,
        "properties": {
            "code": area.code,
            "name": area.name,
            "name_en": area.name_en,
            "things": area.things,
        },
    }


@router.get(
    "/{area_set}/snapshot",
    summary="Figures of all areas, now or at a past moment",
    response_model_exclude_unset=True,
)
def snapshot(
    hub: HubDep,
    area_set: str,
    at: At,
    things: Annotated[bool, Query(description="also what every thing said last")] = False,
) -> models.Snapshot:
    """Figures by area; what is left out has no data in the hour before the moment."""
    with hub.database.held():
        hub.area_set(area_set)
        readings = hub.readings(at)
        membership = hub.areas.membership(area_set)
        figures = hub.nearby.figures(area_set, readings.newest, readings.totals, membership)
    time = at or hub.clock()
    usual = hub.usual.of_areas(readings.totals, membership, time)
    answer = models.Snapshot(
        area_set=area_set,
        time=time,
        window_s=int(WINDOW.total_seconds()),
        areas=[
            models.SnapshotArea(
                code=code,
                figures={
                    name: models.FigureValue(
                        value=it.value,
                        n=it.n,
                        time=it.time,
                        **_typical(usual, code, name),
                        **_estimated(it),
                    )
                    for name, it in values.items()
                },
            )
            for code, values in figures.items()
        ],
    )
    if readings.kept_since is not None:
        answer.kept_since = readings.kept_since
    if readings.made_of:
        answer.sums_s = readings.made_of // timedelta(seconds=1)
        answer.method, answer.method_ja = shape.of_sums(readings.made_of)
    if things:
        answer.things = [models.ThingState(**state) for state in _states(hub, at, readings)]
    return answer


def _states(hub: Hub, at: datetime | None, readings: Readings) -> Iterable[dict[str, Any]]:
    rows = hub.things()
    if at is not None:
        return shape.thing_states_at(rows, readings.newest).values()
    return shape.thing_states(rows, hub.reader.latest(), hub.clock()).values()


def _estimated(figure: FigureValue) -> dict[str, models.Estimated]:
    """What is left out where it is measured."""
    near = distances(figure)
    return {} if near is None else {"estimated": models.Estimated(**near)}


def _typical(
    usual: Mapping[str, Mapping[str, TypicalNow]], code: str, figure: str
) -> dict[str, TypicalNow]:
    """What is left out rather than null where there is none."""
    found = usual.get(code, {}).get(figure)
    return {} if found is None else {"typical": found}


def area_of(hub: Hub, area_set: str, code: str) -> Area:
    """The area of this code, or `NotFoundError`."""
    hub.area_set(area_set)
    for area in hub.areas.areas(area_set, code):
        return area
    raise NotFoundError("area", code, f"/v1/area-sets/{area_set}/areas")


@router.get(
    "/{area_set}/areas/{code}",
    summary="One area with its figures and how they were made",
    response_model_exclude_unset=True,
)
def one_area(hub: HubDep, area_set: str, code: str, at: At) -> models.AreaDetail:
    """An area at one moment: figures, each with its age and method, and its things."""
    area = area_of(hub, area_set, code)
    membership = hub.areas.membership(area_set, code)
    time = at or hub.clock()
    readings = hub.readings(at)
    values = hub.nearby.figures(area_set, readings.newest, readings.totals, membership, code).get(
        code, {}
    )
    usual = hub.usual.of_areas(readings.totals, membership, time)
    return models.AreaDetail(
        area_set=area_set,
        code=code,
        name=area.name,
        name_en=area.name_en,
        time=time,
        things=membership.get(code, []),
        figures=explained_figures(values, usual.get(code, {}), time, readings.made_of),
    )


def _span_of(near: Sequence[Neighbour]) -> models.Estimated | None:
    if not near:
        return None
    reach = [round(one.distance_m) for one in near]
    return models.Estimated(distance_m=min(reach), farthest_m=max(reach))


@router.get("/{area_set}/areas/{code}/series", summary="A figure of an area over time")
def area_series(
    hub: HubDep,
    area_set: str,
    code: str,
    figure: Annotated[str, Query(examples=["footfall"], description="id of a figure")],
    span: SpanDep,
) -> models.AreaSeries:
    """The figure of each step: people are counted per step, weather is the mean of the step.

    Weather that nothing in the area measures is `estimated`.
    """
    area_of(hub, area_set, code)
    known = FIGURES.get(figure)
    if known is None:
        raise BadParameterError(f"figure {figure!r:.80} is not one of " + ", ".join(FIGURES))
    near = estimate.asked(known, hub.nearby.of_set(area_set).get(code, ()))
    things = [one.thing_id for one in near] or hub.areas.membership(area_set, code).get(code, [])
    resolved = resolve(hub, span, things, known.properties)
    asked = things, known.properties, resolved.start, resolved.end, resolved.step
    if near:
        found = estimate.series(known, hub.reader.steps(*asked), near)
    else:
        found = combine.series(known, hub.reader.combined(*asked))
    times, values = fill(resolved, found)
    return models.AreaSeries(
        area_set=area_set,
        code=code,
        figure=figure,
        estimated=_span_of(near),
        unit=known.unit,
        unit_label=per_step(known.id, known.unit_label, resolved.step),
        start=resolved.start,
        end=resolved.end,
        step_s=int(resolved.step / timedelta(seconds=1)),
        times=times,
        values=values,
        gaps=explained(hub, resolved, things, known.properties, times, found),
    )
