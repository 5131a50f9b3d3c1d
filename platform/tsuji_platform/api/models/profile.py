"""The merged view of an area: what is measured, derived, counted and listed, each with where it is from."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from tsuji_platform.api.fields import (
    AreaCode,
    AreaSetId,
    Linked,
    Name,
    NameEn,
    Time,
    Unit,
    UnitLabel,
)
from tsuji_platform.api.models.areas import Estimated, ExplainedFigure
from tsuji_platform.api.models.things import LastObserved, State


class Band(BaseModel):
    """A named stretch of a figure's values."""

    id: str = Field(description="of the band", examples=["severe_warning"])
    label: str = Field(description="English")
    label_ja: str = Field(description="Japanese", examples=["厳重警戒"])


class DerivedFigureKind(BaseModel):
    """How a derived figure is made."""

    id: str = Field(description="of the derived figure", examples=["wbgt"])
    label: str = Field(description="English name")
    label_ja: str = Field(description="Japanese name")
    unit: Unit
    unit_label: UnitLabel
    decimals: int = Field(description="digits after the point that its inputs warrant")
    inputs: list[str] = Field(description="what it is made of")
    source: str = Field(description="who defines it")
    method: str = Field(description="English")
    method_ja: str = Field(description="Japanese")


class DerivedFigures(Linked):
    """All derived figures."""

    items: list[DerivedFigureKind] = Field(description="in the order in which they are shown")


class DerivedValue(BaseModel):
    """A derived figure of an area; what has no value says why."""

    value: float | None = Field(description="in the unit of its kind")
    band: Band | None = Field(description="null where the source has none for the value")
    rule: str | None = Field(description="the figure that decided, where several may")
    reason: str = Field(description="why there is no value, or what it can't tell; may be empty")
    reason_ja: str = Field(description="the same in Japanese")
    time: datetime | None = Field(
        description="of its oldest input, RFC 3339, UTC; null without any"
    )
    estimated: Estimated | None = Field(
        description="where an input is weather of things near by; otherwise null"
    )


class ExplainedDerived(DerivedValue, DerivedFigureKind):
    """The same with how it is made."""


class DatasetSource(BaseModel):
    """Which dataset says it; to be shown wherever the number is."""

    dataset: str = Field(description="id")
    title: str = Field(description="Japanese name")
    title_en: str = Field(description="English name, empty where there is none")
    publisher: str = Field(description="empty where nobody said")
    licence: str = Field(description="terms of use; empty where nobody said")
    source: str = Field(description="where it comes from; empty where nobody said")
    date: str | None = Field(description="of the data: a day, month or year (ISO 8601)")
    imported_at: Time


class Rate(BaseModel):
    """A rate, or null and why."""

    value: float | None = Field(description="in `unit`; null where there is a reason")
    unit: Unit
    unit_label: UnitLabel
    reason: str = Field(description="why there is none; empty where there is one")
    reason_ja: str = Field(description="the same in Japanese")
    method: str = Field(description="English")
    method_ja: str = Field(description="Japanese")


class Counted(BaseModel):
    """The newest number of people or households; it does not follow `at`."""

    count: int = Field(description="people or households")
    date: str = Field(description="of the count: a day, month or year (ISO 8601)")
    series: str = Field(description="of its dataset, empty where that has one only")
    parts: int = Field(description="of how many parts it is the sum; 0 where the table says it")
    source: DatasetSource = Field(description="which dataset says it")


class Population(BaseModel):
    """Who lives there."""

    people: Counted | None = Field(description="null where no dataset counts the area")
    households: Counted | None = Field(description="null where no dataset counts the area")
    density: Rate = Field(description="people per km²")
    counted_per_resident: Rate = Field(description="people counted in the hour per resident")


class Listed(BaseModel):
    """What a dataset lists in the area; datasets may list the same places, so they are not added up."""

    kind: str = Field(description="form of the dataset", examples=["evacuation_center"])
    features: int = Field(description="how many places")
    join: Literal["code", "position"] = Field(description="how these places belong to the area")
    source: DatasetSource = Field(description="which dataset says it")


class Shelters(Listed):
    """Shelters of one dataset."""

    with_capacity: int = Field(description="how many of these say how many people they hold")
    capacity: int | None = Field(description="people that these hold together")
    capacity_per_resident: Rate = Field(description="people that find room per resident")


class Sensor(BaseModel):
    """A thing that stands in the area."""

    id: str = Field(description="of the thing", examples=["pole-001"])
    name: Name
    name_en: NameEn
    kind: str = Field(description="what it is", examples=["smart_pole"])
    owner: str = Field(description="who runs it, empty where that is not said")
    state: State
    last_observed_at: LastObserved
    datastreams: list[str] = Field(
        description="ids of the observed properties that it measures",
        examples=[["air_temperature"]],
    )


class Size(BaseModel):
    """How large the area is."""

    km2: float | None = Field(description="km²; null before the next assignment")
    source: str = Field(description="of the boundary")
    method: str = Field(description="how it is computed, English")
    method_ja: str = Field(description="how it is computed, Japanese")


class AreaProfile(Linked):
    """One area at one moment, all that is known of it."""

    area_set: AreaSetId
    code: AreaCode
    name: Name
    name_en: NameEn
    time: Time
    window_s: int = Field(description="totals cover this many seconds up to `time`")
    size: Size = Field(description="how large it is")
    figures: dict[str, ExplainedFigure] = Field(description="by figure id")
    derived: dict[str, ExplainedDerived] = Field(description="by figure id, all of them")
    population: Population = Field(description="who lives there")
    shelters: list[Shelters] = Field(description="by dataset")
    facilities: list[Listed] = Field(description="all else that is listed, by dataset")
    sensors: list[Sensor] = Field(description="things that stand in it")
