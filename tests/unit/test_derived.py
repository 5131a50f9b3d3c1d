"""Derived figures: golden values, every boundary from both sides, and a reason where there is none."""

import math
from pathlib import Path

import pytest

from samples import T0
from tsuji_platform.analytics import comfort, congestion, gathering
from tsuji_platform.analytics.derivation import INPUTS, Inputs
from tsuji_platform.analytics.derived import DERIVED, derive_all
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.analytics.readings import FigureValue, Reading


def of(**values: float) -> Inputs:
    return Inputs(values=values)


def band(derived) -> str | None:
    return None if derived.band is None else derived.band.id


def test_the_wbgt_of_a_pole_in_nishi_shinjuku() -> None:
    # 2023-06-29 13:00, published as 危険
    assert round(comfort.wbgt_estimate(34.9, 51, 981, 1.37), 2) == 31.70
    got = comfort.wbgt(
        of(air_temperature=34.9, relative_humidity=51, solar_irradiance=981, wind_speed=1.37)
    )
    assert (got.value, got.band and got.band.label_ja) == (31.7, "危険")


def _at_wbgt(value: float) -> Inputs:
    """Dry, dark and calm air whose estimate is this."""
    return of(
        air_temperature=(value + 4.064) / 0.735,
        relative_humidity=0,
        solar_irradiance=-3,
        wind_speed=0,
    )


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (24.9, "注意"),
        (25.0, "警戒"),
        (27.9, "警戒"),
        (28.0, "厳重警戒"),
        (30.9, "厳重警戒"),
        (31.0, "危険"),
        (30.96, "危険"),
    ],
)
def test_bands_of_wbgt(value: float, label: str) -> None:
    got = comfort.wbgt(_at_wbgt(value))
    assert got.value == round(value, 1)
    assert got.band is not None
    assert got.band.label_ja == label


@pytest.mark.parametrize("name", DERIVED["wbgt"].inputs)
def test_no_wbgt_without_each_of_its_inputs(name: str) -> None:
    values = dict(_at_wbgt(30).values)
    del values[name]
    got = comfort.wbgt(Inputs(values=values | {"illuminance": 80_000.0}))
    assert (got.value, got.band) == (None, None)
    assert INPUTS[name].label in got.reason
    assert INPUTS[name].label_ja in got.reason_ja


@pytest.mark.parametrize(
    ("density", "level"),
    [
        (0, "A"),
        (0.31, "A"),
        (0.32, "B"),
        (0.43, "B"),
        (0.44, "C"),
        (0.72, "C"),
        (0.73, "D"),
        (1.08, "D"),
        (1.09, "E"),
        (2.17, "E"),
        (2.18, "F"),
        (15, "F"),
    ],
)
def test_level_of_service_by_density(density: float, level: str) -> None:
    got = congestion.level_of_service(of(pedestrian_density=density, pedestrian_flow=1))
    assert (band(got), got.rule, got.reason) == (level, "pedestrian_density", "")
    assert got.value == "ABCDEF".index(level) + 1


@pytest.mark.parametrize(
    ("rate", "level"),
    [
        (0, "A"),
        (22.9, "A"),
        (23, "B"),
        (32.9, "B"),
        (33, "C"),
        (48.9, "C"),
        (49, "D"),
        (65.9, "D"),
        (66, "E"),
        (82, "E"),
        (82.1, "F"),
    ],
)
def test_level_of_service_by_flow_says_that_it_may_miss_breakdown(rate: float, level: str) -> None:
    got = congestion.level_of_service(of(pedestrian_flow=rate))
    assert (band(got), got.rule) == (level, "pedestrian_flow")
    assert ("F" in got.reason, "密度" in got.reason_ja) == (level != "F", level != "F")


def test_no_level_of_service_without_density_or_width() -> None:
    got = congestion.level_of_service(of(typical_percent=100))
    assert (got.value, got.band) == (None, None)
    assert "density" in got.reason
    assert "effective width" in got.reason


@pytest.mark.parametrize(
    ("people", "name"),
    [
        (0, "free"),
        (29, "free"),
        (30, "somewhat_crowded"),
        (59, "somewhat_crowded"),
        (60, "crowded"),
        (79, "crowded"),
        (80, "full"),
        (130, "full"),
    ],
)
def test_percent_of_capacity(people: int, name: str) -> None:
    got = congestion.percent_of_capacity(of(people_inside=people, capacity=100))
    assert (got.value, band(got)) == (people, name)


def test_more_people_out_than_in_give_no_percentage() -> None:
    got = congestion.percent_of_capacity(of(people_inside=-1, capacity=100))
    assert got.value is None
    assert "out" in got.reason


@pytest.mark.parametrize(
    ("percent", "name"),
    [
        (79, "quieter_than_usual"),
        (80, "as_usual"),
        (120, "as_usual"),
        (121, "busier_than_usual"),
    ],
)
def test_percent_of_typical_is_as_usual_between_the_quartiles(percent: float, name: str) -> None:
    usual = {"typical_q1": 40.0, "typical_median": 50.0, "typical_q3": 60.0}
    got = congestion.percent_of_typical(of(typical_percent=percent, **usual))
    assert (got.value, band(got)) == (percent, name)


