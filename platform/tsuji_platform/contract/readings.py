"""Observations as they come: several properties of one thing at one time, believed and kept together.

A hundred thousand observations a second are too many to be an object each. What reads them one by one
finds `Observation`s; what stores them takes them by reading.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, overload

import msgspec

from tsuji_platform.contract.observation import COUNTS, KNOWN, Observation

_SHAPES = 4_096
"""Combinations of properties that are remembered."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """Believed values of one thing at one time: what holds of `Observation` holds of each.

    Attributes:
        thing_id: whose they are.
        phenomenon_time: aware.
        observed_properties: ids, in the order of `results`.
        results: finite, each in its property's unit.
        period_s: the seconds that those cover which are counts; it says nothing of the others.
    """

    thing_id: str
    phenomenon_time: datetime
    observed_properties: tuple[str, ...]
    results: list[float]
    period_s: int | None = None

    def observations(self) -> Iterator[Observation]:
        """One by one."""
        for name, result in zip(self.observed_properties, self.results, strict=True):
            yield Observation(
                thing_id=self.thing_id,
                observed_property=name,
                phenomenon_time=self.phenomenon_time,
                result=float(result),
                period_s=self.period_s if name in COUNTS else None,
            )

    def only(self, places: Sequence[int]) -> "Reading":
        """The values in these places."""
        return Reading(
            self.thing_id,
            self.phenomenon_time,
            tuple(self.observed_properties[place] for place in places),
            [self.results[place] for place in places],
            self.period_s,
        )


class Readings(Sequence[Observation]):
    """A sequence of observations, held by reading; grows at its end.

    Attributes:
        readings: what they are held in.
    """

    __slots__ = ("_length", "readings")

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self._length = 0

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> "Readings":
        """These, by reading."""
        if isinstance(observations, cls):
            return observations
        held = cls()
        for one in observations:
            held.append(one)
        return held

    def add(self, reading: Reading) -> None:
        """Take a reading."""
        self.readings.append(reading)
        self._length += len(reading.results)

    def append(self, one: Observation) -> None:
        """Take one observation."""
        self.add(
            Reading(
                one.thing_id,
                one.phenomenon_time,
                (one.observed_property,),
                [one.result],
                one.period_s,
            )
        )

    @property
    def newest_time(self) -> datetime:
        """The latest phenomenon time.

        Raises:
            ValueError: there is none.
        """
        if len(self.readings) == 1:
            return self.readings[0].phenomenon_time
        return max(one.phenomenon_time for one in self.readings)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Observation]:
        for reading in self.readings:
            yield from reading.observations()

    @overload
    def __getitem__(self, place: int) -> Observation: ...
    @overload
    def __getitem__(self, place: slice) -> list[Observation]: ...
    def __getitem__(self, place: int | slice) -> Observation | list[Observation]:
        return list(self)[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        raise TypeError("readings grow, they have no hash")

    def __repr__(self) -> str:
        return repr(list(self))


class _Shape(NamedTuple):
    """What is believed of some properties together."""

    ranges: tuple[tuple[float, float], ...]
    counts: tuple[int, ...]


_shapes: dict[tuple[str, ...], _Shape] = {}


def _shape(names: tuple[str, ...]) -> _Shape | None:
    """None where one of them is unknown: of those nothing is remembered, they may be long and many."""
    shape = _shapes.get(names)
    if shape is None and all(name in KNOWN for name in names):
        if len(_shapes) >= _SHAPES:
            _shapes.clear()
        ranges = tuple((KNOWN[name].low, KNOWN[name].high) for name in names)
        shape = _shapes[names] = _Shape(ranges, count_places(names))
    return shape


@lru_cache(_SHAPES)
def count_places(names: tuple[str, ...]) -> tuple[int, ...]:
    """Which of some properties are counts."""
    return tuple(place for place, name in enumerate(names) if name in COUNTS)


def believed(
    thing_id: str, time: datetime, results: Mapping[str, Any], period_s: int | None
) -> Reading | None:
    """Believe all values of one time at once, or say nothing: `observe` tells which is not believed, and why.

    Args:
        thing_id: whose they are.
        time: phenomenon time, aware.
        results: as they stood in the payload, by observed property.
        period_s: for counts the seconds that they cover.
    """
    names = tuple(results)
    shape = _shape(names)
    if shape is None:
        return None
    values = list(results.values())
    for value, (low, high) in zip(values, shape.ranges, strict=True):
        kind = type(value)
        if (kind is not float and kind is not int) or not low <= value <= high:
            return None
    for place in shape.counts:
        if period_s is None or values[place] != int(values[place]):
            return None
    return Reading(thing_id, time, names, values, period_s)
