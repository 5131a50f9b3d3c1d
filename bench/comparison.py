"""How far simulated footfall and temperature are from counted and measured ones, in numbers.

Footfall is compared by kind of place and kind of day with hourly counts of the City of Melbourne, whose
counters stand in places of a like kind (a Japanese city has no such open counts); temperature with the
hours of the AMeDAS stations in Tokyo.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import holidays
import numpy as np
from numpy.typing import NDArray

from tsuji_simulators.people import DAY_KINDS
from tsuji_simulators.scenario_files import DEMONSTRATION, load_scenario
from tsuji_simulators.signals import results
from tsuji_simulators.sky import Place, weather

Floats = NDArray[np.float64]
Days = Mapping[date, Floats]
"""The 24 hours of local days; NaN where there is no value."""

COUNTERS = {
    "station": ("3", "6", "9", "13"),
    "shopping": ("1", "2", "15", "16"),
    "office": ("17", "18", "24"),
    "nightlife": ("19", "20", "30", "31"),
    "park": ("7", "8", "29"),
}
"""Melbourne's counters that stand in places like ours: Melbourne Central, Flinders Street, Southern Cross and
Flagstaff stations; Bourke Street Mall, State Library, Australia on Collins; Collins Place, Spencer Street at
Collins; Chinatown, Lonsdale and Lygon streets; Birrarung Marr, Webb Bridge, Alexandra Gardens."""
STATIONS = ("44132", "44071", "44116", "44136")
"""東京, 練馬, 府中, 江戸川臨海."""
SEED = 1
JST = timezone(timedelta(hours=9))
_DAY_S = 86_400
_PER_KIND = 4
_FEWEST = 50.0
"""Hours with fewer people on the average say little of dispersion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footfall:
    """Hours of counters of one kind of place, by kind of day: arrays of counter, day and hour."""

    days: Mapping[str, Floats]

    def shape(self, kind: str) -> Floats:
        """Each counter's usual day as shares of it, and the mean of these."""
        usual = np.nanmean(self.days[kind], axis=1)
        shares: Floats = (usual / usual.sum(axis=1, keepdims=True)).mean(axis=0)
        return shares

    def total(self, kind: str) -> float:
        """People on a day, as times those of a weekday; the mean over counters."""
        days, weekdays = (
            np.nansum(np.nanmean(self.days[one], axis=1), axis=1) for one in (kind, "weekday")
        )
        return float(np.mean(days / weekdays))

    def cells(self, kind: str) -> tuple[Floats, Floats]:
        """Mean and variance, from day to day, of each hour of each counter that sees enough people."""
        hours = self.days[kind]
        mean, variance = np.nanmean(hours, axis=1).ravel(), np.nanvar(hours, axis=1, ddof=1).ravel()
        enough = mean >= _FEWEST
        return mean[enough], variance[enough]

    def dispersion(self, kind: str) -> float:
        """Variance over mean; the median over hours."""
        mean, variance = self.cells(kind)
        return float(np.median(variance / mean))

    def spread(self, kind: str) -> float:
        """Standard deviation from day to day over the mean; the median over hours."""
        mean, variance = self.cells(kind)
        return float(np.median(np.sqrt(variance) / mean))

    def persistence(self, kind: str) -> float:
        """How much of a busy hour goes over into the next: correlation of what is beyond the usual."""
        hours = self.days[kind]
        usual = np.nanmean(hours, axis=1, keepdims=True)
        beyond = np.where(usual >= _FEWEST, hours / np.maximum(usual, 1.0) - 1.0, np.nan)
        return correlation(beyond[..., :-1], beyond[..., 1:])


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's, of what both have."""
    both = np.isfinite(one) & np.isfinite(other)
    return float(np.corrcoef(one[both], other[both])[0, 1])


def _by_kind(counters: Sequence[Days], calendar: "holidays.HolidayBase") -> Footfall:
    days = sorted(set.intersection(*(set(one) for one in counters)))

    def kind(day: date) -> str:
        if day.weekday() == 6 or day in calendar:
            return "holiday"
        return "saturday" if day.weekday() == 5 else "weekday"

    return Footfall(
        days={
            name: np.array([[one[day] for day in days if kind(day) == name] for one in counters])
            for name in DAY_KINDS
        }
    )


def melbourne(counts: Path) -> dict[str, Footfall]:
    """Counted, by kind of place; days on which the clock was changed or a counter was out are left out."""
    hours: dict[str, dict[date, Floats]] = {}
    with counts.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            day = datetime.strptime(row["Date"], "%d-%b-%Y").replace(tzinfo=UTC).date()
            of_day = hours.setdefault(row["SensorID"], {}).setdefault(day, np.full(24, np.nan))
            of_day[int(row["Hour"])] = float(row["PedestrianCount"])
    whole = {
        counter: {
            day: of_day
            for day, of_day in days.items()
            if np.isfinite(of_day).all()
            and of_day.sum() > 0
            and day not in (date(2014, 4, 6), date(2014, 10, 5))
        }
        for counter, days in hours.items()
    }
    calendar = holidays.country_holidays("AU", subdiv="VIC", years=2014)
    return {
        kind: _by_kind([whole[one] for one in counters], calendar)
        for kind, counters in COUNTERS.items()
    }


