"""What is usual for the hour that ends now: looked up once a quarter hour and held in memory."""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from tsuji_platform.analytics.figures import FOOTFALL_PROPERTIES, WINDOW
from tsuji_platform.analytics.readings import Reading
from tsuji_platform.analytics.typical import (
    MINIMUM_DAYS,
    QUARTER,
    Floats,
    band,
    days_behind,
    of_area,
    of_thing,
    place_of,
    whole_counts,
)
from tsuji_platform.api.typical_models import TypicalNow
from tsuji_platform.contract import Aggregation
from tsuji_platform.store import floor_to_step
from tsuji_platform.store.profiles import Profiles

FIGURE = "footfall"
_QUARTERS = WINDOW // QUARTER
_HOURS_HELD = 12
"""That of now, and some past ones that someone looks at."""
_GOOD_FOR_S = 900.0
_LACKING_FOR_S = 30.0
"""Of things with too few days: more may be on their way, as after an import."""
_WINDOW_S = WINDOW / timedelta(seconds=1)
_LEAST_S, _MOST_S = 0.75 * _WINDOW_S, 1.1 * _WINDOW_S

_Middle = tuple[float, float, float, int]
"""Lower quartile, median, upper quartile, days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a thing has counted in an hour.

    Attributes:
        rate: people an hour.
        of: the observed properties that it is made of.
    """

    rate: float
    of: frozenset[str]


class _Hour:
    """What is usual in one hour of one day."""

    def __init__(self, day: date, number: int) -> None:
        self.day = day
        self.number = number
        self.good_until = time.monotonic() + _GOOD_FOR_S
        self.lacking_until = math.inf
        self.things: dict[str, Floats | None] = {}
        """Values of past days, of shape (days, 1); None of things with too few of them."""
        self.counted: dict[str, frozenset[str]] = {}
        """The observed properties that they are made of; none of things with too few days."""
        self.sums: dict[tuple[str, ...], _Middle | None] = {}
        """By the things that are added up."""

    def forget_lacking(self) -> None:
        """Let things with too few days be looked up again, if that was a while ago."""
        if time.monotonic() < self.lacking_until:
            return
        self.lacking_until = math.inf
        for thing_id in [one for one, values in self.things.items() if values is None]:
            del self.things[thing_id], self.counted[thing_id]
        self.sums.clear()


class UsualNow:
    """Compares the last hour with the hour that ended, on past days, with the newest quarter hour.

    Args:
        profiles: the days by their quarter hours.
        weeks: how many are looked at.
    """

    def __init__(self, profiles: Profiles, weeks: int) -> None:
        self._profiles = profiles
        self._weeks = weeks
        self._lock = threading.Lock()
        self._hours: dict[tuple[date, int], _Hour] = {}

    def of_areas(
        self,
        totals: Iterable[Reading],
        membership: Mapping[str, Sequence[str]],
        moment: datetime,
    ) -> dict[str, dict[str, TypicalNow]]:
        """What is usual, by area code and figure id, where there is anything to compare.

        Args:
            totals: of the hour that ended at `moment`, with what they cover.
            membership: ids of the things in each area.
            moment: now, or a past one.
        """
        rates = hourly_rates(totals)
        place = place_of(floor_to_step(moment, QUARTER))
        wanted = sorted(rates.keys() & {one for members in membership.values() for one in members})
        with self._lock:
            hour = self._hour_of(*place)
            hour.forget_lacking()
            self._look_up(hour, [one for one in wanted if one not in hour.things])
            found = {}
            for code, members in membership.items():
                compared = tuple(
                    m for m in members if m in rates and hour.counted[m] == rates[m].of
                )
                typical = _typical(hour, compared, sum(rates[m].rate for m in compared))
                if typical is not None:
                    found[code] = {FIGURE: typical}
            return found

    def _hour_of(self, day: date, number: int) -> _Hour:
        """The hour that ends with a quarter hour, anew if what is held of it was looked up long ago."""
        hour = self._hours.pop((day, number), None)
        if hour is None or time.monotonic() > hour.good_until:
            hour = _Hour(day, number)
        self._hours[day, number] = hour  # the last one is the newest
        while len(self._hours) > _HOURS_HELD:
            self._hours.pop(next(iter(self._hours)))
        return hour

    def _look_up(self, hour: _Hour, thing_ids: Sequence[str]) -> None:
        if not thing_ids:
            return
        days = days_behind(hour.day, self._weeks)
        found = self._profiles.sums(thing_ids, FOOTFALL_PROPERTIES, days, hour.number, _QUARTERS)
        parts: defaultdict[str, dict[str, Floats]] = defaultdict(dict)
        for (thing_id, name), (totals, covered_s) in found.items():
            parts[thing_id][name] = whole_counts(totals, covered_s, _QUARTERS)[:, None]
        for thing_id in thing_ids:
            values = of_thing(parts[thing_id])
            enough = values is not None and (~np.isnan(values)).sum() >= MINIMUM_DAYS
            hour.things[thing_id] = values if enough else None
            if not enough:
                hour.lacking_until = min(hour.lacking_until, time.monotonic() + _LACKING_FOR_S)
            hour.counted[thing_id] = _told_by(
                name for name, its in parts[thing_id].items() if enough and not np.isnan(its).all()
            )


def hourly_rates(totals: Iterable[Reading]) -> dict[str, Rate]:
    """People an hour, of the counters that cover at least three quarters of it, by thing id.

    A device that came back a moment ago must not look like an empty street, and one whose newest count
    is still on its way not like one that has lost a quarter of its people.
    """
    parts: defaultdict[str, dict[str, Reading]] = defaultdict(dict)
    for reading in totals:
        if reading.observed_property in FOOTFALL_PROPERTIES:
            parts[reading.thing_id][reading.observed_property] = reading
    rates = {}
    for thing_id, readings in parts.items():
        names = _told_by(readings)
        counted = [readings[name] for name in sorted(names)]
        if all(_LEAST_S <= (it.covered_s or 0) <= _MOST_S for it in counted):
            rate = sum(it.result * _WINDOW_S / (it.covered_s or 1) for it in counted)
            rates[thing_id] = Rate(rate=rate, of=names)
    return rates


def _told_by(names: Iterable[str]) -> frozenset[str]:
    """Of what a thing counts, that which its people are made of; only the same compares (see `of_thing`)."""
    there = frozenset(names)
    return there & {"pedestrians"} or there


def _typical(hour: _Hour, thing_ids: tuple[str, ...], rate: float) -> TypicalNow | None:
    if not thing_ids:
        return None
    if thing_ids not in hour.sums:
        hour.sums[thing_ids] = _middle([hour.things[one] for one in thing_ids])
    middle = hour.sums[thing_ids]
    if middle is None:
        return None
    q1, median, q3, days = middle
    return TypicalNow(
        q1=q1,
        median=median,
        q3=q3,
        days=days,
        n=len(thing_ids),
        percent=round(100 * rate / median, 1) if median else None,
    )


def _middle(things: Iterable[Floats | None]) -> _Middle | None:
    found = band(of_area([values for values in things if values is not None], Aggregation.SUM))
    days = int(found.days[0])
    if days < MINIMUM_DAYS:
        return None
    return float(found.q1[0]), float(found.median[0]), float(found.q3[0]), days
