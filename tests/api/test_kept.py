"""Answers about now that are handed to all who ask the same within a short time."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from samples import after, message
from tsuji_platform.analytics.suppression import Gate
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.kept import Kept
from tsuji_platform.api.rates import Doors
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.settings import ApiSettings, SharedSecretSettings
from tsuji_platform.store import Database
from tsuji_platform.store.keys import Keys
from tsuji_platform.store.writer import Writer

_SNAPSHOT = "/v1/area-sets/squares/snapshot"


def test_a_snapshot_is_made_once_and_by_what_was_asked_for(
    city: Database, clock, writer: Writer
) -> None:
    with TestClient(create_app(Hub(city, clock), kept_s=60)) as client:

        def temperature(address: str) -> float:
            areas = {one["code"]: one for one in client.get(address).json()["areas"]}
            return areas["W"]["figures"]["air_temperature"]["value"]

        before = temperature(_SNAPSHOT)
        writer.save([message("pole-1", after(hours=3), air_temperature=-40)])
        assert temperature(_SNAPSHOT) == before
        assert temperature(f"{_SNAPSHOT}?things=true") < before
        assert client.get(_SNAPSHOT, headers={"Accept-Encoding": "identity"}).status_code == 200
        refused = client.get("/v1/area-sets/none/snapshot")
        assert refused.status_code == 404
        assert client.head(_SNAPSHOT).content == b""


def test_what_a_key_opens_is_kept_for_no_one_else_and_the_dashboard_is_told_the_newest(
    city: Database, clock, writer: Writer
) -> None:
    doors = Doors.of(city, ApiSettings(), SharedSecretSettings(dashboard_key="of-the-dashboard"))
    hub = Hub(city, clock, gate=Gate(1_000))
    key = {"Authorization": f"Bearer {Keys(city).create('office', [Scope.COUNTS])}"}
    with TestClient(create_app(hub, doors, kept_s=60)) as client:

        def figures(**headers: str) -> dict[str, dict[str, object]]:
            areas = client.get(_SNAPSHOT, headers=headers).json()["areas"]
            return next(one["figures"] for one in areas if one["code"] == "W")

        assert figures(**key)["footfall"]["value"] == 40
        withheld = figures()
        assert withheld.get("footfall", {}).get("value") is None
        assert figures(**key)["footfall"]["value"] == 40
        dashboard = {"Authorization": "Bearer of-the-dashboard"}
        before = figures(**dashboard)["air_temperature"]
        writer.save([message("pole-1", after(hours=3), air_temperature=-40)])
        assert figures(**dashboard)["air_temperature"] != before
        assert figures() == withheld


class _Source:
    """Something that is asked for, and counts how often it was made."""

    def __init__(self) -> None:
        self.made = 0
        self.status = 200
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.time = 0.0

    async def answer(self, request: Request) -> PlainTextResponse:
        self.made += 1
        made = self.made
        self.begun.set()
        await self.open.wait()
        accepted = ",".join(request.headers.getlist("accept"))
        headers = {"ETag": f'W/"{made}"', "Content-Encoding": "identity"}
        return PlainTextResponse(f"{made} {accepted}", self.status, headers=headers)

    def client(self) -> httpx.AsyncClient:
        routes = [Route(path, self.answer) for path in ("/v1/latest", "/v1/health")]
        app = Kept(Starlette(routes=routes), 1, lambda: self.time)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub")


@pytest.fixture
def asked() -> Callable[[Callable[[_Source, httpx.AsyncClient], Awaitable[None]]], None]:
    def run(story: Callable[[_Source, httpx.AsyncClient], Awaitable[None]]) -> None:
        async def told() -> None:
            source = _Source()
            async with source.client() as client:
                await story(source, client)

        asyncio.run(told())

    return run


def test_it_is_made_anew_after_its_time_while_the_old_one_is_handed_out_for_as_long_again(
    asked,
) -> None:
    async def story(source: _Source, client: httpx.AsyncClient) -> None:
        async def at(time: float) -> str:
            source.time = time
            return (await client.get("/v1/latest")).text[0]

        assert [await at(time) for time in (0.0, 0.9)] == ["1", "1"]
        source.open.clear()
        assert [await at(time) for time in (1.0, 1.9)] == ["1", "1"]
        late = asyncio.create_task(at(2.0))
        source.open.set()
        assert await late == "2"
        assert await at(4.5) == "3"
        assert (await client.get("/v1/health")).text[0] == "4"
        assert (await client.get("/v1/health")).text[0] == "5"

    asked(story)


def test_who_asks_meanwhile_waits_for_the_same_though_the_first_goes_away(asked) -> None:
    async def story(source: _Source, client: httpx.AsyncClient) -> None:
        source.open.clear()
        waiting = [asyncio.create_task(client.get("/v1/latest")) for _ in range(20)]
        await source.begun.wait()
        waiting[0].cancel()
        source.open.set()
        _, *answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert {one.text[0] for one in answers} == {"1"}
        assert source.made == 1

    asked(story)


def test_what_another_takes_is_another_answer_however_the_headers_are_written(asked) -> None:
    async def story(source: _Source, client: httpx.AsyncClient) -> None:
        one = [("Accept", "text/csv"), ("Accept", "application/json")]
        assert "text/csv" in (await client.get("/v1/latest", headers=one)).text
        plain = await client.get("/v1/latest", headers={"Accept": "application/json"})
        assert "text/csv" not in plain.text

    asked(story)


def test_who_has_it_already_is_told_so_and_leaves_it_whole_for_others(asked) -> None:
    async def story(source: _Source, client: httpx.AsyncClient) -> None:
        known = await client.get("/v1/latest", headers={"If-None-Match": 'W/"1"'})
        assert (known.status_code, known.content) == (304, b"")
        assert known.headers["ETag"] == 'W/"1"'
        assert {"content-length", "content-encoding"}.isdisjoint(known.headers)
        assert (await client.get("/v1/latest")).text[0] == "1"
        other = await client.get("/v1/latest", headers={"If-None-Match": '"0", "7"'})
        assert (other.status_code, other.text[0]) == (200, "1")

    asked(story)


def test_who_asks_at_great_length_fills_no_memory(asked) -> None:
    async def story(source: _Source, client: httpx.AsyncClient) -> None:
        for many in ({"headers": {"Accept": "*/*" + " " * 5_000}}, {"params": {"x": "y" * 5_000}}):
            made = source.made
            assert [(await client.get("/v1/latest", **many)).status_code for _ in "ab"] == [
                200,
                200,
            ]
            assert source.made == made + 2

    asked(story)


def test_failures_are_not_kept(asked) -> None:
    async def story(source: _Source, client: httpx.AsyncClient) -> None:
        source.status = 503
        assert (await client.get("/v1/latest")).status_code == 503
        source.status = 200
        assert (await client.get("/v1/latest")).text[0] == "2"

    asked(story)
