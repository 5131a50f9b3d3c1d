"""Areas: their sets, and their figures at one moment."""

from datetime import datetime

from pydantic import BaseModel, Field

from tsuji_platform.api.fields import (
    AreaCode,
    AreaSetId,
    Box,
    LeftOut,
    Linked,
    Name,
    NameEn,
    Suppressed,
    Time,
    Told,
    Unit,
    UnitLabel,
)
from tsuji_platform.api.models.things import LastObserved, State
from tsuji_platform.api.typical_models import ExplainedTypicalNow, TypicalNow


class AreaSet(Linked):
    """A set of areas."""

    id: AreaSetId
    name: Name
    name_en: NameEn
    kind: str = Field(description="municipality, mesh or polygon", examples=["mesh"])
    source: str = Field(description="credit to show wherever the areas are shown")
    licence: str = Field(description="terms of use of the boundaries", examples=["CC BY 4.0"])
    areas: int = Field(description="how many areas it has")
    bbox: Box | None = Field(
        description="west, south, east, north; degrees, WGS 84; null where it has no areas"
    )


class AreaSets(Linked):
    """All area sets."""

    items: list[AreaSet] = Field(description="municipalities first, then other polygons, meshes")


class AreaItem(Linked):
    """One area without its shape."""

    code: AreaCode
    name: Name
    name_en: NameEn
    things: int = Field(description="how many things stand in it")
    bbox: Box


class AreaList(Linked):
    """The areas of a set."""

    area_set: AreaSetId
    source: str = Field(description="credit to show wherever the areas are shown")
    items: list[AreaItem] = Field(description="by code")


class Estimated(BaseModel):
    """How far away the things are of which an estimated figure is made."""

    distance_m: float = Field(
        description="from the area's centre to the nearest of them, metres", examples=[1200]
    )
    farthest_m: float = Field(description="to the farthest of them, metres", examples=[3400])


class FigureValue(BaseModel):
    """A figure of an area."""

    value: Told
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
    suppressed: Suppressed = False
    left_out: LeftOut = 0


class SnapshotArea(BaseModel):
    """The figures of one area; what is missing has no data in the window."""

    code: AreaCode
    figures: dict[str, FigureValue] = Field(description="by figure id")


class ThingValue(BaseModel):
    """The newest result of one datastream, without what the vocabulary says."""

    result: Told
    time: Time
    suppressed: Suppressed = False


class ThingState(BaseModel):
    """What a thing said last."""

    id: str = Field(description="of the thing", examples=["pole-001"])
    state: State
    last_observed_at: LastObserved
    latest: dict[str, ThingValue] = Field(description="by observed property")


class Snapshot(Linked):
    """The figures of all areas of a set at one moment; areas without any are left out."""

    area_set: AreaSetId
    time: Time
    window_s: int = Field(
        description="totals cover this many seconds up to `time`", examples=[3600]
    )
    areas: list[SnapshotArea] = Field(description="by code; areas without any figure are left out")
    things: list[ThingState] | None = Field(
        None, description="all things as they were then; only where they were asked for"
    )
    kept_since: datetime | None = Field(
        None,
        description="for moments of which observations are no longer kept: from when on they are "
        "(RFC 3339, UTC). "
        "Figures are then made of sums (`sums_s`), or missing where these are gone, too. Otherwise left out",
    )
    sums_s: int | None = Field(
        None,
        description="length of the sums that figures are made of instead, seconds; or left out",
    )
    method: str | None = Field(None, description="how they are, English; or left out")
    method_ja: str | None = Field(None, description="how they are, Japanese; or left out")


class ExplainedFigure(FigureValue, Linked):
    """A figure with how it was made."""

    typical: ExplainedTypicalNow | None = Field(
        None,
        description="what is usual, and how that is made; left out where there are too few days",
    )
    age_s: float = Field(description="seconds from the newest observation in it to `time`")
    unit: Unit
    unit_label: UnitLabel
    method: str = Field(description="how it is made, English")
    method_ja: str = Field(description="how it is made, Japanese")


class AreaDetail(Linked):
    """One area at one moment."""

    area_set: AreaSetId
    code: AreaCode
    name: Name
    name_en: NameEn
    time: Time
    things: list[str] = Field(description="ids of the things that stand in it")
    figures: dict[str, ExplainedFigure] = Field(description="by figure id")
