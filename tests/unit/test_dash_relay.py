import asyncio
import json
import logging
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

from tsuji_dashboard import hub
from tsuji_dashboard.fanout import GZIP_HEAD, WAITING_EVENTS, LiveResponse, Packet, Viewer
from tsuji_dashboard.guests import Guests
from tsuji_dashboard.hub import KEPT_MOMENTS
from tsuji_dashboard.live_state import AreaState, Changes, HubClock
from tsuji_dashboard.relay import CHANNELS, Relay, frame
from tsuji_platform.connections import PatientProtocol


def event(**body: object) -> bytes:
    return json.dumps(body).encode()


def areas(state: AreaState) -> dict[str, object]:
    known = json.loads(state.snapshot() or b"{}")
    return {area["code"]: area["figures"] for area in known["areas"]}


def test_changes_are_merged_so_that_newcomers_see_the_whole():
    state = AreaState()
    assert state.snapshot() is None
    state.take(
        "snapshot",
        event(
            area_set="m",
            time="2026-04-01T00:00:00Z",
            areas=[{"code": "a", "figures": {"x": 1}}, {"code": "b", "figures": {"x": 2}}],
            things=[{"id": "t", "state": "live"}],
        ),
    )
    state.take(
        "change",
        event(
            area_set="m",
            time="2026-04-01T00:00:01Z",
            areas=[{"code": "b", "figures": {}}, {"code": "c", "figures": {"x": 3}}],
            things=[{"id": "t", "state": "silent"}],
        ),
    )
    assert areas(state) == {"a": {"x": 1}, "c": {"x": 3}}
    known = json.loads(state.snapshot() or b"")
    assert known["things"] == [{"id": "t", "state": "silent"}]
    assert known["time"] == "2026-04-01T00:00:01Z"


def test_a_new_snapshot_forgets_what_was_before():
    state = AreaState()
    state.take("snapshot", event(areas=[{"code": "a", "figures": {"x": 1}}], things=[]))
    state.take("snapshot", event(areas=[], things=[]))
    assert areas(state) == {}


def test_changes_that_are_told_together_say_of_each_the_newest():
    state, changes = AreaState(), Changes()
    assert changes.hand_over() is None
    for number, figures in enumerate(({"x": 1}, {"x": 2}, {})):
        told = event(
            time=f"2026-04-01T00:00:0{number}Z",
            areas=[{"code": "a", "figures": figures}, {"code": f"b{number}", "figures": {}}],
            things=[{"id": "t", "state": f"{number}"}],
        )
        changes.take(state.take("change", told))
    body = json.loads(changes.hand_over() or b"")
    assert body["time"] == "2026-04-01T00:00:02Z"
    assert [area["code"] for area in body["areas"]] == ["a", "b0", "b1", "b2"]
    assert body["areas"][0]["figures"] == {}
    assert body["things"] == [{"id": "t", "state": "2"}]
    assert changes.hand_over() is None


def test_what_is_compressed_once_is_whole_for_whoever_comes_in_between():
    packets = [Packet(frame("change", str(i).encode() * 50)) for i in range(5)]
    for first in range(5):
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress
        got = unpack(GZIP_HEAD) + b"".join(unpack(it.packed) for it in packets[first:])
        assert got == b"".join(it.plain for it in packets[first:])


@pytest.mark.parametrize("data", [b"[]", b"nonsense", b'{"areas": [{}]}', b'{"things": 3}'])
def test_nonsense_from_upstream_is_an_error_that_the_relay_survives(data):
    with pytest.raises(ValueError, match=r"."):
        AreaState().take("change", data)


def test_frames_keep_line_breaks_inside_data():
    assert frame("change", b"a\nb") == b"event: change\ndata: a\ndata: b\n\n"


def test_a_viewer_that_reads_too_slowly_is_let_go():
    async def scenario() -> list[Packet]:
        viewer = Viewer()
        for i in range(WAITING_EVENTS + 10):
            viewer.give(Packet(str(i).encode()))
        assert viewer.gone
        return [packet async for packet in viewer.packets()]

    assert asyncio.run(scenario()) == []


# --- against an API that knows one area set -----------------------------------------------------


