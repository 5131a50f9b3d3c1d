"""The simulated city is believable, and the same for the same seed, whenever and however it is asked."""

import numpy as np
import pytest

from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_simulators import sky
from tsuji_simulators.fleet import Member
from tsuji_simulators.people import DAY_KINDS, Calendar, day_kinds
from tsuji_simulators.scenario import Scenario
from tsuji_simulators.scenario_files import load_scenario
from tsuji_simulators.signals import results

HOUR, DAY = 3600, 86_400
TOKYO = Calendar(country="JP")
MONDAY = 1_775_401_200
"""2026-04-06 00:00 in Tokyo, a Monday."""
YEAR = np.arange(1_767_193_200, 1_767_193_200 + 365 * DAY, HOUR)
"""Every hour of 2026 in Tokyo."""


@pytest.fixture(scope="module")
def city() -> Scenario:
    return load_scenario("ordinary-day")


def member(city: Scenario, thing_id: str) -> Member:
    return next(one for one in city.members if one.id == thing_id)


def day(start: int, step: int = 900) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.arange(start + step, start + DAY + 1, step)


@pytest.mark.parametrize("thing_id", ["pole-001", "counter-shibuya-hachiko", "weather-kudan"])
def test_any_moment_stands_alone(city: Scenario, thing_id: str) -> None:
    one = member(city, thing_id)
    times = day(MONDAY, 300)
    together = results(city, 1, one, times, 300)
    backwards = results(city, 1, one, times[::-1], 300)
    for name, values in together.items():
        assert backwards[name][::-1].tolist() == values.tolist(), name
    for index in (0, 100, 287):
        alone = results(city, 1, one, times[index : index + 1], 300)
        assert {n: v[0] for n, v in alone.items()} == {n: v[index] for n, v in together.items()}


def test_another_seed_gives_another_day(city: Scenario) -> None:
    one = member(city, "pole-001")
    first, second = (results(city, seed, one, day(MONDAY), 900) for seed in (1, 2))
    for name in one.datastreams:
        if name != "rainfall":
            assert first[name].tolist() != second[name].tolist()


@pytest.mark.parametrize("name", ["pedestrians_in", "pedestrians_out", "rainfall"])
def test_totals_of_long_periods_are_the_sums_of_short_ones(city: Scenario, name: str) -> None:
    one = member(city, "pole-001")
    minutes = results(city, 1, one, day(MONDAY, 60) + one.offset_s, 60)[name]
    steps = results(city, 1, one, day(MONDAY, 300) + one.offset_s, 300)[name]
    assert minutes.reshape(-1, 5).sum(axis=1) == pytest.approx(steps)
    assert minutes.sum() > 0


def test_everything_is_plausible_over_a_year(city: Scenario) -> None:
    for one in city.members[::7]:
        reported = results(city, 3, one, YEAR, 60)
        assert tuple(reported) == one.datastreams
        for name, values in reported.items():
            known = OBSERVED_PROPERTIES[name]
            assert np.isfinite(values).all()
            assert known.low <= values.min() <= values.max() <= known.high, name
            if known.is_count:
                assert (values == np.floor(values)).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_climate_is_about_that_of_tokyo(city: Scenario, seed: int) -> None:
    weather = sky.weather(seed, member(city, "pole-001").site, YEAR)
    assert weather.air_temperature.mean() == pytest.approx(15.8, abs=1.5)
    assert -6 < weather.air_temperature.min() < 3
    assert 32 < weather.air_temperature.max() < 40
    assert weather.rain_rate.sum() == pytest.approx(1600, rel=0.4)
    assert 0.03 < (weather.rain_rate > 0.5).mean() < 0.12
    assert 970 < weather.air_pressure.min() < 1000 < 1020 < weather.air_pressure.max() < 1045
    assert weather.relative_humidity.mean() == pytest.approx(66, abs=8)
    assert weather.wind_speed.mean() == pytest.approx(2.7, abs=0.8)


def test_pressure_falls_clouds_and_damp_come_with_rain(city: Scenario) -> None:
    weather = sky.weather(1, member(city, "pole-001").site, YEAR)
    rainy, dry = weather.rain_rate > 1, weather.rain_rate == 0
    assert weather.air_pressure[rainy].mean() < weather.air_pressure[dry].mean() - 4
    assert weather.cloud[rainy].mean() > weather.cloud[dry].mean() + 0.3
    assert weather.relative_humidity[rainy].mean() > weather.relative_humidity[dry].mean() + 15


