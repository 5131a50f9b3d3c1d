"""How the hub is, part by part."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from tsuji_platform.api.alert_models import AlertsHealth
from tsuji_platform.api.models.fields import Time
from tsuji_platform.api.models.rejected import RejectedAmount


class DatabaseHealth(BaseModel):
    """The database."""

    ok: bool
    edition: str | None = Field(examples=["TimescaleDB 2.19.3 (Apache) on PostgreSQL 17.6"])


class IngestProcess(BaseModel):
    """One ingest that has shown itself in the last day."""

    id: str
    state: Literal["ok", "silent"] = Field(
        description="silent: it has not shown itself for half a minute; what the broker keeps for it "
        "waits for its return"
    )
    waiting: int = Field(description="values received and not committed when it last showed itself")
    lag_s: float | None = Field(
        description="from arrival to commit: 95 % of its messages of a minute were quicker"
    )
    seen_at: Time


class IngestHealth(BaseModel):
    """Values since the beginning: received = stored + duplicate + corrected + rejected + waiting."""

    messages: int
    received: int
    stored: int
    duplicate: int
    corrected: int
    rejected: int
    waiting: int = Field(description="received and not committed; the broker keeps their messages")
    processes: list[IngestProcess]
    last_stored_at: datetime | None
    age_s: float | None = Field(description="seconds since something new was stored")


class RejectedHealth(BaseModel):
    """Rejected messages: what is kept of them, and what no longer."""

    kept: int = Field(description="messages")
    by_reason: dict[str, RejectedAmount] = Field(description="of those that are kept")
    forgotten: RejectedAmount = Field(description="kept no longer: they were too old or too many")


class ThingsHealth(BaseModel):
    """Things by state."""

    total: int
    live: int
    silent: int
    waiting: int


class QualityHealth(BaseModel):
    """Datastreams whose newest observation looks wrong; up to 30 seconds old."""

    stuck: int = Field(description="it has stayed the same for too long")
    step: int = Field(description="it leaps away from those before it")


class HistoryHealth(BaseModel):
    """Since when history is kept; null where all of it is."""

    observations_since: datetime | None
    five_minutes_since: datetime | None = Field(description="rollups")
    hours_since: datetime | None = Field(description="rollups; those of a Tokyo day are all kept")
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
    version: str
    database: DatabaseHealth
    ingest: IngestHealth | None
    things: ThingsHealth | None
    rejected: RejectedHealth | None = None
    quality: QualityHealth | None = None
    history: HistoryHealth | None = None
    alerts: AlertsHealth | None = None
