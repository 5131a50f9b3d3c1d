"""The shapes of what is said of alerts."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from tsuji_platform.api.fields import AreaCode, AreaSetId, Linked, Page, Suppressed, Time, Told


class AlertLabel(BaseModel):
    """What a rule is called."""

    ja: str = Field(description="Japanese", examples=["暑さ指数 厳重警戒"])
    en: str = Field(description="English", examples=["WBGT: severe warning"])


class AlertArea(BaseModel):
    """The area that an alert is about."""

    area_set: AreaSetId
    code: AreaCode


class AlertPeak(BaseModel):
    """The value furthest out since the alert's start."""

    value: Told
    time: Time


class Alert(Linked):
    """One alert."""

    id: str = Field(description="of the alert")
    rule: str = Field(description="id of the rule", examples=["heat"])
    label: AlertLabel = Field(description="what the rule is called")
    state: Literal["on", "clearing", "ended"] = Field(
        description="clearing: on, but values have been cleared since less than the rule's clears_after"
    )
    thing: str | None = Field(description="the thing that it is about, null for an area")
    area: AlertArea | None = Field(description="the area that it is about, null for a thing")
    start: Time = Field(
        description="when the threshold was first met, or patience ended; RFC 3339, UTC"
    )
    end: datetime | None = Field(
        description="when it was first cleared, RFC 3339, UTC; null while it is on"
    )
    end_reason: Literal["cleared", "rule_changed", "rule_removed", "subject_removed"] | None = (
        Field(description="why it ended; null while it is on")
    )
    peak: AlertPeak = Field(description="the value furthest out")
    unit: str = Field(description="UCUM; of a silence seconds")
    value: float | None = Field(description="while it is on: the newest value")
    value_time: datetime | None = Field(
        description="its time, RFC 3339, UTC; an old one means that there is no value now, which ends "
        "nothing. Of a silence when the thing was last heard"
    )
    definition: dict[str, Any] = Field(description="the rule as it was when the alert began")
    suppressed: Suppressed = False


class AlertList(Page):
    """Alerts, the newest start first."""

    items: list[Alert] = Field(description="the newest start first")


class AlertRule(Linked):
    """One rule in force."""

    id: str = Field(description="of the rule", examples=["heat"])
    label: AlertLabel = Field(description="what it is called")
    definition: dict[str, Any] = Field(description="by the keys of the file, and its unit")
    problem: str = Field(description="why it looks at nothing; empty where it does")


class AlertRules(Linked):
    """The rules in force, in the order of their file."""

    items: list[AlertRule] = Field(description="in the order of their file")


class AlertTarget(BaseModel):
    """How one target's deliveries stand."""

    target: str = Field(description="where to", examples=["mqtt", "webhook 1a2b3c4d"])
    waiting: int = Field(description="messages that it has not got yet")
    oldest_s: float | None = Field(description="age of the oldest of them, seconds")
    given_up: int = Field(
        description="messages that it will not get, of those that are still kept "
        "(`TSUJI_ALERT_MESSAGE_DAYS`)"
    )
    delivered_at: datetime | None = Field(description="when one got there last, RFC 3339, UTC")
    problem: str = Field(description="what went wrong last; empty where nothing did")


class AlertsHealth(BaseModel):
    """How alerts are."""

    state: Literal["ok", "silent", "none"] = Field(
        description="silent: the evaluator has not shown itself for 30 seconds; none: there never was one"
    )
    rules: int = Field(description="in force")
    on: int = Field(description="alerts that are on")
    evaluator: str | None = Field(description="id of the ingest that evaluates")
    seen_at: datetime | None = Field(description="when it last showed itself, RFC 3339, UTC")
    judged_until: datetime | None = Field(
        description="moment up to which figures were judged, RFC 3339, UTC"
    )
    problem: str = Field(description="what is wrong with the file of rules; empty where nothing")
    targets: list[AlertTarget] = Field(description="where alerts are told")
