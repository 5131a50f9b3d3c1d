"""How many people pass a place: shapes of the day by kind of place, thinned by rain, as integer counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal

import holidays
import numpy as np
from numpy.typing import NDArray

from tsuji_simulators.crowds import Change, Gathering
from tsuji_simulators.ground import Place, eased
from tsuji_simulators.randomness import Floats, Integers, Stream, negative_binomial, smooth
from tsuji_simulators.sky import DAY, HOUR, TOKYO, Sky, monthly, rain_rate, wind_and_warmth

DayKind = Literal["weekday", "saturday", "holiday"]
DAY_KINDS: tuple[DayKind, ...] = ("weekday", "saturday", "holiday")
_THURSDAY = 3
"""1970-01-01 was one; Monday is 0."""


@dataclass(frozen=True, slots=True)
class Bump:
    """People who come around an hour: a normal curve of the day.

    Attributes:
        hour: local clock, where it is highest.
        width_h: its standard deviation.
        share: people in it, as a share of the place's weekday total.
        inward: the part of them that walks inward.
    """

    hour: float
    width_h: float
    share: float
    inward: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a kind of place lives.

    Attributes:
        name: of the kind.
        days: the bumps of each kind of day.
        dispersion: how even the minutes are; variance is mean + mean² / dispersion.
        rain: what steady rain does to the number of people: -0.6 keeps six of ten away, 0.1 brings more.
        heat: the same of a heat of 38 °C; it begins at 32 °C.
        wind: the same of a wind of 20 m/s; it begins at 8 m/s.
        season: times the number of people, by month; none where it is all the same.
        visitors_inward: of those who come to an event nearby, the part that walks inward here.
    """

    name: str
    days: dict[DayKind, Sequence[Bump]]
    dispersion: float
    rain: float
    heat: float = 0.0
    wind: float = 0.0
    season: tuple[float, ...] = ()
    visitors_inward: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Which days are holidays.

    Attributes:
        country: ISO code, whose public holidays count as Sundays.
        more: days that count as such, too.
    """

    country: str
    more: frozenset[date] = frozenset()

    def kind(self, day: int) -> int:
        """Index into `DAY_KINDS` of a local day, counted from 1970-01-01; Sundays are holidays."""
        return _day_kind(day, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """What makes the days of a scenario: calendar, weather, and what moves people."""

    calendar: Calendar
    sky: Sky = TOKYO
    changes: tuple[Change, ...] = ()
    gatherings: tuple[Gathering, ...] = ()


@cache
def _public_holidays(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)


@cache
def _day_kind(day: int, calendar: Calendar) -> int:
    weekday = (day + _THURSDAY) % 7
    date_ = np.datetime64(day, "D").item()
    if weekday == 6 or date_ in calendar.more or date_ in _public_holidays(calendar.country):
        return DAY_KINDS.index("holiday")
    return DAY_KINDS.index("saturday" if weekday == 5 else "weekday")


def day_kinds(days: Integers, calendar: Calendar) -> Integers:
    """Index into `DAY_KINDS` for each local day, counted from 1970-01-01."""
    if not days.size:
        return days
    first, last = int(days.min()), int(days.max())
    if last - first < days.size:
        table = [calendar.kind(day) for day in range(first, last + 1)]
        return np.asarray(table, dtype=np.int64)[days - first]
    unique, inverse = np.unique(days, return_inverse=True)
    kinds = [calendar.kind(int(day)) for day in unique]
    return np.asarray(kinds, dtype=np.int64)[inverse].reshape(days.shape)


def expected(shape: Shape, place: Place, days: Days, time: NDArray[Any]) -> tuple[Floats, Floats]:
    """People per hour inward and outward, of one a day, that one expects in dry weather.

    Not of the shape alone: the season and what changes the day are in it. What a day brings spills over
    midnight into the next, so that late trains end as they should.
    """
    local = np.asarray(time, dtype=np.float64) + place.utc_offset_s
    today = np.floor(local / DAY).astype(np.int64)
    hour = local / HOUR - today * 24.0
    inward = np.zeros(local.shape)
    outward = np.zeros(local.shape)
    for shift in (-1, 0, 1):
        kind = day_kinds(today + shift, days.calendar)
        for index, name in enumerate(DAY_KINDS):
            which = kind == index
            if not which.any():
                continue
            for bump in shape.days[name]:
                away = (hour[which] - bump.hour - 24.0 * shift) / bump.width_h
                curve = bump.share * np.exp(-0.5 * away**2) / (bump.width_h * np.sqrt(2.0 * np.pi))
                inward[which] += curve * bump.inward
                outward[which] += curve * (1.0 - bump.inward)
    factor = _changed(shape, place, days, time)
    if shape.season:
        factor = factor * monthly(shape.season, time)
    return inward * factor, outward * factor


def visitors(
    shape: Shape, place: Place, days: Days, time: NDArray[Any]
) -> tuple[Floats | float, Floats | float]:
    """People per hour inward and outward who come to the days' gatherings and leave them."""
    inward: Floats | float = 0.0
    outward: Floats | float = 0.0
    for gathering in days.gatherings:
        there, back = gathering.passing(place, time)
        inward = inward + shape.visitors_inward * there + (1.0 - shape.visitors_inward) * back
        outward = outward + (1.0 - shape.visitors_inward) * there + shape.visitors_inward * back
    factor = _changed(shape, place, days, time)
    return inward * factor, outward * factor