async def _api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = await reader.readuntil(b"\r\n\r\n")
    if b"area_set=known " in request:
        snapshot = frame("snapshot", event(areas=[], things=[], time="2026-04-01T00:00:00Z"))
        beat = frame("heartbeat", event(time="2026-04-01T00:09:00Z"))
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + snapshot + beat
        )
        await writer.drain()
        await reader.read()  # until the relay goes away
    elif b"area_set=busy " in request:
        beat = frame("heartbeat", event(time="2026-04-01T01:00:00Z"))
        change = frame("change", event(areas=[], things=[], time="2026-04-01T00:00:05Z"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + beat + change)
        await writer.drain()
        await reader.read()
    elif b"area_set=slow" in request:
        await reader.read()
    else:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    writer.close()


@asynccontextmanager
async def _relay() -> AsyncIterator[Relay]:
    server = await asyncio.start_server(_api, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits) as http:
        relay = Relay(http)
        try:
            yield relay
        finally:
            await relay.close()
            server.close()


def with_relay(scenario: Callable[[Relay], Awaitable[None]]) -> None:
    async def run() -> None:
        async with _relay() as relay, asyncio.timeout(240):
            await scenario(relay)

    with (
        pytest.MonkeyPatch.context() as patch
    ):  # what is idle is looked at, however long that takes
        patch.setattr("tsuji_dashboard.relay.IDLE_S", 600.0)
        asyncio.run(run())


async def frames_until(relay: Relay, area_set: str, wanted: bytes | None) -> list[bytes]:
    """What a viewer gets until one frame holds `wanted`, or to the end; then it goes away."""
    channel = relay.open(area_set)
    assert channel is not None
    got = []
    async with aclosing(relay.watch(channel, Viewer())) as stream:
        async for packet in stream:
            got.append(packet.plain)
            if wanted is not None and wanted in packet.plain:
                break
    return got


def test_an_area_set_that_the_api_does_not_know_ends_and_holds_no_place() -> None:
    async def scenario(relay: Relay) -> None:
        got = await frames_until(relay, "made-up", None)
        assert got[-1] == frame("state", b'{"api":"unknown"}')
        assert relay.channels == 0

    with_relay(scenario)


def test_who_comes_long_after_the_newest_change_is_told_what_time_it_is() -> None:
    async def scenario(relay: Relay) -> None:
        # Who is there before the hub has told it hears of it then, who comes later at once.
        first = (await frames_until(relay, "known", b'"time":"2026-04-01T00:09:'))[-1]
        later = (await frames_until(relay, "known", b"event: state"))[-1]
        for told in first, later:
            assert told.startswith(b"event: state\n")
            time = datetime.fromisoformat(json.loads(told.split(b"data: ")[1])["time"])
            assert time >= datetime(2026, 4, 1, 0, 9, tzinfo=UTC)

    with_relay(scenario)


def test_a_clock_of_the_hub_that_is_put_right_is_followed_where_there_is_always_news() -> None:
    async def scenario(relay: Relay) -> None:
        await frames_until(relay, "busy", b"event: change")  # and a heartbeat an hour ahead before
        told = (await frames_until(relay, "busy", b"event: state"))[-1]
        time = datetime.fromisoformat(json.loads(told.split(b"data: ")[1])["time"])
        assert time < datetime(2026, 4, 1, 0, 55, tzinfo=UTC)

    with_relay(scenario)


@pytest.mark.parametrize("data", [b"[]", b"nonsense", b"{}", b'{"time": 3}', b'{"time": "x"}'])
def test_a_heartbeat_that_tells_no_time_is_passed_over(data: bytes) -> None:
    clock = HubClock()
    clock.take(data)
    assert clock.now() == {}


def test_made_up_names_shut_nobody_out() -> None:
    async def scenario(relay: Relay) -> None:
        viewers = [frames_until(relay, f"made-up-{i}", None) for i in range(CHANNELS)]
        await asyncio.gather(*viewers)
        assert (await frames_until(relay, "known", b"snapshot"))[-1].startswith(b"event: snapshot")
        for i in range(CHANNELS):  # who goes away at once, before the API answered
            await frames_until(relay, f"made-up-{i}", b"retry")
        assert relay.channels == 1

    with_relay(scenario)


def test_places_are_taken_when_they_are_given_and_idle_ones_make_room() -> None:
    async def scenario(relay: Relay) -> None:
        await frames_until(relay, "known", b"snapshot")
        assert relay.channels == 1  # a reload finds the state still there
        opened = [relay.open(f"slow-{i}") for i in range(CHANNELS)]
        watched = [relay.watch(channel, Viewer()) for channel in opened if channel is not None]
        assert len(watched) == relay.channels == CHANNELS
        assert relay.open("slow-0") is opened[0]
        for stream in watched:
            await anext(stream)
        assert relay.open("known") is None
        await watched.pop().aclose()
        assert relay.open("known") is not None
        for stream in watched:
            await stream.aclose()

    with_relay(scenario)


SNAPSHOT: dict[str, object] = {"time": "2026-04-01T00:00:00Z", "areas": [], "things": []}
DERIVED: dict[str, object] = {"time": "2026-04-01T00:00:00Z", "areas": []}

# --- who may hold how many ----------------------------------------------------------------------


def test_an_address_has_so_many_streams_and_each_that_ends_makes_room() -> None:
    guests = Guests(2)
    assert [guests.enter(it) for it in ("a", "a", "a", "b")] == [True, True, False, True]
    guests.leave("a")
    assert guests.enter("a")
    free = Guests(0)
    assert all(free.enter("a") for _ in range(5_000))


def test_one_more_than_an_address_may_have_is_told_when_to_come_again() -> None:
    guests = Guests(1)
    assert guests.enter("2001:db8:1:2::/64")
    http = httpx.AsyncClient(base_url="http://127.0.0.1:9")
    app = FastAPI()
    app.include_router(hub.router(http, Relay(http), guests))
    with TestClient(app, client=("2001:db8:1:2:aaaa::7", 50_000)) as client:
        answer = client.get("/hub/live", params={"area_set": "m"})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "30"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("1 live streams are open from your address")
    assert "TSUJI_DASHBOARD_STREAMS" in answer.json()["detail"]


@pytest.mark.parametrize(("what", "body"), [("snapshot", SNAPSHOT), ("derived", DERIVED)])
def test_a_moment_that_many_ask_about_at_once_is_asked_for_once(
    what: str, body: dict[str, object]
) -> None:
    asked: list[str] = []
    api = FastAPI()

    @api.get("/v1/area-sets/{area_set}/{kind}")
    async def answer(area_set: str, kind: str, at: str) -> dict[str, object]:
        asked.append(f"{area_set}/{kind}@{at}")
        await asyncio.sleep(0.01)
        if at == "never":
            raise HTTPException(400)
        return body

    async def scenario() -> None:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(api), base_url="http://api"
        ) as http:
            app = FastAPI()
            app.include_router(hub.router(http, Relay(http), Guests(0)))
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://hub"
            ) as maps:
                where = f"/hub/area-sets/m/{what}"

                async def look(at: str) -> httpx.Response:
                    return await maps.get(where, params={"at": at})

                found = await asyncio.gather(*(look("a") for _ in range(20)), look("b"))
                assert {it.status_code for it in found} == {200}
                assert len({it.content for it in found}) == 1
                assert sorted(asked) == [f"m/{what}@a", f"m/{what}@b"]
                for _ in range(2):  # what is no success is asked for anew
                    assert (await look("never")).status_code == 400
                assert len(asked) == 4
                await asyncio.gather(*(look(f"{i}") for i in range(KEPT_MOMENTS)))
                await look("a")  # kept no longer
                assert asked.count(f"m/{what}@a") == 2

    asyncio.run(scenario())


def test_who_takes_nothing_is_let_go_in_silence_and_leaves_a_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        viewer, ended = Viewer(), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            response = LiveResponse(viewer, viewer.packets(), packed=False, on_end=ended.set)
            await response(scope, receive, send)

        listening = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=PatientProtocol, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        loop = asyncio.get_running_loop()
        reader = socket.socket()
        reader.setblocking(False)
        await loop.sock_connect(reader, listening.getsockname())
        await loop.sock_sendall(reader, b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
        while not viewer.gone:
            viewer.give(Packet(b"x" * 500_000))
            await asyncio.sleep(0)
        for _ in range(100):  # until all have heard of it
            await asyncio.sleep(0)
        assert "a viewer that took nothing was let go" in caplog.messages
        assert not ended.is_set()  # what it was sent still lies there
        reader.close()
        await ended.wait()
        server.should_exit = True
        await serving

    async def within() -> None:
        async with asyncio.timeout(240):
            await scenario()

    with caplog.at_level(logging.INFO):
        asyncio.run(within())
    assert [it.message for it in caplog.records if it.levelno > logging.INFO] == []
    assert caplog.messages.count("a viewer that took nothing was let go") == 1
