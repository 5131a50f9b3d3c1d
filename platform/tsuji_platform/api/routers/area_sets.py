"""Area sets, their areas, and the figures of areas now, then and over time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response

from tsuji_platform.analytics import combine, estimate
from tsuji_platform.analytics.estimate import Neighbour
from tsuji_platform.analytics.figures import FIGURES, WINDOW
from tsuji_platform.analytics.readings import Combined, FigureValue
from tsuji_platform.api import links, models, shape
from tsuji_platform.api.answers import SELDOM, SHAPES, PlacesDep, RowsDep, ShapesDep, offered
from tsuji_platform.api.area_tables import of_areas, of_snapshot
from tsuji_platform.api.bbox import BBox, parse_bbox
from tsuji_platform.api.choosing import AreaQuery, BoxQuery, check_areas
from tsuji_platform.api.errors import BadParameterError, NotFoundError
from tsuji_platform.api.explain import explained as explained_figures
from tsuji_platform.api.formats import PLACES, Format
from tsuji_platform.api.geo_json import GeoJsonResponse
from tsuji_platform.api.hub import At, CodePath, Hub, HubDep, Readings, SetPath
from tsuji_platform.api.nearby import distances
from tsuji_platform.api.routers.series import explained, fill, left_out, per_step, resolve
from tsuji_platform.api.spans import Span, SpanDep
from tsuji_platform.api.tables import of_items, of_series
from tsuji_platform.api.typical_models import TypicalNow
from tsuji_platform.store.records import Area, AreaSet

router = APIRouter(prefix="/area-sets", tags=["areas"])


@router.get("", summary="Area sets", response_model=models.AreaSets, responses=offered())
def area_sets(hub: HubDep, wanted: RowsDep) -> Response:
    """Municipalities first, then other polygons, then meshes."""
    body = models.AreaSets(
        items=[shape.area_set(row) for row in hub.areas.sets()], links={"self": wanted.address()}
    )
    return wanted.answer(body, lambda: of_items(models.AreaSet, body.items), cache=SELDOM)


@router.get("/{area_set}", summary="One area set")
def one_area_set(hub: HubDep, area_set: SetPath) -> models.AreaSet:
    """Its name, source and extent, and where its areas are."""
    return shape.area_set(hub.area_set(area_set))


@router.get(
    "/{area_set}/areas",
    summary="Areas as GeoJSON",
    response_model=models.GeoJson,
    response_class=GeoJsonResponse,
    responses=offered(SHAPES),
)
def areas(
    hub: HubDep, wanted: ShapesDep, area_set: SetPath, area: AreaQuery = None, bbox: BoxQuery = None
) -> Response:
    """A FeatureCollection (RFC 7946) of the areas' display shapes; in rows when asked for."""
    known = hub.area_set(area_set)
    found = _chosen(hub, area_set, area, bbox)
    if wanted.format is Format.GEOJSON:
        body = {
            "type": "FeatureCollection",
            "source": known.source,
            "licence": known.licence,
            "links": links.area_set(area_set),
            "features": [_feature(one) for one in found],
        }
        return GeoJsonResponse(orjson.dumps(body), headers={"Cache-Control": SELDOM})
    listed = models.AreaList(
        area_set=area_set,
        source=known.source,
        items=[
            models.AreaItem(
                code=one.code,
                name=one.name,
                name_en=one.name_en,
                things=one.things,
                bbox=one.bbox,
                links=links.area(area_set, one.code),
            )
            for one in found
        ],
        links=links.area_set(area_set),
    )
    return wanted.answer(listed, lambda: of_areas(listed, found, _credit(known)), cache=SELDOM)


def _chosen(hub: Hub, area_set: str, codes: list[str] | None, bbox: str | None) -> list[Area]:
    """The areas of a set with these codes that touch a box.

    Raises:
        BadParameterError: it has no area of such a code, or there is no such box.
    """
    box = parse_bbox(bbox)
    if codes:
        check_areas(hub, area_set, codes)
    return [
        area
        for area in hub.areas.areas(area_set)
        if (not codes or area.code in codes) and (box is None or _touch(area.bbox, box))
    ]


