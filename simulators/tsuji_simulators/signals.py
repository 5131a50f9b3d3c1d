"""What each simulated thing reports: a pure function of seed, thing and time, rounded as devices round."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsuji_platform.contract import OBSERVED_PROPERTIES, Observation
from tsuji_simulators.fleet import Member, Scenario
from tsuji_simulators.people import counts, expected
from tsuji_simulators.randomness import Floats, Integers, key, normal, smooth, whole
from tsuji_simulators.sky import DAY, HOUR, Weather, rain_rate, weather

LUX_PER_WATT = 110.0
"""Luminous efficacy of daylight, lm/W (Littlefair 1985 gives 105 to 130)."""
_RAIN_TIP_MM = 0.1


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
    reported: dict[str, Floats] = {}
    if {"pedestrians_in", "pedestrians_out", "pedestrians"} & set(member.datastreams):
        inward, outward = counts(
            seed,
            member.id,
            scenario.shapes[member.place],
            member.people_per_day or 0.0,
            member.site,
            scenario.country,
            end,
            period_s,
        )
        reported["pedestrians_in"] = inward.astype(np.float64)
        reported["pedestrians_out"] = outward.astype(np.float64)
        reported["pedestrians"] = (inward + outward).astype(np.float64)
    if "rainfall" in member.datastreams:
        reported["rainfall"] = _rainfall(seed, member, end, period_s)
    if set(member.datastreams) - reported.keys():
        sky = weather(seed, member.site, end)
        reported |= _measured_sky(seed, member, end, sky)
        reported |= _street(scenario, seed, member, end, sky)
    return {name: _believable(name, reported[name]) for name in member.datastreams}


def observations(
    member: Member, reported: Mapping[str, Floats], end: Integers, period_s: int
) -> list[Observation]:
    """The same as observations of the contract, in the order of `end`."""
    columns: Sequence[tuple[str, int | None, list[float]]] = [
        (name, period_s if OBSERVED_PROPERTIES[name].is_count else None, values.tolist())
        for name, values in reported.items()
    ]
    return [
        Observation(
            thing_id=member.id,
            observed_property=name,
            phenomenon_time=time,
            result=values[row],
            period_s=covered,
        )
        for row, time in enumerate(datetime.fromtimestamp(s, UTC) for s in end.tolist())
        for name, covered, values in columns
    ]


def _noise(seed: int, member: Member, name: str, end: Integers, size: float) -> Floats:
    """A sensor's own: a small fixed error and a trembling at each reading."""
    stream = key(seed, "sensor", member.id, name)
    fixed = normal(stream, np.zeros(1, dtype=np.int64))
    return size * (0.7 * fixed + 0.5 * normal(stream, end))


def _rainfall(seed: int, member: Member, end: Integers, period_s: int) -> Floats:
    """Tips of a 0.1 mm gauge, minute by minute, so that any period adds up to the same."""
    minute_ends = (end[:, None] - 60 * np.arange(period_s // 60)[None, :]).ravel()
    tips_expected = rain_rate(seed, member.site, minute_ends - 30) / 60.0 / _RAIN_TIP_MM
    tips = whole(key(seed, "gauge", member.id), minute_ends, tips_expected)
    return _rounded(tips.reshape(len(end), -1).sum(axis=1) * _RAIN_TIP_MM, 1)


def _measured_sky(seed: int, member: Member, end: Integers, sky: Weather) -> dict[str, Floats]:
    def read(name: str, values: Floats, error: float, digits: int) -> Floats:
        return _rounded(values + _noise(seed, member, name, end, error), digits)

    sun = sky.solar_irradiance
    return {
        "air_temperature": read("air_temperature", sky.air_temperature, 0.15, 1),
        "relative_humidity": read("relative_humidity", sky.relative_humidity, 0.8, 1),
        "air_pressure": read("air_pressure", sky.air_pressure, 0.12, 1),
        "wind_speed": read("wind_speed", sky.wind_speed, 0.25, 1),
        "wind_from_direction": read("wind_from_direction", sky.wind_from_direction, 4.0, 0) % 360.0,
        "solar_irradiance": read("solar_irradiance", sun, 1.5, 0) * (sun > 0.5),
    }


def _street(
    scenario: Scenario, seed: int, member: Member, end: Integers, sky: Weather
) -> dict[str, Floats]:
    """What hangs on streets and people: light, dust, noise."""
    inward, outward = expected(
        scenario.shapes[member.place], 1.0, member.site, scenario.country, end
    )
    bustle = (inward + outward) * 24.0  # 1 at the mean of a weekday
    local_hour = ((end + member.site.utc_offset_s) % DAY) / HOUR
    traffic = 0.35 + 0.65 * np.exp(-(((local_hour - 13.5) / 6.5) ** 4))
    lamps = 28.0 * np.exp(0.3 * _noise(seed, member, "lamp", end * 0, 1.0))
    light = sky.solar_irradiance * LUX_PER_WATT + lamps * (sky.solar_irradiance < 8.0)
    washed = 1.0 - 0.45 * (1.0 - np.exp(-sky.rain_rate / 2.0))
    haze = np.exp(0.42 * smooth(key(seed, "haze"), end, 45 * HOUR))
    dust = 9.5 * haze * washed * (0.85 + 0.3 * traffic)
    energy = 10.0 ** (5.3 + 1.1 * traffic) + 10.0**5.8 * bustle + 10.0**5.4 * sky.rain_rate
    sound = 10.0 * np.log10(energy) + _noise(seed, member, "sound_level", end, 1.6)
    return {
        "illuminance": _rounded(light, -1) * (light >= 100.0)
        + _rounded(light, 0) * (light < 100.0),
        "pm2_5": _rounded(dust + _noise(seed, member, "pm2_5", end, 0.9), 1),
        "sound_level": _rounded(sound, 1),
    }


def _rounded(values: Floats, digits: int) -> Floats:
    rounded: Floats = np.round(values, digits)
    return rounded


def _believable(name: str, values: Floats) -> Floats:
    """No sensor reports less than nothing; the contract's range is the widest that one can report."""
    known = OBSERVED_PROPERTIES[name]
    within: NDArray[Any] = np.clip(
        values, 0.0 if name == "solar_irradiance" else known.low, known.high
    )
    return within
