"""The shapes of what is said of alerts."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from tsuji_platform.api.models.fields import Time, Value


class AlertLabel(BaseModel):
    """What a rule is called."""

    ja: str
    en: str


class AlertArea(BaseModel):
    """The area that an alert is about."""

    area_set: str
    code: str


class AlertPeak(BaseModel):
    """The value furthest out since the alert's start."""

    value: Value
    time: Time


class Alert(BaseModel):
    """One alert."""

    id: str
    rule: str = Field(description="id of the rule")
    label: AlertLabel
    state: Literal["on", "clearing", "ended"] = Field(
        description="clearing: on, but values have been cleared since less than the rule's clears_after"
    )
    thing: str | None = Field(description="the thing that it is about, null for an area")
    area: AlertArea | None
    start: Time = Field(description="when the threshold was first met, or patience ended")
    end: datetime | None = Field(description="when it was first cleared; null while it is on")
    end_reason: Literal["cleared", "rule_changed", "rule_removed", "subject_removed"] | None
    peak: AlertPeak
    unit: str = Field(description="UCUM; of a silence seconds")
    value: float | None = Field(description="while it is on: the newest value")
    value_time: datetime | None = Field(
        description="its time; an old one means that there is no value now, which ends nothing. Of a "
        "silence when the thing was last heard"
    )
    definition: dict[str, Any] = Field(description="the rule as it was when the alert began")


class AlertList(BaseModel):
    """Alerts, the newest start first."""

    items: list[Alert]
    next: str | None = Field(description="address of the next page")


class AlertRule(BaseModel):
    """One rule in force."""

    id: str
    label: AlertLabel
    definition: dict[str, Any] = Field(description="by the keys of the file, and its unit")
    problem: str = Field(description="why it looks at nothing; empty where it does")


class AlertRules(BaseModel):
    """The rules in force, in the order of their file."""

    items: list[AlertRule]


class AlertTarget(BaseModel):
    """How one target's deliveries stand."""

    target: str = Field(examples=["mqtt", "webhook 1a2b3c4d"])
    waiting: int = Field(description="messages that it has not got yet")
    oldest_s: float | None = Field(description="age of the oldest of them")
    given_up: int = Field(
        description="messages that it will not get, of those that are still kept "
        "(`TSUJI_ALERT_MESSAGE_DAYS`)"
    )
    delivered_at: datetime | None
    problem: str = Field(description="what went wrong last; empty where nothing did")


class AlertsHealth(BaseModel):
    """How alerts are."""

    state: Literal["ok", "silent", "none"] = Field(
        description="silent: the evaluator has not shown itself for 30 seconds; none: there never was one"
    )
    rules: int
    on: int
    evaluator: str | None = Field(description="id of the ingest that evaluates")
    seen_at: datetime | None
    judged_until: datetime | None = Field(description="moment up to which figures were judged")
    problem: str = Field(description="what is wrong with the file of rules; empty where nothing")
    targets: list[AlertTarget]
