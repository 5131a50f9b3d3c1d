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


class RejectedMessage(BaseModel):
    """One message that was not believed, or not as a whole."""

    id: int
    topic: str
    thing: str | None = Field(description="id as in the topic; null where it names none")
    reason: str = Field(examples=["unregistered_thing"])
    detail: str = Field(description="what was wrong, and what would be right")
    values: int = Field(description="what it stands for, repetitions included")
    seen: int = Field(description="how often the same came")
    first_received_at: Time
    last_received_at: Time
    payload_size: int = Field(description="bytes")
    payload: str = Field(
        description="its bytes in base64 (RFC 4648); a list shows the first 4,096 of them"
    )


class RejectedMessages(BaseModel):
    """Rejected messages, the newest first."""

    items: list[RejectedMessage]
