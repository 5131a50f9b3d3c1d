"""What is usual for the hour that ends now: looked up once a quarter hour and kept in memory."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime, timedelta

import numpy as np

from tsuji_platform.analytics.figures import FOOTFALL_PROPERTIES, WINDOW
from tsuji_platform.analytics.readings import Reading
from tsuji_platform.analytics.typical import (
    MINIMUM_DAYS,
    QUARTER,
    QUARTERS,
    Floats,
    band,
    days_behind,
    of_area,
    of_thing,
    place_of,
    values_of,
)
from tsuji_platform.api.typical_models import TypicalNow
from tsuji_platform.contract import Aggregation
from tsuji_platform.store import floor_to_step
from tsuji_platform.store.profiles import Profiles

FIGURE = "footfall"
_WIDTH = WINDOW // QUARTER
_WINDOW_S = WINDOW / timedelta(seconds=1)
_LEAST_S, _MOST_S = 0.75 * _WINDOW_S, 1.1 * _WINDOW_S

_Middle = tuple[float, float, float, int]
"""Lower quartile, median, upper quartile, days."""


class _Hour:
    """What is usual in one hour of one day."""

    def __init__(self, day: date, number: int) -> None:
        self.day = day
        self.number = number
        self.things: dict[str, Floats | None] = {}
        """Values of past days, of shape (days, 1); None of things with too few of them."""
        self.sums: dict[tuple[str, ...], _Middle | None] = {}
        """By the things that are added up."""


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
        self._hour = _Hour(date.min, 0)

    def of_areas(
        self,
        totals: Iterable[Reading],
        membership: Mapping[str, Sequence[str]],
        time: datetime,
        *,
        live: bool,
    ) -> dict[str, dict[str, TypicalNow]]:
        """What is usual, by area code and figure id, where there is anything to compare.

        Args:
            totals: of the hour that ended at `time`, with what they cover.
            membership: ids of the things in each area.
            time: the moment.
            live: whether it is the present, for which what was looked up is kept.
        """
        rates = hourly_rates(totals)
        place = place_of(floor_to_step(time, QUARTER))
        wanted = sorted(rates.keys() & {one for members in membership.values() for one in members})
        with self._lock if live else nullcontext():
            hour = (
                self._hour
                if live and (self._hour.day, self._hour.number) == place
                else _Hour(*place)
            )
            self._look_up(hour, [one for one in wanted if one not in hour.things])
            if live:
                self._hour = hour
            found = {}
            for code, members in membership.items():
                compared = tuple(m for m in members if m in rates and hour.things[m] is not None)
                typical = _typical(hour, compared, sum(rates[m] for m in compared))
                if typical is not None:
                    found[code] = {FIGURE: typical}
            return found

    def _look_up(self, hour: _Hour, thing_ids: Sequence[str]) -> None:
        if not thing_ids:
            return
        days = days_behind(hour.day, self._weeks)
        parts = self._of_hour(thing_ids, days, hour.number)
        for thing_id in thing_ids:
            values = of_thing(
                {name: values_of(name, it, _WIDTH) for name, it in parts.get(thing_id, {}).items()}
            )
            enough = values is not None and (~np.isnan(values)).sum() >= MINIMUM_DAYS
            hour.things[thing_id] = values if enough else None

    def _of_hour(
        self, thing_ids: Sequence[str], days: Sequence[date], number: int
    ) -> dict[str, dict[str, Floats]]:
        """The four quarter hours that end with a number, of some days; they may begin the day before."""
        first = number - _WIDTH + 1
        pieces = [
            self._profiles.of(
                thing_ids, FOOTFALL_PROPERTIES, days, first=max(first, 1), last=number
            )
        ]
        if first < 1:
            before = [day - timedelta(days=1) for day in days]
            pieces.insert(
                0,
                self._profiles.of(
                    thing_ids,
                    FOOTFALL_PROPERTIES,
                    before,
                    first=QUARTERS + first,
                    last=QUARTERS,
                ),
            )
        widths = [1 - first, number] if first < 1 else [_WIDTH]
        parts: defaultdict[str, dict[str, Floats]] = defaultdict(dict)
        for stream in {stream for piece in pieces for stream in piece}:
            held = [
                piece[stream] if stream in piece else np.zeros((2, len(days), width))
                for piece, width in zip(pieces, widths, strict=True)
            ]
            parts[stream[0]][stream[1]] = np.concatenate(held, axis=2)
        return parts


def hourly_rates(totals: Iterable[Reading]) -> dict[str, float]:
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
        both = readings.get("pedestrians")
        counted = [both] if both is not None else list(readings.values())
        if all(_LEAST_S <= (it.covered_s or 0) <= _MOST_S for it in counted):
            rates[thing_id] = sum(it.result * _WINDOW_S / (it.covered_s or 1) for it in counted)
    return rates


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
