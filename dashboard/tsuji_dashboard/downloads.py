"""What the page of an area shows, to take away as CSV."""

import asyncio
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from tsuji_dashboard.area_data import BESIDE, Asked, as_csv, heat_csv, heat_of, span
from tsuji_dashboard.client import Api, ApiAwayError, Series, UnknownError
from tsuji_dashboard.hub import away, unknown
from tsuji_platform.analytics.quarters import TOKYO

At = Annotated[str | None, Query(max_length=40, description="a past moment, RFC 3339")]
Range = Annotated[str, Query(max_length=10, description="24h, 7d or 30d")]


def router(api: Api) -> APIRouter:
    """The routes under `/hub/area`."""
    routes = APIRouter(prefix="/hub/area")

    @routes.get("/{area_set}/{code}/history.csv")
    async def history(area_set: str, code: str, at: At = None, range: Range = "24h") -> Response:  # noqa: A002
        asked = Asked.read({"set": area_set, "area": code, "at": at, "range": range})
        try:
            if asked is None:
                raise UnknownError(code)
            where = (asked.area_set, asked.code)
            found: list[Series] = await asyncio.gather(
                *(span(api, where, key, asked) for key in BESIDE)
            )
        except UnknownError as error:
            return unknown(error)
        except ApiAwayError as error:
            return away(error)
        named = _named(asked, f"history-{asked.range}")
        return _file(as_csv(dict(zip(BESIDE, found, strict=True))), named)

    @routes.get("/{area_set}/{code}/weekday-hour.csv")
    async def weekdays(area_set: str, code: str, at: At = None) -> Response:
        asked = Asked.read({"set": area_set, "area": code, "at": at})
        try:
            if asked is None:
                raise UnknownError(code)
            found = await heat_of(api, asked)
        except UnknownError as error:
            return unknown(error)
        except ApiAwayError as error:
            return away(error)
        return _file(heat_csv(found), _named(asked, "weekday-hour"))

    return routes


def _named(asked: Asked, what: str) -> str:
    """Area, figure and Tokyo's moment, as the pictures beside it are called."""
    return (
        f"tsuji-{asked.area_set}-{asked.code}-{what}-{asked.end.astimezone(TOKYO):%Y%m%d-%H%M}.csv"
    )


def _file(body: str, name: str) -> Response:
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "Cache-Control": "no-store",
    }
    return Response(body, media_type="text/csv; charset=utf-8", headers=headers)
