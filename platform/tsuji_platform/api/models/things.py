"""Things, their datastreams, and what is known of each."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from tsuji_platform.api.fields import (
    AreaCode,
    AreaSetId,
    Flags,
    Linked,
    Name,
    NameEn,
    Page,
    PropertyId,
    Suppressed,
    ThingId,
    Time,
    Told,
    Unit,
    UnitLabel,
)

State = Annotated[
    Literal["live", "silent", "waiting"],
    Field(
        description="live: heard of lately; silent: not for 15 minutes or two periods "
        "of its newest counts; waiting: never yet"
    ),
]
LastObserved = Annotated[
    datetime | None,
    Field(
        description="phenomenon time of its newest observation, RFC 3339, UTC; null before the first",
        examples=["2026-04-01T00:00:00Z"],
    ),
]


class Point(BaseModel):
    """GeoJSON point, WGS 84."""

    type: Literal["Point"] = Field("Point", description="of the geometry")
    coordinates: tuple[float, float] = Field(
        description="longitude, latitude, degrees", examples=[(139.7, 35.69)]
    )


class ThingLatest(BaseModel):
    """The newest observation of one datastream."""

    result: Told
    time: Time
    unit: Unit
    quality: Flags
    suppressed: Suppressed = False


class AreaOfThing(Linked):
    """An area that a thing stands in."""

    area_set: AreaSetId
    code: AreaCode
    name: Name
    name_en: NameEn


class Thing(Linked):
    """A registered thing: a smart pole, a counter, a weather station."""

    id: ThingId
    name: Name
    name_en: NameEn
    kind: str = Field(description="what it is", examples=["smart_pole"])
    location: Point = Field(description="where it stands")
    owner: str = Field(description="who runs it, empty where that is not said", examples=["新宿区"])
    effective_width_m: float | None = Field(
        description="walkway width that it sees, m", examples=[3.5]
    )
    capacity: int | None = Field(description="people that the place holds", examples=[200])
    datastreams: list[str] = Field(
        description="ids of the observed properties that it measures",
        examples=[["air_temperature"]],
    )
    state: State
    last_observed_at: LastObserved


class RejectedOfThing(BaseModel):
    """What is kept of a thing's messages that were rejected for one reason."""

    reason: str = Field(description="why", examples=["implausible_value"])
    messages: int = Field(description="kept messages; the same again is not kept twice")
    values: int = Field(description="what they stand for, repetitions included")
    messages_24h: int = Field(description="of these messages, those that came within 24 hours")
    last_received_at: Time


class ThingDetail(Thing):
    """A thing with its newest observations, its areas and what of it was rejected."""

    latest: dict[str, ThingLatest] = Field(description="by observed property")
    areas: list[AreaOfThing] = Field(description="the areas that it stands in")
    rejected: list[RejectedOfThing] = Field(description="by reason; empty where all was believed")


class Things(Page):
    """One page of things."""

    items: list[Thing] = Field(description="by id")


class Datastream(Linked):
    """What one thing measures of one observed property."""

    thing: ThingId
    observed_property: PropertyId
    label: str = Field(description="English name", examples=["Air temperature"])
    label_ja: str = Field(description="Japanese name", examples=["気温"])
    unit: Unit
    unit_label: UnitLabel
    time: datetime | None = Field(
        description="phenomenon time of the newest observation, RFC 3339, UTC; null before the first",
        examples=["2026-04-01T00:00:00Z"],
    )
    result: float | None = Field(
        description="of the newest observation, in `unit`; null before the first, and where it is "
        "`suppressed`",
        examples=[21.5],
    )
    period_s: int | None = Field(
        description="of counts: the seconds that end at `time`", examples=[300]
    )
    suppressed: Suppressed = False


class Datastreams(Page):
    """One page of datastreams."""

    items: list[Datastream] = Field(description="by thing, then by observed property")