def simulated_footfall(weeks: int = 4) -> dict[str, Footfall]:
    """The same of the demonstration's counters, in spring and in autumn, so many weeks each."""
    scenario = load_scenario(DEMONSTRATION)
    calendar = holidays.country_holidays("JP", years=2026)
    found = {}
    for kind in COUNTERS:
        members = [
            one
            for one in scenario.members
            if one.place == kind and one.thing.kind == "footfall_counter"
        ][:_PER_KIND]
        counters: list[dict[date, Floats]] = []
        for member in members:
            days: dict[date, Floats] = {}
            for begin in (date(2026, 3, 24), date(2026, 10, 1)):
                midnight = int(datetime(begin.year, begin.month, begin.day, tzinfo=JST).timestamp())
                ends = midnight + 3_600 * np.arange(1, weeks * 7 * 24 + 1)
                reported = results(scenario, SEED, member, ends, 3_600)
                both = reported["pedestrians_in"] + reported["pedestrians_out"]
                for number, of_day in enumerate(both.reshape(-1, 24)):
                    days[begin + timedelta(days=number)] = of_day
            counters.append(days)
        found[kind] = _by_kind(counters, calendar)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """Hours of some stations over the same days: arrays of station, day and hour, °C, with the gaps."""

    months: NDArray[np.int64]
    hours: Floats

    def of(self, month: int) -> Floats:
        """The hours of one month."""
        return self.hours[:, self.months == month]

    def range(self) -> Floats:
        """From the coldest to the warmest hour of each day."""
        return np.nanmax(self.hours, axis=2) - np.nanmin(self.hours, axis=2)

    def cycle(self, month: int) -> Floats:
        """The month's mean day, less its mean; NaN for hours that never came."""
        of_month = self.of(month)
        number = np.isfinite(of_month).sum(axis=(0, 1))
        mean = np.where(
            number > 0, np.nansum(of_month, axis=(0, 1)) / np.maximum(number, 1), np.nan
        )
        return mean - float(np.nanmean(mean))

    def between_days(self) -> float:
        """Standard deviation of daily means within a month; the mean over months."""
        daily = np.nanmean(self.hours, axis=2)
        return float(
            np.mean(
                [np.nanstd(daily[:, self.months == one], axis=1).mean() for one in set(self.months)]
            )
        )

    def beyond(self) -> Floats:
        """What each hour is above what is usual of its station, month and hour."""
        left = np.empty(self.hours.shape)
        for one in set(self.months.tolist()):
            which = self.months == one
            number = np.isfinite(self.hours[:, which]).sum(axis=1, keepdims=True)
            usual = np.nansum(self.hours[:, which], axis=1, keepdims=True) / np.maximum(number, 1)
            left[:, which] = self.hours[:, which] - usual
        return left

    def persistence(self, hours: int) -> float:
        """Correlation of that with itself so many hours later."""
        series = self.beyond().reshape(len(self.hours), -1)
        return correlation(series[:, :-hours], series[:, hours:])

    def step(self) -> float:
        """Standard deviation of the change from hour to hour that the hour does not explain."""
        return float(np.nanstd(np.diff(self.beyond().reshape(len(self.hours), -1), axis=1)))

    def togetherness(self) -> float:
        """Correlation of what is unusual between stations; the mean over pairs."""
        flat = self.beyond().reshape(len(self.hours), -1)
        pairs = [(a, b) for a in range(len(flat)) for b in range(a)]
        return float(np.mean([correlation(flat[a], flat[b]) for a, b in pairs]))


def amedas(observations: Path) -> tuple[Temperature, list[date]]:
    """Measured, and on which days; those with more than two hours missing anywhere are left out."""
    found = {one: dict[date, Floats]() for one in STATIONS}
    with observations.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if row["amdno"] in found and row["temp_c"]:
                end = datetime.fromisoformat(row["obs_time_jst"]).astimezone(JST)
                hours = found[row["amdno"]].setdefault(end.date(), np.full(24, np.nan))
                hours[end.hour] = float(row["temp_c"])
    days = [
        day
        for day in sorted(set.intersection(*(set(one) for one in found.values())))
        if all(np.isnan(one[day]).sum() <= 2 for one in found.values())
    ]
    return _temperature([[one[day] for day in days] for one in found.values()], days), days


def simulated_temperature(
    stations: Path, days: Sequence[date], gaps: Floats, seed: int = SEED
) -> Temperature:
    """The same stations and days as the demonstration's weather has them.

    Args:
        stations: where they stand.
        days: which.
        gaps: measured hours, whose gaps it gets, too.
        seed: another is another weather.
    """
    with stations.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["amdno"]: row for row in csv.DictReader(file)}
    midnights = np.array(
        [int(datetime(d.year, d.month, d.day, tzinfo=JST).timestamp()) for d in days]
    )
    times = (midnights[:, None] + 3_600 * np.arange(24)).ravel()
    hours = []
    for one in STATIONS:
        place = Place(
            latitude=float(rows[one]["lat"]),
            longitude=float(rows[one]["lon"]),
            height_m=float(rows[one]["alt_m"]),
        )
        hours.append(weather(seed, place, times).air_temperature.reshape(-1, 24))
    return _temperature(np.where(np.isnan(gaps), np.nan, np.array(hours)), days)


def _temperature(
    hours: "NDArray[np.float64] | Sequence[object]", days: Sequence[date]
) -> Temperature:
    return Temperature(months=np.array([day.month for day in days]), hours=np.array(hours))
