"""Reads much history at once: day by day, as packed columns, all of it as it is at one moment.

Rows come in PostgreSQL's binary COPY format, all of the same length, and are taken over by the hundred
thousand without looking at each; nothing grows with the length of an export. Rollups are brought up to
date first, and read only from a moment at which nothing that was asked for waits to be rolled up.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from itertools import islice
from time import monotonic, sleep
from typing import Any, LiteralString

import numpy as np
import psycopg
from numpy.typing import NDArray

from tsuji_platform.store import queries
from tsuji_platform.store.cover import DAY, FIVE_MINUTES, HOUR, ORIGIN, RAW, ceiling, floor_to_step
from tsuji_platform.store.database import Connection, connect, dropped_when_interrupted
from tsuji_platform.store.errors import ConflictError, StoreError, translated
from tsuji_platform.store.export_choice import (
    BehindError,
    Choice,
    Share,
    Stream,
    TakenError,
    chosen_streams,
)
from tsuji_platform.store.history_plan import DIRECTIONS
from tsuji_platform.store.horizon import Horizons, drops, horizons, see_one_moment
from tsuji_platform.store.quality import judging
from tsuji_platform.store.rollups import Refresher

WIDTHS = (RAW, FIVE_MINUTES, HOUR, DAY)
_SQL = queries.load("export")
_TABLES: dict[timedelta, LiteralString] = {
    FIVE_MINUTES: "rollup_5min",
    HOUR: "rollup_hour",
    DAY: "rollup_day",
}
_ROWS_AT_ONCE = 100_000
_JUDGED_AT_ONCE = 64
"""Datastreams of a day that are judged together: what that takes fits into the database's memory."""
_HEADER, _TRAILER = 19, b"\xff\xff"
_EPOCHS_APART_US = 946_684_800_000_000
"""From 1970 to 2000, from which PostgreSQL counts."""
_REFRESH_WITHIN_S = 60.0
_CANCELLED_WITHIN_S = 5.0
_LOOK_EVERY_S = 1.0
"""Whether what is asked for is up to date, though other things need not be."""


class Export:
    """History that is read at one moment.

    Attributes:
        width: as asked for.
        quality: likewise.
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
        self.quality = choice.quality
        self.gate = choice.gate
        self.streams, self.owners = chosen_streams(connection, choice)
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
        self.kept_since = self._kept_since(kept)
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
        self.pending = (
            bool(self.width)
            and self.quality == "all"
            and _one(connection, "pending", self._asked())["pending"]
        )
        self.days = self._days()

    def _kept_since(self, kept: Horizons) -> datetime | None:
        if self.quality == "all":
            return kept[self.width].since if self.width in kept else None
        if RAW not in kept:
            return None
        since = kept[RAW].since
        return ceiling(since, self.width) if self.width else since

    def _asked(self) -> dict[str, Any]:
        return {
            "datastream_ids": [one.datastream_id for one in self.streams],
            "start": self.start,
            "end": self.end,
        }

    def _days(self) -> Sequence[date]:
        if self.start >= self.end or not self.streams:
            return ()
        if self.width and self.quality != "all":
            first, last = self._extent_of_observations()
        else:
            extent = _one(self._connection, f"extent_{_seconds(self.width)}", self._asked())
            first, last = extent["first"], extent["last"]
            if self.width and self._counted():  # locks the observations, too, that sums are made of
                _one(self._connection, "extent_0", self._asked())
        if first is None or last is None:
            return ()
        self.start = max(self.start, first - timedelta(microseconds=1))
        self.end = min(self.end, last)
        first, last = ceiling(first, DAY), ceiling(last, DAY)
        count = (last - first) // DAY + 1
        return [_day_that_ends(first) + n * DAY for n in range(count)]

    def _extent_of_observations(self) -> tuple[datetime | None, datetime | None]:
        """The ends of the first and of the last bucket that observations of this time lie in."""
        asked = self._asked() | {"start": floor_to_step(self.start, self.width)}
        extent = _one(self._connection, "extent_0", asked)
        if extent["first"] is None:
            return None, None
        return ceiling(extent["first"], self.width), ceiling(extent["last"], self.width)

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
        for query, values in self._questions(day):
            yield from self._copied(query, values)

    def _questions(self, day: date) -> Iterator[tuple[LiteralString, dict[str, Any]]]:
        """What is asked for a day's rows, one after the other."""
        end = _end_of(day)
        values: dict[str, Any] = {"start": max(self.start, end - DAY), "end": min(self.end, end)}
        of_sums = {
            "first": floor_to_step(values["start"], self.width) if self.width else None,
            "step": self.width,
            "origin": ORIGIN,
        }
        if self.quality != "all":
            query = _SQL["copy_judged_sums" if self.width else "copy_judged"]
            values |= of_sums | judging(self.quality)
            for first in range(0, len(self.streams), _JUDGED_AT_ONCE):
                some = self.streams[first : first + _JUDGED_AT_ONCE]
                yield query, values | _of_streams(some)
            return
        every = [one.datastream_id for one in self.streams]
        values["datastream_ids"] = None if self._all else every
        counted = self._counted() if self.width else []
        if counted:
            query = _SQL["copy_told"].replace("rollup_5min", _TABLES[self.width])
            values |= of_sums | {
                "counted": [one.datastream_id for one in counted],
                "small_below": [one.small_below for one in counted],
                "kept": self._kept_from,
            }
            yield query, values
        else:
            yield _SQL[f"copy_{_seconds(self.width)}"], values

    def _copied(
        self, query: LiteralString, values: Mapping[str, Any]
    ) -> Generator[NDArray[Any], None, None]:
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

    def cancel(self) -> None:
        """Break off what another thread is reading: its next row is an error."""
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=_CANCELLED_WITHIN_S)


@contextmanager
def exporting(
    url: str,
    choice: Choice,
    waiting: Callable[[str], None] = lambda _: None,
    *,
    patience_s: float = _REFRESH_WITHIN_S,
    only_read: bool = False,
    share: Share | None = None,
) -> Iterator[Export]:
    """Choose what to export, as it is now; rollups are brought up to date before.

    Args:
        url: PostgreSQL address.
        choice: what.
        waiting: told, once, for what and how long at the most, where that takes its time.
        patience_s: how long at the most.
        only_read: leave it to others to bring rollups up to date, and wait for them.
        share: of whom it is one of a few; None where nobody counts.

    Raises:
        TakenError: whose it is has as many as one may have.
        ExportError: there is no such thing, area or observed property, or rollups stay behind.
        DatabaseAwayError: where the database can't be reached.
        ConflictError: chunks are dropped all the time.
    """
    deadline, told = monotonic() + patience_s, False
    with connect(url, "tsuji export") as connection:
        while True:
            with (
                translated(),
                connection.transaction(),
                dropped_when_interrupted(connection),
            ):
                see_one_moment(connection)
                if share is not None and not _is_one_of(connection, share):
                    raise TakenError(f"{share.at_once} exports are under way for {share.holder}")
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


def _is_one_of(connection: Connection, share: Share) -> bool:
    """Take one of the places of a share, which is free again when the transaction ends, however it does."""
    asked = {"holder": share.holder, "places": share.at_once}
    return bool(_one(connection, "place", asked)["is_mine"])


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


def _of_streams(streams: Sequence[Stream]) -> dict[str, Any]:
    properties = {one.datastream_id: one.observed_property for one in streams}
    return {
        "datastream_ids": list(properties),
        "small_below": [one.small_below for one in streams],
        "directions": [key for key, name in properties.items() if name in DIRECTIONS],
    }


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
