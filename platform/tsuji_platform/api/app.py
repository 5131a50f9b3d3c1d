"""Puts the data API together; nothing happens at import."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from tsuji_platform.api import errors
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.live import LiveFeed
from tsuji_platform.api.routers import (
    area_sets,
    health,
    live,
    metrics,
    observations,
    quality,
    rejected,
    things,
    typical,
    vocabulary,
)
from tsuji_platform.settings import ApiSettings
from tsuji_platform.store import Database

_ROUTERS = (health, vocabulary, things, observations, quality, area_sets, typical, live, rejected)
_DESCRIPTION = """\
Readings of the city's smart poles and footfall counters, area by area.

Every time is RFC 3339 in UTC; units are UCUM; geometry is GeoJSON (RFC 7946, WGS 84); errors are
problem details (RFC 9457).
"""


def create_app(hub: Hub) -> FastAPI:
    """The data API over one database."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.live.start()
        try:
            yield
        finally:
            app.state.live.stop()

    app = FastAPIOffline(  # its documentation pages ask no other host for their scripts
        title="Tsuji data API",
        version=version("tsuji"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.hub = hub
    app.state.live = LiveFeed(hub)
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    app.add_middleware(
        CORSMiddleware, allow_origins=["*"], allow_methods=["GET"], expose_headers=["ETag"]
    )
    errors.install(app)
    for one in _ROUTERS:
        app.include_router(one.router, prefix="/v1", responses=errors.DESCRIBED)

    app.include_router(metrics.router)  # where Prometheus looks for it

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        return RedirectResponse("/docs")

    return app


def serve(database_url: str, settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    with Database(database_url) as database:
        uvicorn.run(
            create_app(Hub(database, typical_weeks=settings.typical_weeks)),
            host=settings.api_host,
            port=settings.api_port,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