def test_the_sun_shines_by_day_and_stands_where_it_should(city: Scenario) -> None:
    place = member(city, "pole-001").site
    sine = sky.sun_elevation_sine(place, YEAR)
    # Culmination over Nishi-Shinjuku: 90° − 35.69° ± 23.44°, at solstice and to within the hour's grid.
    assert np.degrees(np.arcsin(sine.max())) == pytest.approx(77.7, abs=1)
    sun = sky.weather(1, place, YEAR).solar_irradiance
    assert (sun[sine <= 0] == 0).all()
    assert (sun[sine > 0.1] > 0).all()
    assert sun.max() < 1100


def test_neighbouring_poles_agree_and_the_far_side_of_town_less(city: Scenario) -> None:
    times = np.arange(MONDAY, MONDAY + 30 * DAY, 600)

    def temperature(thing_id: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        return results(city, 1, member(city, thing_id), times, 60)["air_temperature"]

    near = temperature("pole-001") - temperature("pole-002")
    far = temperature("pole-001") - temperature("weather-toyosu")
    assert np.abs(near - near.mean()).max() < 1
    assert near.std() < far.std()


def hourly(city: Scenario, thing_id: str, start: int) -> list[float]:
    reported = results(city, 1, member(city, thing_id), day(start, HOUR), HOUR)
    total = reported["pedestrians_in"] + reported["pedestrians_out"]
    return [float(value) for value in total]


def test_stations_peak_with_commuters_offices_empty_on_sunday_parks_fill(city: Scenario) -> None:
    sunday = MONDAY + 6 * DAY
    station = hourly(city, "counter-shibuya-hachiko", MONDAY)
    assert int(np.argmax(station)) in (7, 8)
    assert station[18] > station[14] > station[3]
    assert sum(hourly(city, "counter-marunouchi-naka", sunday)) < 0.3 * sum(
        hourly(city, "counter-marunouchi-naka", MONDAY)
    )
    assert sum(hourly(city, "counter-ueno-park", sunday)) > 1.4 * sum(
        hourly(city, "counter-ueno-park", MONDAY)
    )
    night = hourly(city, "counter-kabukicho", MONDAY + 5 * DAY)
    assert int(np.argmax(night)) in range(18, 23)


def test_commuters_walk_into_offices_in_the_morning_and_out_in_the_evening(city: Scenario) -> None:
    reported = results(city, 1, member(city, "counter-toranomon"), day(MONDAY, HOUR), HOUR)
    assert reported["pedestrians_in"][8] > 3 * reported["pedestrians_out"][8]
    assert reported["pedestrians_out"][18] > 3 * reported["pedestrians_in"][18]


def test_rain_empties_parks_and_fills_arcades(city: Scenario) -> None:
    weeks = np.arange(MONDAY + HOUR, MONDAY + 140 * DAY, HOUR)
    noon = weeks[(weeks - MONDAY) % DAY == 13 * HOUR]

    def ratio(thing_id: str) -> float:
        one = member(city, thing_id)
        kinds = day_kinds((noon + 9 * HOUR) // DAY, TOKYO)
        reported = results(city, 1, one, noon, HOUR)
        total = reported["pedestrians_in"] + reported["pedestrians_out"]
        rain = np.mean([sky.rain_rate(1, one.site, noon - m * 60) for m in range(0, 60, 5)], axis=0)
        weekday = kinds == DAY_KINDS.index("weekday")
        assert (weekday & (rain > 1)).sum() >= 3
        return float(total[weekday & (rain > 1)].mean() / total[weekday & (rain == 0)].mean())

    assert ratio("counter-ueno-park") < 0.6
    assert ratio("counter-shin-nakamise") > 0.98
    assert 0.8 < ratio("counter-shibuya-hachiko") < 1.02


def test_days_are_told_apart_with_public_holidays_as_sundays() -> None:
    days = [
        ("2026-04-06", "weekday"),
        ("2026-04-11", "saturday"),
        ("2026-04-12", "holiday"),
        ("2026-04-29", "holiday"),  # Showa Day, a Wednesday
        ("2026-05-06", "holiday"),  # a substitute holiday
        ("2026-01-01", "holiday"),
    ]
    numbers = np.array([np.datetime64(text, "D").astype(np.int64) for text, _ in days])
    assert [DAY_KINDS[kind] for kind in day_kinds(numbers, TOKYO)] == [kind for _, kind in days]


def test_three_days_of_history_take_seconds(city: Scenario) -> None:
    times = np.arange(MONDAY + 300, MONDAY + 3 * DAY + 1, 300)
    amount = sum(
        len(values)
        for one in city.members
        for values in results(city, 1, one, times + one.offset_s, 300).values()
    )
    assert amount > 300_000