@pytest.mark.parametrize(("rate", "name"), [(5, "as_usual"), (7, "as_usual")])
def test_an_hour_that_equals_a_quartile_is_as_usual(rate: int, name: str) -> None:
    percent = round(100 * rate / 6, 1)  # as the API has it
    usual = {"typical_q1": 5.0, "typical_median": 6.0, "typical_q3": 7.0}
    assert band(congestion.percent_of_typical(of(typical_percent=percent, **usual))) == name


def test_an_hour_that_has_nobody_usually_says_so() -> None:
    usual = {"typical_q1": 0.0, "typical_median": 0.0, "typical_q3": 3.0}
    got = congestion.percent_of_typical(of(**usual))
    assert (got.value, got.reason) == (None, "the typical hour has nobody")


def test_the_label_names_the_first_rule_that_has_data() -> None:
    usual = {
        "typical_percent": 200.0,
        "typical_q1": 4.0,
        "typical_median": 5.0,
        "typical_q3": 6.0,
    }
    full = {"people_inside": 10.0, "capacity": 100.0}
    flow = {"pedestrian_flow": 70.0}

    def label(**values: float) -> tuple[str | None, str | None]:
        got = congestion.congestion(of(**values))
        return band(got), got.rule

    assert label(pedestrian_density=1, **full, **flow, **usual) == ("crowded", "level_of_service")
    assert label(**full, **flow, **usual) == ("not_crowded", "percent_of_capacity")
    assert label(**flow, **usual) == ("very_crowded", "level_of_service")
    assert label(**usual) == ("busier_than_usual", "percent_of_typical")
    assert label() == (None, None)
    assert congestion.congestion(of(**usual)).value is None


@pytest.mark.parametrize(
    ("density", "place"), [(0.3, 1), (0.4, 1), (0.7, 2), (1.0, 3), (2.0, 4), (3.0, 4)]
)
def test_each_level_of_service_has_its_label(density: float, place: int) -> None:
    got = congestion.congestion(of(pedestrian_density=density))
    assert (got.value, got.band) == (place, congestion.CONGESTION[place - 1])


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0, None),
        (9.9, None),
        (10, "やや強い雨"),
        (19.9, "やや強い雨"),
        (20, "強い雨"),
        (29.9, "強い雨"),
        (30, "激しい雨"),
        (49.9, "激しい雨"),
        (50, "非常に激しい雨"),
        (79.9, "非常に激しい雨"),
        (80, "猛烈な雨"),
        (153, "猛烈な雨"),
    ],
)
def test_rain_bands_of_the_hours_total(value: float, label: str | None) -> None:
    got = comfort.rain_band(of(rainfall=value))
    assert (got.value, got.band and got.band.label_ja) == (value, label)
    assert bool(got.reason) == (label is None)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (35, "within_standard"),
        (35.1, "above_standard"),
        (70, "above_standard"),
        (70.1, "above_advisory"),
    ],
)
def test_pm2_5_of_a_day_against_the_standard(value: float, name: str) -> None:
    got = comfort.pm2_5_day_mean(Inputs(pm2_5_hours=[value - 5, value + 5] * 10))
    assert (got.value, band(got)) == (value, name)


def test_a_day_with_more_than_four_hours_missing_is_not_judged() -> None:
    assert comfort.pm2_5_day_mean(Inputs(pm2_5_hours=[10.0] * 20)).value == 10
    got = comfort.pm2_5_day_mean(Inputs(pm2_5_hours=[10.0] * 19))
    assert got.value is None
    assert "19" in got.reason


def test_wind_as_a_vector() -> None:
    def mean(*winds: tuple[float, float]) -> tuple[float | None, float | None]:
        inputs = Inputs(winds=winds)
        return (
            comfort.wind_vector_speed(inputs).value,
            comfort.wind_vector_from_direction(inputs).value,
        )

    assert mean((3, 350), (3, 10)) == (round(3 * math.cos(math.radians(10)), 1), 0)
    assert mean((4, 90), (3, 0)) == (2.5, round(math.degrees(math.atan2(4, 3))))
    assert mean((3, 90), (1, 270)) == (1, 90)
    assert mean((2, 90), (2, 270)) == (0, None)
    assert mean((0, 90)) == (0, None)
    assert (mean((0.04, 90)), mean((0.06, 90))) == ((0, None), (0.1, 90))
    assert mean() == (None, None)
    assert "direction" in comfort.wind_vector_speed(Inputs()).reason


@pytest.mark.parametrize(
    ("fahrenheit", "humidity", "chart"),
    [(82, 60, 84), (90, 70, 105), (100, 55, 124), (86, 90, 105), (110, 40, 136)],
)
def test_the_heat_index_is_that_of_nws_chart(fahrenheit: int, humidity: int, chart: int) -> None:
    celsius = (fahrenheit - 32) * 5 / 9
    got = comfort.heat_index(of(air_temperature=celsius, relative_humidity=humidity))
    assert got.value is not None
    assert got.value * 9 / 5 + 32 == pytest.approx(chart, abs=1.1)


