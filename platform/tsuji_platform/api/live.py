"""The live stream: one thread watches the database and tells all subscribers what has changed."""

import logging
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import anyio

from tsuji_platform.api import shape
from tsuji_platform.api.errors import TooManyError
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.live_city import City
from tsuji_platform.api.live_filter import Filter, Part
from tsuji_platform.api.live_groups import BACKLOG, NO_AREAS, AreaState, Group, Subscriber, encode
from tsuji_platform.api.live_ids import EventId, database_digest
from tsuji_platform.store import StoreError, changes
from tsuji_platform.store.live import AlertMessage, Live

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 5.0
_CALMEST_S = 0.25
_BOXES_FOR_S = 30.0
_ATTACHED_AT_ONCE = 4
_ALERTS_AT_FIRST = BACKLOG // 2
"""Of the alerts that are on, those that a new stream begins with: the newest."""
_ALERTS_MISSED = 1_000
MOST_LISTENERS = 2_000
"""Streams open at once in one process: each holds a connection and a backlog."""
MOST_OF_ONE = 1_200
"""Of these, those of one key or address: others find room beside it."""
KEPT = timedelta(days=7)
"""A stream that was left longer ago begins anew: messages about alerts are kept for as long."""


class LiveFeed:
    """Watches while `start`ed; subscribers come and go.

    Attributes:
        door: lets a few in at a time, who wait for one another anyway: other requests keep the threads.
    """

    def __init__(self, hub: Hub) -> None:
        self.door = anyio.CapacityLimiter(_ATTACHED_AT_ONCE)
        self._hub = hub
        self._live = Live(hub.database, hub.gate)
        self._lock = threading.Lock()
        self._groups: dict[Filter, Group] = {}
        self._city = City()
        self._areas: dict[str, AreaState] = {}
        self._boxes_until = 0.0
        self._database: str | None = None
        self._alert = 0
        self._lag_s: float | None = None
        self._looked: float | None = None
        self._passed_over = False
        self._listeners = 0
        self._of_callers = Counter[str]()
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
        return self._listeners

    def enter(self, caller: str | None = None) -> bool:
        """Take a place, in the event loop; False where all are taken.

        Args:
            caller: whose; None for somebody whose streams nobody counts.

        Raises:
            TooManyError: the caller has as many as one may have.
        """
        if self._listeners >= MOST_LISTENERS:
            return False
        if caller is not None:
            if self._of_callers[caller] >= MOST_OF_ONE:
                raise TooManyError(
                    f"{MOST_OF_ONE} live streams of yours are open here, as many as one caller may have: "
                    "end one first"
                )
            self._of_callers[caller] += 1
        self._listeners += 1
        return True

    def leave(self, subscriber: Subscriber) -> None:
        """Give the place back, in the event loop; waits for nothing."""
        subscriber.gone = True
        self._listeners -= 1
        if subscriber.caller is not None:
            self._of_callers[subscriber.caller] -= 1
            if not self._of_callers[subscriber.caller]:
                del self._of_callers[subscriber.caller]

    def attach(self, subscriber: Subscriber, last_event_id: str | None = None) -> None:
        """Begin a stream: with what was missed where that can be told, else with a whole snapshot.

        Blocks on the database.

        Raises:
            StoreError: nothing was begun.
        """
        known, reason = _parsed(last_event_id)
        which = subscriber.filter
        with self._lock:
            group = self._group(which)
            if not self._is_fresh(which) or not self._has(known):
                self._advance()
                if self._group(which) is not group:  # another database: everything was forgotten
                    group = self._group(which)
                    self._advance()
            areas = self._areas.get(which.area_set or "", NO_AREAS)
            if not group.digest:
                group.choose(self._city, areas)
            at = self._id(group)
            if known is not None:
                reason = self._gap(known, at)
            events = (
                self._anew(group, areas, at, reason)
                if known is None or reason
                else self._missed(group, areas, known, at)
            )
            subscriber.group = group
            group.subscribers.add(subscriber)
            self._send([(subscriber, events + self._heartbeat(group, at), at)])

    def _group(self, which: Filter) -> Group:
        return self._groups.setdefault(which, Group(which, repr(self._hub.gate)))

    def heartbeat(self, subscriber: Subscriber) -> bytes:
        """What a quiet stream says, in the event loop: that it is alive, and how old the data are."""
        if subscriber.group is None or subscriber.known is None:
            return b": waiting\n\n"
        return self._heartbeat(subscriber.group, subscriber.known)

    def _heartbeat(self, group: Group, event_id: EventId) -> bytes:
        now, newest = self._hub.clock(), group.newest
        body = {
            "time": shape.iso(now),
            "as_of": shape.iso(event_id.time),
            "newest_observation": None if newest is None else shape.iso(newest),
            "age_s": None if newest is None else round((now - newest).total_seconds(), 1),
            "lag_s": self._lag_s,
        }
        return encode("heartbeat", event_id, body)

    def _anew(self, group: Group, areas: AreaState, at: EventId, reason: str) -> bytes:
        """A snapshot, and the alerts that are on; its id does not say yet that these are known."""
        on: list[AlertMessage] = []
        if Part.ALERTS in group.filter.parts:
            on = [one for one in self._live.alerts_on() if one.number <= at.alert]
            on = [one for one in on if group.passes(one, areas)][-_ALERTS_AT_FIRST:]
        begin = at.of_alert(on[0].number - 1) if on else at
        return b"".join(
            (group.snapshot(self._city, areas, begin, reason), *group.alerts(on, areas, at))
        )

    def _missed(self, group: Group, areas: AreaState, known: EventId, at: EventId) -> bytes:
        change = group.resumed(self._city, areas, known, at.of_alert(known.alert))
        missed = self._live.alerts_after(known.alert, _ALERTS_MISSED)
        missed = [one for one in missed if one.number <= at.alert]
        return b"".join((change, *group.alerts(missed, areas, at)))

    def _gap(self, known: EventId, at: EventId) -> str:
        """Why one can't go on from an id; empty where one can."""
        if (
            known.database != at.database
            or not at.snapshot.includes(known.snapshot)
            or known.alert > at.alert
        ):
            return "other_database"
        if known.filter != at.filter:
            return "other_filter"
        too_old = at.time - known.time > KEPT or at.alert - known.alert > _ALERTS_MISSED
        return "too_old" if too_old else ""

    def _has(self, known: EventId | None) -> bool:
        """Whether we know all that a reader knows: it may have heard it of another worker."""
        snapshot = self._city.snapshot
        return known is None or (snapshot is not None and snapshot.includes(known.snapshot))

    def _is_fresh(self, which: Filter) -> bool:
        if (
            self._looked is None
            or self._passed_over
            or time.monotonic() - self._looked > 2 * _LOOK_EVERY_S
        ):
            return False
        areas = self._areas.get(which.area_set or "")
        return which.area_set is None or (
            areas is not None and (areas.figures is not None or Part.AREAS not in which.parts)
        )

    def _id(self, group: Group) -> EventId:
        city = self._city
        if city.snapshot is None or city.time is None or self._database is None:
            raise RuntimeError("there are no ids before the first look")
        return EventId(
            database=self._database,
            snapshot=city.snapshot,
            alert=self._alert,
            time=city.time,
            filter=group.digest,
        )

    def _watch(self) -> None:
        said = ""  # an outage may last for hours, and is tried every second
        while not self._stop.is_set():
            try:
                for _ in changes(self._hub.database.url, _LOOK_EVERY_S):
                    if self._stop.is_set():
                        return
                    begun = time.monotonic()
                    with self._lock:
                        self._forget_gone()
                        if self._groups:
                            self._advance()
                        else:  # whoever comes next has to look
                            self._passed_over = True
                    if said:
                        said = ""
                        _log.info("the live stream goes on")
                    self._stop.wait(max(0.0, _CALMEST_S - (time.monotonic() - begun)))
            except StoreError as error:
                if str(error) != said:
                    said = str(error)
                    _log.warning("the live stream pauses: %s", error)
                self._looked = None
                self._stop.wait(1)
            except Exception:  # noqa: BLE001 - a defect must not end the stream for good
                _log.exception("a defect was met in the live stream")
                with self._lock:
                    self._begin_anew()
                self._stop.wait(5)

    def _begin_anew(self) -> None:
        """Forget everything, and end all streams: they come again, and learn what they don't know."""
        ending = [one for group in self._groups.values() for one in group.subscribers]
        self._groups, self._city, self._areas, self._looked = {}, City(), {}, None
        for one in ending:
            with suppress(RuntimeError):
                one.loop.call_soon_threadsafe(one.end)

    def _forget_gone(self) -> None:
        for which, group in list(self._groups.items()):
            group.subscribers = {one for one in group.subscribers if not one.gone}
            if not group.subscribers:
                del self._groups[which]
        wanted = {which.area_set for which in self._groups}
        self._areas = {name: it for name, it in self._areas.items() if name in wanted}

    def _advance(self) -> None:
        """Look at the database, and tell what is new since the last look.

        All is read before anything of it is used: what could be read in part only is read again.

        Raises:
            StoreError: nothing has changed here.
        """
        city = self._city
        if self._looked is None:
            database = database_digest(self._live.identity())
            if self._database is not None and database != self._database:
                self._begin_anew()
            if self._database != database:
                self._alert = self._live.newest_alert_message()
                self._database = database
            city = self._city
        found = self._live.look(city.snapshot)
        registered = found.registry != city.registry
        rows = self._hub.things() if registered else None
        names = {which.area_set for which in self._groups if which.area_set is not None}
        areas = {name: self._look_at(name) for name in names}
        messages = self._live.alerts_after(self._alert, _ALERTS_MISSED)

        before, self._areas, self._lag_s = self._areas, areas, found.lag_s
        delta = city.take(found, rows, self._hub.clock())
        told, self._alert = self._alert, messages[-1].number if messages else self._alert
        letters = []
        for group in self._groups.values():
            here = areas.get(group.filter.area_set or "", NO_AREAS)
            was = before.get(group.filter.area_set or "", here)
            stale = not group.digest or registered or was.membership != here.membership
            others = stale and group.choose(city, here)
            if not group.subscribers:
                continue
            at = self._id(group)
            change = (
                group.snapshot(city, here, at.of_alert(told), "other_things")
                if others
                else group.change(delta, was, here, at.of_alert(told))
            )
            events = b"".join((change, *group.alerts(messages, here, at)))
            letters += [(one, events, at) for one in group.subscribers]
        self._looked, self._passed_over = time.monotonic(), False
        self._send(letters)

    def _look_at(self, area_set_id: str) -> AreaState:
        hub, held, now = self._hub, self._areas.get(area_set_id), time.monotonic()
        membership = hub.areas.membership(area_set_id)
        if held is not None and held.membership == membership and now < held.boxes_until:
            boxes, until = held.boxes, held.boxes_until
        else:
            boxes, until = self._live.area_boxes(area_set_id), now + _BOXES_FOR_S
        state = AreaState(membership=membership, boxes=boxes, boxes_until=until)
        if any(
            which.area_set == area_set_id and Part.AREAS in which.parts for which in self._groups
        ):
            readings = hub.readings(None)
            areas = hub.nearby.figures(area_set_id, readings.newest, readings.totals, membership)
            usual = hub.usual.of_areas(readings.totals, membership, hub.clock())
            figures = {code: shape.figures(it, usual.get(code, {})) for code, it in areas.items()}
            state = replace(state, figures=figures)
        return state

    def _send(self, letters: list[tuple[Subscriber, bytes, EventId]]) -> None:
        """Hand over, from any thread, in one go."""
        loops = {one.loop for one, _, _ in letters}
        for loop in loops:
            with suppress(RuntimeError):  # it has ended, and all its streams with it
                loop.call_soon_threadsafe(_deliver, [it for it in letters if it[0].loop is loop])


def _deliver(letters: list[tuple[Subscriber, bytes, EventId]]) -> None:
    for subscriber, events, event_id in letters:
        subscriber.put(events, event_id)


def _parsed(last_event_id: str | None) -> tuple[EventId | None, str]:
    if not last_event_id:
        return None, "new"
    try:
        return EventId.parse(last_event_id), ""
    except ValueError:
        return None, "unknown_id"