def _changed(shape: Shape, place: Place, days: Days, time: NDArray[Any]) -> Floats | float:
    """Times the usual number of people, of all that is changed."""
    factor: Floats | float = 1.0
    for change in days.changes:
        factor = factor * change.factor(shape.name, place, time)
    return factor


def counts(
    seed: int,
    streams: Mapping[str, Stream],
    shape: Shape,
    people_per_day: Floats | float,
    place: Place,
    days: Days,
    end: Integers,
    period_s: int,
) -> tuple[Integers, Integers]:
    """People counted inward and outward in the periods that end at `end`.

    Each is the sum of its minutes, and a minute has one value for ever: counts of any period agree.

    Args:
        seed: of the scenario.
        streams: `STREAMS` of the counter, or of many, a row each.
        shape: of their kind of place.
        people_per_day: on a dry weekday.
        place: where they stand.
        days: of the scenario.
        end: seconds since 1970 UTC, times along the last axis.
        period_s: whole minutes, in seconds.
    """
    if period_s <= 0 or period_s % 60:
        raise ValueError(f"period_s must be whole minutes, got {period_s}")
    minute_ends = minutes_of(end, period_s)
    middle = minute_ends - 30
    inward, outward = expected(shape, place, days, middle)
    wetness = 1.0 - np.exp(-rain_rate(seed, place, middle, days.sky) / 1.5)
    mood = np.exp(
        0.10 * smooth(streams["people"], middle, 2 * HOUR)
        + 0.10 * smooth(streams["people today"], middle, DAY)
        - 0.01
    )
    factor: Floats = np.maximum(1.0 + shape.rain * wetness, 0.0)
    if shape.heat or shape.wind:
        wind, warmth = wind_and_warmth(seed, place, middle, days.sky)
        factor = factor * np.maximum(1.0 + shape.heat * eased((warmth - 32.0) / 6.0), 0.0)
        factor = factor * np.maximum(1.0 + shape.wind * eased((wind - 8.0) / 12.0), 0.0)
    factor = factor * mood / 60.0
    come, go = visitors(shape, place, days, middle)
    both = [
        negative_binomial(streams[way], minute_ends, rate, shape.dispersion)
        for way, rate in (
            ("in", inward * people_per_day * factor + come * mood / 60.0),
            ("out", outward * people_per_day * factor + go * mood / 60.0),
        )
    ]
    sums = [one.reshape(*end.shape, -1).sum(axis=-1) for one in both]
    return sums[0], sums[1]


STREAMS = ("people", "people today", "in", "out")
"""The random streams of a counter."""


def minutes_of(end: Integers, period_s: int) -> Integers:
    """The ends of the minutes of periods, those of each behind the other along the last axis."""
    minutes = end[..., None] - 60 * np.arange(period_s // 60)
    return minutes.reshape(*end.shape[:-1], -1)
