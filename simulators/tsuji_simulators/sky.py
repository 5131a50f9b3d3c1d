"""The weather over the simulated city, as a pure function of seed, place and time.

One slow "wetness" signal carries it: where it is high the pressure is low, clouds come, and rain
falls where it passes a threshold that the month sets. Everything else hangs on that, on the sun and on
the calendar, so that neighbouring poles agree and what belongs together goes together. A scenario adds
what comes and goes (`storms`). Monthly normals are those of Tokyo 1991-2020 (Japan Meteorological Agency).
"""

from dataclasses import dataclass
from dataclasses import field as field_of
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuji_simulators.ground import Place
from tsuji_simulators.randomness import Floats, field, key, smooth
from tsuji_simulators.storms import Spell, Typhoon

HOUR = 3600.0
DAY = 86_400.0
_YEAR = 365.2425 * DAY

_RAIN_WHEN_RAINING = 2.0
"""Mean mm/h of a rainy hour; with a month's total it gives the share of its hours that are wet."""
Months = tuple[float, ...]
"""Twelve of them, of the middles of the months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """What is normal month by month; those of Tokyo where nothing else is said.

    Attributes:
        air_temperature: °C.
        relative_humidity: %.
        rainfall: mm in the month.
        air_pressure: hPa at sea level.
        wind_from_direction: the prevailing one, degrees.
    """

    air_temperature: Months = (
        5.4, 6.1, 9.4, 14.3, 18.8, 21.9, 25.7, 26.9, 23.3, 18.0, 12.5, 7.7,
    )  # fmt: skip
    relative_humidity: Months = (
        51.0, 52.0, 57.0, 62.0, 68.0, 75.0, 76.0, 74.0, 75.0, 71.0, 64.0, 56.0,
    )  # fmt: skip
    rainfall: Months = (
        59.7, 56.5, 116.0, 133.7, 139.7, 167.8, 156.2, 154.7, 224.9, 234.8, 96.3, 57.9,
    )  # fmt: skip
    air_pressure: Months = (
        1015.7, 1015.6, 1015.3, 1014.4, 1011.9, 1008.8, 1008.5, 1009.8, 1012.4, 1016.1, 1017.3, 1016.3,
    )  # fmt: skip
    wind_from_direction: Months = (
        345.0, 345.0, 340.0, 300.0, 220.0, 190.0, 175.0, 175.0, 260.0, 340.0, 345.0, 345.0,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sky:
    """What weather there is to be had: the climate, and what comes and goes on its days."""

    climate: Climate = field_of(default_factory=Climate)
    spells: tuple[Spell, ...] = ()
    typhoons: tuple[Typhoon, ...] = ()

    @cached_property
    def threshold(self) -> Months:
        """By month, how wet it must be to rain."""
        hours = 730.5 * _RAIN_WHEN_RAINING
        return tuple(NormalDist().inv_cdf(1.0 - one / hours) for one in self.climate.rainfall)


TOKYO = Sky()


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


def rain_rate(seed: int, place: Place, time: NDArray[Any], sky: Sky = TOKYO) -> Floats:
    """Rain at the place, mm/h; cells of some kilometres drift past, as showers do."""
    return _rain(sky, seed, place, time, _wetness(sky, seed, place, time))


def weather(seed: int, place: Place, time: NDArray[Any], sky: Sky = TOKYO) -> Weather:
    """The whole weather at a place, or at many.

    Args:
        seed: of the scenario.
        place: where; of many places the coordinates are arrays that broadcast with the times.
        time: seconds since 1970 UTC, any order.
        sky: what weather there is.
    """
    wet = _wetness(sky, seed, place, time)
    rain = _rain(sky, seed, place, time, wet)
    soaked = 1.0 - np.exp(-rain / 1.5)
    overcast = wet + _storm_wetness(sky, place, time)
    cloud = 1.0 / (1.0 + np.exp(-2.0 * (overcast - monthly(sky.threshold, time) + 1.7)))
    sun = np.maximum(sun_elevation_sine(place, time), 0.0)
    temperature = _temperature(sky, seed, place, time, cloud) - 1.8 * soaked
    speed = _wind_speed(sky, seed, place, time, wet, sun)
    direction = _wind_direction(sky, seed, place, time, wet)
    if sky.typhoons:
        speed, direction = _with_storms(sky, seed, place, time, speed, direction)
    return Weather(
        air_temperature=temperature,
        relative_humidity=_humidity(sky, seed, time, temperature, wet, soaked),
        air_pressure=_pressure(sky, seed, place, time, wet),
        wind_speed=speed,
        wind_from_direction=direction,
        rain_rate=rain,
        solar_irradiance=_irradiance(seed, place, time, cloud, sun),
        cloud=cloud,
    )


def wind_and_warmth(seed: int, place: Place, time: NDArray[Any], sky: Sky) -> tuple[Floats, Floats]:
    """What people feel beside rain: the wind's speed, m/s, and the air's temperature, °C."""
    felt = weather(seed, place, time, sky)
    return felt.wind_speed, felt.air_temperature


def _wetness(sky: Sky, seed: int, place: Place, time: NDArray[Any]) -> Floats:
    slow = smooth(key(seed, "front"), time, 60 * HOUR)
    middle = smooth(key(seed, "trough"), time, 17 * HOUR)
    drifted = place.east_km - 25.0 * np.asarray(time, dtype=np.float64) / HOUR
    local = field(key(seed, "band"), drifted, place.north_km, time, scale_km=30.0, scale_s=4 * HOUR)
    wet: Floats = 0.78 * slow + 0.52 * middle + 0.35 * local
    for spell in sky.spells:
        wet = wet + spell.wetness * spell.strength(time)
    return wet


def _storm_wetness(sky: Sky, place: Place, time: NDArray[Any]) -> Floats | float:
    """Of typhoons alone, whose pressure is told by themselves."""
    wet: Floats | float = 0.0
    for typhoon in sky.typhoons:
        wet = wet + typhoon.wetness(typhoon.distance_km(place, time))
    return wet


def _rain(sky: Sky, seed: int, place: Place, time: NDArray[Any], wet: Floats) -> Floats:
    overcast = wet + _storm_wetness(sky, place, time)
    beyond = np.maximum(overcast - monthly(sky.threshold, time), 0.0)
    drifted = place.east_km - 25.0 * np.asarray(time, dtype=np.float64) / HOUR
    cells = field(key(seed, "cell"), drifted, place.north_km, time, scale_km=5.0, scale_s=1800.0)
    return 3.6 * beyond**1.4 * np.exp(0.8 * cells - 0.32)


def _temperature(sky: Sky, seed: int, place: Place, time: NDArray[Any], cloud: Floats) -> Floats:
    local_hour = (np.asarray(time, dtype=np.float64) + place.utc_offset_s) / HOUR
    # Two waves as they are in Tokyo's hours (docs/comparison.md): coldest at five, warmest after two.
    day, half = 2.0 * np.pi * (local_hour - 14.7) / 24.0, 4.0 * np.pi * (local_hour - 12.9) / 24.0
    daily = (1.8 + 3.9 * (1.0 - cloud)) * (np.cos(day) + 0.31 * np.cos(half))
    air_mass = 2.4 * smooth(key(seed, "air mass"), time, 80 * HOUR)
    ground = 0.45 * field(
        key(seed, "ground"), place.east_km, place.north_km, time, scale_km=2.5, scale_s=6 * HOUR
    )
    normal = monthly(sky.climate.air_temperature, time)
    warmth: Floats = normal + air_mass + daily + ground - 0.0065 * place.height_m
    for spell in sky.spells:
        warmth = warmth + spell.air_temperature * spell.strength(time)
    return warmth


def _vapour(temperature: Floats) -> Floats:
    """Saturation vapour pressure, hPa (Magnus; Alduchov and Eskridge 1996)."""
    pressure: Floats = 6.1094 * np.exp(17.625 * temperature / (temperature + 243.04))
    return pressure


def _humidity(
    sky: Sky, seed: int, time: NDArray[Any], temperature: Floats, wet: Floats, soaked: Floats
) -> Floats:
    normal = sky.climate
    usual = monthly(normal.relative_humidity, time) / 100.0
    usual = usual * _vapour(monthly(normal.air_temperature, time))
    moisture = usual * np.exp(0.14 * smooth(key(seed, "moisture"), time, 40 * HOUR) + 0.16 * wet)
    for spell in sky.spells:
        moisture = moisture * (1.0 + (spell.moisture - 1.0) * spell.strength(time))
    dry = np.clip(100.0 * moisture / _vapour(temperature), 15.0, 97.0)
    return dry + (96.5 - dry) * soaked


def _pressure(sky: Sky, seed: int, place: Place, time: NDArray[Any], wet: Floats) -> Floats:
    local_hour = (np.asarray(time, dtype=np.float64) + place.utc_offset_s) / HOUR
    tide = 1.1 * np.cos(4.0 * np.pi * (local_hour - 9.8) / 24.0)
    weather_map = 3.5 * smooth(key(seed, "high"), time, 90 * HOUR) - 5.5 * wet
    sea_level = monthly(sky.climate.air_pressure, time) + weather_map + tide
    for typhoon in sky.typhoons:
        sea_level = sea_level + typhoon.pressure(typhoon.distance_km(place, time))
    thinner = (1.0 - 0.0065 * np.asarray(place.height_m) / 288.15) ** 5.257
    pressure: Floats = sea_level * thinner
    return pressure


def _wind_speed(
    sky: Sky, seed: int, place: Place, time: NDArray[Any], wet: Floats, sun: Floats
) -> Floats:
    spread = 0.33 * smooth(key(seed, "wind"), time, 8 * HOUR) + 0.22 * field(
        key(seed, "gust"), place.east_km, place.north_km, time, scale_km=0.4, scale_s=600.0
    )
    speed: Floats = (1.7 + 1.6 * sun + 0.5 * np.maximum(wet, 0.0)) * np.exp(spread)
    for spell in sky.spells:
        speed = speed * (1.0 + (spell.wind - 1.0) * spell.strength(time))
    return speed


def _with_storms(
    sky: Sky, seed: int, place: Place, time: NDArray[Any], speed: Floats, direction: Floats
) -> tuple[Floats, Floats]:
    """The wind with that of the typhoons added, which comes in gusts, too."""
    blown = np.radians(direction)
    east, north = -speed * np.sin(blown), -speed * np.cos(blown)
    gusts = np.exp(
        0.2
        * field(key(seed, "gust"), place.east_km, place.north_km, time, scale_km=0.4, scale_s=600.0)
    )
    for typhoon in sky.typhoons:
        more_east, more_north = typhoon.wind(place, time)
        east, north = east + gusts * more_east, north + gusts * more_north
    return np.sqrt(east**2 + north**2), np.degrees(np.arctan2(-east, -north)) % 360.0


def _wind_direction(sky: Sky, seed: int, place: Place, time: NDArray[Any], wet: Floats) -> Floats:
    turned = 45.0 * smooth(key(seed, "veer"), time, 14 * HOUR) - 25.0 * wet
    eddies = 11.0 * field(
        key(seed, "eddy"), place.east_km, place.north_km, time, scale_km=0.3, scale_s=400.0
    )
    return (monthly(sky.climate.wind_from_direction, time) + turned + eddies) % 360.0


def _irradiance(seed: int, place: Place, time: NDArray[Any], cloud: Floats, sun: Floats) -> Floats:
    """Clear sky by Haurwitz (1945), clouds by Kasten and Czeplak (1980)."""
    gaps = field(key(seed, "gap"), place.east_km, place.north_km, time, scale_km=2.0, scale_s=700.0)
    over = np.clip(cloud + 0.22 * gaps * 4.0 * cloud * (1.0 - cloud), 0.0, 1.0)
    clear = 1098.0 * sun * np.exp(-0.057 / np.maximum(sun, 0.01))
    irradiance: Floats = clear * (1.0 - 0.75 * over**3.4)
    return irradiance
