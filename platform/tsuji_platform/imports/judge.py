"""Believes rows of files by the rules of the contract, whole columns at a time.

What is plainly good is told by comparing columns. Everything else goes to the contract itself, row by
row, which believes it or says why not. So the rules stand in one place, and bad rows cost more than
good ones. A test holds this against the contract alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tsuji_platform.contract import OBSERVED_PROPERTIES, Observation, Reason, RejectedError
from tsuji_platform.contract.messages import (
    EARLIEST,
    FUTURE_TOLERANCE,
    observe,
    parse_period,
    parse_time,
)
from tsuji_platform.contract.rejection import quote
from tsuji_platform.contract.topics import check_thing_id
from tsuji_platform.imports.cells import (
    encoded,
    number_of,
    numbers_of,
    periods_of,
    text_of,
    whole_of,
)
from tsuji_platform.imports.local_time import instant_of
from tsuji_platform.imports.names import Names, Series
from tsuji_platform.imports.rows import Cells, JudgedRows, RawRows, Refused
from tsuji_platform.imports.units import Conversion, conversion

_US = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTC_US = pa.timestamp("us", "UTC")
_DAY = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?"
_RFC_3339 = _DAY + r"(Z|[+-]\d\d:\d\d)$"
_NAIVE = _DAY + "$"


class _Property:
    """What a name, with a unit, means: the property, how values become its results, or why none."""

    def __init__(self, name: str, unit: str, names: Names) -> None:
        self.ignored = name in names.ignore
        series = names.series.get(name)
        self.id = name if series is None else series.observed_property
        self.period_s = None if series is None else series.period_s
        self.factor, self.offset = 1.0, 0.0
        self.refusal: RejectedError | None = None
        self.known = OBSERVED_PROPERTIES.get(self.id)
        if self.known is None:
            return  # the contract says so, after what is wrong with the time
        try:
            chosen = unit if series is None or series.unit is None else series.unit
            self.factor, self.offset = _chained(series, conversion(self.known, chosen))
        except RejectedError as error:
            self.refusal = error


def _chained(series: Series | None, unit: Conversion) -> Conversion:
    if series is None:
        return unit
    return series.factor * unit[0], series.offset * unit[0] + unit[1]


class Judge:
    """Believes rows, or not.

    Args:
        names: what the file's names mean.
        zone: for times without an offset; None refuses them.
        period_s: for counts that don't say what they cover, and whose series doesn't.
    """

    def __init__(
        self,
        names: Names | None = None,
        zone: ZoneInfo | None = None,
        period_s: int | None = None,
    ) -> None:
        self._names = names or Names()
        self._zone = zone
        self._period_s = period_s
        self._properties: dict[tuple[str, str], _Property] = {}

    def judge(self, raw: RawRows, now: datetime) -> JudgedRows:
        """Judge some rows.

        Args:
            raw: as they stand in the file.
            now: the hub's clock, aware.
        """
        thing_codes, things, thing_good = self._things(raw.thing)
        codes, properties = self._coded_properties(raw)
        times, good = self._times(raw.time, now)
        good &= thing_good
        table = _Table.of(properties, self._period_s)
        results, numeric = numbers_of(raw.result)
        if table.converts:
            results = results * table.factor[codes] + table.offset[codes]
        with np.errstate(invalid="ignore"):
            good &= numeric & (table.low[codes] <= results) & (results <= table.high[codes])
            counts = table.is_count[codes]
            good &= ~counts | (results == np.floor(results))
        periods, period_good = periods_of(raw.period_s, len(raw.lines))
        good &= period_good
        periods = np.where(periods > 0, periods, table.period_s[codes])
        good &= ~counts | (periods > 0)
        passed_over = table.ignored[codes]

        refused = list(raw.refused)
        late: list[tuple[int, Observation]] = []
        for place in np.flatnonzero(~good & ~passed_over).tolist():
            try:
                late.append((place, self._believe(raw.cells(place), now)))
            except RejectedError as error:
                refused.append(Refused.of(error, int(raw.lines[place]), raw.original(place)))
        places = np.flatnonzero(good & ~passed_over)
        names, pairs = _pairs(
            thing_codes[places], things, codes[places], [one.id for one in properties]
        )
        values = _Values(
            names=names,
            codes=pairs,
            periods=np.where(counts, periods, 0)[places],
            times_us=times[places],
            results=results[places],
            places=places,
        )
        if late:
            values = values.with_late(late)
        return JudgedRows(
            end=raw.end,
            names=values.names,
            codes=values.codes.astype(np.int32),
            periods=values.periods.astype(np.int32),
            times_us=values.times_us,
            results=values.results,
            lines=raw.lines[values.places],
            original=lambda value: raw.original(int(values.places[value])),
            refused=refused,
            behind=raw.behind,
        )

    def _things(self, column: pa.Array) -> tuple[NDArray[np.int64], list[str], NDArray[np.bool_]]:
        codes, texts = encoded(column)
        things = [self._names.things.get(text, text) for text in texts]
        good = np.array([_is_thing_id(thing) for thing in things], dtype=bool)
        return codes, things, good[codes]

    def _coded_properties(self, raw: RawRows) -> tuple[NDArray[np.int64], list[_Property]]:
        codes, names = encoded(raw.observed_property)
        units = [""]
        if raw.unit is not None:
            unit_codes, units = encoded(raw.unit)
            codes = codes * len(units) + unit_codes
            present, codes = np.unique(codes, return_inverse=True)
            pairs = [
                (names[one // len(units)], units[one % len(units)]) for one in present.tolist()
            ]
        else:
            pairs = [(name, "") for name in names]
        return codes, [self._property(name, unit) for name, unit in pairs]

    def _property(self, name: str, unit: str) -> _Property:
        key = name, unit
        found = self._properties.get(key)
        if found is None:
            found = _Property(name, unit, self._names)
            if len(self._properties) < 4096:  # a hostile file has a new name in every row
                self._properties[key] = found
        return found

    def _times(
        self, column: pa.Array, now: datetime
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Microseconds since 1970, and which of them are plainly good."""
        instants = self._instants(column)
        valid = np.asarray(pc.is_valid(instants))
        times = np.asarray(pc.fill_null(instants.cast(pa.int64()), 0))
        latest = (now + FUTURE_TOLERANCE - _EPOCH) // _US
        return times, valid & (times >= (EARLIEST - _EPOCH) // _US) & (times <= latest)

    def _instants(self, column: pa.Array) -> pa.Array:
        kind = column.type
        nothing = pa.nulls(len(column), _UTC_US)
        try:
            if pa.types.is_timestamp(kind):
                if kind.tz is not None:
                    return column.cast(
                        _UTC_US, safe=kind.unit != "ns"
                    )  # what is shorter is cut off
                return nothing if self._zone is None else self._local(column)
            if not pa.types.is_string(kind):
                return nothing
            whole = pc.match_substring_regex(column, _RFC_3339)
            instants = pc.if_else(whole, column, None).cast(_UTC_US)
            if self._zone is not None and instants.null_count:
                naive = pc.if_else(pc.match_substring_regex(column, _NAIVE), column, None)
                instants = pc.coalesce(instants, self._local(naive.cast(pa.timestamp("us"))))
            return instants
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return nothing  # one of them is no time; which one, the contract finds out

    def _local(self, column: pa.Array) -> pa.Array:
        """Raises `ArrowInvalid` where one of them is ambiguous or does not exist."""
        column = column.cast(pa.timestamp("us"), safe=column.type.unit != "ns")
        return pc.assume_timezone(column, str(self._zone)).cast(_UTC_US)

    def _believe(self, cells: Cells, now: datetime) -> Observation:
        """One row by the contract, in the order in which a message is judged.

        Raises:
            RejectedError: why not.
        """
        if cells.thing is not None and not isinstance(cells.thing, str):
            raise RejectedError(Reason.BAD_THING, f"thing {quote(cells.thing)} is no text")
        name, unit = text_of(cells.observed_property), text_of(cells.unit)
        thing_id = check_thing_id(
            self._names.things.get(text_of(cells.thing), text_of(cells.thing))
        )
        time = self._time(cells.time, now)
        known = self._property(name, unit)
        period_s = parse_period(whole_of(cells.period_s)) or known.period_s or self._period_s
        if known.refusal is not None:
            raise known.refusal
        value = number_of(name, cells.result)
        if known.factor != 1.0 or known.offset != 0.0:
            value = value * known.factor + known.offset
        return observe(thing_id, known.id, time, value, period_s)

    def _time(self, value: object, now: datetime) -> datetime:
        if isinstance(value, datetime):
            value = value.isoformat()
        if self._zone is not None and isinstance(value, str):
            local = instant_of(value, self._zone)
            value = value if local is None else local.isoformat()
        try:
            return parse_time(value, now)
        except RejectedError as error:
            if self._zone is None and instant_of(value, ZoneInfo("UTC")) is not None:
                raise RejectedError(
                    Reason.BAD_TIME,
                    f"time {quote(value)} has no offset; if all of them are of one zone, name it: "
                    "--time-zone Asia/Tokyo",
                ) from error
            raise


def _is_thing_id(text: str) -> bool:
    try:
        check_thing_id(text)
    except RejectedError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """What is to be known of properties, by code; of what can't be believed the range is empty."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    factor: NDArray[np.float64]
    offset: NDArray[np.float64]
    period_s: NDArray[np.int64]
    is_count: NDArray[np.bool_]
    ignored: NDArray[np.bool_]

    @classmethod
    def of(cls, properties: Sequence[_Property], period_s: int | None) -> "_Table":
        known = [one.known if one.refusal is None else None for one in properties]
        return cls(
            low=np.array([one.low if one else 1.0 for one in known], np.float64),
            high=np.array([one.high if one else 0.0 for one in known], np.float64),
            factor=np.array([one.factor for one in properties], np.float64),
            offset=np.array([one.offset for one in properties], np.float64),
            period_s=np.array([one.period_s or period_s or 0 for one in properties], np.int64),
            is_count=np.array([one is not None and one.is_count for one in known], np.bool_),
            ignored=np.array([one.ignored for one in properties], np.bool_),
        )

    @property
    def converts(self) -> bool:
        return bool((self.factor != 1.0).any() or (self.offset != 0.0).any())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """Believed values, and the places of their rows."""

    names: list[tuple[str, str]]
    codes: NDArray[np.int64]
    periods: NDArray[np.int64]
    times_us: NDArray[np.int64]
    results: NDArray[np.float64]
    places: NDArray[np.int64]

    def with_late(self, late: Sequence[tuple[int, Observation]]) -> "_Values":
        """With what the contract believed although it was not plainly good, in the file's order."""
        codes = {name: code for code, name in enumerate(self.names)}
        more = [
            (
                codes.setdefault((one.thing_id, one.observed_property), len(codes)),
                one.period_s or 0,
                (one.phenomenon_time - _EPOCH) // _US,
                one.result,
                place,
            )
            for place, one in late
        ]
        added = list(zip(*more, strict=True))
        places = np.concatenate((self.places, np.array(added[4], np.int64)))
        order = np.argsort(places, kind="stable")
        return _Values(
            names=list(codes),
            codes=np.concatenate((self.codes, np.array(added[0], np.int64)))[order],
            periods=np.concatenate((self.periods, np.array(added[1], np.int64)))[order],
            times_us=np.concatenate((self.times_us, np.array(added[2], np.int64)))[order],
            results=np.concatenate((self.results, np.array(added[3], np.float64)))[order],
            places=places[order],
        )


def _pairs(
    thing_codes: NDArray[np.int64],
    things: list[str],
    property_codes: NDArray[np.int64],
    properties: list[str],
) -> tuple[list[tuple[str, str]], NDArray[np.int64]]:
    """The datastreams that occur, and for each row which of them it is of."""
    width = max(len(properties), 1)
    both = thing_codes * width + property_codes
    if len(things) * width <= 1 << 20:  # counting is faster than sorting
        present = np.flatnonzero(np.bincount(both, minlength=1))
        places = np.zeros(len(things) * width + 1, np.int64)
        places[present] = np.arange(len(present))
        codes = places[both]
    else:
        present, codes = np.unique(both, return_inverse=True)
    names = [(things[one // width], properties[one % width]) for one in present.tolist()]
    return names, codes
