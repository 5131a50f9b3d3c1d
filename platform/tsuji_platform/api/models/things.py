"""Things, and what is known of each."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from tsuji_platform.api.models.fields import Flags, Time, Value


class Point(BaseModel):
    """GeoJSON point, WGS 84."""

    type: Literal["Point"] = "Point"
    coordinates: tuple[float, float] = Field(description="longitude, latitude, degrees")


class ThingLatest(BaseModel):
    """The newest observation of one datastream."""

    result: Value
    time: Time
    unit: str = Field(description="UCUM code")
    quality: Flags


class AreaOfThing(BaseModel):
    """An area that a thing stands in."""

    area_set: str
    code: str
    name: str
    name_en: str


class Thing(BaseModel):
    """A registered thing: a smart pole, a counter, a weather station."""

    id: str = Field(examples=["pole-01"])
    name: str = Field(description="name as its owner gives it")
    name_en: str = Field(description="English name, empty where none was given")
    kind: str = Field(examples=["smart_pole"])
    location: Point
    owner: str
    effective_width_m: float | None = Field(description="walkway width that it sees, m")
    capacity: int | None = Field(description="people that the place holds")
    datastreams: list[str] = Field(description="ids of the observed properties that it measures")
    state: Literal["live", "silent", "waiting"] = Field(
        description="live: heard of lately; silent: not for 15 minutes or two periods "
        "of its newest counts; waiting: never yet"
    )
    last_observed_at: datetime | None = Field(
        description="phenomenon time of its newest observation, RFC 3339, UTC"
    )


class RejectedOfThing(BaseModel):
    """What is kept of a thing's messages that were rejected for one reason."""

    reason: str = Field(examples=["implausible_value"])
    messages: int = Field(description="kept messages; the same again is not kept twice")
    values: int = Field(description="what they stand for, repetitions included")
    messages_24h: int = Field(description="of these messages, those that came within 24 hours")
    last_received_at: Time


class ThingDetail(Thing):
    """A thing with its newest observations, its areas and what of it was rejected."""

    latest: dict[str, ThingLatest] = Field(description="by observed property")
    areas: list[AreaOfThing]
    rejected: list[RejectedOfThing] = Field(description="by reason; empty where all was believed")


class Things(BaseModel):
    """One page of things."""

    items: list[Thing]
    next: str | None = Field(description="address of the next page; null on the last")
