"""All things as the live stream knows them, kept up to date by what has changed, and what a look brought."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tsuji_platform.analytics import freshness
from tsuji_platform.api.live_ids import EventId
from tsuji_platform.api.shape import iso
from tsuji_platform.contract.live_messages import newest_document
from tsuji_platform.contract.messages import FUTURE_TOLERANCE
from tsuji_platform.store.live import Look, Newest, Snapshot
from tsuji_platform.store.records import ThingRow

Document = dict[str, Any]
_JUST_REGISTERED = timedelta(minutes=5)
"""Things that are no older may be unknown to a reader: its clock and the database's are two."""


@dataclass(slots=True)
class Delta:
    """What a look brought.

    Attributes:
        newest: datastreams whose newest observation is another now, or that no longer have one.
        things: states of things before and after; those that are as they were are left out.
    """

    newest: list[Newest] = field(default_factory=list)
    things: dict[str, tuple[Document | None, Document]] = field(default_factory=dict)


class City:
    """Newest observations and states of all things, as of one snapshot of the database."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.registry: int | None = None
        self.time: datetime | None = None
        self.rows: list[ThingRow] = []
        self.documents: dict[str, Document] = {}
        self._streams: defaultdict[str, dict[int, Newest]] = defaultdict(dict)
        self._heard: dict[str, tuple[datetime | None, int | None]] = {}

    def take(self, look: Look, rows: list[ThingRow] | None, now: datetime) -> Delta:
        """Follow the database; says what is different.

        Args:
            look: what has changed since `snapshot`.
            rows: all things, where they may have changed; None where not.
            now: the hub's clock, by which things are live or silent.
        """
        delta = Delta()
        if rows is not None:
            self.rows = rows
        touched = set[str]()
        for one in look.rows:
            held = self._streams[one.thing_id].get(one.datastream_id)
            if held is None or held.revision != one.revision:
                self._streams[one.thing_id][one.datastream_id] = one
                if is_told(one) or (held is not None and is_told(held)):
                    delta.newest.append(one)
                touched.add(one.thing_id)
        for thing_id in touched:
            self._heard[thing_id] = _heard(self._streams[thing_id].values())
        for row in self.rows:
            thing_id = row.thing.thing_id
            before = self.documents.get(thing_id)
            if before is None or thing_id in touched:
                after = self._document(thing_id, now)
            else:
                state = self._state(thing_id, now)
                if state == before["state"]:
                    continue
                after = {**before, "state": state}
            if after != before:
                delta.things[thing_id] = before, after
                self.documents[thing_id] = after
        self.snapshot, self.registry, self.time = look.snapshot, look.registry, now
        return delta

    def all(self) -> Delta:
        """Everything, as for those who know nothing."""
        return Delta(
            newest=[one for one in self._newest() if is_told(one)],
            things={thing_id: (None, it) for thing_id, it in self.documents.items()},
        )

    def since(self, known: EventId) -> Delta:
        """What one doesn't know who knew everything then: each change once.

        States of things depend on the clock as well, which said something else then.
        """
        newest = [one for one in self._newest() if not known.snapshot.sees(one.revision)]
        touched = {one.thing_id for one in newest}
        registered = known.time - _JUST_REGISTERED
        things: dict[str, tuple[Document | None, Document]] = {
            row.thing.thing_id: (None, self.documents[row.thing.thing_id])
            for row in self.rows
            if row.thing.thing_id in self.documents
            and (
                row.thing.thing_id in touched
                or row.registered_at >= registered
                or self._state(row.thing.thing_id, known.time)
                != self.documents[row.thing.thing_id]["state"]
            )
        }
        return Delta(newest=newest, things=things)

    def newest_time(
        self, thing_ids: Iterable[str] | None, passes: Callable[[str], bool]
    ) -> datetime | None:
        """When the newest observation was made that is not ahead of the clock.

        Args:
            thing_ids: of these things; None for all.
            passes: whether an observed property counts.
        """
        if self.time is None:
            return None
        limit = self.time + FUTURE_TOLERANCE
        return max(
            (
                one.time
                for thing_id in (self._streams.keys() if thing_ids is None else thing_ids)
                for one in self._streams.get(thing_id, {}).values()
                if one.time is not None and one.time <= limit and passes(one.observed_property)
            ),
            default=None,
        )

    def _newest(self) -> Iterator[Newest]:
        for streams in self._streams.values():
            yield from streams.values()

    def _document(self, thing_id: str, now: datetime) -> Document:
        streams = self._streams.get(thing_id, {})
        newest, _ = self._heard.get(thing_id, (None, None))
        return {
            "id": thing_id,
            "state": self._state(thing_id, now),
            "last_observed_at": None if newest is None else iso(newest),
            "latest": {
                one.observed_property: {"result": one.result, "time": iso(one.time)} | _hidden(one)
                for _, one in sorted(streams.items())
                if one.declared and one.time is not None
            },
        }

    def _state(self, thing_id: str, now: datetime) -> str:
        return freshness.state(*self._heard.get(thing_id, (None, None)), now).value


def is_told(one: Newest) -> bool:
    """Whether a datastream has a newest observation that readers see."""
    return one.declared and one.time is not None


def observation(one: Newest) -> Document:
    """A newest observation as events have it.

    Raises:
        ValueError: there is none.
    """
    if one.time is None:
        raise ValueError(f"{one.thing_id} has no newest {one.observed_property}")
    return newest_document(
        thing_id=one.thing_id,
        observed_property=one.observed_property,
        time=one.time,
        result=one.result,
        period_s=one.period_s,
        received_at=one.received_at,
        suppressed=one.suppressed,
    )


def _hidden(one: Newest) -> Document:
    """What is said of a small count that is withheld; nothing of any other value."""
    return {"suppressed": True} if one.suppressed else {}


def _heard(streams: Iterable[Newest]) -> tuple[datetime | None, int | None]:
    """When a thing was last heard, and the longest period of its newest counts, seconds."""
    streams = list(streams)
    return (
        max((one.time for one in streams if one.time is not None), default=None),
        max(
            (one.period_s for one in streams if one.declared and one.period_s is not None),
            default=None,
        ),
    )
