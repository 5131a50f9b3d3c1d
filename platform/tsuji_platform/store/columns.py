"""Rows of observations as columns, since they come by the hundred thousand: packed without a loop.

The format is PostgreSQL's binary COPY: https://www.postgresql.org/docs/current/sql-copy.html (file
formats, binary format). A test holds it against what psycopg writes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.rows import DictRow

from tsuji_platform.store.changed import BUCKET_S, SAME_RUN, Run, note_runs

_BEGIN = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCHS_APART_US = (datetime(2000, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_INT4, _INT8, _FLOAT8, _SIZE, _FIELDS = ">i4", ">i8", ">f8", ">i4", ">i2"
_ID = [("fields", _FIELDS), ("id_size", _SIZE), ("datastream_id", _INT4), ("period_size", _SIZE)]
_PERIOD = [("period_s", _INT4)]
_REST = [("time_size", _SIZE), ("time", _INT8), ("result_size", _SIZE), ("result", _FLOAT8)]
_RECEIVED = [("received_size", _SIZE), ("received", _INT8)]


Key = tuple[int, datetime]
"""Of an observation: its datastream and its phenomenon time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Observations of known datastreams, in the order of datastream and time, each key once.

    Attributes:
        datastream_ids: int32.
        periods: int32, seconds; 0 where there is none.
        times_us: int64, microseconds since 1970-01-01T00:00Z.
        results: float64.
        received_us: int64, when each came, microseconds since 1970-01-01T00:00Z.
    """

    datastream_ids: NDArray[np.int32]
    periods: NDArray[np.int32]
    times_us: NDArray[np.int64]
    results: NDArray[np.float64]
    received_us: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.datastream_ids)

    def observations(self) -> bytes:
        """The first four columns of the table, packed for COPY."""
        return self._packed([], 4)

    def staged(self) -> bytes:
        """All columns of the stage, packed for COPY."""
        return self._packed(_RECEIVED, 5)

    def newest(self) -> dict[str, str]:
        """The newest row of each datastream, as the columns of `advance_latest`.

        Texts of arrays, since psycopg looks up how to write each element of a list: nine parts in ten
        of the time that this takes. Times are microseconds since 1970-01-01T00:00Z.
        """
        last = np.flatnonzero(np.append(np.diff(self.datastream_ids) != 0, True)[: len(self)])
        periods = self.periods[last].tolist()
        return {
            "datastream_ids": _array(map(str, self.datastream_ids[last].tolist())),
            "periods": _array(str(period) if period else "null" for period in periods),
            "times_us": _array(map(str, self.times_us[last].tolist())),
            "results": _array(map(repr, self.results[last].tolist())),
            "received_us": _array(map(str, self.received_us[last].tolist())),
        }

    def note(self, cursor: psycopg.Cursor[DictRow]) -> None:
        """Say that these observations are not what they were."""
        note_runs(cursor, self.runs())

    def runs(self) -> Iterator[Run]:
        """The buckets that they lie in, those of a datastream that lie near each other joined."""
        if not len(self):
            return iter(())
        ids, buckets = self.datastream_ids, -(-self.times_us // (BUCKET_S * 1_000_000))
        apart = (np.diff(ids) != 0) | (np.diff(buckets) > SAME_RUN)
        first, last = np.append(True, apart), np.append(apart, True)
        return zip(
            ids[first].tolist(), buckets[first].tolist(), buckets[last].tolist(), strict=True
        )

    def only(self, keys: set[Key]) -> "Columns":
        """Those with one of these keys."""
        pairs = zip(self.datastream_ids.tolist(), self.times_us.tolist(), strict=True)
        return self._those(np.fromiter(((i, _moment(t)) in keys for i, t in pairs), dtype=bool))

    def _those(self, mask: NDArray[np.bool_]) -> "Columns":
        return Columns(
            datastream_ids=self.datastream_ids[mask],
            periods=self.periods[mask],
            times_us=self.times_us[mask],
            results=self.results[mask],
            received_us=self.received_us[mask],
        )

    def _packed(self, more: list[tuple[str, str]], fields: int) -> bytes:
        counts = self.periods > 0
        parts = [_BEGIN]
        if not counts.all():
            parts.append(self._those(~counts)._rows(_ID + _REST + more, fields))
        if counts.any():
            parts.append(self._those(counts)._rows(_ID + _PERIOD + _REST + more, fields))
        return b"".join((*parts, _END))

    def _rows(self, layout: list[tuple[str, str]], fields: int) -> bytes:
        rows = np.empty(len(self), dtype=layout)
        rows["fields"] = fields
        rows["id_size"] = 4
        rows["datastream_id"] = self.datastream_ids
        rows["period_size"] = -1
        if ("period_s", _INT4) in layout:
            rows["period_size"] = 4
            rows["period_s"] = self.periods
        rows["time_size"] = rows["result_size"] = 8
        rows["time"] = self.times_us - _EPOCHS_APART_US
        rows["result"] = self.results
        if fields == 5:
            rows["received_size"] = 8
            rows["received"] = self.received_us - _EPOCHS_APART_US
        return rows.tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Columns with each key once, and what became of the other rows with the same keys.

    Attributes:
        columns: what is right.
        repeated: rows that said the same as the one before.
        replaced: rows that said something else.
    """

    columns: Columns
    repeated: int
    replaced: int


def settle(
    datastream_ids: NDArray[np.int32],
    periods: NDArray[np.int32],
    times_us: NDArray[np.int64],
    results: NDArray[np.float64],
    received_us: NDArray[np.int64],
    *,
    keep: bool = False,
) -> Settled:
    """Bring rows into order, each key once.

    Args:
        datastream_ids: of rows in the order of their arrival.
        periods: seconds, 0 for none.
        times_us: microseconds since 1970-01-01T00:00Z.
        results: in the units of their properties.
        received_us: when each came, microseconds since 1970-01-01T00:00Z; of a value that is repeated
            it is when it first came.
        keep: of several rows with the same key the first is right, otherwise the last.
    """
    order = np.lexsort((times_us, datastream_ids))  # stable: equal keys stay as they came
    ids, times = datastream_ids[order], times_us[order]
    same = (np.diff(ids) == 0) & (np.diff(times) == 0)
    repeated = replaced = 0
    said = order
    if same.any():
        values, spans = results[order], periods[order]
        equal = same & (np.diff(values) == 0) & (np.diff(spans) == 0)
        repeated = int(equal.sum())
        replaced = int(same.sum()) - repeated
        begun = np.where(
            np.append(True, ~equal), np.arange(len(order)), 0
        )  # where it was said first
        right = np.append(True, ~same) if keep else np.append(~same, True)
        said = order[np.maximum.accumulate(begun)[right]]
        order = order[right]
    return Settled(
        columns=Columns(
            datastream_ids=datastream_ids[order],
            periods=periods[order],
            times_us=times_us[order],
            results=results[order],
            received_us=received_us[said],
        ),
        repeated=repeated,
        replaced=replaced,
    )


def _array(elements: Iterable[str]) -> str:
    return "{" + ",".join(elements) + "}"


def _moment(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)
