"""Gathers the rows of a batch column by column, as messages bring them, and brings them into order."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from tsuji_platform.contract.readings import Reading
from tsuji_platform.contract.rejection import quote
from tsuji_platform.store.columns import Settled, settle
from tsuji_platform.store.errors import RowRefusedError
from tsuji_platform.store.registry import Place

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MISFITS = (TypeError, ValueError, OverflowError)


class Gathered:
    """Rows in the order of their arrival; of two with the same key the later is right."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._results: list[float] = []
        self._sizes: list[int] = []
        self._times: list[datetime] = []
        self._received: list[datetime] = []
        self._counts: list[int] = []
        self._periods: list[int] = []

    def __len__(self) -> int:
        return len(self._ids)

    def take(self, reading: Reading, place: Place, received_at: datetime) -> None:
        """Take the values of a reading.

        Args:
            reading: to take.
            place: where they belong.
            received_at: when they came, aware.
        """
        if place.counts and reading.period_s is not None:
            start = len(self._ids)
            for count in place.counts:
                self._counts.append(start + count)
                self._periods.append(reading.period_s)
        self._ids += place.datastream_ids
        self._results += reading.results
        self._sizes.append(len(reading.results))
        self._times.append(reading.phenomenon_time)
        self._received.append(received_at)

    def settled(self) -> Settled:
        """The rows in order, each key once.

        Raises:
            RowRefusedError: where a value does not fit its column.
        """
        try:
            periods = np.zeros(len(self._ids), np.int32)
            if self._counts:
                periods[self._counts] = _spans(self._periods)
            results = _numbers(self._results)
            times_us = _microseconds(self._times)
        except _MISFITS as error:
            raise self._refused(error) from error
        return settle(
            np.array(self._ids, np.int32),
            periods,
            np.repeat(times_us, self._sizes),
            results,
            np.repeat(_microseconds(self._received), self._sizes),
        )

    def _refused(self, error: Exception) -> RowRefusedError:
        periods = dict(zip(self._counts, self._periods, strict=True))
        times = [
            time for time, size in zip(self._times, self._sizes, strict=True) for _ in range(size)
        ]
        for place, (result, time) in enumerate(zip(self._results, times, strict=True)):
            try:
                _numbers([result])
                _spans([periods[place]] if place in periods else [])
                _microseconds([time])
            except _MISFITS as misfit:
                return RowRefusedError(
                    f"result {quote(result)} over {quote(periods.get(place))} s at {quote(str(time))} "
                    f"does not fit its columns: {misfit}"
                )
        return RowRefusedError(f"a value does not fit its column: {error}")


def _numbers(values: Sequence[float]) -> NDArray[np.float64]:
    numbers = np.fromiter(values, np.float64, len(values))
    if not np.isfinite(numbers).all():  # numpy takes None for NaN
        raise ValueError("a result must be a finite number")
    return numbers


def _spans(periods: Sequence[int]) -> NDArray[np.int32]:
    spans = np.fromiter(periods, np.int32, len(periods))
    if spans.tolist() != periods:  # numpy cuts fractions off and reads texts
        raise ValueError("a period must be whole seconds")
    if not (spans > 0).all():
        raise ValueError("a period must be above 0")
    return spans


def _microseconds(times: Sequence[datetime]) -> NDArray[np.int64]:
    """Since 1970-01-01T00:00Z; quickest where equal ones stand together."""
    before, time_us = _EPOCH, 0
    found = []
    for time in times:
        if time is not before:
            before = time
            since = time - _EPOCH
            time_us = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        found.append(time_us)
    return np.array(found, np.int64)
