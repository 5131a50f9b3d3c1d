"""What is usual at a time of day: median and quartiles over the past days of the same kind.

Quartiles are Hyndman and Fan's type 7, as in numpy's `percentile` and PostgreSQL's `percentile_cont`:
of n values in order, x₁ to xₙ, the quantile p lies at place 1 + (n - 1) p, between two neighbours in
proportion (R. J. Hyndman, Y. Fan, "Sample Quantiles in Statistical Packages", The American
Statistician 50 (4), 1996, 361-365).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache

import holidays
import numpy as np
from numpy.typing import NDArray

from tsuji_platform.analytics.quarters import QUARTERS
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MINIMUM_DAYS = 3
"""Fewer say nothing of what is usual; their number is told all the same."""
MOST_STOOD_IN = 0.1
"""Of what an area's things are expected to contribute, the share that may be stood in for on a day."""
_TOLERANCE = 0.1
_QUARTER_S = 900

METHOD = (
    "Median and quartiles (Hyndman-Fan type 7) over the past days of the same kind (weekday, Saturday, "
    "Sunday or Japanese public holiday) in Tokyo, of the same stretch of the day; at least 3 days. A day "
    "counts where the whole stretch was counted."
)
METHOD_JA = (
    "同じ種別の日(平日・土曜・日曜祝日)の同じ時間帯の中央値と四分位数(Hyndman-Fan タイプ7)。3日以上で表示し、"
    "時間帯の全体が計測された日だけを数える。"
)
PERCENT_METHOD = (
    "People counted in the last hour, per time that was counted, as % of the median of the same hour of "
    "the day; of those counters that cover at least 45 minutes of it and have 3 days behind them."
)
PERCENT_METHOD_JA = (
    "直近1時間の通行人数(計測された時間あたり)の、同じ時間帯の中央値に対する割合(%)。45分以上計測し、"
    "過去3日以上の値があるカウンターのみ。"
)


class DayKind(StrEnum):
    """Days that are alike; public holidays are Sundays, whatever day of the week they are."""

    WEEKDAY = "weekday"
    SATURDAY = "saturday"
    HOLIDAY = "holiday"


@cache
def _public_holidays() -> holidays.HolidayBase:
    return holidays.country_holidays("JP")


def day_kind(day: date) -> DayKind:
    """The kind of a day in Tokyo; substitute holidays (振替休日) and those in between are holidays."""
    if day.weekday() == 6 or day in _public_holidays():
        return DayKind.HOLIDAY
    return DayKind.SATURDAY if day.weekday() == 5 else DayKind.WEEKDAY


def days_behind(day: date, weeks: int) -> list[date]:
    """The days of the same kind in the weeks before a day, itself not included, oldest first."""
    kind = day_kind(day)
    earlier = (day - timedelta(days=back) for back in range(7 * weeks, 0, -1))
    return [one for one in earlier if day_kind(one) is kind]


def quarters_per_step(period_s: int | None) -> int:
    """How many quarter hours are compared at once: one, or what counts over a longer period need.

    The shortest part of a day that counts of this period fill, exactly or but for a tenth.
    """
    for quarters in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48):
        step_s = quarters * _QUARTER_S
        if not period_s or step_s % period_s == 0 or step_s >= period_s / _TOLERANCE:
            return quarters
    return QUARTERS


