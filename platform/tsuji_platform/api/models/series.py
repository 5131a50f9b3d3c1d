"""Values over time, of areas and of things."""

from datetime import datetime

from pydantic import BaseModel, Field

from tsuji_platform.analytics.gaps import Absence
from tsuji_platform.api.fields import (
    AreaCode,
    AreaSetId,
    FigureId,
    Linked,
    PropertyId,
    ThingId,
    Time,
    Unit,
    UnitLabel,
)
from tsuji_platform.api.models.areas import Estimated


class Gap(BaseModel):
    """Steps without any observation, or any to be told of, one after another."""

    start: Time
    end: Time
    reason: Absence = Field(
        description="rejected: messages that arrived then were refused; silent: nothing came; "
        "none: there was no such datastream then; no_longer_kept: steps of this length can't be "
        "made any more, longer ones may; suppressed: people were counted, too few to be told of; "
        "quality: all that was observed then is of another quality than was asked for"
    )


class Series(Linked):
    """Values over time; a step without observations is null."""

    unit: Unit
    unit_label: UnitLabel
    start: Time
    end: Time
    step_s: int = Field(description="length of a step, seconds")
    times: list[datetime] = Field(description="the END of each step, RFC 3339, UTC")
    values: list[float | None] = Field(
        description="null where there are no observations, or directions that cancel out, or all counts "
        "are withheld"
    )
    gaps: list[Gap] = Field(description="where there is nothing to tell, in order, and why")
    left_out: list[int] | None = Field(
        None,
        description="how many small counts of each step are withheld and no part of its value, which is "
        "that much too low; null where that is none of any",
    )


class AreaSeries(Series):
    """A figure of an area over time."""

    area_set: AreaSetId
    code: AreaCode
    figure: FigureId
    estimated: Estimated | None = Field(
        None,
        description="where nothing in the area measures it: made of things near by, those that have "
        "observations in a step; null for what is measured",
    )


class ThingSeries(Series):
    """Observations of one datastream over time."""

    thing: ThingId
    observed_property: PropertyId
