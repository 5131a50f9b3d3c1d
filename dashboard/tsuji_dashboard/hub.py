"""What the browser may have of the data API, under the dashboard's own origin.

The page must not need to know where the API is, nor may it ask any other host: shapes, points, past
moments and the live stream come through here.
"""

import asyncio
import gzip
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import httpx
import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from tsuji_dashboard.client import UnknownError, path
from tsuji_dashboard.compact import ON_MAP, DerivedState
from tsuji_dashboard.fanout import LiveResponse, Viewer
from tsuji_dashboard.guests import Guests
from tsuji_dashboard.relay import Relay
from tsuji_platform.visitors import address_of

SHARED_S = 2.0
"""How long one answer serves all."""
AGAIN_S = 30
"""When to come again for a live stream where there is no room for one."""
KEPT_MOMENTS = 16
"""Answers about moments that are shared: of thousands of areas each is a megabyte."""
KEPT_SETS = 16
"""Area sets whose shapes are kept in memory, as they are and compressed."""
_LEVEL = 6

IfNoneMatch = Annotated[str | None, Header()]
AcceptEncoding = Annotated[str | None, Header()]


@dataclass(frozen=True, slots=True)
class _Kept:
    etag: str
    body: bytes
    packed: bytes
    media_type: str


class Shapes:
    """The shapes of area sets, kept here and asked for again only by their ETag.

    Args:
        http: a client whose base address is the API's.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def answer(
        self, area_set: str, if_none_match: str | None, accept_encoding: str | None
    ) -> Response:
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
                    await asyncio.to_thread(gzip.compress, found.content, _LEVEL),
                    found.headers.get("content-type", "application/geo+json"),
                )
                self._keep(area_set, kept)
            elif found.status_code != httpx.codes.NOT_MODIFIED and (
                kept is None or found.status_code == httpx.codes.NOT_FOUND
            ):
                return _passed(found)
        assert kept is not None  # noqa: S101 - every way without it has returned
        answer_headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if kept.etag:
            answer_headers["ETag"] = kept.etag
        if kept.etag and kept.etag in (if_none_match or ""):
            return Response(status_code=304, headers=answer_headers)
        if "gzip" in (accept_encoding or ""):
            answer_headers["Content-Encoding"] = "gzip"
            return Response(kept.packed, media_type=kept.media_type, headers=answer_headers)
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


class Shared:
    """One answer of the API for all who ask within two seconds: hundreds of open maps look now and then.

    Args:
        http: a client whose base address is the API's.
        where: what is asked for.
        params: of the question.
        shape: makes of the body of a success what all get.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        where: str,
        params: Mapping[str, str] | None = None,
        shape: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._http = http
        self._where = where
        self._params = dict(params or {})
        self._shape = shape
        self._until = 0.0
        self._asked: asyncio.Task[httpx.Response] | None = None

    async def answer(self) -> Response:
        """The answer as it came; one that is no success is for those only who wait for it."""
        asked = self._asked
        if asked is None or (asked.done() and time.monotonic() > self._until):
            asked = self._asked = asyncio.create_task(self._ask())
            self._until = time.monotonic() + SHARED_S
        try:
            found = await asyncio.shield(asked)
        except (httpx.HTTPError, ValueError) as error:
            self._until = 0.0
            return away(error)
        if found.status_code != httpx.codes.OK:
            self._until = 0.0
        return _passed(found)

    async def _ask(self) -> httpx.Response:
        found = await self._http.get(self._where, params=self._params)
        if self._shape is None or found.status_code != httpx.codes.OK:
            return found
        headers = {"Content-Type": "application/json"}
        return httpx.Response(200, headers=headers, content=self._shape(found.content))


class Moments:
    """What was at a moment, for all who ask about the same one within two seconds.

    Args:
        http: a client whose base address is the API's.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._kept: OrderedDict[tuple[str, str], Shared] = OrderedDict()

    async def answer(
        self, where: str, params: Mapping[str, str], shape: Callable[[bytes], bytes] | None = None
    ) -> Response:
        """The answer to a question that is made of `where` and its parameter `at` alone."""
        key = where, params["at"]
        if key not in self._kept:
            self._kept[key] = Shared(self._http, where, params, shape)
        shared = self._kept[key]
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_MOMENTS:
            self._kept.popitem(last=False)
        return await shared.answer()


def _compact(body: bytes) -> bytes:
    return DerivedState().take(orjson.loads(body))


def _full(most: int) -> Response:
    """The problem document for an address that has all the live streams that it may have."""
    return JSONResponse(
        {
            "type": "about:blank",
            "title": "Too Many Requests",
            "status": 429,
            "detail": f"{most} live streams are open from your address, as many as one address may have: "
            "close some maps, or ask the hub's operators for a higher TSUJI_DASHBOARD_STREAMS",
        },
        status_code=429,
        media_type="application/problem+json",
        headers={"Retry-After": f"{AGAIN_S}"},
    )


def router(http: httpx.AsyncClient, relay: Relay, guests: Guests) -> APIRouter:
    """The routes under `/hub`."""
    routes = APIRouter(prefix="/hub")
    shapes = Shapes(http)
    sets = Shared(http, "/v1/area-sets")
    moments = Moments(http)

    @routes.get("/area-sets")
    async def area_sets() -> Response:
        return await sets.answer()

    @routes.get("/things.geojson")
    async def things() -> Response:
        return await passed_on(http, "/v1/things.geojson")

    @routes.get("/area-sets/{area_set}/areas")
    async def areas(
        area_set: str, if_none_match: IfNoneMatch = None, accept_encoding: AcceptEncoding = None
    ) -> Response:
        return await shapes.answer(area_set, if_none_match, accept_encoding)

    @routes.get("/area-sets/{area_set}/snapshot")
    async def snapshot(area_set: str, at: Annotated[str, Query(max_length=40)]) -> Response:
        try:
            where = path("area-sets", area_set, "snapshot")
        except UnknownError as error:
            return unknown(error)
        return await moments.answer(where, {"at": at, "things": "true"})

    @routes.get("/area-sets/{area_set}/derived")
    async def derived(area_set: str, at: Annotated[str, Query(max_length=40)]) -> Response:
        try:
            where = path("area-sets", area_set, "derived")
        except UnknownError as error:
            return unknown(error)
        return await moments.answer(where, {"at": at, "figures": ",".join(ON_MAP)}, _compact)

    @routes.get("/live")
    async def live(
        request: Request,
        area_set: Annotated[str, Query(max_length=200)],
        accept_encoding: AcceptEncoding = None,
    ) -> Response:
        address = address_of(request.scope)
        if not guests.enter(address):
            return _full(guests.most)
        channel = relay.open(area_set)
        if channel is None:
            guests.leave(address)
            return Response(status_code=503, headers={"Retry-After": f"{AGAIN_S}"})
        viewer = Viewer()
        return LiveResponse(
            viewer,
            relay.watch(channel, viewer),
            packed="gzip" in (accept_encoding or ""),
            on_end=lambda: guests.leave(address),
        )

    return routes
