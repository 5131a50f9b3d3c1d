"""The merged view of an area: what is measured, derived, counted and listed, each with where it is from."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from tsuji_platform.api.models.areas import Estimated, ExplainedFigure
from tsuji_platform.api.models.fields import Time


class Band(BaseModel):
    """A named stretch of a figure's values."""

    id: str = Field(examples=["severe_warning"])
    label: str = Field(description="English")
    label_ja: str = Field(description="Japanese", examples=["厳重警戒"])


class DerivedFigureKind(BaseModel):
    """How a derived figure is made."""

    id: str = Field(examples=["wbgt"])
    label: str = Field(description="English name")
    label_ja: str = Field(description="Japanese name")
    unit: str = Field(description="UCUM code")
    unit_label: str = Field(description="the unit as people write it, empty where there is none")
    decimals: int
    inputs: list[str] = Field(description="what it is made of")
    source: str = Field(description="who defines it")
    method: str = Field(description="English")
    method_ja: str = Field(description="Japanese")


class DerivedFigures(BaseModel):
    """All derived figures."""

    items: list[DerivedFigureKind]


class DerivedValue(BaseModel):
    """A derived figure of an area; what has no value says why."""

    value: float | None = Field(description="in the unit of its kind")
    band: Band | None = Field(description="null where the source has none for the value")
    rule: str | None = Field(description="the figure that decided, where several may")
    reason: str = Field(description="why there is no value, or what it can't tell; may be empty")
    reason_ja: str = Field(description="the same in Japanese")
    time: datetime | None = Field(description="of its oldest input; null without any")
    estimated: Estimated | None = Field(
        description="where an input is weather of things near by; otherwise null"
    )


class ExplainedDerived(DerivedValue, DerivedFigureKind):
    """The same with how it is made."""


class DatasetSource(BaseModel):
    """Which dataset says it; to be shown wherever the number is."""

    dataset: str = Field(description="id")
    title: str
    title_en: str
    publisher: str = Field(description="empty where nobody said")
    licence: str
    source: str
    date: str | None = Field(description="of the data: a day, month or year (ISO 8601)")
    imported_at: Time


class Rate(BaseModel):
    """A rate, or null and why."""

    value: float | None
    unit: str = Field(description="UCUM code")
    unit_label: str
    reason: str = Field(description="why there is none; empty where there is one")
    reason_ja: str
    method: str = Field(description="English")
    method_ja: str = Field(description="Japanese")


class Counted(BaseModel):
    """The newest number of people or households; it does not follow `at`."""

    count: int
    date: str = Field(description="of the count: a day, month or year (ISO 8601)")
    series: str = Field(description="of its dataset, empty where that has one only")
    parts: int = Field(description="of how many parts it is the sum; 0 where the table says it")
    source: DatasetSource


class Population(BaseModel):
    """Who lives there."""

    people: Counted | None
    households: Counted | None
    density: Rate
    counted_per_resident: Rate


class Listed(BaseModel):
    """What a dataset lists in the area; datasets may list the same places, so they are not added up."""

    kind: str = Field(examples=["evacuation_center"])
    features: int
    join: Literal["code", "position"] = Field(description="how these places belong to the area")
    source: DatasetSource


class Shelters(Listed):
    """Shelters of one dataset."""

    with_capacity: int = Field(description="how many of these say how many people they hold")
    capacity: int | None = Field(description="people that these hold together")
    capacity_per_resident: Rate


class Sensor(BaseModel):
    """A thing that stands in the area."""

    id: str
    name: str
    name_en: str
    kind: str
    owner: str
    state: Literal["live", "silent", "waiting"]
    last_observed_at: datetime | None
    datastreams: list[str]


class Size(BaseModel):
    """How large the area is."""

    km2: float | None = Field(description="null before the next assignment")
    source: str = Field(description="of the boundary")
    method: str
    method_ja: str


class AreaProfile(BaseModel):
    """One area at one moment, all that is known of it."""

    area_set: str
    code: str
    name: str
    name_en: str
    time: Time
    window_s: int = Field(description="totals cover this many seconds up to `time`")
    size: Size
    figures: dict[str, ExplainedFigure] = Field(description="by figure id")
    derived: dict[str, ExplainedDerived] = Field(description="by figure id, all of them")
    population: Population
    shelters: list[Shelters] = Field(description="by dataset")
    facilities: list[Listed] = Field(description="all else that is listed, by dataset")
    sensors: list[Sensor]
