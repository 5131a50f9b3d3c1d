"""The live stream: one thread watches the database and tells all subscribers what has changed."""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tsuji_platform.analytics.figures import WINDOW
from tsuji_platform.api import shape
from tsuji_platform.api.hub import Hub
from tsuji_platform.store import StoreError, changes
from tsuji_platform.store.alert_outbox import Alerts

_log = logging.getLogger(__name__)
_HEARTBEAT_S = 5.0
_CALMEST_S = 0.25
_BACKLOG = 64
_ALERTS_AT_FIRST = _BACKLOG // 2
"""Of the alerts that are on, those that a new stream begins with: the newest."""
MOST_LISTENERS = 2_000
"""Streams open at once: each holds a connection and a backlog."""

Message = bytes | None
"""An event as it goes over the wire, or None: the subscriber was too slow and must come again."""


@dataclass(slots=True, eq=False)
class Subscriber:
    """One open stream."""

    area_set_id: str
    loop: asyncio.AbstractEventLoop
    queue: "asyncio.Queue[Message]" = field(default_factory=lambda: asyncio.Queue(_BACKLOG))

    def send(self, message: bytes) -> None:
        """Hand over an event, from any thread."""
        self.loop.call_soon_threadsafe(self._put, message)

    def _put(self, message: bytes) -> None:
        if self.queue.full():  # too slow: it gets a whole snapshot when it comes again
            while not self.queue.empty():
                self.queue.get_nowait()
            self.queue.put_nowait(None)
        else:
            self.queue.put_nowait(message)


State = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the subscribers of an area set know."""

    areas: State
    things: State


class LiveFeed:
    """Watches while `start`ed; subscribers come and go."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._subscribers: defaultdict[str, set[Subscriber]] = defaultdict(set)
        self._seen: dict[str, _Seen] = {}
        self._alerts = Alerts(hub.database)
        self._alerts_told: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="live", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End all streams."""
        self._stop.set()

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        with self._lock:
            return sum(map(len, self._subscribers.values()))

    def attach(self, subscriber: Subscriber) -> bool:
        """Begin a stream with a whole snapshot; blocks on the database. False where all are taken."""
        with self._lock:
            if sum(map(len, self._subscribers.values())) >= MOST_LISTENERS:
                return False
            seen = self._look(subscriber.area_set_id)
            self._tell(subscriber.area_set_id, seen)
            subscriber.send(
                self._event("snapshot", subscriber.area_set_id, seen.areas, seen.things)
            )
            if self._alerts_told is None:
                self._alerts_told = self._alerts.newest_message()
            for body in self._alerts.messages_on()[-_ALERTS_AT_FIRST:]:
                subscriber.send(_alert_event(body))
            self._subscribers[subscriber.area_set_id].add(subscriber)
            return True

    def detach(self, subscriber: Subscriber) -> None:
        """End a stream."""
        with self._lock:
            members = self._subscribers[subscriber.area_set_id]
            members.discard(subscriber)
            if not members:
                self._subscribers.pop(subscriber.area_set_id, None)
                self._seen.pop(subscriber.area_set_id, None)

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                for _ in changes(self._hub.database.url, _HEARTBEAT_S):
                    if self._stop.is_set():
                        return
                    begun = time.monotonic()
                    with self._lock:
                        for area_set_id in list(self._subscribers):
                            self._tell(area_set_id, self._look(area_set_id))
                        self._tell_alerts()
                    self._stop.wait(max(0.0, _CALMEST_S - (time.monotonic() - begun)))
            except StoreError as error:
                _log.warning("the live stream pauses: %s", error)
                self._stop.wait(1)
            except Exception:  # noqa: BLE001 - a defect must not end the stream for good
                _log.exception("a defect was met in the live stream")
                self._stop.wait(5)

    def _look(self, area_set_id: str) -> _Seen:
        hub = self._hub
        readings = hub.readings(None)
        things = shape.thing_states(hub.things(), hub.reader.latest(), hub.clock())
        membership = hub.areas.membership(area_set_id)
        areas = hub.nearby.figures(area_set_id, readings.newest, readings.totals, membership)
        usual = hub.usual.of_areas(readings.totals, membership, hub.clock())
        return _Seen(
            {code: shape.figures(values, usual.get(code, {})) for code, values in areas.items()},
            things,
        )

    def _tell(self, area_set_id: str, seen: _Seen) -> None:
        """Send what is new to those who know the state before."""
        before = self._seen.get(area_set_id)
        self._seen[area_set_id] = seen
        members = self._subscribers.get(area_set_id)
        if before is None or not members:
            return
        areas = _changed(before.areas, seen.areas) | {
            code: {} for code in before.areas.keys() - seen.areas.keys()
        }
        things = _changed(before.things, seen.things)
        if areas or things:
            event = self._event("change", area_set_id, areas, things)
            for subscriber in members:
                subscriber.send(event)

    def _tell_alerts(self) -> None:
        """Say to all what has begun and ended; nobody has to be told while nobody listens."""
        listening = [one for members in self._subscribers.values() for one in members]
        if not listening:
            self._alerts_told = None
            return
        if self._alerts_told is None:
            self._alerts_told = self._alerts.newest_message()
        for number, body in self._alerts.messages_after(self._alerts_told):
            for subscriber in listening:
                subscriber.send(_alert_event(body))
            self._alerts_told = number

    def _event(self, name: str, area_set_id: str, areas: State, things: State) -> bytes:
        body = {
            "area_set": area_set_id,
            "time": shape.iso(self._hub.clock()),
            "window_s": int(WINDOW.total_seconds()),
            "areas": [{"code": code, "figures": figures} for code, figures in areas.items()],
            "things": list(things.values()),
        }
        return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(body) + b"\n\n"


def _alert_event(body: str) -> bytes:
    return b"event: alert\ndata: " + body.encode() + b"\n\n"


def _changed(before: Mapping[str, Any], after: State) -> State:
    return {key: value for key, value in after.items() if before.get(key) != value}
