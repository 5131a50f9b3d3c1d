"""Streams that ask for the same, and the events that they all get, each written once."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from tsuji_platform.analytics.figures import WINDOW
from tsuji_platform.api.live_city import City, Delta, is_told, observation
from tsuji_platform.api.live_filter import Boxes, Filter, Part
from tsuji_platform.api.live_ids import EventId, filter_digest
from tsuji_platform.api.shape import iso
from tsuji_platform.contract.messages import FUTURE_TOLERANCE
from tsuji_platform.store.live import AlertMessage, Newest

BACKLOG = 64
"""Messages that may wait for one reader."""
Message = bytes | None
"""Events as they go over the wire, or None: the stream ends, and its reader must come again."""
Figures = dict[str, dict[str, Any]]
"""Figures by area code, then by figure id."""


@dataclass(frozen=True, slots=True)
class AreaState:
    """An area set as it is now.

    Attributes:
        figures: of its areas that have any; None where nobody has asked for them.
        membership: ids of the things in each area.
        boxes: of its areas.
        boxes_until: monotonic seconds after which they are looked up again.
    """

    figures: Figures | None = None
    membership: Mapping[str, Sequence[str]] = field(default_factory=dict)
    boxes: Boxes = field(default_factory=dict)
    boxes_until: float = 0.0


NO_AREAS = AreaState()


class Group:
    """All streams with one filter.

    Args:
        which: the filter.
        told: what is told of what passes: ids of one way of telling mean nothing to another.
    """

    def __init__(self, which: Filter, told: str = "") -> None:
        self.filter = which
        self._told = told
        self.subscribers: set[Subscriber] = set()
        self.things: frozenset[str] | None = None
        self.digest = ""
        self.newest: datetime | None = None

    def choose(self, city: City, areas: AreaState) -> bool:
        """Choose things anew; whether they are others than before."""
        before = self.things, self.digest
        self.things = self.filter.chosen(city.rows, areas.membership)
        self.digest = filter_digest(f"{self._told}\n{self.filter.asked()}", self.things)
        self.newest = city.newest_time(self.things, self.filter.passes_property)
        return before != (self.things, self.digest)

    def snapshot(self, city: City, areas: AreaState, event_id: EventId, reason: str) -> bytes:
        """Everything that passes, for those who know nothing."""
        figures = areas.figures or {}
        body = self._body(city.all(), figures, areas, event_id, is_whole=True) or {}
        return encode("snapshot", event_id, {"reason": reason, **body})

    def resumed(self, city: City, areas: AreaState, known: EventId, event_id: EventId) -> bytes:
        """What they don't know who knew everything then; figures, which the clock makes as well, whole."""
        every: Figures = {code: {} for code in areas.boxes} | (areas.figures or {})
        body = self._body(city.since(known), every, areas, event_id)
        return b"" if body is None else encode("change", event_id, body)

    def passes(self, message: AlertMessage, areas: AreaState) -> bool:
        """Whether an alert comes."""
        return self.filter.passes_alert(message, self.things, areas.boxes)

    def change(self, delta: Delta, before: AreaState, areas: AreaState, event_id: EventId) -> bytes:
        """What is different, where anything is."""
        changed: Figures = {}
        if before.figures is not None and areas.figures is not None:
            changed = self._changed(before.figures, areas.figures)
        body = self._body(delta, changed, areas, event_id)
        return b"" if body is None else encode("change", event_id, body)

    def alerts(
        self, messages: Iterable[AlertMessage], areas: AreaState, event_id: EventId
    ) -> list[bytes]:
        """Events about alerts that pass, each with an id that knows it and those before."""
        if Part.ALERTS not in self.filter.parts:
            return []
        return [
            encode_text("alert", event_id.of_alert(one.number), one.body)
            for one in messages
            if self.passes(one, areas)
        ]

    def _changed(self, before: Figures, after: Figures) -> Figures:
        of = self.filter.figures_of
        gone: Figures = {code: {} for code in before.keys() - after.keys()}
        return {
            code: figures
            for code, figures in (after | gone).items()
            if of(before.get(code, {})) != of(figures)
        }

    def _body(
        self,
        delta: Delta,
        figures: Figures,
        areas: AreaState,
        event_id: EventId,
        *,
        is_whole: bool = False,
    ) -> dict[str, Any] | None:
        which = self.filter
        body: dict[str, Any] = {"time": iso(event_id.time)}
        if which.area_set is not None:
            body = {"area_set": which.area_set, **body}
        if Part.AREAS in which.parts:
            body["window_s"] = int(WINDOW.total_seconds())
            shown = (
                (code, which.figures_of(values))
                for code, values in figures.items()
                if which.passes_area(code, areas.boxes)
            )
            body["areas"] = [
                {"code": code, "figures": values}
                for code, values in shown
                if values or not is_whole
            ]
        if Part.THINGS in which.parts:
            body["things"] = list(self._things(delta))
        newest = [
            one
            for one in delta.newest
            if (self.things is None or one.thing_id in self.things)
            and which.passes_property(one.observed_property)
        ]
        self._note_newest(newest, event_id)
        if Part.OBSERVATIONS in which.parts:
            body["observations"] = [observation(one) for one in newest if is_told(one)]
            gone = [
                {"thing": one.thing_id, "observed_property": one.observed_property}
                for one in newest
                if not is_told(one)
            ]
            if gone:
                body["gone"] = gone
        is_empty = not any(body.get(name) for name in ("areas", "things", "observations", "gone"))
        return None if is_empty and not is_whole else body

    def _things(self, delta: Delta) -> Iterable[dict[str, Any]]:
        for thing_id, (before, after) in delta.things.items():
            if self.things is not None and thing_id not in self.things:
                continue
            was = None if before is None else self.filter.thing_of(before)
            now = self.filter.thing_of(after)
            if now is None and was is not None:
                now = {**after, "last_observed_at": None, "latest": {}}
            if now is not None and now != was:
                yield now

    def _note_newest(self, newest: Iterable[Newest], event_id: EventId) -> None:
        limit = event_id.time + FUTURE_TOLERANCE
        for one in newest:
            if one.time is not None and one.time <= limit:
                self.newest = one.time if self.newest is None else max(self.newest, one.time)


@dataclass(slots=True, eq=False)
class Subscriber:
    """One open stream; its methods belong to the event loop.

    Attributes:
        filter: what it asks for.
        loop: where it is served.
        caller: whose it is; None where nobody counts.
        queue: what waits to be sent.
        group: those who ask for the same; None before it is attached.
        known: the id of all that was queued.
        gone: it gets nothing more.
    """

    filter: Filter
    loop: asyncio.AbstractEventLoop
    caller: str | None = None
    queue: "asyncio.Queue[Message]" = field(default_factory=lambda: asyncio.Queue(BACKLOG))
    group: Group | None = None
    known: EventId | None = None
    gone: bool = False

    def put(self, events: bytes, event_id: EventId) -> None:
        """Take events, perhaps none, by which all up to the id is known."""
        if self.gone:
            return
        self.known = event_id
        if self.queue.full():  # too slow: it learns what it missed when it comes again
            self.end()
        elif events:
            self.queue.put_nowait(events)

    def end(self) -> None:
        """Send no more, not even what waits: an id never stands for what was left out."""
        self.gone = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


def encode(name: str, event_id: EventId, body: dict[str, Any]) -> bytes:
    """One event as it goes over the wire."""
    return encode_text(name, event_id, orjson.dumps(body).decode())


def encode_text(name: str, event_id: EventId, body: str) -> bytes:
    """The same of JSON that is written already."""
    return f"id: {event_id}\nevent: {name}\ndata: {body}\n\n".encode()
