"""One live stream from the API per area set, passed on to every browser that looks at it.

A thousand viewers cost the API one subscription. The state is kept here, so that a new viewer sees
the whole map at once, and so that viewers keep what was last known while the API is away. A viewer
that reads too slowly is let go: its browser comes back by itself and gets the whole state afresh.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import httpx
import httpx_sse
import orjson

from tsuji_dashboard.client import path
from tsuji_dashboard.compact import ON_MAP, DerivedState

log = logging.getLogger(__name__)

WAITING_EVENTS = 64
"""Events that may wait for one viewer before it is let go."""
IDLE_S = 30.0
"""How long a stream without viewers stays open: a reload finds the state still there."""
QUIET_S = 16.0
"""An API that sends nothing for this long, not even its heartbeat of 10 s, counts as away."""
CHANNELS = 64
"""Streams open at once. One of a name that the API doesn't know ends, so that none holds a place."""
RETRY_S = (0.5, 5.0)
"""First and longest wait before the API is tried again."""
DERIVED_S = (5.0, 30.0)
"""Derived figures are asked for no more often than this, and once in so long though nothing arrives:
hours go on. A large area set, of which they take long to make, rests 30 times as long in between."""


def frame(event: str, data: bytes) -> bytes:
    """One server-sent event."""
    lines = data.replace(b"\n", b"\ndata: ")
    return b"event: " + event.encode() + b"\ndata: " + lines + b"\n\n"


class AreaState:
    """What is known of one area set: the last snapshot with every change since merged in."""

    def __init__(self) -> None:
        self._head: dict[str, Any] | None = None
        self._areas: dict[str, Any] = {}
        self._things: dict[str, Any] = {}
        self._encoded: bytes | None = None

    def take(self, event: str, data: bytes | str) -> None:
        """Take a `snapshot` or `change` event.

        Raises:
            ValueError: where `data` isn't a JSON object of the agreed form.
        """
        body = orjson.loads(data)
        if not isinstance(body, dict):
            raise ValueError(f"live event {event!r} holds {type(body).__name__}, not an object")
        try:
            areas = {area["code"]: area for area in body.pop("areas", [])}
            things = {thing["id"]: thing for thing in body.pop("things", [])}
        except (KeyError, TypeError) as error:
            raise ValueError(f"live event {event!r}: {error!r}") from error
        if event == "snapshot":
            self._areas, self._things = {}, {}
        self._areas.update(areas)
        self._things.update(things)
        for code in [code for code, area in areas.items() if not area.get("figures")]:
            del self._areas[code]
        self._head = {**(self._head or {}), **body}
        self._encoded = None

    def snapshot(self) -> bytes | None:
        """The whole state as the body of a `snapshot` event; None before the first one came."""
        if self._encoded is None and self._head is not None:
            self._encoded = orjson.dumps(
                {
                    **self._head,
                    "areas": list(self._areas.values()),
                    "things": list(self._things.values()),
                }
            )
        return self._encoded


