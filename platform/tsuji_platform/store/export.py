"""Reads much history at once: day by day, as packed columns, all of it as it is at one moment.

Rows come in PostgreSQL's binary COPY format, all of the same length, and are taken over by the hundred
thousand without looking at each; nothing grows with the length of an export. Rollups are brought up to
date first, and read only from a moment at which nothing that was asked for waits to be rolled up.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from itertools import islice
from time import monotonic, sleep
from typing import Any, LiteralString

import numpy as np
from numpy.typing import NDArray

from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.contract.rejection import quote
from tsuji_platform.store import queries
from tsuji_platform.store.cover import DAY, FIVE_MINUTES, HOUR, ORIGIN, RAW, ceiling, floor_to_step
from tsuji_platform.store.database import Connection, connect
from tsuji_platform.store.errors import ConflictError, StoreError, translated
from tsuji_platform.store.horizon import drops, horizons, see_one_moment
from tsuji_platform.store.rollups import Refresher

WIDTHS = (RAW, FIVE_MINUTES, HOUR, DAY)
_SQL = queries.load("export")
_TABLES: dict[timedelta, LiteralString] = {
    FIVE_MINUTES: "rollup_5min",
    HOUR: "rollup_hour",
    DAY: "rollup_day",
}
_ROWS_AT_ONCE = 100_000
_HEADER, _TRAILER = 19, b"\xff\xff"
_EPOCHS_APART_US = 946_684_800_000_000
"""From 1970 to 2000, from which PostgreSQL counts."""
_REFRESH_WITHIN_S = 60.0
_LOOK_EVERY_S = 1.0
"""Whether what is asked for is up to date, though other things need not be."""


class ExportError(StoreError):
    """What was asked for can't be exported; the message says what to ask for instead.

    Attributes:
        unknown: of what kind the name is that is not known; empty where it is something else.
    """

    unknown: str = ""


class BehindError(ExportError):
    """Rollups of the time that is asked for are not complete yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to export: all that meets every condition that is not empty.

    Attributes:
        width: of the rollup's buckets; `RAW` for observations.
        start: aware, not included; None for the beginning.
        end: aware, included; None for now.
        area_set: things that stand in any of its areas.
        areas: codes; only in these areas of `area_set`.
        things: ids.
        observed_properties: ids.
        is_nothing: whether it is known that nothing meets the conditions.
        gate: withholds small counts.
    """

    width: timedelta = RAW
    start: datetime | None = None
    end: datetime | None = None
    area_set: str | None = None
    areas: Sequence[str] = ()
    things: Sequence[str] = ()
    observed_properties: Sequence[str] = ()
    is_nothing: bool = False
    gate: Gate = OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A datastream; counts of it above 0 and below `small_below` are withheld."""

    datastream_id: int
    thing_id: str
    observed_property: str
    small_below: float = 0.0


