"""What the browser may have of the data API, under the dashboard's own origin.

The page must not need to know where the API is, nor may it ask any other host: shapes, points, past
moments and the live stream come through here.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated

import httpx
import orjson
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from tsuji_dashboard.client import UnknownError, path
from tsuji_dashboard.compact import ON_MAP, DerivedState
from tsuji_dashboard.relay import Relay

KEPT_SETS = 16
"""Area sets whose shapes are kept in memory."""

IfNoneMatch = Annotated[str | None, Header()]


@dataclass(frozen=True, slots=True)
class _Kept:
    etag: str
    body: bytes
    media_type: str


class Shapes:
    """The shapes of area sets, kept here and asked for again only by their ETag.

    Args:
        http: a client whose base address is the API's.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def answer(self, area_set: str, if_none_match: str | None) -> Response:
        """The GeoJSON of an area set; what is kept serves while the API is away."""
        kept = self._kept.get(area_set)
        headers = {"If-None-Match": kept.etag} if kept else {}
        try:
            where = path("area-sets", area_set, "areas")
            found = await self._http.get(where, headers=headers, timeout=30.0)
        except UnknownError as error:
            return unknown(error)
        except httpx.HTTPError as error:
            if kept is None:
                return away(error)
        else:
            if found.status_code == httpx.codes.OK:
                kept = _Kept(
                    found.headers.get("etag", ""),
                    found.content,
                    found.headers.get("content-type", "application/geo+json"),
                )
                self._keep(area_set, kept)
            elif found.status_code != httpx.codes.NOT_MODIFIED and (
                kept is None or found.status_code == httpx.codes.NOT_FOUND
            ):
                return _passed(found)
        assert kept is not None  # noqa: S101 - every way without it has returned
        answer_headers = {"Cache-Control": "no-cache"}
        if kept.etag:
            answer_headers["ETag"] = kept.etag
        if kept.etag and kept.etag in (if_none_match or ""):
            return Response(status_code=304, headers=answer_headers)
        return Response(kept.body, media_type=kept.media_type, headers=answer_headers)

    def _keep(self, area_set: str, kept: _Kept) -> None:
        self._kept[area_set] = kept
        self._kept.move_to_end(area_set)
        while len(self._kept) > KEPT_SETS:
            self._kept.popitem(last=False)


def away(error: Exception) -> Response:
    """The problem document that says that the API can't be reached."""
    return JSONResponse(
        {
            "type": "about:blank",
            "title": "The data API can't be reached",
            "status": 502,
            "detail": f"{type(error).__name__}; try again in a few seconds.",
        },
        status_code=502,
        media_type="application/problem+json",
    )


def unknown(error: UnknownError) -> Response:
    """The problem document that says that there is no such thing."""
    return JSONResponse(
        {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": f"there is nothing under {str(error)!r:.80}",
        },
        status_code=404,
        media_type="application/problem+json",
    )


def _passed(found: httpx.Response) -> Response:
    return Response(
        found.content,
        status_code=found.status_code,
        media_type=found.headers.get("content-type", "application/json"),
        headers={"Cache-Control": "no-store"},
    )


async def passed_on(
    http: httpx.AsyncClient, where: str, params: dict[str, str] | None = None
) -> Response:
    """One answer of the API as it came."""
    try:
        return _passed(await http.get(where, params=params or {}))
    except httpx.HTTPError as error:
        return away(error)


def router(http: httpx.AsyncClient, relay: Relay) -> APIRouter:
    """The routes under `/hub`."""
    routes = APIRouter(prefix="/hub")
    shapes = Shapes(http)

    @routes.get("/area-sets")
    async def area_sets() -> Response:
        return await passed_on(http, "/v1/area-sets")

    @routes.get("/things.geojson")
    async def things() -> Response:
        return await passed_on(http, "/v1/things.geojson")

    @routes.get("/area-sets/{area_set}/areas")
    async def areas(area_set: str, if_none_match: IfNoneMatch = None) -> Response:
        return await shapes.answer(area_set, if_none_match)

    @routes.get("/area-sets/{area_set}/snapshot")
    async def snapshot(area_set: str, at: Annotated[str, Query(max_length=40)]) -> Response:
        try:
            where = path("area-sets", area_set, "snapshot")
        except UnknownError as error:
            return unknown(error)
        return await passed_on(http, where, {"at": at, "things": "true"})

    @routes.get("/area-sets/{area_set}/derived")
    async def derived(area_set: str, at: Annotated[str, Query(max_length=40)]) -> Response:
        try:
            where = path("area-sets", area_set, "derived")
            found = await http.get(where, params={"at": at, "figures": ",".join(ON_MAP)})
            if found.status_code != httpx.codes.OK:
                return _passed(found)
            body = DerivedState().take(orjson.loads(found.content))
        except UnknownError as error:
            return unknown(error)
        except (httpx.HTTPError, ValueError) as error:
            return away(error)
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})

    @routes.get("/live")
    async def live(area_set: Annotated[str, Query(max_length=200)]) -> Response:
        channel = relay.open(area_set)
        if channel is None:
            return Response(status_code=503, headers={"Retry-After": "30"})
        return EventSourceResponse(
            relay.watch(channel),
            ping=10,
            # An event, not a comment: the page can then tell a quiet city from a dead connection.
            ping_message_factory=lambda: ServerSentEvent(event="beat", data="{}"),
            send_timeout=20,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes
