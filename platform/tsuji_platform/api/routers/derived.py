"""Derived figures of all areas at one moment, without all else that is known: what a live map asks for."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.api import links, shape
from tsuji_platform.api.derived_now import of_areas, situation_of
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.fields import AreaCode, AreaSetId, Linked, Time
from tsuji_platform.api.hub import At, HubDep, SetPath
from tsuji_platform.api.merged_geojson import derived_value
from tsuji_platform.api.models.profile import DerivedValue

router = APIRouter(tags=["areas"])


class DerivedArea(BaseModel):
    """The derived figures of one area."""

    code: AreaCode
    derived: dict[str, DerivedValue] = Field(description="by figure id; what has no value says why")


class DerivedSnapshot(Linked):
    """The derived figures of all areas of a set at one moment."""

    area_set: AreaSetId
    time: Time
    areas: list[DerivedArea] = Field(description="in order of codes")


@router.get(
    "/area-sets/{area_set}/derived",
    summary="Derived figures of all areas, now or at a past moment",
    response_model=DerivedSnapshot,
)
def derived(
    hub: HubDep,
    area_set: SetPath,
    at: At,
    figures: Annotated[
        str | None,
        Query(
            max_length=400,
            description="ids of derived figures, divided by commas; all where left out",
            examples=["percent_of_typical,wbgt"],
        ),
    ] = None,
) -> Response:
    """The same values as in profiles, in order of codes; `/v1/derived-figures` says how each is made."""
    hub.area_set(area_set)
    asked = list(DERIVED) if figures is None else figures.split(",")
    for name in asked:
        if name not in DERIVED:
            raise BadParameterError(
                f"figures: {name!r:.80} is not one of " + ", ".join(DERIVED), parameter="figures"
            )
    codes = sorted(area.code for area in hub.areas.areas(area_set))
    moment = situation_of(hub, area_set, at)
    found = of_areas(hub, moment, codes)
    body: dict[str, Any] = {
        "area_set": area_set,
        "time": shape.iso(moment.time),
        "links": links.area_set(area_set) | {"self": links.to("area-sets", area_set, "derived")},
        "areas": [
            {"code": code, "derived": {name: derived_value(its[name]) for name in asked}}
            for code, its in found.items()
        ],
    }
    return Response(orjson.dumps(body), media_type=JSONResponse.media_type)
