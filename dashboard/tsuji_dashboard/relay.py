"""One live stream from the API per area set, passed on to every browser that looks at it.

A thousand viewers cost the API one subscription. The state is kept here, so that a new viewer sees
the whole map at once, and so that viewers keep what was last known while the API is away. A viewer
that reads too slowly is let go: its browser comes back by itself and gets the whole state afresh.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx
import httpx_sse
import orjson

from tsuji_dashboard.client import path
from tsuji_dashboard.compact import ON_MAP, DerivedState
from tsuji_dashboard.fanout import Packet, Viewer
from tsuji_dashboard.live_state import AreaState, Changes, HubClock, Told

log = logging.getLogger(__name__)

REST_S = (0.002, 0.4)
"""Between two changes that are told, for each viewer, and at the most: what comes meanwhile goes together.
A few hear of everything at once; hundreds share the wakes and writes that each of them costs."""
BEAT_S = 10.0
"""How often viewers are told that all is well: the page can then tell a quiet city from a dead connection."""
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


_RETRY = Packet(b"retry: 1000\n\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one channel stands.

    Attributes:
        viewers: browsers that watch.
        api: connecting, live, away or unknown.
        heard_s: when anything came last, or it was opened; monotonic seconds.
    """

    viewers: int
    api: str
    heard_s: float


class Channel:
    """The upstream subscription of one area set and everyone who watches it."""

    def __init__(
        self, http: httpx.AsyncClient, area_set: str, on_alert: Callable[[], None]
    ) -> None:
        self._http = http
        self.area_set = area_set
        self._on_alert = on_alert
        self._api = "connecting"
        self._heard_s = time.monotonic()
        self._clock = HubClock()
        self._state = AreaState()
        self._derived = DerivedState()
        self._news = asyncio.Event()
        self._changes = Changes()
        self._telling: asyncio.TimerHandle | None = None
        self._told_at = 0.0
        self.viewers: set[Viewer] = set()
        self.task = asyncio.create_task(self._both(), name=f"live {area_set}")

    def join(self, viewer: Viewer) -> None:
        """Take in a new viewer; the state of the API and all that is known await it."""
        viewer.give(self._standing())
        known = self._state.snapshot()
        if known is not None:
            viewer.give(Packet(frame("snapshot", known)))
        derived = self._derived.whole()
        if derived is not None:
            viewer.give(Packet(frame("derived", derived)))
        if self.task.done():
            viewer.dismiss()
        self.viewers.add(viewer)

    @property
    def knows(self) -> bool:
        """Whether there is anything that a viewer who comes back would find again."""
        return self._state.snapshot() is not None

    def standing(self) -> Standing:
        """How it stands now."""
        return Standing(viewers=len(self.viewers), api=self._api, heard_s=self._heard_s)

    def _standing(self) -> Packet:
        return Packet(frame("state", orjson.dumps({"api": self._api, **self._clock.now()})))

    def _say(self, api: str) -> None:
        if api != self._api:
            self._api = api
            self._broadcast(self._standing())

    def _broadcast(self, packet: Packet) -> None:
        for viewer in self.viewers:
            viewer.give(packet)
        self.viewers = {viewer for viewer in self.viewers if not viewer.gone}

    def _change(self, told: Told) -> None:
        """Tell of a change, at once or with those that come while viewers rest."""
        self._changes.take(told)
        if self._telling is None:
            loop = asyncio.get_running_loop()
            rest = min(REST_S[0] * len(self.viewers), REST_S[1])
            self._telling = loop.call_at(max(loop.time(), self._told_at + rest), self._tell)

    def _tell(self) -> None:
        """Tell of the changes that wait."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        self._told_at = asyncio.get_running_loop().time()
        body = self._changes.hand_over()
        if body is not None:
            self._broadcast(Packet(frame("change", body)))

    async def _both(self) -> None:
        beside = [asyncio.create_task(it) for it in (self._derive(), self._beat())]
        try:
            await self._run()
        finally:
            self._tell()
            for task in beside:
                task.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self._broadcast(Packet(frame("beat", orjson.dumps(self._clock.now()))))

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
                    self._broadcast(Packet(frame("derived", news)))
                except (httpx.HTTPError, ValueError) as error:
                    log.info("derived of %s: %s: %s", self.area_set, type(error).__name__, error)
            await asyncio.sleep(max(DERIVED_S[0], 30 * (loop.time() - begun)))

    async def _run(self) -> None:
        wait = RETRY_S[0]
        while True:
            try:
                async for event in self._listen():
                    if event.event == "heartbeat":
                        if self._clock.take(event.data):
                            self._broadcast(self._standing())
                        continue
                    if event.event == "alert":
                        self._on_alert()
                        self._broadcast(
                            Packet(frame("alert", b"{}"))
                        )  # viewers ask what there is now
                        continue
                    told = self._state.take(event.event, event.data)
                    if event.event == "change":
                        # Where there is always news no heartbeat comes, and clocks are put right.
                        self._clock.learn(told.head.get("time"))
                        self._change(told)
                    else:
                        self._tell()
                        self._broadcast(Packet(frame(event.event, event.data.encode())))
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
                self._heard_s = time.monotonic()
                if event.event in ("snapshot", "change", "alert", "heartbeat"):
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

    def standings(self) -> list[Standing]:
        """How the channels stand; from any thread."""
        return [one.standing() for one in list(self._channels.values())]

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

    async def watch(self, channel: Channel, viewer: Viewer) -> AsyncGenerator[Packet, None]:
        """What one browser gets, until it is too slow or the API knows no such area set."""
        channel.join(viewer)
        self._stay(channel)
        try:
            yield _RETRY
            async for packet in viewer.packets():
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
