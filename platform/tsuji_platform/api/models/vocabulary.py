"""What can be observed and shown: observed properties, their limits, and figures."""

from pydantic import BaseModel, Field

from tsuji_platform.api.fields import Linked, Unit, UnitLabel


class StepLimit(BaseModel):
    """The largest believable change; where most readings just before differ by more, it is a `step`."""

    at_once: float = Field(
        description="between two readings, however close, in the property's unit"
    )
    per_minute: float = Field(description="what each minute between them adds")
    longest_gap_s: int = Field(description="readings farther apart are not compared")


class StuckLimit(BaseModel):
    """How long a reading may stay exactly the same before it is `stuck`."""

    after_s: int = Field(description="so long it has to stay the same, seconds")
    readings: int = Field(description="fewest readings in that time")
    steady_up_to: float | None = Field(description="at this value and below it is natural")
    steady_from: float | None = Field(description="at this value and above it is natural")


class QualityLimits(BaseModel):
    """When a reading is flagged; null where the question is not asked."""

    step: StepLimit | None = Field(description="null where leaps are not looked for")
    stuck: StuckLimit | None = Field(description="null where standing still is not looked for")


class ObservedProperty(Linked):
    """One row of the table of observed properties."""

    id: str = Field(description="of the observed property", examples=["air_temperature"])
    label: str = Field(description="English name")
    label_ja: str = Field(description="Japanese name")
    unit: str = Field(description="UCUM code", examples=["Cel"])
    unit_label: str = Field(description="the unit as people write it", examples=["°C"])
    low: float = Field(description="smallest plausible result; smaller ones are rejected")
    high: float = Field(description="largest plausible result; larger ones are rejected")
    aggregation: str = Field(description="how results combine over time", examples=["mean"])
    quality: QualityLimits = Field(description="when a reading is flagged")


class ObservedProperties(Linked):
    """All observed properties."""

    items: list[ObservedProperty] = Field(description="in the order of the contract")


class Figure(BaseModel):
    """A figure that areas are coloured by."""

    id: str = Field(description="of the figure", examples=["footfall"])
    label: str = Field(description="English name")
    label_ja: str = Field(description="Japanese name")
    unit: Unit
    unit_label: UnitLabel
    decimals: int = Field(description="digits after the point that the sensors warrant")
    method: str = Field(description="how it is made, English")
    method_ja: str = Field(description="how it is made, Japanese")


class Figures(Linked):
    """All figures."""

    items: list[Figure] = Field(description="in the order in which they are shown")
