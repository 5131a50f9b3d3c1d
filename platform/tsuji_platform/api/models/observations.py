"""Single observations: the newest, those of a thing, and those that look wrong."""

from datetime import datetime

from pydantic import BaseModel, Field

from tsuji_platform.api.models.fields import Flags, Time, Value
from tsuji_platform.contract.quality import Flag


class LatestItem(BaseModel):
    """The newest observation of one datastream."""

    thing: str
    observed_property: str
    time: Time
    result: Value
    unit: str = Field(description="UCUM code")
    quality: Flags


class Latest(BaseModel):
    """The newest observations; what looks wrong about those of all things is up to 30 s old."""

    items: list[LatestItem]


class RawObservation(BaseModel):
    """One observation as it was stored."""

    observed_property: str
    time: Time
    result: Value
    unit: str = Field(description="UCUM code")
    period_s: int | None = Field(description="for counts: the seconds that end at `time`")
    quality: Flags


class Observations(BaseModel):
    """One page of a thing's observations."""

    thing: str
    items: list[RawObservation]
    next: str | None = Field(description="address of the next page; null on the last")
    kept_since: datetime | None = Field(
        description="observations up to this moment are no longer kept, only their rollups (see the "
        "series); null where all are kept"
    )


class QualityItem(BaseModel):
    """A datastream whose newest observation looks wrong."""

    thing: str
    observed_property: str
    flag: Flag
    since: Time = Field(
        description="of a stuck value its first reading, looked for up to 7 days back; "
        "of a step its time"
    )
    time: Time
    result: Value
    unit: str = Field(description="UCUM code")


class Quality(BaseModel):
    """What looks wrong now."""

    time: Time = Field(description="when it was looked up")
    items: list[QualityItem]
