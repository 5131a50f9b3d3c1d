"""How many people pass a place: shapes of the day by kind of place, thinned by rain, as integer counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import holidays
import numpy as np
from numpy.typing import NDArray

from tsuji_simulators.randomness import Floats, Integers, key, negative_binomial, smooth
from tsuji_simulators.sky import DAY, HOUR, Place, rain_rate

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
        days: the bumps of each kind of day.
        rain: what steady rain does to the number of people: -0.6 keeps six of ten away, 0.1 brings more.
        dispersion: how even the minutes are; variance is mean + mean² / dispersion.
    """

    days: dict[DayKind, Sequence[Bump]]
    rain: float
    dispersion: float


@cache
def _public_holidays(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)


def day_kinds(days: Integers, country: str) -> Integers:
    """Index into `DAY_KINDS` for each local day, counted from 1970-01-01; Sundays are holidays."""
    unique, inverse = np.unique(days, return_inverse=True)
    kinds = [_day_kind(int(day), country) for day in unique]
    return np.asarray(kinds, dtype=np.int64)[inverse].reshape(days.shape)


@cache
def _day_kind(day: int, country: str) -> int:
    weekday = (day + _THURSDAY) % 7
    date = np.datetime64(day, "D").item()
    if weekday == 6 or date in _public_holidays(country):
        return DAY_KINDS.index("holiday")
    return DAY_KINDS.index("saturday" if weekday == 5 else "weekday")


def expected(
    shape: Shape, people_per_day: float, place: Place, country: str, time: NDArray[Any]
) -> tuple[Floats, Floats]:
    """People per hour inward and outward that the shape alone makes one expect, in dry weather.

    What a day brings spills over midnight into the next, so that late trains end as they should.
    """
    local = np.asarray(time, dtype=np.float64) + place.utc_offset_s
    today = np.floor(local / DAY).astype(np.int64)
    hour = local / HOUR - today * 24.0
    inward = np.zeros(local.shape)
    outward = np.zeros(local.shape)
    for shift in (-1, 0, 1):
        kind = day_kinds(today + shift, country)
        for index, name in enumerate(DAY_KINDS):
            which = kind == index
            if not which.any():
                continue
            for bump in shape.days[name]:
                away = (hour[which] - bump.hour - 24.0 * shift) / bump.width_h
                curve = bump.share * np.exp(-0.5 * away**2) / (bump.width_h * np.sqrt(2.0 * np.pi))
                inward[which] += curve * bump.inward
                outward[which] += curve * (1.0 - bump.inward)
    return inward * people_per_day, outward * people_per_day


def counts(
    seed: int,
    thing_id: str,
    shape: Shape,
    people_per_day: float,
    place: Place,
    country: str,
    end: Integers,
    period_s: int,
) -> tuple[Integers, Integers]:
    """People counted inward and outward in the periods that end at `end`.

    Each is the sum of its minutes, and a minute has one value for ever: counts of any period agree.

    Args:
        seed: of the scenario.
        thing_id: the counter.
        shape: of its kind of place.
        people_per_day: on a dry weekday.
        place: where it stands.
        country: whose public holidays count, ISO code.
        end: seconds since 1970 UTC.
        period_s: whole minutes, in seconds.
    """
    if period_s <= 0 or period_s % 60:
        raise ValueError(f"period_s must be whole minutes, got {period_s}")
    minute_ends = end[:, None] - 60 * np.arange(period_s // 60)[None, :]
    middle = (minute_ends - 30).ravel()
    inward, outward = expected(shape, people_per_day, place, country, middle)
    wetness = 1.0 - np.exp(-rain_rate(seed, place, middle) / 1.5)
    mood = np.exp(
        0.10 * smooth(key(seed, "people", thing_id), middle, 0.75 * HOUR)
        + 0.07 * smooth(key(seed, "people today", thing_id), middle, DAY)
        - 0.0075
    )
    factor = np.maximum(1.0 + shape.rain * wetness, 0.0) * mood / 60.0
    position = minute_ends.ravel()
    both = [
        negative_binomial(key(seed, way, thing_id), position, rate * factor, shape.dispersion)
        for way, rate in (("in", inward), ("out", outward))
    ]
    sums = [one.reshape(minute_ends.shape).sum(axis=1) for one in both]
    return sums[0], sums[1]
