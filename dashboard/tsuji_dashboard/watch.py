"""What is wrong: alerts that are on and that were, and the hub's health, for all who look at once."""

import asyncio
import time
from collections import OrderedDict
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from tsuji_dashboard.client import Api, ApiAwayError, UnknownError
from tsuji_dashboard.hub import away, passed_on

_ON = 500
_ENDED = 50
_FRESH_S = 2.0
_KEPT = 32

At = Annotated[str | None, Query(max_length=40, description="a past moment, RFC 3339")]


def _small(alert: dict[str, Any]) -> dict[str, Any]:
    """An alert without its whole rule: only what its values are of."""
    rule = alert["definition"]
    kept = {key: value for key, value in alert.items() if key != "definition"}
    return {**kept, "of": rule.get("figure") or rule.get("observed_property")}


class Alerts:
    """Alerts as of now or of a moment, asked for once for everybody who asks within two seconds.

    Args:
        api: the data API.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._kept: OrderedDict[str | None, tuple[float, asyncio.Task[dict[str, Any]]]] = (
            OrderedDict()
        )

    def forget(self) -> None:
        """There is news: whoever asks about now from here on is to have it."""
        self._kept.pop(None, None)

    async def of(self, at: str | None) -> dict[str, Any]:
        """Those that are on, and the newest that have ended."""
        until, asked = self._kept.get(at, (0.0, None))
        if asked is None or time.monotonic() > until:
            asked = asyncio.create_task(self._ask(at))
            self._kept[at] = (time.monotonic() + _FRESH_S, asked)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return await asyncio.shield(asked)

    async def _ask(self, at: str | None) -> dict[str, Any]:
        if at is None:
            on, ended = await asyncio.gather(
                self._api.get("/v1/alerts", {"state": "on", "limit": f"{_ON}"}),
                self._api.get("/v1/alerts", {"state": "ended", "limit": f"{_ENDED}"}),
            )
            return _told(on["items"], ended["items"])
        on, begun = await asyncio.gather(
            self._api.get("/v1/alerts", {"start": at, "end": at, "limit": f"{_ON}"}),
            self._api.get("/v1/alerts", {"end": at, "limit": f"{_ENDED}"}),
        )
        known = {it["id"] for it in on["items"]}
        return _told(on["items"], [it for it in begun["items"] if it["id"] not in known])


def _told(on: list[dict[str, Any]], ended: list[dict[str, Any]]) -> dict[str, Any]:
    return {"on": [_small(it) for it in on], "ended": [_small(it) for it in ended]}


def router(http: httpx.AsyncClient, kept: Alerts) -> APIRouter:
    """The routes that panels of alerts and of the data's health ask."""
    routes = APIRouter(prefix="/hub")

    @routes.get("/alerts")
    async def alerts(at: At = None) -> Response:
        try:
            found = await kept.of(at)
        except (ApiAwayError, UnknownError) as error:
            return away(error)
        return JSONResponse(found, headers={"Cache-Control": "no-store"})

    @routes.get("/health")
    async def health() -> Response:
        return await passed_on(http, "/v1/health")

    @routes.get("/rejected")
    async def rejected() -> Response:
        return await passed_on(http, "/v1/rejected", {"limit": "500"})

    @routes.get("/quality")
    async def quality() -> Response:
        return await passed_on(http, "/v1/quality")

    return routes
