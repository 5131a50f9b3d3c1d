"""The layers of open data: a dataset's places as browsers need them, kept here by the day of their import."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import orjson
from fastapi import APIRouter, Query, Response

from tsuji_dashboard.client import UnknownError, path
from tsuji_dashboard.hub import away, passed_on, unknown

MOST = 20_000
"""Places of one dataset that a browser gets; the answer says whether there are more."""
_PAGE = 5_000
_KEPT = 8

Stamp = Annotated[str, Query(max_length=40, description="when the dataset was imported")]


@dataclass(frozen=True, slots=True)
class _Key:
    dataset: str
    stamp: str


class Places:
    """Datasets' places, each asked for once per import.

    Args:
        http: a client whose base address is the API's.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()

    async def answer(self, dataset: str, stamp: str) -> Response:
        """All places of a dataset that have a position."""
        key = _Key(dataset, stamp)
        body = self._kept.get(key)
        if body is None:
            try:
                body = orjson.dumps(await self._all(dataset))
            except UnknownError as error:
                return unknown(error)
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                return away(error)
            self._kept[key] = body
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        headers = {"Cache-Control": "public, max-age=3600"}
        return Response(body, media_type="application/json", headers=headers)

    async def _all(self, dataset: str) -> dict[str, Any]:
        where, after = path("datasets", dataset, "features.geojson"), 0
        found: list[dict[str, Any]] = []
        while True:
            asked = {"limit": f"{_PAGE}", "after": f"{after}"}
            answer = await self._http.get(where, params=asked, timeout=30.0)
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise UnknownError(where)
            page = orjson.loads(answer.raise_for_status().content)
            features = page["features"]
            found += [_small(it) for it in features if it.get("geometry")]
            if not page["next"] or not features or len(found) >= MOST:
                break
            after = features[-1]["properties"]["number"]
        return {"dataset": page["dataset"], "more": bool(page["next"]), "places": found[:MOST]}


def _small(feature: Mapping[str, Any]) -> dict[str, Any]:
    told = feature["properties"]
    small = {
        "number": told["number"],
        "name": told["name"],
        "name_en": told["name_en"],
        "address": told["address"],
        "capacity": told["capacity"],
        "flags": told["flags"],
        "at": feature["geometry"]["coordinates"],
    }
    return {key: value for key, value in small.items() if value not in (None, "", [])}


def router(http: httpx.AsyncClient) -> APIRouter:
    """The routes under `/hub/datasets`."""
    routes = APIRouter(prefix="/hub/datasets")
    kept = Places(http)

    @routes.get("")
    async def datasets() -> Response:
        return await passed_on(http, "/v1/datasets")

    @routes.get("/{dataset}/places")
    async def places(dataset: str, stamp: Stamp = "") -> Response:
        return await kept.answer(dataset, stamp)

    @routes.get("/{dataset}/features/{number}")
    async def one(dataset: str, number: int) -> Response:
        """One row with all that its publisher says of it."""
        try:
            where = path("datasets", dataset, "features")
        except UnknownError as error:
            return unknown(error)
        return await passed_on(http, where, {"after": f"{number - 1}", "limit": "1"})

    return routes
