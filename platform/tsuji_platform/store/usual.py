"""What is usual for the hour that ends now: looked up once a quarter hour and held in memory."""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import numpy as np

from tsuji_platform.analytics.figures import FOOTFALL_PROPERTIES, WINDOW
from tsuji_platform.analytics.readings import Reading
from tsuji_platform.analytics.typical import (
    MINIMUM_DAYS,
    QUARTER,
    Floats,
    days_behind,
    of_thing,
    place_of,
    whole_counts,
)
from tsuji_platform.analytics.usual import Middle, Usual, beside, hourly_rates, middle_of, told_by
from tsuji_platform.store.cover import floor_to_step
from tsuji_platform.store.profiles import Profiles

FIGURE = "footfall"
"""What is compared."""
_QUARTERS = WINDOW // QUARTER
_HOURS_HELD = 12
"""That of now, and some past ones that someone looks at."""
_GOOD_FOR_S = 900.0
_LACKING_FOR_S = 30.0
"""Of things with too few days: more may be on their way, as after an import."""


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
        self.sums: dict[tuple[str, ...], Middle | None] = {}
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
    ) -> dict[str, Usual]:
        """What is usual, by area code, where there is anything to compare.

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
                    found[code] = typical
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
            hour.counted[thing_id] = told_by(
                name for name, its in parts[thing_id].items() if enough and not np.isnan(its).all()
            )


def _typical(hour: _Hour, thing_ids: tuple[str, ...], rate: float) -> Usual | None:
    if not thing_ids:
        return None
    if thing_ids not in hour.sums:
        hour.sums[thing_ids] = middle_of([hour.things[one] for one in thing_ids])
    middle = hour.sums[thing_ids]
    return None if middle is None else beside(middle, len(thing_ids), rate)
