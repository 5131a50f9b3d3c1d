"""The merged view of areas at one moment: what is measured, derived, counted and listed."""

from operator import attrgetter
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Query, Response

from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.api import links, merging, models, shape
from tsuji_platform.api.answers import FIXED, RowsDep, offered
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.geo_json import GeoJsonResponse
from tsuji_platform.api.hub import At, CodePath, HubDep, SetPath
from tsuji_platform.api.merged_geojson import feature
from tsuji_platform.api.merging import Join
from tsuji_platform.api.models import profile
from tsuji_platform.api.routers.area_sets import area_of
from tsuji_platform.api.tables import of_items
from tsuji_platform.store.records import AreaSet

router = APIRouter(tags=["areas"])

JoinDep = Annotated[
    Join | None,
    Query(
        description="how listed places belong to areas: by the code that they carry or by where they "
        "are; left out by code in municipalities and, where none of them has it by code, by position",
        examples=["position"],
    ),
]


def _check(area_set: AreaSet, join: Join | None) -> None:
    """By code nothing belongs to meshes and the like, which must not look like nothing being there."""
    if join == "code" and area_set.kind != "municipality":
        raise BadParameterError(
            f"join 'code' needs an area set of municipalities, and {area_set.area_set_id!r} is none: use "
            "join=position"
        )


@router.get(
    "/derived-figures",
    summary="Derived figures and how each is made",
    tags=["vocabulary"],
    response_model=profile.DerivedFigures,
    responses=offered(),
)
def derived_figures(wanted: RowsDep) -> Response:
    """What is computed from figures, by which formula and from which source."""
    body = profile.DerivedFigures(
        items=[profile.DerivedFigureKind(**merging.kind_of(name)) for name in DERIVED],
        links={"self": wanted.address(), "figures": links.to("figures")},
    )
    return wanted.answer(body, lambda: of_items(profile.DerivedFigureKind, body.items), cache=FIXED)


@router.get(
    "/area-sets/{area_set}/areas/{code}/profile",
    summary="All that is known of one area at one moment",
)
def area_profile(
    hub: HubDep, area_set: SetPath, code: CodePath, at: At, join: JoinDep = None
) -> profile.AreaProfile:
    """Figures, derived figures, residents, shelters, facilities and sensors, each with its source.

    Open data is as of its own date, whatever `at` says.
    """
    area = area_of(hub, area_set, code)
    known_set = hub.area_set(area_set)
    _check(known_set, join)
    known = merging.merge(hub, known_set, [code], at=at, join=join, code=code)
    return merging.area_profile(known, area)


@router.get(
    "/area-sets/{area_set}/profiles.geojson",
    summary="The same of all areas of a set as GeoJSON",
    response_model=models.GeoJson,
    response_class=GeoJsonResponse,
)
def profiles_geojson(
    hub: HubDep,
    area_set: SetPath,
    at: At,
    join: JoinDep = None,
    limit: Annotated[
        int, Query(ge=1, le=5_000, description="areas on a page", examples=[2000])
    ] = 2_000,
    after: Annotated[
        str | None,
        Query(max_length=64, description="the code before the page", examples=["533945373"]),
    ] = None,
) -> Response:
    """A FeatureCollection (RFC 7946), in order of codes; `sources` and `methods` stand beside the features.

    `next` is the address of the next page; null on the last.
    """
    known_set = hub.area_set(area_set)
    _check(known_set, join)
    ordered = sorted(
        hub.areas.areas(area_set), key=attrgetter("code")
    )  # whatever the database's order
    rest = [area for area in ordered if after is None or area.code > after]
    areas = rest[:limit]
    known = merging.merge(hub, known_set, [area.code for area in areas], at=at, join=join)
    asked: dict[str, Any] = {"at": at and shape.iso(at), "join": join, "limit": limit}
    if len(rest) > limit:
        asked["after"] = areas[-1].code
    named = urlencode({name: value for name, value in asked.items() if value is not None})
    body = {
        "type": "FeatureCollection",
        "area_set": area_set,
        "source": known_set.source,
        "time": shape.iso(known.moment.time),
        "next": f"/v1/area-sets/{area_set}/profiles.geojson?{named}" if "after" in asked else None,
        "sources": merging.sources(known),
        "methods": {name: merging.kind_of(name) for name in DERIVED}
        | {
            name: {"unit": it.unit, "method": it.method, "method_ja": it.method_ja}
            for name, it in FIGURES.items()
        },
        "links": links.area_set(area_set),
        "features": [feature(known, area) for area in areas],
    }
    link = {"Link": f'<{body["next"]}>; rel="next"'} if body["next"] else {}
    return GeoJsonResponse(orjson.dumps(body), headers=link)