class Export:
    """History that is read at one moment.

    Attributes:
        width: as asked for.
        streams: the chosen datastreams, by key.
        owners: of their things.
        area_credit: source and licence of the area set, if one was asked for.
        start: of the time that is exported, not included.
        end: of it, included.
        kept_since: later than what was asked for, where that is no longer kept.
        pending: whether some of the sums are still to be made.
        days: the Tokyo days in which there may be something, in order.
    """

    def __init__(self, connection: Connection, choice: Choice) -> None:
        self._connection = connection
        self._reading: Generator[NDArray[Any], None, None] | None = None
        self._all = not (
            choice.area_set or choice.things or choice.observed_properties or choice.is_nothing
        )
        self.width = choice.width
        self.gate = choice.gate
        self.streams, self.owners = _streams(connection, choice)
        self.area_credit: tuple[str, str] | None = None
        if choice.area_set:
            row = _one(connection, "area_credit", {"area_set": choice.area_set})
            self.area_credit = row["source"], row["licence"]
        now = _one(connection, "moment", {})["now"]
        end = min(choice.end, now) if choice.end and choice.width else choice.end or now
        # a bucket is exported once it is over
        self.end = floor_to_step(end, choice.width) if choice.width else end
        self.start = choice.start or datetime(1970, 1, 1, tzinfo=self.end.tzinfo)
        kept = horizons(connection)
        self.kept_since = kept[choice.width].since if choice.width in kept else None
        self._kept_from = self.start  # whole buckets of observations are kept from then on
        if self.width:
            raw = kept.get(RAW)
            self._kept_from = floor_to_step(self.start, self.width)
            if raw is not None:
                self._kept_from = max(self._kept_from, ceiling(raw.since, self.width))
        if self.kept_since is not None and self.kept_since > self.start:
            self.start = self.kept_since
        else:
            self.kept_since = None
        self.pending = bool(self.width) and _one(connection, "pending", self._asked())["pending"]
        self.days = self._days()

    def _asked(self) -> dict[str, Any]:
        return {
            "datastream_ids": [one.datastream_id for one in self.streams],
            "start": self.start,
            "end": self.end,
        }

    def _days(self) -> Sequence[date]:
        if self.start >= self.end or not self.streams:
            return ()
        extent = _one(self._connection, f"extent_{_seconds(self.width)}", self._asked())
        if self.width and self._counted():  # locks the observations, too, that sums are made of
            _one(self._connection, "extent_0", self._asked())
        if extent["first"] is None:
            return ()
        self.start = max(self.start, extent["first"] - timedelta(microseconds=1))
        self.end = min(self.end, extent["last"])
        first, last = ceiling(extent["first"], DAY), ceiling(extent["last"], DAY)
        count = (last - first) // DAY + 1
        return [_day_that_ends(first) + n * DAY for n in range(count)]

    def _counted(self) -> list[Stream]:
        """The datastreams of which small counts are withheld."""
        return [one for one in self.streams if one.small_below]

    def rows(self, day: date) -> Iterator[NDArray[Any]]:
        """A day's rows, by datastream and time, some at a time.

        Returns:
            Structured arrays with the fields of `fields`: `time_us` counts from 1970 in UTC. Observations
            are as they were stored; rollups hold what of them is told, and how many counts are left out.
        """
        self._reading = self._rows(day)
        return self._reading

    def stop_reading(self) -> None:
        """Read no further where a day is read; otherwise the connection could do nothing else."""
        if self._reading is not None:
            with suppress(ValueError):  # another thread is at it
                self._reading.close()

    def _rows(self, day: date) -> Generator[NDArray[Any], None, None]:
        end = _end_of(day)
        values: dict[str, Any] = {
            "start": max(self.start, end - DAY),
            "end": min(self.end, end),
            "datastream_ids": None if self._all else [one.datastream_id for one in self.streams],
        }
        query = _SQL[f"copy_{_seconds(self.width)}"]
        counted = self._counted() if self.width else []
        if counted:
            query = _SQL["copy_told"].replace("rollup_5min", _TABLES[self.width])
            values |= {
                "counted": [one.datastream_id for one in counted],
                "small_below": [one.small_below for one in counted],
                "first": floor_to_step(values["start"], self.width),
                "kept": self._kept_from,
                "step": self.width,
                "origin": ORIGIN,
            }
        layout = np.dtype(_layout(self.width))
        with translated(), self._connection.cursor() as cursor, cursor.copy(query, values) as copy:
            chunks = iter(copy)
            buffer, skip = bytearray(), _HEADER
            while part := b"".join(islice(chunks, _ROWS_AT_ONCE)):
                buffer += part[skip:]
                skip = 0
                whole = len(buffer) // layout.itemsize
                if whole:
                    yield _unpacked(bytes(buffer[: whole * layout.itemsize]), layout)
                    del buffer[: whole * layout.itemsize]
            if buffer != _TRAILER:
                raise StoreError("the database's answer ended in the middle of a row")


@contextmanager
def exporting(
    url: str,
    choice: Choice,
    waiting: Callable[[str], None] = lambda _: None,
    *,
    patience_s: float = _REFRESH_WITHIN_S,
    only_read: bool = False,
) -> Iterator[Export]:
    """Choose what to export, as it is now; rollups are brought up to date before.

    Args:
        url: PostgreSQL address.
        choice: what.
        waiting: told, once, for what and how long at the most, where that takes its time.
        patience_s: how long at the most.
        only_read: leave it to others to bring rollups up to date, and wait for them.

    Raises:
        ExportError: there is no such thing, area or observed property, or rollups stay behind.
        DatabaseAwayError: where the database can't be reached.
        ConflictError: chunks are dropped all the time.
    """
    deadline, told = monotonic() + patience_s, False
    with connect(url, "tsuji export") as connection:
        while True:
            with translated(), connection.transaction():
                see_one_moment(connection)
                before = drops(connection)
                export = Export(connection, choice)
                if not export.pending and _are_all_there(url, before):
                    try:
                        yield export
                    finally:
                        export.stop_reading()
                    return
            if not export.pending:
                if monotonic() > deadline:
                    raise ConflictError("old chunks are dropped again and again: try again later")
                continue
            if monotonic() > deadline:
                raise BehindError(
                    f"rollups of the time that is asked for are not complete after "
                    f"{patience_s:.0f} s, since much is still to be rolled up or more keeps coming "
                    "in: try again later, export up to an earlier moment (--to), or --step raw"
                )
            if not told:
                told = True
                waiting(f"brings rollups up to date first, {patience_s:.0f} s at the most")
            if only_read:
                sleep(min(0.5, patience_s))
            else:
                _bring_up_to_date(url, min(deadline, monotonic() + _LOOK_EVERY_S))


