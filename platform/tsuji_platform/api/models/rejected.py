"""Counts of rejected messages."""

from pydantic import BaseModel, Field

from tsuji_platform.api.models.fields import Time


class RejectedAmount(BaseModel):
    """So many rejected messages."""

    messages: int = Field(description="the same again is not kept twice")
    values: int = Field(description="what they stand for, repetitions included")


class RejectedCount(RejectedAmount):
    """What is kept of one thing's messages that were rejected for one reason."""

    thing: str | None = Field(description="id as in the topic; null where it names none")
    reason: str = Field(examples=["unregistered_thing"])
    last_received_at: Time


class RejectedCounts(BaseModel):
    """One page of counts."""

    items: list[RejectedCount]
    next: str | None = Field(description="address of the next page; null on the last")