def _touch(one: BBox, other: BBox) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _credit(area_set: AreaSet) -> dict[str, str]:
    return {
        "area_set": area_set.area_set_id,
        "title": area_set.name,
        "source": area_set.source,
        "licence": area_set.licence,
    }


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
    response_model=models.Snapshot,
    response_model_exclude_unset=True,
    responses=offered(PLACES),
)
def snapshot(
    hub: HubDep,
    wanted: PlacesDep,
    area_set: SetPath,
    at: At,
    things: Annotated[
        bool, Query(description="JSON: also what every thing said last", examples=[True])
    ] = False,
    area: AreaQuery = None,
    bbox: BoxQuery = None,
) -> Response:
    """Figures by area; what is left out has no data in the hour before the moment.

    In rows and as GeoJSON all areas are there, with their shapes and figures side by side.
    """
    with hub.database.held():
        known = hub.area_set(area_set)
        readings = hub.readings(at)
        membership = hub.areas.membership(area_set)
        figures = hub.nearby.figures(area_set, readings.newest, readings.totals, membership)
    time = at or hub.clock()
    usual = hub.usual.of_areas(readings.totals, membership, time)
    answer = models.Snapshot(
        area_set=area_set,
        time=time,
        window_s=int(WINDOW.total_seconds()),
        links=links.area_set(area_set) | {"self": wanted.address()},
        areas=[
            models.SnapshotArea(
                code=code,
                figures={
                    name: models.FigureValue(
                        value=it.told,
                        n=it.n,
                        time=it.time,
                        **_typical(usual, code, name),
                        **_estimated(it),
                        **shape.withheld(it),
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
    if wanted.format is not Format.JSON:
        about = _credit(known) | {"time": shape.iso(time), "window_s": answer.window_s}
        shapes = _chosen(hub, area_set, area, bbox)
        return wanted.answer(answer, lambda: of_snapshot(answer, shapes, about))
    if area or bbox is not None:
        asked = {one.code for one in _chosen(hub, area_set, area, bbox)}
        answer.areas = [one for one in answer.areas if one.code in asked]
    return wanted.answer(
        answer,
        is_sparse=True,
        moves="" if at is not None else f'"time":"{shape.iso(time)}"',
    )


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
def one_area(hub: HubDep, area_set: SetPath, code: CodePath, at: At) -> models.AreaDetail:
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
        figures=explained_figures(
            values, usual.get(code, {}), time, readings.made_of, (area_set, code)
        ),
        links=links.area(area_set, code),
    )


def _span_of(near: Sequence[Neighbour]) -> models.Estimated | None:
    if not near:
        return None
    reach = [round(one.distance_m) for one in near]
    return models.Estimated(distance_m=min(reach), farthest_m=max(reach))


@router.get(
    "/{area_set}/areas/{code}/series",
    summary="A figure of an area over time",
    response_model=models.AreaSeries,
    responses=offered(),
)
def area_series(
    hub: HubDep,
    wanted: RowsDep,
    area_set: SetPath,
    code: CodePath,
    figure: Annotated[str, Query(examples=["footfall"], description="id of a figure")],
    span: SpanDep,
) -> Response:
    """The figure of each step: people are counted per step, weather is the mean of the step.

    Weather that nothing in the area measures is `estimated`.
    """
    with hub.database.held():
        body = _series(hub, area_set, code, figure, span, wanted.address())
    said = {"area_set": area_set, "code": code, "figure": figure}
    return wanted.answer(body, lambda: of_series(said, body))


def _series(
    hub: Hub, area_set: str, code: str, figure: str, span: Span, address: str
) -> models.AreaSeries:
    area_of(hub, area_set, code)
    known = FIGURES.get(figure)
    if known is None:
        raise BadParameterError(f"figure {figure!r:.80} is not one of " + ", ".join(FIGURES))
    near = estimate.asked(known, hub.nearby.of_set(area_set).get(code, ()))
    things = [one.thing_id for one in near] or hub.areas.membership(area_set, code).get(code, [])
    resolved = resolve(hub, span, things, known.properties)
    asked = things, known.properties, resolved.start, resolved.end, resolved.step
    steps: list[Combined] = []
    if near:
        found = estimate.series(known, hub.reader.steps(*asked), near)
    else:
        steps = hub.reader.combined(*asked)
        found = combine.series(known, steps)
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
        gaps=explained(
            hub,
            resolved,
            things,
            known.properties,
            times,
            found,
            {one.end for one in steps if one.suppressed},
        ),
        left_out=left_out(times, steps),
        links=links.area(area_set, code) | {"self": address},
    )
