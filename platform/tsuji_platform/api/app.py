"""Puts the data API together; nothing happens at import."""

import atexit
import gc
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from importlib.metadata import version

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.responses import RedirectResponse
from prometheus_client import CollectorRegistry
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.api import errors
from tsuji_platform.api.asked import only_what_is_known
from tsuji_platform.api.cors import OpenProtocol, OtherSites
from tsuji_platform.api.document import show_examples
from tsuji_platform.api.formats import Format, media_type
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.kept import Kept
from tsuji_platform.api.live import LiveFeed
from tsuji_platform.api.manners import Manners, Named
from tsuji_platform.api.rates import Doors, RateLimit
from tsuji_platform.api.room import Room
from tsuji_platform.api.routers import (
    alerts,
    area_sets,
    bulk,
    datasets,
    derived,
    documentation,
    front,
    health,
    live,
    metrics,
    observations,
    profiles,
    quality,
    rejected,
    rejected_messages,
    thing_series,
    things,
    typical,
    vocabulary,
)
from tsuji_platform.api.turns import Turns
from tsuji_platform.api.validation import Validation
from tsuji_platform.api.worker_metrics import Anew, WorkerFigures
from tsuji_platform.api.worker_processes import STUCK_S, Workers, end_with_parent
from tsuji_platform.connections import KEPT_OPEN_S, allow_many, run
from tsuji_platform.guarded import ALWAYS, GuardedApp
from tsuji_platform.insight import logs, traces
from tsuji_platform.insight.endpoint import beside
from tsuji_platform.insight.requests import Observed, Routes
from tsuji_platform.listening import take
from tsuji_platform.settings import (
    ApiSettings,
    DatabaseSettings,
    SharedSecretSettings,
    SmallCountSettings,
    TypicalSettings,
)
from tsuji_platform.settings_files import given
from tsuji_platform.settings_insight import InsightSettings
from tsuji_platform.settings_web import WebSettings
from tsuji_platform.store import Database
from tsuji_platform.store.replica import ReplicatedDatabase

_ROUTERS = (
    front,
    health,
    vocabulary,
    things,
    thing_series,
    observations,
    quality,
    area_sets,
    datasets,
    profiles,
    derived,
    typical,
    alerts,
    live,
    rejected,
    rejected_messages,
    bulk,
)
_GUARD = {**ALWAYS, "Cross-Origin-Resource-Policy": "cross-origin"}
"""Pages of any site may use open data."""
_GARBAGE_AFTER = 20_000
"""Containers made before the next look for cycles: a request makes some hundreds, and hardly any cycle."""
_DESCRIPTION = """\
Readings of the city's smart poles and footfall counters, area by area.

Every time is RFC 3339 in UTC; units are UCUM; geometry is GeoJSON (RFC 7946, WGS 84); errors are
problem details (RFC 9457).
"""


