"""How the hub is, part by part."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from tsuji_platform.api.alert_models import AlertsHealth
from tsuji_platform.api.fields import Time
from tsuji_platform.api.models.rejected import RejectedAmount


class ReplicaHealth(BaseModel):
    """The replica that answers are read from."""

    state: Literal["used", "behind", "away", "another_database"] = Field(
        description="behind: further than the hub allows, and away: it does not answer: the database itself "
        "is read from meanwhile"
    )
    lag_s: float | None = Field(
        description="how old is what it has not got yet, seconds; null where that can't be told"
    )


class DatabaseHealth(BaseModel):
    """The database."""

    ok: bool = Field(description="whether it serves")
    edition: str | None = Field(
        description="what it is; null while it is away",
        examples=["TimescaleDB 2.19.3 (Apache) on PostgreSQL 17.6"],
    )
    replica: ReplicaHealth | None = Field(None, description="null where there is none")


class IngestProcess(BaseModel):
    """One ingest that has shown itself in the last day."""

    id: str = Field(description="its MQTT client id", examples=["tsuji-ingest"])
    state: Literal["ok", "silent"] = Field(
        description="silent: it has not shown itself for half a minute; what the broker keeps for it "
        "waits for its return"
    )
    waiting: int = Field(description="values received and not committed when it last showed itself")
    lag_s: float | None = Field(
        description="from arrival to commit, seconds: 95 % of its messages of a minute were quicker"
    )
    seen_at: Time


class IngestHealth(BaseModel):
    """Values since the beginning: received = stored + duplicate + corrected + rejected + waiting."""

    messages: int = Field(description="that came")
    received: int = Field(description="values in them")
    stored: int = Field(description="values that were new")
    duplicate: int = Field(description="values that were there already")
    corrected: int = Field(description="values that replaced others of the same time")
    rejected: int = Field(description="values that were not believed")
    waiting: int = Field(description="received and not committed; the broker keeps their messages")
    processes: list[IngestProcess] = Field(description="by id")
    last_stored_at: datetime | None = Field(
        description="when something new was stored last, RFC 3339, UTC"
    )
    age_s: float | None = Field(description="seconds since something new was stored")


class RejectedHealth(BaseModel):
    """Rejected messages: what is kept of them, and what no longer."""

    kept: int = Field(description="messages")
    by_reason: dict[str, RejectedAmount] = Field(description="of those that are kept")
    forgotten: RejectedAmount = Field(description="kept no longer: they were too old or too many")


class ThingsHealth(BaseModel):
    """Things by state."""

    total: int = Field(description="registered things")
    live: int = Field(description="heard of lately")
    silent: int = Field(description="not heard of lately")
    waiting: int = Field(description="never heard of")


class QualityHealth(BaseModel):
    """Datastreams whose newest observation looks wrong; up to 30 seconds old."""

    stuck: int = Field(description="it has stayed the same for too long")
    step: int = Field(description="it leaps away from those before it")


class HistoryHealth(BaseModel):
    """Since when history is kept; null where all of it is."""

    observations_since: datetime | None = Field(description="RFC 3339, UTC")
    five_minutes_since: datetime | None = Field(description="rollups; RFC 3339, UTC")
    hours_since: datetime | None = Field(
        description="rollups; RFC 3339, UTC; those of a Tokyo day are all kept"
    )
    too_late: int = Field(
        description="observations that came when those of their time were no longer kept, and are in "
        "no rollup; counted when they were dropped"
    )


class Health(BaseModel):
    """How the hub is."""

    status: Literal["ok", "degraded", "down"] = Field(
        description="degraded: nothing was stored for two minutes, or an ingest is silent; down: the "
        "database is away"
    )
    time: Time
    version: str = Field(description="of the hub", examples=["0.1.0"])
    database: DatabaseHealth = Field(description="whether it serves")
    ingest: IngestHealth | None = Field(description="what became of values; null while it is down")
    things: ThingsHealth | None = Field(description="by state; null while it is down")
    rejected: RejectedHealth | None = Field(None, description="messages that were not believed")
    quality: QualityHealth | None = Field(None, description="what looks wrong")
    history: HistoryHealth | None = Field(None, description="since when history is kept")
    alerts: AlertsHealth | None = Field(None, description="how alerts are")
