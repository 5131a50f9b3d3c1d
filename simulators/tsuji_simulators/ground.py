"""Where things are and how far apart, on a flat map that is good enough for a city and its weather."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuji_simulators.randomness import Floats

KM_PER_DEGREE = 111.32
Degrees = float | NDArray[np.float64]
"""Of one place, or of many: those of times along the last axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the weather is asked for: degrees, metres above the sea, and local clock."""

    latitude: Degrees
    longitude: Degrees
    height_m: Degrees = 0.0
    utc_offset_s: int = 9 * 3600

    @property
    def east_km(self) -> Degrees:
        """Kilometres east on a flat map that is good enough for neighbours."""
        widest: Degrees = np.cos(np.radians(np.round(self.latitude)))
        return self.longitude * KM_PER_DEGREE * widest

    @property
    def north_km(self) -> Degrees:
        """Kilometres north on the same map."""
        return self.latitude * KM_PER_DEGREE


def away_km(origin: Place, place: Place) -> tuple[Floats, Floats]:
    """How far east and north of the origin a place lies."""
    middle = np.radians((np.asarray(place.latitude) + np.asarray(origin.latitude)) / 2.0)
    east = (np.asarray(place.longitude) - np.asarray(origin.longitude)) * np.cos(middle)
    north = np.asarray(place.latitude) - np.asarray(origin.latitude)
    return east * KM_PER_DEGREE, north * KM_PER_DEGREE


def towards(latitude: float, longitude: float, heading_deg: float, gone_km: Floats) -> Place:
    """The place that one comes to; the heading is clockwise from north."""
    heading = np.radians(heading_deg)
    north = latitude + gone_km * np.cos(heading) / KM_PER_DEGREE
    narrow = np.cos(np.radians(latitude)) * KM_PER_DEGREE
    return Place(latitude=north, longitude=longitude + gone_km * np.sin(heading) / narrow)


def eased(share: NDArray[Any]) -> Floats:
    """From 0 to 1 without a kink at either end; what is outside stays there."""
    inside = np.clip(share, 0.0, 1.0)
    smooth: Floats = inside * inside * (3.0 - 2.0 * inside)
    return smooth


def step(time: NDArray[Any], start_s: float, end_s: float, ramp_s: float) -> Floats:
    """0 before, 1 in between, 0 behind: it comes from the start on, and goes from the end on."""
    when = np.asarray(time, dtype=np.float64)
    ramp = max(ramp_s, 1.0)
    return eased((when - start_s) / ramp) - eased((when - end_s) / ramp)
