"""What is newest and what has changed since: for those who follow the hub without polling its tables.

A snapshot of the database says exactly which transactions it has seen, and each row which transaction
wrote it last. So the difference between two moments is known to every process, whenever it was started.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, Protocol

import orjson
from psycopg.rows import DictRow

from tsuji_platform.analytics.suppression import (
    OPEN,
    Gate,
    counts_people,
    withholds,
    without_peak,
)
from tsuji_platform.store import queries

_SQL = queries.load("live")
_SNAPSHOT = re.compile(r"(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)", re.ASCII)


class Asking(Protocol):
    """What can be asked: a pool of connections, or one of somebody's own."""

    def rows(self, query: LiteralString, values: Mapping[str, Any] | None = None) -> list[DictRow]:
        """Run one statement and return its rows."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which transactions were over at a moment.

    Attributes:
        least: all before were over.
        end: this one and all behind were yet to begin.
        running: of those between, which were under way.
    """

    least: int
    end: int
    running: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> "Snapshot":
        """Read PostgreSQL's own form, `least:end:running,…`.

        Raises:
            ValueError: it is none.
        """
        found = _SNAPSHOT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r:.80} is no snapshot")
        least, end = int(found[1]), int(found[2])
        running = frozenset(map(int, found[3].split(","))) if found[3] else frozenset[int]()
        if not least <= end < 1 << 63 or not all(least <= one < end for one in running):
            raise ValueError(f"{text!r:.80} is no snapshot")
        return cls(least, end, running)

    def __str__(self) -> str:
        return f"{self.least}:{self.end}:{','.join(map(str, sorted(self.running)))}"

    def sees(self, transaction: int) -> bool:
        """Whether this transaction was over."""
        return transaction < self.end and transaction not in self.running

    def includes(self, other: "Snapshot") -> bool:
        """Whether all that `other` sees is seen here, too."""
        return other.end <= self.end and all(
            one >= other.end or one in other.running for one in self.running
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """A datastream and its newest observation.

    Attributes:
        datastream_id: its number in the database.
        thing_id: whose.
        observed_property: of what.
        declared: whether the thing lists it.
        time: phenomenon time; None where there is no observation.
        result: in the observed property's unit; None where there is no observation.
        period_s: of counts, the seconds that they cover.
        received_at: when it came in.
        suppressed: whether the result is a small count that is withheld, and None.
        revision: the transaction that wrote this last.
    """

    datastream_id: int
    thing_id: str
    observed_property: str
    declared: bool
    time: datetime | None
    result: float | None
    period_s: int | None
    received_at: datetime | None
    revision: int
    suppressed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What has changed, as of one moment.

    Attributes:
        snapshot: the moment.
        registry: a number that changes with things and their datastreams.
        lag_s: how far the ingests are behind what devices send, seconds; None where none runs.
        rows: what has changed, by thing and datastream.
    """

    snapshot: Snapshot
    registry: int
    lag_s: float | None
    rows: list[Newest]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """What was said of an alert, and what its rule looks at."""

    number: int
    body: str
    observed_property: str | None
    figure: str | None


class Live:
    """Reads what followers need.

    Args:
        database: a pool, or a session of one's own.
        gate: withholds small counts.
    """

    def __init__(self, database: Asking, gate: Gate = OPEN) -> None:
        self._database = database
        self._gate = gate

    def identity(self) -> str:
        """What tells this database from every other one, and from itself after a restore or a failover."""
        (row,) = self._database.rows(_SQL["may_read_control"])
        (row,) = self._database.rows(_SQL["identity" if row["may"] else "identity_by_name"])
        return str(row["identity"])

    def look(self, since: Snapshot | None) -> Look:
        """What has changed since a snapshot, or all."""
        asked = {"since": None if since is None else str(since), **self._gate.parameters()}
        rows = self._database.rows(_SQL["look"], asked)
        return Look(
            snapshot=Snapshot.parse(rows[0]["snapshot"]),
            registry=rows[0]["registry"],
            lag_s=rows[0]["lag_s"],
            rows=[_newest(row) for row in rows if row["datastream_id"] is not None],
        )

    def kinds(self) -> list[str]:
        """The kinds of things that there are."""
        return [row["kind"] for row in self._database.rows(_SQL["kinds"])]

    def area_boxes(self, area_set_id: str) -> dict[str, tuple[float, float, float, float]]:
        """West, south, east and north of each area of a set, degrees, by code."""
        rows = self._database.rows(_SQL["area_boxes"], {"area_set_id": area_set_id})
        return {row["code"]: (row["west"], row["south"], row["east"], row["north"]) for row in rows}

    def newest_alert_message(self) -> int:
        """The number of the newest message about an alert; 0 where there is none."""
        (row,) = self._database.rows(_SQL["newest_alert_message"])
        return int(row["message_no"])

    def alerts_after(self, number: int, limit: int = 1_000) -> list[AlertMessage]:
        """Messages behind a number, in order; they are committed in the order of their numbers."""
        values = {"after": number, "limit": limit}
        rows = self._database.rows(_SQL["alerts_after"], values)
        return [_message(row, self._gate) for row in rows]

    def alerts_on(self) -> list[AlertMessage]:
        """What was said when the alerts began that are on, the newest last."""
        return [_message(row, self._gate) for row in self._database.rows(_SQL["alerts_on"])]


def _newest(row: DictRow) -> Newest:
    result, limit = row["result"], row["small_below"]
    hidden = result is not None and withholds(result, limit)
    return Newest(
        datastream_id=row["datastream_id"],
        thing_id=row["thing_id"],
        observed_property=row["observed_property"],
        declared=row["declared"],
        time=row["phenomenon_time"],
        result=None if hidden else result,
        period_s=row["period_s"],
        received_at=row["received_at"],
        revision=int(row["revision"]),
        suppressed=hidden,
    )


def _message(row: DictRow, gate: Gate) -> AlertMessage:
    body = row["body"]
    if gate and counts_people(row["observed_property"], row["figure"]):
        message = orjson.loads(body)
        body = orjson.dumps(message | {"data": without_peak(message["data"])}).decode()
    return AlertMessage(
        number=row["message_no"],
        body=body,
        observed_property=row["observed_property"],
        figure=row["figure"],
    )
