"""How the hub is, for people, load balancers and the command line."""

from collections import Counter
from datetime import datetime, timedelta
from importlib.metadata import version

from fastapi import APIRouter, Response

from tsuji_platform.analytics import freshness
from tsuji_platform.api import models
from tsuji_platform.api.hub import Hub, HubDep
from tsuji_platform.api.routers import alerts, quality, rejected
from tsuji_platform.store import StoreError
from tsuji_platform.store.cover import FIVE_MINUTES, HOUR, RAW
from tsuji_platform.store.records import IngestRow
from tsuji_platform.store.replica import ReplicatedDatabase

router = APIRouter(tags=["health"])

_DEGRADED_AFTER_S = 120
_SILENT_AFTER = timedelta(seconds=30)
_VERSION = version("tsuji")


@router.get(
    "/health",
    summary="How the hub is",
    responses={503: {"model": models.Health, "description": "the database is away"}},
)
def health(hub: HubDep, response: Response) -> models.Health:
    """Database, ingest and things; answers 503 while the database is away."""
    response.headers["Cache-Control"] = "no-store"
    try:
        return _health(hub)
    except StoreError:
        response.status_code = 503
        return models.Health(
            status="down",
            time=hub.clock(),
            version=_VERSION,
            database=models.DatabaseHealth(ok=False, edition=None),
            ingest=None,
            things=None,
        )


def _health(hub: Hub) -> models.Health:
    counters = hub.reader.counters()
    now = hub.clock()
    stored_at = counters.last_stored_at
    age_s = None if stored_at is None else max(0.0, (now - stored_at).total_seconds())
    states = Counter(
        freshness.state(observed_at, period_s, now)
        for observed_at, period_s in hub.reader.freshness()
    )
    tally = counters.tally
    processes = [_process(row, now) for row in hub.reader.ingests()]
    flows = age_s is not None and age_s < _DEGRADED_AFTER_S
    return models.Health(
        status="ok" if flows and all(one.state == "ok" for one in processes) else "degraded",
        time=now,
        version=_VERSION,
        database=models.DatabaseHealth(
            ok=True, edition=str(hub.database.edition()), replica=_replica(hub)
        ),
        ingest=models.IngestHealth(
            messages=tally.messages,
            received=tally.received + counters.waiting,
            stored=tally.stored,
            duplicate=tally.duplicate,
            corrected=tally.corrected,
            rejected=tally.rejected,
            waiting=counters.waiting,
            processes=processes,
            last_stored_at=stored_at,
            age_s=age_s,
        ),
        things=models.ThingsHealth(
            total=sum(states.values()),
            live=states[freshness.State.LIVE],
            silent=states[freshness.State.SILENT],
            waiting=states[freshness.State.WAITING],
        ),
        rejected=rejected.health(hub),
        quality=quality.health(hub),
        history=_history(hub),
        alerts=alerts.health(hub),
    )


def _replica(hub: Hub) -> models.ReplicaHealth | None:
    database = hub.database
    if not isinstance(database, ReplicatedDatabase):
        return None
    lag_s = None if database.lag_s is None else round(database.lag_s, 1)
    return models.ReplicaHealth(state=database.state.value, lag_s=lag_s)


def _history(hub: Hub) -> models.HistoryHealth:
    kept = hub.reader.horizons()
    since = {width: horizon.since for width, horizon in kept.items()}
    return models.HistoryHealth(
        observations_since=since.get(RAW),
        five_minutes_since=since.get(FIVE_MINUTES),
        hours_since=since.get(HOUR),
        too_late=sum(horizon.too_late for horizon in kept.values()),
    )


def _process(row: IngestRow, now: datetime) -> models.IngestProcess:
    return models.IngestProcess(
        id=row.ingest_id,
        state="silent" if now - row.seen_at > _SILENT_AFTER else "ok",
        waiting=row.state.waiting,
        lag_s=row.state.lag_s,
        seen_at=row.seen_at,
    )
