"""Puts the dashboard together: Dash's pages, the browser's way to the API, one ASGI application."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
from dash import Dash, Input, Output, State, dcc, html
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tsuji_dashboard import downloads, hub, ids, places, serving, watch
from tsuji_dashboard.client import Api
from tsuji_dashboard.detail import Details
from tsuji_dashboard.framing import EMBED, ancestors
from tsuji_dashboard.guests import Guests
from tsuji_dashboard.kept_files import KeptFiles
from tsuji_dashboard.metrics import DashboardFigures, served
from tsuji_dashboard.pages import area as area_page
from tsuji_dashboard.pages import embed as embed_page
from tsuji_dashboard.pages import map as map_page
from tsuji_dashboard.policy import GUARD, LONGEST_BODY, content_policy
from tsuji_dashboard.relay import Relay
from tsuji_dashboard.texts import DEFAULT, Lang, choose, text
from tsuji_platform.connections import KEPT_OPEN_S, PatientProtocol, allow_many
from tsuji_platform.guarded import GuardedApp
from tsuji_platform.insight import traces
from tsuji_platform.insight.passing import named
from tsuji_platform.insight.requests import Observed, Routes
from tsuji_platform.listening import take
from tsuji_platform.settings import ApiSettings, DashboardSettings, SharedSecretSettings
from tsuji_platform.settings_web import WebSettings

API_TIMEOUT = httpx.Timeout(10.0, connect=3.0)

INDEX = """<!DOCTYPE html>
<html lang="%lang%">
  <head>
    {%metas%}
    <title>%title%</title>
    <link rel="icon" type="image/svg+xml" href="/assets/favicon.svg">
    %ahead%
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

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
"""Names of area sets that are written alike in an address by everybody."""
_asked: ContextVar[tuple[str | None, str | None]] = ContextVar("asked", default=(None, None))
"""`lang` in the address and Accept-Language of the request being answered."""


_wanted: ContextVar[tuple[str, str]] = ContextVar("wanted", default=("", ""))
"""Its path, and the area set that its address names."""


class Frame:
    """Notes the language that a request asks for and puts the security headers on every answer.

    Args:
        app: what answers.
        policy: the content security policy, but for who may show a page in a frame.
        embed_origins: who may show the embeddable map.
    """

    def __init__(self, app: ASGIApp, policy: str, embed_origins: str) -> None:
        self._app = app
        self._policy = policy
        self._embed_origins = embed_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        accept = Headers(scope=scope).get("accept-language")
        _asked.set((query.get("lang", [None])[0], accept))
        _wanted.set((scope["path"], query.get("set", [""])[0]))
        framed = ancestors(scope["path"], self._embed_origins)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = f"{self._policy}; frame-ancestors {framed}"
                if headers.get("content-type", "").startswith("text/html"):
                    headers.add_vary_header("Accept-Language")
            await send(message)

        await self._app(scope, receive, guarded)


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
            "%ahead%": ahead(*_wanted.get()),
            "%lang%": lang,
            "%title%": text("title", lang),
            "%noscript%": text("script.needed", lang),
            "Loading...": text("detail.loading", lang),
        }.items():
            page = page.replace(name, value)
        return page


def ahead(path: str, area_set: str) -> str:
    """What a browser is to fetch while it still reads the scripts: the shapes of the map asked for."""
    if path not in (map_page.PATH, EMBED) or not _PLAIN.fullmatch(area_set):
        return ""
    return f'<link rel="preload" as="fetch" crossorigin href="/hub/area-sets/{area_set}/areas">'


def language(search: str | None) -> Lang:
    """The language of the page with this query string, for the browser that asks."""
    asked = parse_qs((search or "").lstrip("?")).get("lang", [None])[0]
    return choose(asked, _asked.get()[1])


def page(pathname: str | None, search: str | None, settings: DashboardSettings) -> Any:
    """The page at a path."""
    lang = language(search)
    if (pathname or "/") == map_page.PATH:
        return map_page.layout(lang, settings.tiles_url, settings.embed_origins)
    if pathname == EMBED:
        return embed_page.layout(lang, settings.tiles_url)
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
        event_hooks={"request": [named]},
    )
    alerts = watch.Alerts(Api(http))
    relay = Relay(http, on_alert=alerts.forget)
    figures = DashboardFigures(relay)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await relay.close()
        await http.aclose()
        traces.end()

    server = GuardedApp(
        guard=GUARD,
        https_s=WebSettings().https_s,
        most_bytes=LONGEST_BODY,
        title="Tsuji dashboard",
        lifespan=lifespan,
        openapi_url=None,
        telemetry=traces.of_web("/hub/live", "/assets/.*", "/_dash-component-suites/.*"),
    )
    server.state.figures = figures
    server.state.relay = relay
    server.include_router(hub.router(http, relay, Guests(settings.dashboard_streams)))
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
            map_page.layout(DEFAULT, settings.tiles_url, settings.embed_origins),
            area_page.layout(DEFAULT),
        ]
    )
    _register(dash_app, settings)
    api = Api(http)
    details = Details(api)
    map_page.register(dash_app, details)
    area_page.register(dash_app, api, details)
    server.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=6)
    server.add_middleware(KeptFiles)
    server.add_middleware(
        Frame,
        policy=content_policy(settings.tiles_url, dash_app.csp_hashes()),
        embed_origins=settings.embed_origins,
    )
    server.add_middleware(Observed, figures=figures.requests, routes=Routes(server), names=True)
    return server


def _register(dash_app: Any, settings: DashboardSettings) -> None:
    def shown(pathname: str | None, search: str | None) -> Any:
        return page(pathname, search, settings)

    dash_app.callback(
        Output(ids.PAGE, "children"), Input(ids.URL, "pathname"), State(ids.URL, "search")
    )(shown)


def serve(settings: DashboardSettings) -> None:
    """Run the dashboard until it is told to stop.

    Raises:
        ListenError: the address that is set can't be listened on.
    """
    names = ("TSUJI_DASHBOARD_HOST", "TSUJI_DASHBOARD_PORT")
    sockets = take(settings.dashboard_host, settings.dashboard_port, names)
    api_url = settings.api_url or f"http://127.0.0.1:{ApiSettings().api_port}"
    app = create_app(settings, api_url)
    allow_many()
    with served(app.state.figures):
        serving.run(
            app,
            sockets,
            forwarded_allow_ips=WebSettings().dashboard_proxies,
            log_config=None,  # ours, for all of a process
            log_level="warning",
            http=PatientProtocol,
            timeout_keep_alive=KEPT_OPEN_S,
            # A download may go on for as long as its reader likes: a stop would wait for it.
            timeout_graceful_shutdown=2,
        )
