"""The store's rows as plain records."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from tsuji_platform.contract import Observation, Rejection, Thing

IMPORT_ID = "import"
"""Under which name imported values are counted, beside those of the ingests."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it came, and what was read from it.

    Attributes:
        topic: as received.
        payload: as received.
        received_at: by the hub's clock, aware.
        arrived_s: the same by this process's monotonic clock, None where that is not known.
        thing_id: whose it is, None where the topic doesn't say.
        thing: what a registration said.
        observations: the believed readings.
        rejections: what was refused.
        retained: whether it need not be news: the broker had kept it and handed it out anew, as it
            does at every subscription, or it went to each ingest of a group.
    """

    topic: str
    payload: bytes
    received_at: datetime
    arrived_s: float | None = None
    thing_id: str | None = None
    thing: Thing | None = None
    observations: Sequence[Observation] = ()
    rejections: Sequence[Rejection] = ()
    retained: bool = False


@dataclass(slots=True, kw_only=True)
class Tally:
    """Values counted by what became of them: received = stored + duplicate + corrected + rejected."""

    messages: int = 0
    received: int = 0
    stored: int = 0
    duplicate: int = 0
    corrected: int = 0
    rejected: int = 0

    def balanced(self) -> bool:
        """Whether every received value is accounted for."""
        return self.received == self.stored + self.duplicate + self.corrected + self.rejected

    def __add__(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(
            messages=self.messages + other.messages,
            received=self.received + other.received,
            stored=self.stored + other.stored,
            duplicate=self.duplicate + other.duplicate,
            corrected=self.corrected + other.corrected,
            rejected=self.rejected + other.rejected,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestState:
    """How an ingest fares.

    Attributes:
        waiting: values that it has received and not committed.
        lag_s: from arrival to commit; 95 % of the last minute's messages were quicker. None without any.
    """

    waiting: int = 0
    lag_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRow:
    """One ingest as it was when it last wrote of itself."""

    ingest_id: str
    tally: Tally
    state: IngestState
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What one transaction did."""

    tally: Tally
    things_changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Healable:
    """A rejected message whose cause is gone.

    Attributes:
        rejected_id: which.
        topic: as received.
        payload: as received.
        received_at: when it last came.
        observed_properties: which of its values still have to come in; empty for all.
        value_count: how many rejected values it stands for, repetitions included.
    """

    rejected_id: int
    topic: str
    payload: bytes
    received_at: datetime
    observed_properties: Sequence[str] = ()
    value_count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingRow:
    """A registered thing and the time of its newest observation.

    Attributes:
        thing: what it said of itself.
        registered_at: when it first did.
        last_observed_at: phenomenon time of its newest observation.
        period_s: the longest period among its newest counts, seconds.
    """

    thing: Thing
    registered_at: datetime
    last_observed_at: datetime | None
    period_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaSet:
    """An area set and its size."""

    area_set_id: str
    name: str
    name_en: str
    kind: str
    source: str
    licence: str
    imported_at: datetime
    areas: int
    bbox: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """An area with the shape that maps draw."""

    code: str
    name: str
    name_en: str
    geometry: dict[str, Any]
    bbox: tuple[float, float, float, float]
    things: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArea:
    """An area to be stored: exact shape, display shape, bounding box (west, south, east, north)."""

    code: str
    name: str
    name_en: str
    geometry: dict[str, Any]
    display_geometry: dict[str, Any]
    bbox: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAreaSet:
    """An area set to be stored."""

    area_set_id: str
    name: str
    name_en: str
    kind: str
    source: str
    licence: str
    areas: Sequence[NewArea]


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A rejected message as it is kept; `payload` may be its beginning only."""

    rejected_id: int
    topic: str
    payload: bytes
    payload_size: int
    thing_id: str | None
    reason: str
    detail: str
    value_count: int
    seen: int
    first_received_at: datetime
    last_received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedFilter:
    """Which rejected messages are meant: all conditions that are not None must hold.

    Attributes:
        reason: value of a `Reason`.
        thing_id: whose they are.
        since: last received at this time or later.
        before: last received before this time.
    """

    reason: str | None = None
    thing_id: str | None = None
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedCount:
    """How much is kept of one reason and thing."""

    reason: str
    thing_id: str | None
    messages: int
    value_count: int
    last_received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedOfThing:
    """How much is kept of one thing for one reason; `messages_lately` came in the time asked for."""

    reason: str
    messages: int
    value_count: int
    messages_lately: int
    last_received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """So many rejected messages, which stand for so many values, repetitions included."""

    messages: int
    value_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retryable:
    """A rejected message as it came, however many reasons it was refused for."""

    rejected_id: int
    topic: str
    payload: bytes
    last_received_at: datetime


@dataclass(slots=True, kw_only=True)
class Retried:
    """What became of messages that were read again.

    Attributes:
        tally: how the counters moved.
        settled: messages of which nothing is refused any more.
        changed: messages of which less is refused, or for another reason.
        untouched: messages that are refused as before.
        things_changed: whether things were registered.
    """

    tally: Tally = field(default_factory=Tally)
    settled: int = 0
    changed: int = 0
    untouched: int = 0
    things_changed: bool = False

    def add(self, other: "Retried") -> None:
        """Count others' outcome in."""
        self.tally += other.tally
        self.settled += other.settled
        self.changed += other.changed
        self.untouched += other.untouched
        self.things_changed |= other.things_changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What all ingests together have done since the beginning.

    Attributes:
        tally: what is committed.
        waiting: values received and not committed when each ingest last wrote of itself.
        last_stored_at: when something new was last stored.
    """

    tally: Tally = field(default_factory=Tally)
    waiting: int = 0
    last_stored_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What kind of database it is."""

    postgres: str
    timescaledb: str | None
    licence: str | None

    def __str__(self) -> str:
        if self.timescaledb is None:
            return f"PostgreSQL {self.postgres}"
        edition = "Community" if self.licence == "timescale" else "Apache"
        return f"TimescaleDB {self.timescaledb} ({edition}) on PostgreSQL {self.postgres}"
