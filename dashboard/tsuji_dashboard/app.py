"""Puts the dashboard together: Dash's pages, the browser's way to the API, one ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import uvicorn
from dash import Dash, Input, Output, State, dcc, html
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tsuji_dashboard import downloads, hub, ids, places, watch
from tsuji_dashboard.client import Api
from tsuji_dashboard.detail import Details
from tsuji_dashboard.pages import area as area_page
from tsuji_dashboard.pages import map as map_page
from tsuji_dashboard.relay import Relay
from tsuji_dashboard.texts import DEFAULT, Lang, choose, text
from tsuji_platform.settings import ApiSettings, DashboardSettings, SharedSecretSettings

API_TIMEOUT = httpx.Timeout(10.0, connect=3.0)

INDEX = """<!DOCTYPE html>
<html lang="%lang%">
  <head>
    {%metas%}
    <title>%title%</title>
    <link rel="icon" type="image/svg+xml" href="/assets/favicon.svg">
    {%css%}
  </head>
  <body>
    <noscript>%noscript%</noscript>
    {%app_entry%}
    <footer hidden>
      {%config%}
      {%scripts%}
      {%renderer%}
    </footer>
  </body>
</html>"""

_asked: ContextVar[tuple[str | None, str | None]] = ContextVar("asked", default=(None, None))
"""`lang` in the address and Accept-Language of the request being answered."""


class Frame:
    """Notes the language that a request asks for and puts the security headers on every answer.

    Args:
        app: what answers.
        policy: the content security policy.
    """

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        accept = Headers(scope=scope).get("accept-language")
        _asked.set((query.get("lang", [None])[0], accept))

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = self._policy
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                if headers.get("content-type", "").startswith("text/html"):
                    headers.add_vary_header("Accept-Language")
            await send(message)

        await self._app(scope, receive, guarded)


def content_policy(tiles_url: str) -> str:
    """No host but this one, and the tile server for pictures; no evaluated code."""
    parts = urlsplit(tiles_url)
    tiles = f" {parts.scheme}://{parts.netloc.replace('{s}', '*')}" if parts.netloc else ""
    return (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data: blob:{tiles}; connect-src 'self'; object-src 'none'; "
        "base-uri 'self'; form-action 'self'"
    )


class _Tsuji(Dash):
    """Dash with the page's language in its HTML."""

    def index(self, *args: Any, **kwargs: Any) -> str:
        """The first HTML that a browser gets."""
        lang = choose(*_asked.get())
        untyped: Any = super()
        # Dash looks for its assets when "/" is asked for; the first address may be another one.
        untyped._setup_server()
        page = str(untyped.index(*args, **kwargs))
        for name, value in {
            "%lang%": lang,
            "%title%": text("title", lang),
            "%noscript%": text("script.needed", lang),
            "Loading...": text("detail.loading", lang),
        }.items():
            page = page.replace(name, value)
        return page


def language(search: str | None) -> Lang:
    """The language of the page with this query string, for the browser that asks."""
    asked = parse_qs((search or "").lstrip("?")).get("lang", [None])[0]
    return choose(asked, _asked.get()[1])


def page(pathname: str | None, search: str | None, tiles_url: str) -> Any:
    """The page at a path."""
    lang = language(search)
    if (pathname or "/") == map_page.PATH:
        return map_page.layout(lang, tiles_url)
    if pathname == area_page.PATH:
        return area_page.layout(lang)
    return html.Main(
        [
            html.H1(text("page.unknown", lang)),
            html.P(html.A(text("page.back", lang), href=f"{map_page.PATH}?lang={lang}")),
        ],
        className="unknown",
    )


def _identity() -> dict[str, str]:
    """Headers that tell the API that it is we who ask, for all visitors together."""
    key = SharedSecretSettings().dashboard_key
    return {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}


def create_app(settings: DashboardSettings, api_url: str) -> FastAPI:
    """Make the dashboard as an ASGI application.

    Args:
        settings: the dashboard's settings.
        api_url: base address of the data API.
    """
    http = httpx.AsyncClient(
        base_url=api_url,
        timeout=API_TIMEOUT,
        headers=_identity(),
        limits=httpx.Limits(max_connections=200, max_keepalive_connections=20),
        trust_env=False,
    )
    alerts = watch.Alerts(Api(http))
    relay = Relay(http, on_alert=alerts.forget)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await relay.close()
        await http.aclose()

    server = FastAPI(title="Tsuji dashboard", lifespan=lifespan, openapi_url=None)
    server.include_router(hub.router(http, relay))
    server.include_router(places.router(http))
    server.include_router(watch.router(http, alerts))
    server.include_router(downloads.router(Api(http)))
    made: Any = _Tsuji
    dash_app = made(
        __name__,
        server=server,
        assets_folder=str(Path(__file__).with_name("assets")),
        use_pages=False,
        pages_folder="",
        serve_locally=True,
        index_string=INDEX,
        title="Tsuji",
        update_title=None,
        add_log_handler=False,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    # Live values come by server-sent events; Dash's own WebSocket has nothing to say here.
    dash_app.backend.websocket_capability = False
    dash_app.layout = html.Div([dcc.Location(id=ids.URL, refresh=False), html.Div(id=ids.PAGE)])
    dash_app.validation_layout = html.Div(
        [
            dash_app.layout,
            map_page.layout(DEFAULT, settings.tiles_url),
            area_page.layout(DEFAULT),
        ]
    )
    _register(dash_app, settings)
    api = Api(http)
    details = Details(api)
    map_page.register(dash_app, details)
    area_page.register(dash_app, api, details)
    server.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=6)
    server.add_middleware(Frame, policy=content_policy(settings.tiles_url))
    return server


def _register(dash_app: Any, settings: DashboardSettings) -> None:
    def shown(pathname: str | None, search: str | None) -> Any:
        return page(pathname, search, settings.tiles_url)

    dash_app.callback(
        Output(ids.PAGE, "children"), Input(ids.URL, "pathname"), State(ids.URL, "search")
    )(shown)


def serve(settings: DashboardSettings) -> None:
    """Run the dashboard until it is told to stop."""
    api_url = settings.api_url or f"http://127.0.0.1:{ApiSettings().api_port}"
    uvicorn.run(
        create_app(settings, api_url),
        host=settings.dashboard_host,
        port=settings.dashboard_port,
        log_level="warning",
        # A live stream never ends by itself: without this a stop would wait for it for ever.
        timeout_graceful_shutdown=2,
    )
