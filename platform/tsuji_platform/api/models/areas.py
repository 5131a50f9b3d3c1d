"""Areas: their sets, and their figures at one moment."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from tsuji_platform.api.models.fields import Time, Value
from tsuji_platform.api.typical_models import ExplainedTypicalNow, TypicalNow


class AreaSet(BaseModel):
    """A set of areas."""

    id: str = Field(examples=["mesh500-central"])
    name: str
    name_en: str
    kind: str = Field(description="municipality, mesh or polygon", examples=["mesh"])
    source: str = Field(description="credit to show wherever the areas are shown")
    licence: str
    areas: int = Field(description="how many areas it has")
    bbox: tuple[float, float, float, float] | None = Field(
        description="west, south, east, north; degrees, WGS 84"
    )


class AreaSets(BaseModel):
    """All area sets."""

    items: list[AreaSet]


class Estimated(BaseModel):
    """How far away the things are of which an estimated figure is made."""

    distance_m: float = Field(
        description="from the area's centre to the nearest of them, metres", examples=[1200]
    )
    farthest_m: float = Field(description="to the farthest of them, metres", examples=[3400])


class FigureValue(BaseModel):
    """A figure of an area."""

    value: Value
    n: int = Field(description="how many things contribute")
    time: Time
    typical: TypicalNow | None = Field(
        None,
        description="what is usual; left out where there are too few days, and for other figures",
    )
    estimated: Estimated | None = Field(
        None,
        description="for weather that nothing in the area measures: made of things near by; left out "
        "for what is measured",
    )


class SnapshotArea(BaseModel):
    """The figures of one area; what is missing has no data in the window."""

    code: str
    figures: dict[str, FigureValue] = Field(description="by figure id")


class ThingValue(BaseModel):
    """The newest result of one datastream, without what the vocabulary says."""

    result: Value
    time: Time


class ThingState(BaseModel):
    """What a thing said last."""

    id: str
    state: Literal["live", "silent", "waiting"]
    last_observed_at: datetime | None
    latest: dict[str, ThingValue] = Field(description="by observed property")


class Snapshot(BaseModel):
    """The figures of all areas of a set at one moment; areas without any are left out."""

    area_set: str
    time: Time
    window_s: int = Field(description="totals cover this many seconds up to `time`")
    areas: list[SnapshotArea]
    things: list[ThingState] | None = Field(
        None, description="all things as they were then; only where they were asked for"
    )
    kept_since: datetime | None = Field(
        None,
        description="for moments of which observations are no longer kept: from when on they are. "
        "Figures are then made of sums (`sums_s`), or missing where these are gone, too. Otherwise left out",
    )
    sums_s: int | None = Field(
        None,
        description="length of the sums that figures are made of instead, seconds; or left out",
    )
    method: str | None = Field(None, description="how they are, English; or left out")
    method_ja: str | None = Field(None, description="how they are, Japanese; or left out")


class ExplainedFigure(FigureValue):
    """A figure with how it was made."""

    typical: ExplainedTypicalNow | None = None
    age_s: float = Field(description="seconds from the newest observation in it to `time`")
    unit: str = Field(description="UCUM code")
    unit_label: str
    method: str = Field(description="how it is made, English")
    method_ja: str = Field(description="how it is made, Japanese")


class AreaDetail(BaseModel):
    """One area at one moment."""

    area_set: str
    code: str
    name: str
    name_en: str
    time: Time
    things: list[str] = Field(description="ids of the things that stand in it")
    figures: dict[str, ExplainedFigure] = Field(description="by figure id")
