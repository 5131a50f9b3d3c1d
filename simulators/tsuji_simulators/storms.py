"""Weather that comes and goes on a given day: spells such as a heat wave, and typhoons that pass.

All of it is added to the weather of the climate (`sky`), as a pure function of place and time.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuji_simulators.ground import Place, away_km, step, towards
from tsuji_simulators.randomness import Floats

USUAL_HPA = 1013.0
"""Around a typhoon."""
_BAND_KM = 230.0
_FADED_KM = 700.0
_INWARD_DEG = 25.0
"""By which the wind near the ground blows into a typhoon, off the circle around it."""
_HOLLAND_B = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Days on which the weather is off its climate.

    Attributes:
        start_s: seconds since 1970 UTC; from there it comes, within `ramp_s`.
        end_s: from there it goes, as slowly.
        ramp_s: seconds.
        air_temperature: °C more.
        wetness: on the scale of the fronts, in standard deviations: −2 is a high with a clear sky and no
            rain, 2 is rain most of the time.
        moisture: times the water in the air.
        wind: times the wind's speed.
    """

    start_s: float
    end_s: float
    ramp_s: float
    air_temperature: float = 0.0
    wetness: float = 0.0
    moisture: float = 1.0
    wind: float = 1.0

    def strength(self, time: NDArray[Any]) -> Floats:
        """0 outside, 1 inside."""
        return step(time, self.start_s, self.end_s, self.ramp_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typhoon:
    """A tropical cyclone that passes on a straight line.

    Attributes:
        time_s: when its centre is where the next two say, seconds since 1970 UTC.
        latitude: of the centre then, degrees.
        longitude: likewise.
        heading_deg: where it goes to, clockwise from north.
        speed_kmh: of the centre.
        pressure_hpa: in the centre, at sea level.
        radius_km: from the centre to the strongest wind.
        wind_ms: the strongest wind near the ground.
        rain: how much it adds to the wetness at its centre; 4 makes some 20 mm/h.
    """

    time_s: float
    latitude: float
    longitude: float
    heading_deg: float
    speed_kmh: float
    pressure_hpa: float
    radius_km: float
    wind_ms: float
    rain: float

    def _centre(self, time: NDArray[Any]) -> Place:
        gone_km = self.speed_kmh * (np.asarray(time, dtype=np.float64) - self.time_s) / 3600.0
        return towards(self.latitude, self.longitude, self.heading_deg, gone_km)

    def distance_km(self, place: Place, time: NDArray[Any]) -> Floats:
        """From the place to the centre."""
        east, north = away_km(self._centre(time), place)
        return np.maximum(np.sqrt(east**2 + north**2), 1.0)

    def pressure(self, distance_km: Floats) -> Floats:
        """What it takes from the pressure at sea level, hPa (Schloemer 1954); not above 0."""
        return (self.pressure_hpa - USUAL_HPA) * (1.0 - np.exp(-self.radius_km / distance_km))

    def wetness(self, distance_km: Floats) -> Floats:
        """What it adds to the wetness: most near the centre, little outside of its bands."""
        bands: Floats = self.rain * np.exp(-((distance_km / _BAND_KM) ** 2))
        return bands

    def wind(self, place: Place, time: NDArray[Any]) -> tuple[Floats, Floats]:
        """Its wind towards east and north, m/s (the profile of Holland 1980), turned inward."""
        east, north = away_km(self._centre(time), place)
        distance = np.maximum(np.sqrt(east**2 + north**2), 1.0)
        near = (self.radius_km / distance) ** _HOLLAND_B
        faded = np.exp(-((distance / _FADED_KM) ** 2))
        speed = self.wind_ms * np.sqrt(near * np.exp(1.0 - near)) * faded
        # Counter-clockwise in the north: at a place east of the centre it blows to the north.
        turn = np.where(np.asarray(place.latitude) < 0.0, -1.0, 1.0)
        inward, around = np.sin(np.radians(_INWARD_DEG)), np.cos(np.radians(_INWARD_DEG))
        to_east = speed * (-turn * around * north - inward * east) / distance
        to_north = speed * (turn * around * east - inward * north) / distance
        return to_east, to_north
