"""What moves people on a given day: an event that they come to and leave, a train stoppage, and the like."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuji_simulators.ground import Place, away_km, step
from tsuji_simulators.randomness import Floats

_WALK_KMH = 4.0
HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """Something that many people come to, and leave together.

    Attributes:
        latitude: of the venue, degrees.
        longitude: likewise.
        reach_km: how far from it they are still many: the standard deviation of the way.
        people: who come.
        begins_s: seconds since 1970 UTC.
        ends_s: when it lets out.
        arrive_h: most come in so many hours before it begins.
        leave_h: most are gone so many hours after it ends.
        caught: the share of them that passes a counter at the venue itself.
    """

    latitude: float
    longitude: float
    reach_km: float
    people: float
    begins_s: float
    ends_s: float
    arrive_h: float
    leave_h: float
    caught: float

    def passing(self, place: Place, time: NDArray[Any]) -> tuple[Floats, Floats]:
        """People per hour on their way there, and on their way back, who pass a place."""
        when = np.asarray(time, dtype=np.float64)
        east, north = away_km(Place(latitude=self.latitude, longitude=self.longitude), place)
        away = np.sqrt(east**2 + north**2)
        many = self.people * self.caught * np.exp(-0.5 * (away / self.reach_km) ** 2)
        walk_s = away / _WALK_KMH * HOUR
        there = _wave((self.begins_s - walk_s - when) / HOUR, self.arrive_h)
        back = _wave((when - self.ends_s - walk_s) / HOUR, self.leave_h)
        return many * there, many * back


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A time in which there are other numbers of people than usual.

    Attributes:
        start_s: seconds since 1970 UTC; from there it comes, within `ramp_s`.
        end_s: from there it goes, as slowly.
        ramp_s: seconds.
        people: times the usual number, by kind of place; kinds that are left out stay as they are.
        after: the same at the height of what follows: who was held back comes then.
        after_h: how long that lasts, about.
        latitude: of the middle of where it is so; None for everywhere.
        longitude: likewise.
        reach_km: how far from there it is still so: the standard deviation.
    """

    start_s: float
    end_s: float
    ramp_s: float
    people: Mapping[str, float]
    after: Mapping[str, float] = field(default_factory=dict)
    after_h: float = 1.0
    latitude: float | None = None
    longitude: float | None = None
    reach_km: float = 1.0

    def factor(self, kind: str, place: Place, time: NDArray[Any]) -> Floats | float:
        """Times the usual number of people at a place of some kind."""
        within, behind = self.people.get(kind), self.after.get(kind)
        if within is None and behind is None:
            return 1.0
        when = np.asarray(time, dtype=np.float64)
        during = ((within or 0.0) - 1.0) * step(when, self.start_s, self.end_s, self.ramp_s)
        change = during if within is not None else np.zeros(when.shape)
        if behind is not None:
            gone = np.maximum((when - self.end_s) / HOUR / (self.after_h / 3.0), 0.0)
            change = change + (behind - 1.0) * gone * np.exp(1.0 - gone)
        factor: Floats = np.maximum(1.0 + change * self._near(place), 0.0)
        return factor

    def _near(self, place: Place) -> Floats | float:
        if self.latitude is None or self.longitude is None:
            return 1.0
        east, north = away_km(Place(latitude=self.latitude, longitude=self.longitude), place)
        near: Floats = np.exp(-0.5 * (east**2 + north**2) / self.reach_km**2)
        return near


def _wave(hours: Floats, width_h: float) -> Floats:
    """The share per hour: none before 0, most of it soon, nearly all within `width_h`."""
    scale = width_h / 4.0
    x = np.maximum(hours / scale, 0.0)
    wave: Floats = x * np.exp(-x) / scale
    return wave