@pytest.mark.parametrize(
    ("fahrenheit", "humidity", "index"),
    [  # by the regression alone 92.97, 90.77 and 90.20, 102.09
        (82, 95, 92.97 + 10 / 10 * 5 / 5),
        (81, 100, 90.77 + 15 / 10 * 6 / 5),
        (95, 10, 90.20 - 3 / 4),
        (110, 5, 102.09 - 8 / 4 * math.sqrt(2 / 17)),
    ],
)
def test_the_heat_index_is_adjusted_where_it_is_very_humid_or_very_dry(
    fahrenheit: int, humidity: int, index: float
) -> None:
    celsius = (fahrenheit - 32) * 5 / 9
    got = comfort.heat_index(of(air_temperature=celsius, relative_humidity=humidity))
    assert got.value == pytest.approx((index - 32) * 5 / 9, abs=0.051)


@pytest.mark.parametrize(
    ("celsius", "kmh", "chart"), [(0, 30, -6), (-10, 20, -18), (-20, 40, -34), (5, 10, 3)]
)
def test_wind_chill_is_that_of_environment_canadas_chart(celsius, kmh, chart) -> None:
    got = comfort.wind_chill(of(air_temperature=celsius, wind_speed=kmh / 3.6))
    assert got.value is not None
    assert got.value == pytest.approx(chart, abs=0.6)


def test_what_it_feels_like_is_not_told_where_the_source_does_not_define_it() -> None:
    for inputs in (
        of(air_temperature=10.1, wind_speed=10),
        of(air_temperature=5, wind_speed=4.8 / 3.6),
    ):
        assert comfort.wind_chill(inputs).value is None
        assert "10 °C" in comfort.wind_chill(inputs).reason
    got = comfort.heat_index(of(air_temperature=20, relative_humidity=90))
    assert got.value is None
    assert "27 °C" in got.reason


def test_without_inputs_no_figure_has_a_value_and_each_says_why() -> None:
    for name, got in derive_all(Inputs()).items():
        assert (got.value, got.band) == (None, None), name
        assert got.reason, name
        assert got.reason_ja, name


def test_ids_are_those_of_one_table_with_known_inputs() -> None:
    assert not DERIVED.keys() & FIGURES.keys()
    for figure in DERIVED.values():
        assert set(figure.inputs) <= INPUTS.keys() | {"winds", "pm2_5_hours"}
        assert figure.method.endswith(".")
        assert figure.method_ja.endswith("。")


def test_flow_is_people_by_minute_counted_and_metre() -> None:
    def total(thing: str, name: str, people: float, covered_s: int) -> Reading:
        return Reading(
            thing_id=thing,
            observed_property=name,
            time=T0,
            result=people,
            covered_s=covered_s,
        )

    totals = [
        total("both", "pedestrians", 600, 3600),
        total("both", "pedestrians_in", 400, 3600),
        total("ways", "pedestrians_in", 300, 1800),
        total("ways", "pedestrians_out", 600, 3600),
        total("wideless", "pedestrians", 600, 3600),
        total("back", "pedestrians", 60, 60),
        total("both", "rainfall", 9, 3600),
    ]
    widths = {"both": 2.0, "ways": 4.0, "wideless": None, "back": 2.0}
    got = gathering.flows(totals, widths)
    assert got == {"both": pytest.approx(5), "ways": pytest.approx(5)}
    assert gathering.values({"footfall": 9, "rainfall": 1}, got, ["both"]) == {
        "rainfall": 1,
        "pedestrian_flow": pytest.approx(5),
    }


def test_winds_are_of_things_that_say_both() -> None:
    def said(value: float) -> FigureValue:
        return FigureValue(value=value, n=1, time=T0)

    things = {
        "a": {"wind_speed": said(3), "wind_from_direction": said(90)},
        "b": {"wind_speed": said(9)},
    }
    assert gathering.winds(things, ["a", "b", "c"]) == [(3, 90)]


def test_people_inside_are_added_up_over_places_that_count_both_ways() -> None:
    entered, capacities = {"a": 100, "b": 50, "c": 5}, {"a": 200, "b": 100, "c": 9}
    got = gathering.people_inside(entered, {"a": 40, "b": 20}, capacities)
    assert got == {"people_inside": 90, "capacity": 300}
    got = gathering.people_inside(entered, {"a": 40, "b": 60}, capacities)
    assert got == {"people_inside": 60, "capacity": 200}  # nobody knows how many are in b
    assert gathering.people_inside({"b": 50}, {"b": 60}, capacities)["people_inside"] == -10
    assert gathering.people_inside({"a": 1}, {"a": 1}, {"a": None}) == {}


def test_every_figure_stands_in_the_documents_table() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
    for figure in DERIVED.values():
        assert f"| `{figure.id}` |" in text
