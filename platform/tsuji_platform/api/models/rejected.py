"""Counts of rejected messages."""

from pydantic import BaseModel, Field

from tsuji_platform.api.fields import Linked, Page, Time


class RejectedAmount(BaseModel):
    """So many rejected messages."""

    messages: int = Field(description="the same again is not kept twice")
    values: int = Field(description="what they stand for, repetitions included")


class RejectedCount(RejectedAmount):
    """What is kept of one thing's messages that were rejected for one reason."""

    thing: str | None = Field(
        description="id as in the topic; null where it names none", examples=["pole-001"]
    )
    reason: str = Field(description="why", examples=["unregistered_thing"])
    last_received_at: Time


class RejectedCounts(Page):
    """One page of counts."""

    items: list[RejectedCount] = Field(description="by thing and reason")


class RejectedMessage(Linked):
    """One message that was not believed, or not as a whole."""

    id: int = Field(description="of the message", examples=[17])
    topic: str = Field(description="MQTT topic", examples=["tsuji/v1/things/pole-001/observations"])
    thing: str | None = Field(description="id as in the topic; null where it names none")
    reason: str = Field(description="why", examples=["unregistered_thing"])
    detail: str = Field(description="what was wrong, and what would be right")
    values: int = Field(description="what it stands for, repetitions included")
    seen: int = Field(description="how often the same came")
    first_received_at: Time
    last_received_at: Time
    payload_size: int = Field(description="bytes")
    payload: str = Field(
        description="its bytes in base64 (RFC 4648); a list shows the first 4,096 of them"
    )


class RejectedMessages(Linked):
    """Rejected messages, the newest first."""

    items: list[RejectedMessage] = Field(description="the newest first")
