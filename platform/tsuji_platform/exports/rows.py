"""Rows of an export as Arrow columns, with what they mean in the schema."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation
from tsuji_platform.store.export_choice import Stream

_NAME = pa.dictionary(pa.int32(), pa.string())
_TIME = (
    "the END of what the row speaks of, UTC: counts end then, and an hour's mean is of the hour before. "
    "A folder date=... holds the Tokyo day (UTC+9), midnight at its end included"
)
MEANINGS = {
    "thing": "id of the thing",
    "observed_property": "id of the observed property",
    "time": _TIME,
    "result": "of rollups: the results combined as the property wants: mean, sum, maximum or direction",
    "unit": "UCUM code of result, sum, mean, min and max",
    "period_s": "seconds that the row covers, ending at time; null for momentary readings",
    "n": "observations",
    "sum": "of their results; null for directions",
    "mean": "of their results; for directions the circular mean, null where they cancel out",
    "min": "null for directions",
    "max": "null for directions",
    "suppressed": "people were counted, too few to be told of: result, sum, mean, min and max are null",
    "left_out": "small counts that are withheld and no part of the row",
}
_RAW = {
    "thing": _NAME,
    "observed_property": _NAME,
    "time": pa.timestamp("us", tz="UTC"),
    "result": pa.float64(),
    "unit": _NAME,
    "period_s": pa.int32(),
}
_ROLLUP = _RAW | {
    "n": pa.int32(),
    "sum": pa.float64(),
    "mean": pa.float64(),
    "min": pa.float64(),
    "max": pa.float64(),
}
TOLD = {"suppressed": pa.bool_(), "left_out": pa.int32()}
"""The columns of exports from which small counts are withheld."""


class Columns:
    """Turns rows of one export into record batches.

    Args:
        streams: the datastreams, in the order of their keys.
        width: of the rollup's buckets, 0 for observations.
        about: what the whole export is, for the schema's metadata.
        gate: what withholds small counts; where it does, two columns say so.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        width: timedelta,
        about: dict[str, Any],
        gate: Gate = OPEN,
    ) -> None:
        self._small_below = np.array([one.small_below for one in streams], np.float64)
        self._width_s = width // timedelta(seconds=1)
        self._ids = np.array([one.datastream_id for one in streams], np.int32)
        self._things, self._thing_of = _coded([one.thing_id for one in streams])
        names = [one.observed_property for one in streams]
        self._properties, self._property_of = _coded(names)
        self._units, self._unit_of = _coded([unit_of(name) for name in names])
        rules = [_rule(name) for name in names]
        self._is = {rule: np.array([it is rule for it in rules], bool) for rule in Aggregation}
        types = (_ROLLUP if self._width_s else _RAW) | (TOLD if gate else {})
        self.schema = pa.schema(
            [
                pa.field(name, kind, metadata={"meaning": MEANINGS[name]})
                for name, kind in types.items()
            ],
            metadata={"tsuji": orjson.dumps(about)},
        )

    def batch(self, rows: NDArray[Any]) -> pa.RecordBatch:
        """Some rows, as `store.export.Export.rows` gives them."""
        at = np.searchsorted(self._ids, rows["datastream_id"])
        columns = {
            "thing": _named(self._thing_of[at], self._things),
            "observed_property": _named(self._property_of[at], self._properties),
            "time": pa.array(rows["time_us"].astype(np.int64)).cast(_RAW["time"]),
            "unit": _named(self._unit_of[at], self._units),
        }
        more = self._rollups(rows, at) if self._width_s else self._observations(rows, at)
        return pa.RecordBatch.from_arrays(
            [(columns | more)[name] for name in self.schema.names], schema=self.schema
        )

    def _rollups(self, rows: NDArray[Any], at: NDArray[np.int64]) -> dict[str, pa.Array]:
        n, total, highest = (_native(rows[name]) for name in ("n", "total", "highest"))
        sine, cosine = _native(rows["sine"]), _native(rows["cosine"])
        directions = self._is[Aggregation.CIRCULAR_MEAN][at]
        degrees = np.degrees(np.arctan2(sine, cosine)) % 360 % 360
        nowhere = directions & (np.hypot(sine, cosine) < 1e-9)
        left_out = _native(rows["left_out"])
        hidden = (left_out > 0) & (total == 0)
        mean = np.where(directions, degrees, total / np.maximum(n, 1))
        result = np.where(self._is[Aggregation.SUM][at], total, mean)
        result = np.where(self._is[Aggregation.MAXIMUM][at], highest, result)
        return {
            "result": pa.array(result, mask=nowhere | hidden),
            "period_s": pa.array(np.full(len(rows), self._width_s, np.int32)),
            "n": pa.array(n),
            "sum": pa.array(total, mask=directions | hidden),
            "mean": pa.array(mean, mask=nowhere | hidden),
            "min": pa.array(_native(rows["lowest"]), mask=directions | hidden),
            "max": pa.array(highest, mask=directions | hidden),
            "suppressed": pa.array(hidden),
            "left_out": pa.array(left_out),
        }

    def _observations(self, rows: NDArray[Any], at: NDArray[np.int64]) -> dict[str, pa.Array]:
        periods, result = _native(rows["period_s"]), _native(rows["result"])
        hidden = (result > 0) & (result < self._small_below[at])
        return {
            "result": pa.array(np.where(hidden, 0, result), mask=hidden),
            "period_s": pa.array(periods, mask=periods == 0),
            "suppressed": pa.array(hidden),
            "left_out": pa.array(hidden.astype(np.int32)),
        }


def unit_of(observed_property: str) -> str:
    """UCUM code; empty for a property that this version does not know."""
    known = OBSERVED_PROPERTIES.get(observed_property)
    return known.unit if known else ""


def _rule(observed_property: str) -> Aggregation:
    known = OBSERVED_PROPERTIES.get(observed_property)
    return known.aggregation if known else Aggregation.MEAN


def _observations(rows: NDArray[Any]) -> dict[str, pa.Array]:
    periods = _native(rows["period_s"])
    return {
        "result": pa.array(_native(rows["result"])),
        "period_s": pa.array(periods, mask=periods == 0),
    }


def _coded(names: Sequence[str]) -> tuple[pa.Array, NDArray[np.int32]]:
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return pa.array(list(places), pa.string()), np.array([places[name] for name in names], np.int32)


def _named(codes: NDArray[np.int32], names: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes), names)


def _native(column: NDArray[Any]) -> NDArray[Any]:
    """Without gaps and in the machine's byte order."""
    return np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("="))
