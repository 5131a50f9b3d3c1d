"""What each simulated thing reports: a pure function of seed, thing and time, rounded as devices round."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_simulators.crew import Crew
from tsuji_simulators.fleet import Member
from tsuji_simulators.people import Days, counts, expected, minutes_of, visitors
from tsuji_simulators.randomness import Floats, Integers, key, normal, smooth, whole
from tsuji_simulators.scenario import Scenario
from tsuji_simulators.sky import DAY, HOUR, Weather, rain_rate, weather

LUX_PER_WATT = 110.0
"""Luminous efficacy of daylight, lm/W (Littlefair 1985 gives 105 to 130)."""
_RAIN_TIP_MM = 0.1
_STREET = {"illuminance", "pm2_5", "sound_level"}
_BUSY_PER_H = 900.0
"""Passers-by in an hour at the mean of a weekday, as the street's noise takes it."""


def results(
    scenario: Scenario, seed: int, member: Member, end: Integers, period_s: int
) -> dict[str, Floats]:
    """The results that a thing reports at each time.

    Args:
        scenario: the city that it stands in.
        seed: same seed, same values.
        member: the thing.
        end: seconds since 1970 UTC at which it reports, in any order.
        period_s: whole minutes since its report before: counts and rain cover them.

    Returns:
        For each observed property of the thing an array as long as `end`.
    """
    together = results_of(scenario, seed, Crew((member,)), end[None, :], period_s)
    return {name: values[0] for name, values in together.items()}


def results_of(
    scenario: Scenario, seed: int, crew: Crew, end: Integers, period_s: int
) -> dict[str, Floats]:
    """The results that many things report, each at times of its own.

    Args:
        scenario: the city that they stand in.
        seed: same seed, same values.
        crew: the things.
        end: seconds since 1970 UTC, a row for each thing.
        period_s: as for `results`.

    Returns:
        For each observed property an array of the shape of `end`.
    """
    reported: dict[str, Floats] = {}
    days = scenario.days
    if {"pedestrians_in", "pedestrians_out", "pedestrians"} & set(crew.datastreams):
        inward, outward = counts(
            seed,
            crew.counting(seed),
            scenario.shapes[crew.place],
            crew.people_per_day,
            crew.site,
            days,
            end,
            period_s,
        )
        reported["pedestrians_in"] = inward.astype(np.float64)
        reported["pedestrians_out"] = outward.astype(np.float64)
        reported["pedestrians"] = (inward + outward).astype(np.float64)
    if "rainfall" in crew.datastreams:
        reported["rainfall"] = _rainfall(seed, crew, days, end, period_s)
    if set(crew.datastreams) - reported.keys():
        sky = weather(seed, crew.site, end, days.sky)
        reported |= _measured_sky(seed, crew, end, sky)
        if _STREET & set(crew.datastreams):
            reported |= _street(scenario, seed, crew, end, sky)
    return {name: _believable(name, reported[name]) for name in crew.datastreams}


def _noise(seed: int, crew: Crew, name: str, end: Integers, size: float) -> Floats:
    """A sensor's own: a small fixed error and a trembling at each reading."""
    streams = crew.keys(seed, "sensor", name)
    fixed = normal(streams, np.zeros((1, 1), dtype=np.int64))
    return size * (0.7 * fixed + 0.5 * normal(streams, end))


def _rainfall(seed: int, crew: Crew, days: Days, end: Integers, period_s: int) -> Floats:
    """Tips of a 0.1 mm gauge, minute by minute, so that any period adds up to the same."""
    minute_ends = minutes_of(end, period_s)
    rate = rain_rate(seed, crew.site, minute_ends - 30, days.sky)
    tips = whole(crew.keys(seed, "gauge"), minute_ends, rate / 60.0 / _RAIN_TIP_MM)
    return _rounded(tips.reshape(*end.shape, -1).sum(axis=-1) * _RAIN_TIP_MM, 1)


def _measured_sky(seed: int, crew: Crew, end: Integers, sky: Weather) -> dict[str, Floats]:
    sun = sky.solar_irradiance
    sensors: dict[str, tuple[Floats, float, int]] = {
        "air_temperature": (sky.air_temperature, 0.15, 1),
        "relative_humidity": (sky.relative_humidity, 0.8, 1),
        "air_pressure": (sky.air_pressure, 0.12, 1),
        "wind_speed": (sky.wind_speed, 0.25, 1),
        "wind_from_direction": (sky.wind_from_direction, 4.0, 0),
        "solar_irradiance": (sun, 1.5, 0),
    }
    read = {
        name: _rounded(values + _noise(seed, crew, name, end, error), digits)
        for name, (values, error, digits) in sensors.items()
        if name in crew.datastreams
    }
    if "wind_from_direction" in read:
        read["wind_from_direction"] = read["wind_from_direction"] % 360.0
    if "solar_irradiance" in read:
        read["solar_irradiance"] = read["solar_irradiance"] * (sun > 0.5)
    return read


def _street(
    scenario: Scenario, seed: int, crew: Crew, end: Integers, sky: Weather
) -> dict[str, Floats]:
    """What hangs on streets and people: light, dust, noise."""
    shape = scenario.shapes[crew.place]
    inward, outward = expected(shape, crew.site, scenario.days, end)
    come, go = visitors(shape, crew.site, scenario.days, end)
    bustle = (inward + outward) * 24.0 + (come + go) / _BUSY_PER_H  # 1 at the mean of a weekday
    local_hour = ((end + crew.site.utc_offset_s) % DAY) / HOUR
    traffic = 0.35 + 0.65 * np.exp(-(((local_hour - 13.5) / 6.5) ** 4))
    lamps = 28.0 * np.exp(0.3 * _noise(seed, crew, "lamp", end * 0, 1.0))
    light = sky.solar_irradiance * LUX_PER_WATT + lamps * (sky.solar_irradiance < 8.0)
    washed = 1.0 - 0.45 * (1.0 - np.exp(-sky.rain_rate / 2.0))
    haze = np.exp(0.42 * smooth(key(seed, "haze"), end, 45 * HOUR))
    dust = 9.5 * haze * washed * (0.85 + 0.3 * traffic)
    energy = 10.0 ** (5.3 + 1.1 * traffic) + 10.0**5.8 * bustle + 10.0**5.4 * sky.rain_rate
    sound = 10.0 * np.log10(energy) + _noise(seed, crew, "sound_level", end, 1.6)
    return {
        "illuminance": _rounded(light, -1) * (light >= 100.0)
        + _rounded(light, 0) * (light < 100.0),
        "pm2_5": _rounded(dust + _noise(seed, crew, "pm2_5", end, 0.9), 1),
        "sound_level": _rounded(sound, 1),
    }


def _rounded(values: Floats, digits: int) -> Floats:
    rounded: Floats = np.round(values, digits)
    return rounded


def _believable(name: str, values: Floats) -> Floats:
    """No sensor reports less than nothing; the contract's range is the widest that one can report."""
    known = OBSERVED_PROPERTIES[name]
    low = 0.0 if name == "solar_irradiance" else known.low
    within: NDArray[Any] = np.clip(values, low, known.high) + 0.0  # no sensor says -0.0
    return within
