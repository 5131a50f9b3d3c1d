"""The shapes of answers about typical values; `models` takes its part from here."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tsuji_platform.api.fields import (
    AreaCode,
    AreaSetId,
    FigureId,
    Linked,
    PropertyId,
    ThingId,
    Unit,
    UnitLabel,
)

Day = date
Kind = Literal["weekday", "saturday", "holiday"]


class TypicalNow(BaseModel):
    """What is usual for the last hour, from past days of the same kind."""

    q1: float = Field(description="lower quartile, in the figure's unit")
    median: float = Field(description="in the figure's unit")
    q3: float = Field(description="upper quartile, in the figure's unit")
    days: int = Field(description="how many days stand behind it")
    n: int = Field(
        description="how many things are compared: they have counted for at least 45 of the last 60 "
        "minutes, and on 3 days"
    )
    percent: float | None = Field(
        description="what these things counted, per time, as % of `median`; null where that is 0"
    )


class ExplainedTypicalNow(TypicalNow):
    """The same with how it is made."""

    method: str = Field(description="how it is made, English")
    method_ja: str = Field(description="how it is made, Japanese")


class Typical(Linked):
    """Median and quartiles of each step of a day, from past days of the same kind."""

    model_config = ConfigDict(populate_by_name=True)

    unit: Unit
    unit_label: UnitLabel
    date: Day = Field(description="the day in Tokyo, ISO 8601", examples=["2026-04-01"])
    kind: Kind = Field(
        description="of the date: `holiday` is a Sunday or a Japanese public holiday; only days of this "
        "kind are looked at"
    )
    weeks: int = Field(description="how many weeks are looked at")
    from_: Day = Field(alias="from", description="the first day that is looked at")
    to: Day = Field(description="the last one: the day before `date`")
    time_zone: str = Field(description="of days and their kinds", examples=["Asia/Tokyo"])
    minimum_days: int = Field(description="with fewer days there are no values")
    step_s: int = Field(
        description="length of a step, seconds: 900, longer where things count over a longer period"
    )
    times: list[datetime] = Field(description="the END of each step, RFC 3339, UTC")
    q1: list[float | None] = Field(
        description="lower quartile, in `unit`; null where there are too few days"
    )
    median: list[float | None] = Field(description="in `unit`; null where there are too few days")
    q3: list[float | None] = Field(
        description="upper quartile, in `unit`; null where there are too few days"
    )
    suppressed: list[datetime] = Field(
        default_factory=list,
        description="the END of each step without values because a small count stands behind it",
    )
    days: list[int] = Field(description="how many days stand behind each step")
    method: str = Field(description="how it is made, English")
    method_ja: str = Field(description="how it is made, Japanese")


class ThingTypical(Typical):
    """What is usual for one datastream."""

    thing: ThingId
    observed_property: PropertyId


class AreaTypical(Typical):
    """What is usual for a figure of an area."""

    area_set: AreaSetId
    code: AreaCode
    figure: FigureId
    things: list[str] = Field(
        description="the things that it is made of: those that spoke within the 24 hours up to the end of "
        "the date, or up to now"
    )
