"""Kinds of fields that the answers share."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tsuji_platform.contract.quality import Flag

Time = Annotated[datetime, Field(description="RFC 3339, UTC", examples=["2026-04-01T00:00:00Z"])]
Value = Annotated[
    float, Field(description="in the unit given beside it or in the vocabulary", examples=[21.5])
]
Told = Annotated[
    float | None,
    Field(
        description="in the unit given beside it or in the vocabulary; null where it is `suppressed`",
        examples=[21.5],
    ),
]
Suppressed = Annotated[
    bool,
    Field(
        description="people were counted, too few to be told of: the value is null (docs/small-counts.md)"
    ),
]
LeftOut = Annotated[
    int,
    Field(
        description="how many small counts are withheld and no part of the value, which is that much too low"
    ),
]
Name = Annotated[
    str, Field(description="as its owner or publisher gives it", examples=["新宿駅東口"])
]
NameEn = Annotated[
    str, Field(description="English name, empty where none is known", examples=["Shinjuku East"])
]
ThingId = Annotated[str, Field(description="id of the thing", examples=["pole-001"])]
PropertyId = Annotated[
    str, Field(description="id of the observed property", examples=["air_temperature"])
]
AreaSetId = Annotated[str, Field(description="id of the area set", examples=["mesh500-central"])]
AreaCode = Annotated[str, Field(description="code of the area", examples=["533945373"])]
FigureId = Annotated[str, Field(description="id of the figure", examples=["footfall"])]
Box = Annotated[
    list[float],
    Field(
        min_length=4,
        max_length=4,
        description="west, south, east, north; degrees, WGS 84",
        examples=[[139.69, 35.68, 139.71, 35.7]],
    ),
]
Unit = Annotated[str, Field(description="UCUM code", examples=["Cel"])]
UnitLabel = Annotated[
    str,
    Field(description="the unit as people write it, empty where there is none", examples=["°C"]),
]

Flags = Annotated[
    list[Flag],
    Field(description="what looks wrong: `step`, `stuck`; empty where nothing does", examples=[[]]),
]

GeoJson = dict[str, Any]


class Linked(BaseModel):
    """What leads on."""

    links: dict[str, str] = Field(
        default_factory=dict,
        description="addresses of what is next to this, by relation; paths of this host",
        examples=[{"self": "/v1/things/pole-001"}],
    )


class Count(BaseModel):
    """How many there are on all pages."""

    value: int = Field(description="how many items", examples=[1234])
    way: Literal["estimated", "exact"] = Field(
        description="estimated: as the database's planner thinks; exact: counted"
    )


class Page(Linked):
    """One page of a list."""

    next: str | None = Field(
        None,
        description="address of the next page; null on the last",
        examples=["/v1/things?limit=1000&after=pole-001"],
    )
    count: Count | None = Field(
        None, description="only where the parameter `count` asked for it; otherwise null"
    )
