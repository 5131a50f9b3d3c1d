"""The last hour's footfall beside what is usual for it: which counters compare, and with what."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from tsuji_platform.analytics.figures import FOOTFALL_PROPERTIES, WINDOW
from tsuji_platform.analytics.readings import Reading
from tsuji_platform.analytics.typical import MINIMUM_DAYS, Floats, band, of_areas

_WINDOW_S = WINDOW / timedelta(seconds=1)
_LEAST_S, _MOST_S = 0.75 * _WINDOW_S, 1.1 * _WINDOW_S

Middle = tuple[float, float, float, int]
"""Lower quartile, median, upper quartile, days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is usual for the last hour, from past days of the same kind.

    Attributes:
        q1: lower quartile, people.
        median: people.
        q3: upper quartile, people.
        days: how many stand behind it.
        n: how many things are compared.
        percent: what these things counted, per time, as % of the median; None where that is 0.
    """

    q1: float
    median: float
    q3: float
    days: int
    n: int
    percent: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a thing has counted in an hour.

    Attributes:
        rate: people an hour.
        of: the observed properties that it is made of.
    """

    rate: float
    of: frozenset[str]


def hourly_rates(totals: Iterable[Reading]) -> dict[str, Rate]:
    """People an hour, of the counters that cover at least three quarters of it, by thing id.

    A device that came back a moment ago must not look like an empty street, and one whose newest count
    is still on its way not like one that has lost a quarter of its people. One of which a small count is
    withheld has no rate: what is left of it compares with nothing.
    """
    parts: defaultdict[str, dict[str, Reading]] = defaultdict(dict)
    for reading in totals:
        if reading.observed_property in FOOTFALL_PROPERTIES:
            parts[reading.thing_id][reading.observed_property] = reading
    rates = {}
    for thing_id, readings in parts.items():
        names = told_by(readings)
        counted = [readings[name] for name in sorted(names)]
        if all(_LEAST_S <= (it.covered_s or 0) <= _MOST_S and not it.left_out for it in counted):
            rate = sum(it.result * _WINDOW_S / (it.covered_s or 1) for it in counted)
            rates[thing_id] = Rate(rate=rate, of=names)
    return rates


def told_by(names: Iterable[str]) -> frozenset[str]:
    """Of what a thing counts, that which its people are made of; only the same compares (see `of_thing`)."""
    there = frozenset(names)
    return there & {"pedestrians"} or there


def middles_of(things: Floats, areas: Sequence[Sequence[int]]) -> list[Middle | None]:
    """What is usual for the things of each area together, None where too few days stand behind it.

    Args:
        things: values of past days, of shape (things, days), each of enough days. Infinite where a small
            count is withheld: nothing is usual then.
        areas: the numbers of each area's things, of each at least one.
    """
    if not areas:
        return []
    withheld = np.isinf(things)
    found = band(of_areas(np.where(withheld, 0, things), areas))
    hidden: NDArray[np.bool_] = np.asarray(withheld.any(axis=1))
    return [
        None if days < MINIMUM_DAYS or hidden[list(members)].any() else (q1, median, q3, days)
        for members, q1, median, q3, days in zip(
            areas,
            found.q1.tolist(),
            found.median.tolist(),
            found.q3.tolist(),
            found.days.tolist(),
            strict=True,
        )
    ]


def beside(middle: Middle, n: int, rate: float) -> Usual:
    """The last hour beside what is usual.

    Args:
        middle: what is usual.
        n: how many things are compared.
        rate: what they counted, people an hour.
    """
    q1, median, q3, days = middle
    percent = round(100 * rate / median, 1) if median else None
    return Usual(q1=q1, median=median, q3=q3, days=days, n=n, percent=percent)