class Viewer:
    """One browser's queue of frames."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_EVENTS + 1)
        self.gone = False

    def give(self, packet: bytes) -> None:
        """Queue a frame; a viewer that is too far behind is let go instead."""
        if self.gone:
            return
        if self._waiting.qsize() < WAITING_EVENTS:
            self._waiting.put_nowait(packet)
        else:
            self.gone = True
            self._waiting.put_nowait(None)

    def dismiss(self) -> None:
        """Let the viewer go once it has what waits for it."""
        if not (self.gone or self._waiting.full()):
            self._waiting.put_nowait(None)

    async def frames(self) -> AsyncIterator[bytes]:
        """What there is to send, until the viewer is let go."""
        while not self.gone:
            packet = await self._waiting.get()
            if packet is None:
                return
            yield packet


class Channel:
    """The upstream subscription of one area set and everyone who watches it."""

    def __init__(
        self, http: httpx.AsyncClient, area_set: str, on_alert: Callable[[], None]
    ) -> None:
        self._http = http
        self.area_set = area_set
        self._on_alert = on_alert
        self._api = "connecting"
        self._state = AreaState()
        self._derived = DerivedState()
        self._news = asyncio.Event()
        self.viewers: set[Viewer] = set()
        self.task = asyncio.create_task(self._both(), name=f"live {area_set}")

    def join(self) -> Viewer:
        """A new viewer; the state of the API and all that is known await it."""
        viewer = Viewer()
        viewer.give(self._standing())
        known = self._state.snapshot()
        if known is not None:
            viewer.give(frame("snapshot", known))
        derived = self._derived.whole()
        if derived is not None:
            viewer.give(frame("derived", derived))
        if self.task.done():
            viewer.dismiss()
        self.viewers.add(viewer)
        return viewer

    @property
    def knows(self) -> bool:
        """Whether there is anything that a viewer who comes back would find again."""
        return self._state.snapshot() is not None

    def _standing(self) -> bytes:
        return frame("state", orjson.dumps({"api": self._api}))

    def _say(self, api: str) -> None:
        if api != self._api:
            self._api = api
            self._broadcast(self._standing())

    def _broadcast(self, packet: bytes) -> None:
        for viewer in self.viewers:
            viewer.give(packet)
        self.viewers = {viewer for viewer in self.viewers if not viewer.gone}

    async def _both(self) -> None:
        derived = asyncio.create_task(self._derive(), name=f"derived {self.area_set}")
        try:
            await self._run()
        finally:
            derived.cancel()

    async def _derive(self) -> None:
        """Ask for derived figures after news, for as long as somebody looks."""
        where = path("area-sets", self.area_set, "derived")
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), DERIVED_S[1])
            self._news.clear()
            begun = loop.time()
            if self.viewers and self._api == "live":
                try:
                    asked = {"figures": ",".join(ON_MAP)}
                    answer = await self._http.get(where, params=asked, timeout=30.0)
                    news = self._derived.take(orjson.loads(answer.raise_for_status().content))
                    self._broadcast(frame("derived", news))
                except (httpx.HTTPError, ValueError) as error:
                    log.info("derived of %s: %s: %s", self.area_set, type(error).__name__, error)
            await asyncio.sleep(max(DERIVED_S[0], 30 * (loop.time() - begun)))

    async def _run(self) -> None:
        wait = RETRY_S[0]
        while True:
            try:
                async for event in self._listen():
                    if event.event == "alert":
                        self._on_alert()
                        self._broadcast(frame("alert", b"{}"))  # viewers ask what there is now
                        continue
                    self._state.take(event.event, event.data)
                    self._broadcast(frame(event.event, event.data.encode()))
                    self._say("live")
                    self._news.set()
                    wait = RETRY_S[0]
            except httpx.HTTPStatusError as error:
                log.info("live stream of %s: %s", self.area_set, error)
                if error.response.status_code == httpx.codes.NOT_FOUND:
                    self._say("unknown")
                    return  # who comes again asks anew
            except (httpx.HTTPError, httpx_sse.SSEError, ValueError) as error:
                log.info("live stream of %s: %s: %s", self.area_set, type(error).__name__, error)
            self._say("away")
            await asyncio.sleep(wait)
            wait = min(wait * 2, RETRY_S[1])

    async def _listen(self) -> AsyncIterator[httpx_sse.ServerSentEvent]:
        async with httpx_sse.aconnect_sse(
            self._http,
            "GET",
            "/v1/live",
            params={"area_set": self.area_set},
            timeout=httpx.Timeout(5.0, read=QUIET_S),
        ) as source:
            source.response.raise_for_status()
            async for event in source.aiter_sse():
                if event.event in ("snapshot", "change", "alert"):
                    yield event


class Relay:
    """All channels, opened when somebody looks and closed some time after the last one left.

    Args:
        http: to the data API.
        on_alert: called whenever an alert has begun, changed or ended, before viewers are told.
    """

    def __init__(
        self, http: httpx.AsyncClient, on_alert: Callable[[], None] = lambda: None
    ) -> None:
        self._http = http
        self._on_alert = on_alert
        self._channels: dict[str, Channel] = {}
        self._closing: dict[str, asyncio.TimerHandle] = {}

    @property
    def channels(self) -> int:
        """How many subscriptions are open upstream."""
        return len(self._channels)

    def open(self, area_set: str) -> Channel | None:
        """The channel of this area set, for `watch`; None where there is no room for another."""
        channel = self._channels.get(area_set)
        if channel is not None:
            return channel
        if len(self._channels) >= CHANNELS and self._closing:
            self._close(self._channels[next(iter(self._closing))])
        if len(self._channels) >= CHANNELS:
            return None
        channel = self._channels[area_set] = Channel(self._http, area_set, self._on_alert)
        channel.task.add_done_callback(lambda _: self._ended(channel))
        self._close_later(channel)  # should its first viewer be gone before it watches
        return channel

    async def watch(self, channel: Channel) -> AsyncIterator[bytes]:
        """The frames for one browser, until it is too slow or the API knows no such area set."""
        viewer = channel.join()
        self._stay(channel)
        try:
            yield b"retry: 1000\n\n"
            async for packet in viewer.frames():
                yield packet
        finally:
            channel.viewers.discard(viewer)
            if not channel.viewers and self._channels.get(channel.area_set) is channel:
                if channel.knows:
                    self._close_later(channel)
                else:
                    self._close(channel)

    def _stay(self, channel: Channel) -> None:
        if self._channels.get(channel.area_set) is channel and (
            handle := self._closing.pop(channel.area_set, None)
        ):
            handle.cancel()

    def _close_later(self, channel: Channel) -> None:
        self._stay(channel)
        loop = asyncio.get_running_loop()
        self._closing[channel.area_set] = loop.call_later(IDLE_S, self._close, channel)

    def _close(self, channel: Channel) -> None:
        channel.task.cancel()
        self._forget(channel)

    def _ended(self, channel: Channel) -> None:
        self._forget(channel)
        for viewer in channel.viewers:
            viewer.dismiss()

    def _forget(self, channel: Channel) -> None:
        self._stay(channel)
        if self._channels.get(channel.area_set) is channel:
            del self._channels[channel.area_set]

    async def close(self) -> None:
        """Close every subscription."""
        for handle in self._closing.values():
            handle.cancel()
        tasks = [channel.task for channel in self._channels.values()]
        self._closing.clear()
        self._channels.clear()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
