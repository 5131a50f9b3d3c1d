"""Counts and times the requests of a web service, and gives each an id by which the log knows it."""

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from secrets import token_hex

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tsuji_platform.insight import traces
from tsuji_platform.insight.logs import request_id
from tsuji_platform.raw_headers import put

_log = logging.getLogger(__name__)
_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_HELD = 2_000
NO_ROUTE = "none"
"""Under which requests are counted that no route takes: addresses are the callers' to invent."""


def id_of(scope: Scope) -> str:
    """The caller's own `X-Request-ID` where it is short and plain, otherwise a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _ID.fullmatch(given) else token_hex(16)


class Routes:
    """Tells which route of an application takes a request, as its address stands in the documentation.

    The router's own word stays in a copy of the scope where some middleware has made one, and requests that
    are refused before they reach it have none.

    Args:
        app: with all its routes by the first request.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._routes: list[tuple[re.Pattern[str], str]] | None = None
        self._known: OrderedDict[str, str] = OrderedDict()

    def of(self, path: str) -> str:
        """The route of a path, `none` where there is none."""
        found = self._known.get(path)
        if found is None:
            found = self._known[path] = self._look(path)
            while len(self._known) > _HELD:
                self._known.popitem(last=False)
        return found

    def _look(self, path: str) -> str:
        if self._routes is None:
            self._routes = [
                (one.path_regex, one.path_format or "")
                for one in iter_route_contexts(self._app.routes)
            ]
        return next((name for regex, name in self._routes if regex.match(path)), NO_ROUTE)


class RequestFigures:
    """What is counted of the requests of one service.

    Args:
        service: `api`, `dashboard`.
        registry: which knows them, where processes keep their figures to themselves.
    """

    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # for each series another one, which says when it began
        self._count = Counter(
            f"tsuji_{service}_requests",
            "Requests answered, by route and status; route `none` is what no route takes.",
            ["route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            f"tsuji_{service}_request_seconds",
            "From a request to the beginning of its answer; streams go on after that.",
            ["route"],
            buckets=_BOUNDS_S,
            registry=registry,
        )
        self._of: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def note(self, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        both = self._of.get((route, status))
        if both is None:
            both = self._count.labels(route, str(status)), self._seconds.labels(route)
            self._of[route, status] = both
        count, took = both
        count.inc()
        took.observe(seconds)


class Observed:
    """ASGI middleware before everything that answers or refuses.

    Args:
        app: what it stands before.
        figures: what is counted.
        routes: of the application.
        after: told of each request's end.
        names: whether to write `X-Request-ID` on answers here.
    """

    def __init__(
        self,
        app: ASGIApp,
        figures: RequestFigures,
        routes: Routes,
        *,
        after: Callable[[Scope], None] = lambda _: None,
        names: bool = False,
    ) -> None:
        self._app = app
        self._figures = figures
        self._routes = routes
        self._after = after
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        one = scope["request_id"] = scope.get("request_id") or id_of(scope)
        answered: list[float] = []
        status = 500

        async def timed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                answered.append(time.perf_counter() - begun)
                status = message["status"]
                if self._names:
                    put(message, ((b"x-request-id", one.encode()),))
            await send(message)

        traces.note("tsuji.request_id", one)
        token = request_id.set(one)
        try:
            await self._app(scope, receive, timed)
        finally:
            seconds = answered[0] if answered else time.perf_counter() - begun
            route = self._routes.of(scope["path"])
            self._figures.note(route, status, seconds)
            self._after(scope)
            if _log.isEnabledFor(logging.DEBUG):
                _log.debug(
                    "%s %s: %d after %.1f ms",
                    scope["method"],
                    route,
                    status,
                    seconds * 1_000,
                    extra={"route": route, "status": status, "seconds": round(seconds, 4)},
                )
            request_id.reset(token)
