"""What is usual for the hour that ends now: looked up once a quarter hour and held in memory.

Of past moments often the next one is asked for, too, as when somebody goes through a day: what is looked up
once is good for hours that end with four quarter hours, one after the other.
"""

import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from tsuji_platform.analytics.figures import FOOTFALL_PROPERTIES, WINDOW
from tsuji_platform.analytics.quarters import QUARTER, place_of
from tsuji_platform.analytics.readings import Reading
from tsuji_platform.analytics.typical import (
    MINIMUM_DAYS,
    Floats,
    days_behind,
    of_things,
    whole_counts,
)
from tsuji_platform.analytics.usual import Middle, Usual, beside, hourly_rates, middles_of, told_by
from tsuji_platform.store.cover import floor_to_step
from tsuji_platform.store.profiles import Profiles

FIGURE = "footfall"
"""What is compared."""
_QUARTERS = WINDOW // QUARTER
_TOGETHER = 4
"""So many hours, each a quarter hour after the other, are looked up at once: not much more than for one."""
_HOURS_HELD = 6
"""Of such hours together: those of now, and some past ones that someone looks at."""
_GOOD_FOR_S = 900.0
_LACKING_FOR_S = 30.0
"""Of things with too few days: more may be on their way, as after an import."""


class _Hour:
    """What is usual in one hour of one day, of the things that are known."""

    def __init__(self, days: int) -> None:
        self._rows: dict[str, int | None] = {}
        """Where a thing's values are; None of things with too few days."""
        self._values: Floats = np.empty((0, days))
        """Of past days, of shape (things, days)."""
        self._counted: dict[str, frozenset[str]] = {}
        """The observed properties that they are made of; none of things with too few days."""
        self._middles: dict[tuple[str, ...], Middle | None] = {}
        """By the things that are added up."""

    def lacking(self) -> set[str]:
        """Those with too few days."""
        return {one for one, row in self._rows.items() if row is None}

    def forget_lacking(self) -> None:
        """Let things with too few days be unknown again."""
        for thing_id in self.lacking():
            del self._rows[thing_id], self._counted[thing_id]

    def learn(self, thing_ids: Sequence[str], sums: Floats) -> None:
        """Know some more things; what is known of others among them stays.

        Args:
            thing_ids: whose values come.
            sums: of each of `FOOTFALL_PROPERTIES`, totals and seconds of each thing on each day: an array of
                shape (properties, 2, things, days).
        """
        places = [place for place, one in enumerate(thing_ids) if one not in self._rows]
        anew = [thing_ids[place] for place in places]
        parts = whole_counts(sums[:, 0, places], sums[:, 1, places], _QUARTERS)
        held: NDArray[np.bool_] = np.asarray(~np.isnan(parts).all(axis=2))
        values = of_things(dict(zip(FOOTFALL_PROPERTIES, parts, strict=True)))
        enough = (~np.isnan(values)).sum(axis=1) >= MINIMUM_DAYS
        rows = len(self._values) + np.cumsum(enough) - 1
        self._values = np.concatenate([self._values, values[enough]])
        for place, thing_id in enumerate(anew):
            is_enough = bool(enough[place])
            self._rows[thing_id] = int(rows[place]) if is_enough else None
            self._counted[thing_id] = told_by(
                name
                for name, its in zip(FOOTFALL_PROPERTIES, held[:, place], strict=True)
                if is_enough and its
            )

    def compares(self, thing_id: str, properties: frozenset[str]) -> bool:
        """Whether a thing has enough days, counted as it counts now."""
        return self._counted[thing_id] == properties

    def middles(self, areas: Iterable[tuple[str, ...]]) -> Mapping[tuple[str, ...], Middle | None]:
        """What is usual for things together, of each such company."""
        anew = [one for one in set(areas) if one not in self._middles]
        rows = [[row for it in one if (row := self._rows[it]) is not None] for one in anew]
        self._middles.update(zip(anew, middles_of(self._values, rows), strict=True))
        return self._middles


class _Hours:
    """Hours of one day that end with quarter hours one after the other, looked up together."""

    def __init__(self, day: date, lasts: range, weeks: int) -> None:
        self._days = days_behind(day, weeks)
        self._lasts = lasts
        self._hours = {last: _Hour(len(self._days)) for last in lasts}
        self._known: set[str] = set()
        self._lacking_until = math.inf
        self.good_until = time.monotonic() + _GOOD_FOR_S
        self.lock = threading.Lock()
        """Who finds things missing looks them up for all; other hours don't wait for that."""

    def __getitem__(self, last: int) -> _Hour:
        return self._hours[last]

    def forget_lacking(self) -> None:
        """Let things with too few days be looked up again, if that was a while ago."""
        if time.monotonic() < self._lacking_until:
            return
        self._lacking_until = math.inf
        self._known -= self._lacking()
        for hour in self._hours.values():
            hour.forget_lacking()

    def look_up(self, profiles: Profiles, thing_ids: Iterable[str]) -> None:
        """Make sure that some things are known."""
        missing = [one for one in thing_ids if one not in self._known]
        if not missing:
            return
        found = profiles.sums(missing, FOOTFALL_PROPERTIES, self._days, self._lasts, _QUARTERS)
        places = {thing_id: place for place, thing_id in enumerate(missing)}
        shape = len(self._lasts), len(FOOTFALL_PROPERTIES), 2, len(missing), len(self._days)
        sums = np.zeros(shape)
        for (thing_id, name), values in found.items():
            its = sums[:, FOOTFALL_PROPERTIES.index(name), :, places[thing_id]]
            its[:] = values.swapaxes(0, 1)
        for hour, its in zip(self._hours.values(), sums, strict=True):
            hour.learn(missing, its)
        self._known.update(missing)
        if not self._lacking().isdisjoint(missing):
            self._lacking_until = min(self._lacking_until, time.monotonic() + _LACKING_FOR_S)

    def _lacking(self) -> set[str]:
        return {one for hour in self._hours.values() for one in hour.lacking()}


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
        self._hours: dict[tuple[date, int], _Hours] = {}

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
        wanted = sorted(rates.keys() & {one for members in membership.values() for one in members})
        if not wanted:
            return {}
        day, last = place_of(floor_to_step(moment, QUARTER))
        hours = self._hours_of(day, last)
        with hours.lock:
            hours.forget_lacking()
            hours.look_up(self._profiles, wanted)
            hour = hours[last]
            compared = {
                code: things
                for code, members in membership.items()
                if (
                    things := tuple(
                        it for it in members if it in rates and hour.compares(it, rates[it].of)
                    )
                )
            }
            middles = hour.middles(compared.values())
            return {
                code: beside(middle, len(things), sum(rates[it].rate for it in things))
                for code, things in compared.items()
                if (middle := middles[things]) is not None
            }

    def _hours_of(self, day: date, last: int) -> _Hours:
        """The hours among which is that which ends with a quarter hour; anew if they were looked up long ago.

        The latest ones, among which is that of now, stay, however many others are asked for.
        """
        first = last - (last - 1) % _TOGETHER
        with self._lock:
            hours = self._hours.pop((day, first), None)
            if hours is None or time.monotonic() > hours.good_until:
                hours = _Hours(day, range(first, first + _TOGETHER), self._weeks)
            self._hours[day, first] = hours  # the last one is the newest
            while len(self._hours) > _HOURS_HELD:
                latest = max(self._hours)
                self._hours.pop(next(one for one in self._hours if one != latest))
            return hours
