"""Single observations: the newest, those of a thing, and those that look wrong."""

from datetime import datetime

from pydantic import BaseModel, Field

from tsuji_platform.api.fields import (
    Flags,
    Linked,
    Page,
    PropertyId,
    Suppressed,
    ThingId,
    Time,
    Told,
    Unit,
    Value,
)
from tsuji_platform.contract.quality import Flag


class LatestItem(BaseModel):
    """The newest observation of one datastream."""

    thing: ThingId
    observed_property: PropertyId
    time: Time
    result: Told
    unit: Unit
    quality: Flags
    suppressed: Suppressed = False


class Latest(Linked):
    """The newest observations; what looks wrong about those of all things is up to 30 s old."""

    items: list[LatestItem] = Field(description="by thing")


class RawObservation(BaseModel):
    """One observation as it was stored."""

    observed_property: PropertyId
    time: Time
    result: Told
    unit: Unit
    period_s: int | None = Field(
        description="for counts: the seconds that end at `time`", examples=[300]
    )
    quality: Flags
    suppressed: Suppressed = False


class Observations(Page):
    """One page of a thing's observations."""

    thing: ThingId
    items: list[RawObservation] = Field(description="in order of time")
    kept_since: datetime | None = Field(
        description="RFC 3339, UTC: observations up to this moment are no longer kept, only their rollups "
        "(see the series); null where all are kept"
    )


class QualityItem(BaseModel):
    """A datastream whose newest observation looks wrong."""

    thing: ThingId
    observed_property: PropertyId
    flag: Flag = Field(description="what looks wrong")
    since: Time = Field(
        description="RFC 3339, UTC: of a stuck value its first reading, looked for up to 7 days back; "
        "of a step its time"
    )
    time: Time
    result: Value
    unit: Unit


class Quality(Linked):
    """What looks wrong now."""

    time: Time = Field(description="when it was looked up, RFC 3339, UTC")
    items: list[QualityItem] = Field(description="by thing")
