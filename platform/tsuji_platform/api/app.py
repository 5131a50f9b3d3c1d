"""Puts the data API together; nothing happens at import."""

import atexit
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import version

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.api import errors
from tsuji_platform.api.asked import only_what_is_known
from tsuji_platform.api.connections import PatientProtocol, allow_many
from tsuji_platform.api.document import show_examples
from tsuji_platform.api.formats import Format, media_type
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.kept import Kept
from tsuji_platform.api.live import LiveFeed
from tsuji_platform.api.manners import Manners
from tsuji_platform.api.rates import Doors, RateLimit
from tsuji_platform.api.room import Room
from tsuji_platform.api.routers import (
    alerts,
    area_sets,
    bulk,
    datasets,
    derived,
    front,
    health,
    live,
    metrics,
    observations,
    profiles,
    quality,
    rejected,
    rejected_messages,
    things,
    typical,
    vocabulary,
)
from tsuji_platform.api.validation import Validation
from tsuji_platform.settings import (
    ApiSettings,
    DatabaseSettings,
    SharedSecretSettings,
    SmallCountSettings,
    TypicalSettings,
)
from tsuji_platform.store import Database

_ROUTERS = (
    front,
    health,
    vocabulary,
    things,
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
_DESCRIPTION = """\
Readings of the city's smart poles and footfall counters, area by area.

Every time is RFC 3339 in UTC; units are UCUM; geometry is GeoJSON (RFC 7946, WGS 84); errors are
problem details (RFC 9457).
"""


def create_app(hub: Hub, doors: Doors | None = None, *, kept_s: float = 0) -> FastAPI:
    """The data API over one database.

    Args:
        hub: the database's readers as the public has them; what its gate withholds is open to keys with
            the scope `counts`.
        doors: tells callers apart and limits their rates; None lets all in as nobody in particular.
        kept_s: seconds for which answers about now are handed to others who ask the same; 0 makes each anew.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        feeds = {app.state.live, app.state.whole_live}
        for feed in feeds:
            feed.start()
        try:
            yield
        finally:
            for feed in feeds:
                feed.stop()

    app = FastAPIOffline(  # its documentation pages ask no other host for their scripts
        title="Tsuji data API",
        version=version("tsuji"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        dependencies=[Depends(only_what_is_known)],
    )
    app.state.hub = hub
    app.state.live = LiveFeed(hub)
    app.state.whole_hub = replace(hub, gate=OPEN) if hub.gate else hub
    app.state.whole_live = LiveFeed(app.state.whole_hub) if hub.gate else app.state.live
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
        app.add_middleware(RateLimit, callers=doors.callers, rates=doors.rates)
    app.add_middleware(Manners)
    app.add_middleware(  # outermost, so that a page of another site can read every answer
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "HEAD"],
        allow_headers=[
            "Authorization",
            "If-None-Match",
            "Last-Event-ID",
            "X-API-Key",
            "X-Request-ID",
        ],
        max_age=86_400,
        expose_headers=[
            "Content-Disposition",
            "Deprecation",
            "ETag",
            "Link",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "Sunset",
            "Tsuji-Kept-Since",
            "X-Request-ID",
        ],
    )
    errors.install(app)
    for one in _ROUTERS:
        app.include_router(one.router, prefix="/v1", responses=errors.DESCRIBED)

    app.include_router(metrics.router)  # where Prometheus looks for it

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        return RedirectResponse("/docs")

    show_examples(app)
    return app


def app_of_environment() -> FastAPI:
    """One worker's application; the settings come from the environment, as they do for all workers."""
    settings, url = ApiSettings(), DatabaseSettings().database_url
    if url is None:
        raise ValueError("TSUJI_DATABASE_URL is not set: it names the database that workers serve")
    database = Database(url, query_s=settings.query_seconds)
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
    doors = Doors.of(database, settings, SharedSecretSettings())
    return create_app(hub, doors, kept_s=settings.kept_seconds)


def serve(database_url: str, settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    os.environ["TSUJI_DATABASE_URL"] = database_url  # workers are processes of their own
    allow_many()
    uvicorn.run(
        "tsuji_platform.api.app:app_of_environment",
        factory=True,
        workers=settings.api_workers,
        host=settings.api_host,
        port=settings.api_port,
        forwarded_allow_ips=settings.api_proxies,
        log_level="warning",
        http=PatientProtocol,
        timeout_graceful_shutdown=2,
    )