def values_of(observed_property: str, profile: Floats, quarters: int = 1) -> Floats:
    """One datastream's value in each step of each day; NaN where the day does not count.

    Counts count where they cover the step, but for a tenth more or less; other properties where there
    was any observation.

    Args:
        observed_property: one of `PROFILED`.
        profile: totals (maxima, where the property aggregates so) and weights of quarter hours, of
            shape (2, days, quarter hours): the seconds that counts cover, else how many observations.
        quarters: in a step.

    Returns:
        Of shape (days, steps), in the property's unit.
    """
    known = OBSERVED_PROPERTIES[observed_property]
    days, width = profile.shape[1:]
    totals, weights = profile.reshape(2, days, width // quarters, quarters)
    weight = weights.sum(axis=2)
    if known.is_count:
        return whole_counts(np.nansum(totals, axis=2), weight, quarters)
    if known.aggregation is Aggregation.MAXIMUM:
        highest = np.where(np.isnan(totals), -np.inf, totals).max(axis=2)
        return np.where(weight > 0, highest, np.nan)
    return np.where(weight > 0, np.nansum(totals, axis=2) / np.maximum(weight, 1), np.nan)


def whole_counts(totals: Floats, covered_s: Floats, quarters: int) -> Floats:
    """Counts that cover a stretch of so many quarter hours, but for a tenth; NaN for others."""
    whole = quarters * _QUARTER_S
    return np.where(np.abs(covered_s - whole) <= _TOLERANCE * whole, totals, np.nan)


def of_thing(parts: Mapping[str, Floats]) -> Floats | None:
    """A thing's values out of those of its datastreams; None where there are none at all.

    A counter that reports both ways together is not counted again by its directions; where a thing
    counts both ways apart, a day counts where both do.

    Args:
        parts: values of shape (days, steps) by observed property, of one figure.
    """
    held = {name: values for name, values in parts.items() if not np.isnan(values).all()}
    if "pedestrians" in held:
        return held["pedestrians"]
    return np.sum(list(held.values()), axis=0) if held else None


def of_things(parts: Mapping[str, Floats]) -> Floats:
    """As `of_thing`, of one step of many things at once.

    Args:
        parts: values of shape (things, days) by observed property, NaN throughout where a thing has none.

    Returns:
        Of the same shape; NaN throughout for things that have no values at all.
    """
    held = {name: ~np.isnan(values).all(axis=1, keepdims=True) for name, values in parts.items()}
    total, any_held = np.zeros(()), np.zeros((), dtype=np.bool_)
    for name, values in parts.items():
        if name != "pedestrians":
            total = total + np.where(held[name], values, 0)
            any_held = any_held | held[name]
    apart = np.where(any_held, total, np.nan)
    if "pedestrians" not in parts:
        return apart
    return np.where(held["pedestrians"], parts["pedestrians"], apart)


def of_area(things: Sequence[Floats], over_things: Aggregation) -> Floats:
    """An area's values out of those of things, like compared with like.

    Medians don't add up, so things are combined day by day, always the same ones. A thing that has no
    value on a day is stood in for by its own median, as far as the things that are stood in for are
    expected to contribute no more than `MOST_STOOD_IN`; otherwise the day does not count.

    Args:
        things: values of each thing, of shape (days, steps).
        over_things: how they combine.
    """
    stack = np.stack(things)
    missing = np.isnan(stack)
    own = _medians(stack)[:, None, :]
    filled = np.where(missing, own, stack)
    match over_things:
        case Aggregation.SUM:
            share, combined = np.nan_to_num(own), filled.sum(axis=0)
        case Aggregation.MAXIMUM:
            share, combined = np.ones_like(own), filled.max(axis=0)
        case _:
            share, combined = np.ones_like(own), filled.mean(axis=0)
    stood_in = np.where(missing, share, 0).sum(axis=0)
    counts = (stood_in <= MOST_STOOD_IN * share.sum(axis=0)) & ~missing.all(axis=0)
    return np.where(counts, combined, np.nan)


def of_areas(things: Floats, members: Sequence[Sequence[int]]) -> Floats:
    """As `of_area`, added up, of one step of many areas at once.

    Args:
        things: values of each thing, of shape (things, days).
        members: the numbers of each area's things, of each at least one.

    Returns:
        Of shape (days, areas): the areas stand where `band` expects steps.
    """
    missing = np.isnan(things)
    own = _medians(things[:, :, None])
    share = np.nan_to_num(own)
    order = np.fromiter((one for area in members for one in area), dtype=np.intp)
    starts = np.cumsum([0, *map(len, members[:-1])])

    def added(values: Floats) -> Floats:
        sums: Floats = np.add.reduceat(values[order], starts, axis=0)
        return sums

    stood_in = added(np.where(missing, share, 0))
    counts = (stood_in <= MOST_STOOD_IN * added(share)) & (added(np.where(missing, 0.0, 1.0)) > 0)
    return np.where(counts, added(np.where(missing, own, things)), np.nan).T


@dataclass(frozen=True, slots=True)
class Band:
    """What is usual in each step: NaN where fewer than `MINIMUM_DAYS` days stand behind it.

    Attributes:
        q1: lower quartile.
        median: the middle.
        q3: upper quartile.
        days: how many days stand behind each.
        withheld: where there are no quartiles because small counts stand behind them.
    """

    q1: Floats
    median: Floats
    q3: Floats
    days: Integers
    withheld: NDArray[np.bool_] | None = None


def told_band(things: Sequence[Floats], over_things: Aggregation) -> Band:
    """Median and quartiles over days of things together, only where all that they are made of is told.

    A quartile of the other days alone would be that of the busier ones.

    Args:
        things: values of each thing, of shape (days, steps), see `of_area`; infinite where a small count
            is withheld.
        over_things: how they combine.
    """
    withheld: NDArray[np.bool_] = np.asarray(np.isinf(np.stack(things)).any(axis=(0, 1)))
    found = band(of_area([np.where(np.isinf(one), 0, one) for one in things], over_things))
    if not withheld.any():
        return found
    q1, median, q3 = (np.where(withheld, np.nan, it) for it in (found.q1, found.median, found.q3))
    return Band(q1=q1, median=median, q3=q3, days=found.days, withheld=withheld)


def band(values: Floats) -> Band:
    """Median and quartiles over days.

    Args:
        values: of shape (days, steps); NaN where a day does not count.
    """
    ordered = np.sort(values, axis=0)  # puts NaN last
    days = np.asarray((~np.isnan(values)).sum(axis=0), dtype=np.int64)
    q1, median, q3 = (_quantile(ordered, days, share) for share in (0.25, 0.5, 0.75))
    return Band(q1=q1, median=median, q3=q3, days=days)


def _medians(stack: Floats) -> Floats:
    """The same medians, of many things at once: of shape (things, steps) out of (things, days, steps)."""
    things, days, steps = stack.shape
    side_by_side = stack.swapaxes(0, 1).reshape(days, things * steps)
    found = (~np.isnan(side_by_side)).sum(axis=0)
    return _quantile(np.sort(side_by_side, axis=0), found, 0.5).reshape(things, steps)


def _quantile(ordered: Floats, days: Integers, share: float) -> Floats:
    """Type 7, of the first so many values of each column."""
    if not len(ordered):
        return np.full(ordered.shape[1:], np.nan)
    place = np.maximum(days - 1, 0) * share
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(days - 1, 0))
    low = np.take_along_axis(ordered, below[None], axis=0)[0]
    high = np.take_along_axis(ordered, above[None], axis=0)[0]
    return np.where(days >= MINIMUM_DAYS, low + (high - low) * (place - below), np.nan)
