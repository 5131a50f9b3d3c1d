import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import httpx
import pytest

from tsuji_dashboard.relay import CHANNELS, WAITING_EVENTS, AreaState, Relay, Viewer, frame


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


@pytest.mark.parametrize("data", [b"[]", b"nonsense", b'{"areas": [{}]}', b'{"things": 3}'])
def test_nonsense_from_upstream_is_an_error_that_the_relay_survives(data):
    with pytest.raises(ValueError, match=r"."):
        AreaState().take("change", data)


def test_frames_keep_line_breaks_inside_data():
    assert frame("change", b"a\nb") == b"event: change\ndata: a\ndata: b\n\n"


def test_a_viewer_that_reads_too_slowly_is_let_go():
    async def scenario() -> list[bytes]:
        viewer = Viewer()
        for i in range(WAITING_EVENTS + 10):
            viewer.give(str(i).encode())
        assert viewer.gone
        return [packet async for packet in viewer.frames()]

    assert asyncio.run(scenario()) == []


# --- against an API that knows one area set -----------------------------------------------------


async def _api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    request = await reader.readuntil(b"\r\n\r\n")
    if b"area_set=known " in request:
        snapshot = frame("snapshot", event(areas=[], things=[]))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + snapshot)
        await writer.drain()
        await reader.read()  # until the relay goes away
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
        async with _relay() as relay, asyncio.timeout(20):
            await scenario(relay)

    asyncio.run(run())


async def frames_until(relay: Relay, area_set: str, wanted: bytes | None) -> list[bytes]:
    """What a viewer gets until one frame holds `wanted`, or to the end; then it goes away."""
    channel = relay.open(area_set)
    assert channel is not None
    got = []
    async with aclosing(relay.watch(channel)) as stream:
        async for packet in stream:
            got.append(packet)
            if wanted is not None and wanted in packet:
                break
    return got


def test_an_area_set_that_the_api_does_not_know_ends_and_holds_no_place() -> None:
    async def scenario(relay: Relay) -> None:
        got = await frames_until(relay, "made-up", None)
        assert got[-1] == frame("state", b'{"api":"unknown"}')
        assert relay.channels == 0

    with_relay(scenario)


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
        watched = [relay.watch(channel) for channel in opened if channel is not None]
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