def _are_all_there(url: str, drops_before: int | None) -> bool:
    """Whether no chunk was dropped since a moment (see `horizon`).

    From now on none can be of the time that is exported: by looking for the first and the last row all
    of its chunks were locked, until the transaction ends.
    """
    with connect(url, "tsuji export") as fresh, translated():
        return drops(fresh) == drops_before


def _bring_up_to_date(url: str, until: float) -> None:
    """Roll up until all is, or until a moment of the monotonic clock."""
    refresher = Refresher(url)
    try:
        while (done := refresher.refresh()) != 0 and monotonic() < until:
            if done is None:  # another one is at it
                sleep(0.2)
    finally:
        refresher.close()


def _streams(connection: Connection, choice: Choice) -> tuple[list[Stream], list[str]]:
    if choice.areas and not choice.area_set:
        raise ExportError(
            f"area {quote(choice.areas[0])} needs the area set that it belongs to (--area-set)"
        )
    if choice.is_nothing:
        return [], []
    for kind, wanted, query in (
        ("area set", [choice.area_set] if choice.area_set else [], "area_set_ids"),
        ("area", choice.areas, "area_codes"),
        ("thing", choice.things, "thing_ids"),
        ("observed property", choice.observed_properties, "property_ids"),
    ):
        if wanted:
            known = connection.execute(_SQL[query], {"area_set": choice.area_set}).fetchall()
            _check(kind, wanted, [row["name"] for row in known])
    asked = {
        "things": list(choice.things) or None,
        "properties": list(choice.observed_properties) or None,
        "area_set": choice.area_set or None,
        "areas": list(choice.areas) or None,
        **choice.gate.parameters(),
    }
    rows = connection.execute(_SQL["streams"], asked).fetchall()
    owners = sorted({row.pop("owner") for row in rows} - {""})
    return [Stream(**row) for row in rows], owners


def _check(kind: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    there_are = set(known)
    for name in wanted:
        if name not in there_are:
            near = get_close_matches(name, known, n=3, cutoff=0.5)
            there = ", ".join(near or sorted(known)[:5]) or "none"
            hint = "did you mean" if near else "there are, for example," if known else "there is"
            error = ExportError(f"there is no {kind} {quote(name)}; {hint} {there}")
            error.unknown = kind
            raise error


def _one(connection: Connection, query: str, values: Mapping[str, Any]) -> dict[str, Any]:
    (row,) = connection.execute(_SQL[query], values).fetchall()
    return row


def _seconds(width: timedelta) -> int:
    return width // timedelta(seconds=1)


def _end_of(day: date) -> datetime:
    """When a day in Tokyo ends."""
    return datetime.fromisoformat(f"{day:%Y-%m-%d}T00:00:00+09:00") + DAY


def _day_that_ends(moment: datetime) -> date:
    return (moment + timedelta(hours=9)).date() - DAY


def _layout(width: timedelta) -> list[tuple[str, str]]:
    names = (
        ("datastream_id", ">i4"), ("period_s", ">i4"), ("time_us", ">i8"), ("result", ">f8"),
    ) if not width else (
        ("datastream_id", ">i4"), ("n", ">i4"), ("time_us", ">i8"), ("total", ">f8"),
        ("lowest", ">f8"), ("highest", ">f8"), ("sine", ">f8"), ("cosine", ">f8"),
        ("left_out", ">i4"),
    )  # fmt: skip
    layout = [("fields", ">i2")]
    for name, kind in names:
        layout += [(f"{name}_size", ">i4"), (name, kind)]
    return layout


def _unpacked(data: bytes, layout: np.dtype[Any]) -> NDArray[Any]:
    rows = np.frombuffer(data, dtype=layout).copy()
    rows["time_us"] += _EPOCHS_APART_US
    return rows
