"""The weather over the simulated city, as a pure function of seed, place and time.

One slow "wetness" signal carries it: where it is high the pressure is low, clouds come, and rain
falls where it passes a threshold that the month sets. Everything else hangs on that, on the sun and on
the calendar, so that neighbouring poles agree and what belongs together goes together. Monthly
normals are those of Tokyo 1991-2020 (Japan Meteorological Agency).
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuji_simulators.randomness import Floats, field, key, smooth

HOUR = 3600.0
DAY = 86_400.0
_YEAR = 365.2425 * DAY

_TEMPERATURE = (5.4, 6.1, 9.4, 14.3, 18.8, 21.9, 25.7, 26.9, 23.3, 18.0, 12.5, 7.7)
_HUMIDITY = (51.0, 52.0, 57.0, 62.0, 68.0, 75.0, 76.0, 74.0, 75.0, 71.0, 64.0, 56.0)
_RAIN = (59.7, 56.5, 116.0, 133.7, 139.7, 167.8, 156.2, 154.7, 224.9, 234.8, 96.3, 57.9)
_SEA_LEVEL_PRESSURE = (
    1015.7, 1015.6, 1015.3, 1014.4, 1011.9, 1008.8, 1008.5, 1009.8, 1012.4, 1016.1, 1017.3, 1016.3,
)  # fmt: skip
_PREVAILING_WIND = (
    345.0,
    345.0,
    340.0,
    300.0,
    220.0,
    190.0,
    175.0,
    175.0,
    260.0,
    340.0,
    345.0,
    345.0,
)
_RAIN_WHEN_RAINING = 2.0
"""Mean mm/h of a rainy hour; with a month's total it gives the share of its hours that are wet."""
_THRESHOLD = tuple(
    NormalDist().inv_cdf(1.0 - month / (730.5 * _RAIN_WHEN_RAINING)) for month in _RAIN
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the weather is asked for: degrees, metres above the sea, and local clock."""

    latitude: float
    longitude: float
    height_m: float = 0.0
    utc_offset_s: int = 9 * 3600

    @property
    def east_km(self) -> float:
        """Kilometres east on a flat map that is good enough for neighbours."""
        return self.longitude * 111.32 * float(np.cos(np.radians(round(self.latitude))))

    @property
    def north_km(self) -> float:
        """Kilometres north on the same map."""
        return self.latitude * 111.32


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What the sky does at one place, one value for each time asked for."""

    air_temperature: Floats
    relative_humidity: Floats
    air_pressure: Floats
    wind_speed: Floats
    wind_from_direction: Floats
    rain_rate: Floats
    """mm/h"""
    solar_irradiance: Floats
    cloud: Floats
    """0 clear to 1 overcast"""


def monthly(values: tuple[float, ...], time: NDArray[Any]) -> Floats:
    """A normal of the year at each time, straight lines between the middles of the months."""
    month = (np.asarray(time, dtype=np.float64) % _YEAR) / _YEAR * 12.0
    normals: Floats = np.interp(month, np.arange(12) + 0.5, values, period=12.0)
    return normals


def sun_elevation_sine(place: Place, time: NDArray[Any]) -> Floats:
    """Sine of the sun's elevation (Spencer 1971: declination and equation of time)."""
    seconds = np.asarray(time, dtype=np.float64)
    angle = 2.0 * np.pi * (seconds % _YEAR) / _YEAR
    declination = (
        0.006918 - 0.399912 * np.cos(angle) + 0.070257 * np.sin(angle)
        - 0.006758 * np.cos(2 * angle) + 0.000907 * np.sin(2 * angle)
        - 0.002697 * np.cos(3 * angle) + 0.00148 * np.sin(3 * angle)
    )  # fmt: skip
    equation_min = 229.18 * (
        0.000075 + 0.001868 * np.cos(angle) - 0.032077 * np.sin(angle)
        - 0.014615 * np.cos(2 * angle) - 0.040849 * np.sin(2 * angle)
    )  # fmt: skip
    solar_hour = (seconds / HOUR + place.longitude / 15.0 + equation_min / 60.0) % 24.0
    hour_angle = np.radians(15.0 * (solar_hour - 12.0))
    latitude = np.radians(place.latitude)
    sine: Floats = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(
        declination
    ) * np.cos(hour_angle)
    return sine


def rain_rate(seed: int, place: Place, time: NDArray[Any]) -> Floats:
    """Rain at the place, mm/h; cells of some kilometres drift past, as showers do."""
    return _rain(seed, place, time, _wetness(seed, place, time))


def weather(seed: int, place: Place, time: NDArray[Any]) -> Weather:
    """The whole weather at one place.

    Args:
        seed: of the scenario.
        place: where.
        time: seconds since 1970 UTC, any order.
    """
    wet = _wetness(seed, place, time)
    rain = _rain(seed, place, time, wet)
    soaked = 1.0 - np.exp(-rain / 1.5)
    cloud = 1.0 / (1.0 + np.exp(-2.0 * (wet - monthly(_THRESHOLD, time) + 1.7)))
    sun = np.maximum(sun_elevation_sine(place, time), 0.0)
    temperature = _temperature(seed, place, time, cloud) - 1.8 * soaked
    return Weather(
        air_temperature=temperature,
        relative_humidity=_humidity(seed, time, temperature, wet, soaked),
        air_pressure=_pressure(seed, place, time, wet),
        wind_speed=_wind_speed(seed, place, time, wet, sun),
        wind_from_direction=_wind_direction(seed, place, time, wet),
        rain_rate=rain,
        solar_irradiance=_irradiance(seed, place, time, cloud, sun),
        cloud=cloud,
    )


def _wetness(seed: int, place: Place, time: NDArray[Any]) -> Floats:
    slow = smooth(key(seed, "front"), time, 60 * HOUR)
    middle = smooth(key(seed, "trough"), time, 17 * HOUR)
    drifted = place.east_km - 25.0 * np.asarray(time, dtype=np.float64) / HOUR
    local = field(key(seed, "band"), drifted, place.north_km, time, scale_km=30.0, scale_s=4 * HOUR)
    return 0.78 * slow + 0.52 * middle + 0.35 * local


def _rain(seed: int, place: Place, time: NDArray[Any], wet: Floats) -> Floats:
    beyond = np.maximum(wet - monthly(_THRESHOLD, time), 0.0)
    drifted = place.east_km - 25.0 * np.asarray(time, dtype=np.float64) / HOUR
    cells = field(key(seed, "cell"), drifted, place.north_km, time, scale_km=5.0, scale_s=1800.0)
    return 3.6 * beyond**1.4 * np.exp(0.8 * cells - 0.32)


def _temperature(seed: int, place: Place, time: NDArray[Any], cloud: Floats) -> Floats:
    local_hour = (np.asarray(time, dtype=np.float64) + place.utc_offset_s) / HOUR
    phase = 2.0 * np.pi * (local_hour - 14.3) / 24.0
    daily = (1.6 + 3.4 * (1.0 - cloud)) * (np.cos(phase) + 0.22 * np.cos(2.0 * phase))
    air_mass = 2.4 * smooth(key(seed, "air mass"), time, 80 * HOUR)
    ground = 0.45 * field(
        key(seed, "ground"), place.east_km, place.north_km, time, scale_km=2.5, scale_s=6 * HOUR
    )
    return monthly(_TEMPERATURE, time) + air_mass + daily + ground - 0.0065 * place.height_m


def _vapour(temperature: Floats) -> Floats:
    """Saturation vapour pressure, hPa (Magnus; Alduchov and Eskridge 1996)."""
    pressure: Floats = 6.1094 * np.exp(17.625 * temperature / (temperature + 243.04))
    return pressure


def _humidity(
    seed: int, time: NDArray[Any], temperature: Floats, wet: Floats, soaked: Floats
) -> Floats:
    usual = monthly(_HUMIDITY, time) / 100.0 * _vapour(monthly(_TEMPERATURE, time))
    moisture = usual * np.exp(0.14 * smooth(key(seed, "moisture"), time, 40 * HOUR) + 0.16 * wet)
    dry = np.clip(100.0 * moisture / _vapour(temperature), 15.0, 97.0)
    return dry + (96.5 - dry) * soaked


def _pressure(seed: int, place: Place, time: NDArray[Any], wet: Floats) -> Floats:
    local_hour = (np.asarray(time, dtype=np.float64) + place.utc_offset_s) / HOUR
    tide = 1.1 * np.cos(4.0 * np.pi * (local_hour - 9.8) / 24.0)
    weather_map = 3.5 * smooth(key(seed, "high"), time, 90 * HOUR) - 5.5 * wet
    sea_level = monthly(_SEA_LEVEL_PRESSURE, time) + weather_map + tide
    thinner: float = (1.0 - 0.0065 * place.height_m / 288.15) ** 5.257
    return sea_level * thinner


def _wind_speed(seed: int, place: Place, time: NDArray[Any], wet: Floats, sun: Floats) -> Floats:
    spread = 0.33 * smooth(key(seed, "wind"), time, 8 * HOUR) + 0.22 * field(
        key(seed, "gust"), place.east_km, place.north_km, time, scale_km=0.4, scale_s=600.0
    )
    return (1.7 + 1.6 * sun + 0.5 * np.maximum(wet, 0.0)) * np.exp(spread)


def _wind_direction(seed: int, place: Place, time: NDArray[Any], wet: Floats) -> Floats:
    turned = 45.0 * smooth(key(seed, "veer"), time, 14 * HOUR) - 25.0 * wet
    eddies = 11.0 * field(
        key(seed, "eddy"), place.east_km, place.north_km, time, scale_km=0.3, scale_s=400.0
    )
    return (monthly(_PREVAILING_WIND, time) + turned + eddies) % 360.0


def _irradiance(seed: int, place: Place, time: NDArray[Any], cloud: Floats, sun: Floats) -> Floats:
    """Clear sky by Haurwitz (1945), clouds by Kasten and Czeplak (1980)."""
    gaps = field(key(seed, "gap"), place.east_km, place.north_km, time, scale_km=2.0, scale_s=700.0)
    over = np.clip(cloud + 0.22 * gaps * 4.0 * cloud * (1.0 - cloud), 0.0, 1.0)
    clear = 1098.0 * sun * np.exp(-0.057 / np.maximum(sun, 0.01))
    irradiance: Floats = clear * (1.0 - 0.75 * over**3.4)
    return irradiance