def create_app(
    hub: Hub, doors: Doors | None = None, *, kept_s: float = 0, https_s: int = 0
) -> FastAPI:
    """The data API over one database.

    Args:
        hub: the database's readers as the public has them; what its gate withholds is open to keys with
            the scope `counts`.
        doors: tells callers apart and limits their rates; None lets all in as nobody in particular.
        kept_s: seconds for which answers about now are handed to others who ask the same; 0 makes each anew.
        https_s: seconds for which browsers are to insist on HTTPS; 0 leaves it to them.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        feeds = {app.state.live, app.state.whole_live}
        for feed in feeds:
            feed.start()
        app.state.figures.start()
        try:
            yield
        finally:
            app.state.figures.stop()
            for feed in feeds:
                feed.stop()
            traces.end()

    app = GuardedApp(
        guard=_GUARD,
        https_s=https_s,
        before=(Named, OtherSites),
        title="Tsuji data API",
        version=version("tsuji"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # ours asks no other host for its scripts
        redoc_url=None,
        dependencies=[Depends(only_what_is_known)],
        telemetry=traces.of_web("/v1/live", "/v1/health", "/metrics"),
    )
    app.state.hub = hub
    app.state.live = LiveFeed(_of_primary(hub))
    app.state.whole_hub = replace(hub, gate=OPEN) if hub.gate else hub
    app.state.whole_live = (
        LiveFeed(_of_primary(app.state.whole_hub)) if hub.gate else app.state.live
    )
    app.state.figures = figures = WorkerFigures(hub, {app.state.live, app.state.whole_live})
    app.add_middleware(Validation)
    app.add_middleware(
        GZipMiddleware,
        minimum_size=1_000,
        compresslevel=5,
        exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, media_type(Format.PARQUET)),
    )
    if kept_s:
        app.add_middleware(Kept, seconds=kept_s)
    if doors is not None:
        app.add_middleware(Turns)
        app.add_middleware(RateLimit, callers=doors.callers, rates=doors.rates)
    app.add_middleware(Observed, figures=figures.requests, routes=Routes(app), after=figures.note)
    app.add_middleware(Manners)
    errors.install(app)
    for one in _ROUTERS:
        app.include_router(one.router, prefix="/v1", responses=errors.DESCRIBED)

    app.include_router(metrics.router, responses=errors.DESCRIBED)  # where Prometheus looks for it

    app.include_router(documentation.router)
    app.mount(documentation.SCRIPTS, documentation.scripts())

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        return RedirectResponse("/docs")

    show_examples(app)
    return app


def _of_primary(hub: Hub) -> Hub:
    """What is followed as it changes: a replica is behind, and tells nobody what is new."""
    primary = hub.database.primary
    return hub if primary is hub.database else replace(hub, database=primary)


def app_of_environment() -> FastAPI:
    """One worker's application; the settings come from the environment, as they do for all workers."""
    logs.set_up("api")
    traces.begin("api", database=True)
    end_with_parent()
    settings, where = ApiSettings(), DatabaseSettings()
    if where.database_url is None:
        raise ValueError("TSUJI_DATABASE_URL is not set: it names the database that workers serve")
    database = Database(where.database_url, query_s=settings.query_seconds)
    if where.database_read_url is not None:
        database = ReplicatedDatabase(
            database,
            where.database_read_url,
            query_s=settings.query_seconds,
            most_lag_s=where.database_read_lag_seconds,
        )
    atexit.register(database.close)
    hub = Hub(
        database,
        typical_weeks=TypicalSettings().typical_weeks,
        publisher=settings.publisher,
        licence=settings.licence,
        room=Room(
            at_once=settings.downloads,
            of_one=settings.caller_downloads,
            seconds=settings.download_seconds,
        ),
        gate=Gate(SmallCountSettings().small_count),
    )
    doors = Doors.of(database.primary, settings, SharedSecretSettings())
    app = create_app(hub, doors, kept_s=settings.kept_seconds, https_s=WebSettings().https_s)
    gc.collect()
    gc.freeze()  # what lives as long as the process was a seventh of the time of what is quickly answered
    gc.set_threshold(_GARBAGE_AFTER, *gc.get_threshold()[1:])
    return app


def serve(database_url: str, settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ListenError: the address that is set can't be listened on.
    """
    sockets = take(settings.api_host, settings.api_port, ("TSUJI_API_HOST", "TSUJI_API_PORT"))
    if DatabaseSettings().database_url != database_url:  # workers are processes of their own
        os.environ.update(given("TSUJI_DATABASE_URL", database_url))
    allow_many()
    config = uvicorn.Config(
        "tsuji_platform.api.app:app_of_environment",
        factory=True,
        workers=settings.api_workers,
        forwarded_allow_ips=settings.api_proxies,
        log_config=None,  # ours, for all of a process
        log_level="warning",
        http=OpenProtocol,
        timeout_keep_alive=KEPT_OPEN_S,
        timeout_graceful_shutdown=2,
        timeout_worker_healthcheck=STUCK_S,
    )
    with _metrics(database_url):
        if settings.api_workers > 1:
            Workers(config, sockets).run()
        else:
            run(uvicorn.Server(config), sockets)


@contextmanager
def _metrics(database_url: str) -> Iterator[None]:
    """Serve the figures of all workers meanwhile, where that is asked for."""
    settings = InsightSettings()
    if settings.api_metrics_port is None:
        yield
        return
    registry = CollectorRegistry()
    with Database(database_url, size=1, timeout_s=2, query_s=10) as database:
        registry.register(Anew(Hub(database)))
        names = ("TSUJI_METRICS_HOST", "TSUJI_API_METRICS_PORT")
        with beside(settings.metrics_host, settings.api_metrics_port, registry, names):
            yield
