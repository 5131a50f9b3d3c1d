"""From readings of things to figures of areas: no person counted twice by one counter, no north lost."""

import math
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import T0, after
from tsuji_platform.analytics import combine
from tsuji_platform.analytics.figures import FIGURES, Figure
from tsuji_platform.analytics.readings import FigureValue, Reading, Step
from tsuji_platform.contract import Aggregation


def reading(thing: str, name: str, result: float, time: datetime = T0) -> Reading:
    return Reading(thing_id=thing, observed_property=name, time=time, result=result)


def step(thing: str, name: str, end: datetime, *values: float) -> Step:
    return Step(
        thing_id=thing,
        observed_property=name,
        end=end,
        n=len(values),
        total=math.fsum(values),
        highest=max(values),
        sine=math.fsum(math.sin(math.radians(v)) for v in values),
        cosine=math.fsum(math.cos(math.radians(v)) for v in values),
    )


def series(figure: Figure, steps: list[Step]) -> dict[datetime, float | None]:
    return combine.series(figure, combine.over_things(steps).values())


@pytest.mark.parametrize(
    ("degrees", "mean"),
    [
        ([350, 10], 0),
        ([350, 0, 40], 10),
        ([0, 90], 45),
        ([180], 180),
        ([360], 0),
        ([359, 359], 359),
        ([270, 280, 290], 280),
    ],
)
def test_mean_direction(degrees: list[float], mean: float) -> None:
    got = combine.mean_direction(degrees)
    assert got is not None
    assert (got - mean + 180) % 360 - 180 == pytest.approx(0, abs=0.5)


def test_directions_that_cancel_out_have_no_mean() -> None:
    assert combine.mean_direction([0, 180]) is None
    assert combine.mean_direction([0, 120, 240]) is None


@given(st.lists(st.floats(0, 360), min_size=1, max_size=5), st.floats(0, 360))
def test_a_mean_direction_is_a_direction_and_turns_with_its_parts(
    degrees: list[float], turn: float
) -> None:
    mean = combine.mean_direction(degrees)
    turned = combine.mean_direction([d + turn for d in degrees])
    length = abs(
        sum(complex(math.cos(math.radians(d)), math.sin(math.radians(d))) for d in degrees)
    )
    if length < 1e-3:
        return  # nearly cancelled: rounding decides
    assert mean is not None
    assert turned is not None
    assert 0 <= mean < 360
    assert (turned - mean - turn + 180) % 360 - 180 == pytest.approx(0, abs=1e-6)


def test_values_combine_as_their_property_says() -> None:
    values = [1.0, 2.0, 6.0]
    assert combine.combine(values, Aggregation.SUM) == 9
    assert combine.combine(values, Aggregation.MEAN) == 3
    assert combine.combine(values, Aggregation.MAXIMUM) == 6
    assert combine.combine([0.1] * 10, Aggregation.SUM) == 1.0  # no drift


def test_footfall_is_both_directions_together() -> None:
    things = combine.of_things(
        [],
        [
            reading("gate", "pedestrians_in", 10),
            reading("gate", "pedestrians_out", 7, after(minutes=5)),
        ],
    )
    assert things == {"gate": {"footfall": FigureValue(value=17, n=1, time=after(minutes=5))}}


def test_a_counter_that_gives_both_ways_as_well_is_not_counted_twice() -> None:
    things = combine.of_things(
        [],
        [
            reading("gate", "pedestrians_in", 10, after(minutes=9)),
            reading("gate", "pedestrians_out", 7),
            reading("gate", "pedestrians", 17, after(minutes=5)),
        ],
    )
    assert things["gate"]["footfall"] == FigureValue(value=17, n=1, time=after(minutes=5))


def test_one_direction_alone_counts() -> None:
    things = combine.of_things([], [reading("gate", "pedestrians_in", 3)])
    assert things["gate"]["footfall"].value == 3


def test_newest_values_become_figures_and_counts_do_not() -> None:
    things = combine.of_things(
        [
            reading("pole", "air_temperature", 21.5),
            reading("pole", "pedestrians_in", 4),  # a single count is no figure
            reading("pole", "rainfall", 1),
            reading("pole", "unknown_in_this_version", 1),
        ],
        [reading("pole", "rainfall", 3)],
    )
    assert {name: it.value for name, it in things["pole"].items()} == {
        "air_temperature": 21.5,
        "rainfall": 3,
    }


def test_areas_sum_people_and_average_weather() -> None:
    things = combine.of_things(
        [
            reading("a", "air_temperature", 20),
            reading("b", "air_temperature", 24, after(minutes=3)),
            reading("a", "wind_from_direction", 350),
            reading("b", "wind_from_direction", 20),
            reading("a", "sound_level", 50),
            reading("b", "sound_level", 70),
            reading("c", "air_temperature", 99),
        ],
        [
            reading("a", "pedestrians", 100),
            reading("b", "pedestrians_in", 20),
            reading("b", "pedestrians_out", 30),
            reading("a", "rainfall", 4),
            reading("b", "rainfall", 8),
        ],
    )
    areas = combine.of_areas(things, {"west": ["a", "b", "never heard of"], "east": ["silent"]})
    assert set(areas) == {"west"}
    west = areas["west"]
    assert {name: it.value for name, it in west.items()} == {
        "footfall": 150,
        "air_temperature": 22,
        "rainfall": 6,  # gauges are averaged, not added
        "wind_from_direction": pytest.approx(5),
        "sound_level": 70,
    }
    assert west["air_temperature"].n == 2
    assert west["air_temperature"].time == after(minutes=3)


def test_winds_that_cancel_out_leave_the_figure_out() -> None:
    things = combine.of_things(
        [reading("a", "wind_from_direction", 0), reading("b", "wind_from_direction", 180)], []
    )
    assert combine.of_areas(things, {"x": ["a", "b"]}) == {}


def test_a_series_counts_people_per_step() -> None:
    values = series(
        FIGURES["footfall"],
        [
            step("a", "pedestrians_in", after(minutes=15), 1, 2),
            step("a", "pedestrians_out", after(minutes=15), 4),
            step("b", "pedestrians", after(minutes=15), 8),
            step("b", "pedestrians_in", after(minutes=15), 8),
            step("a", "pedestrians_out", after(minutes=45), 16),
        ],
    )
    assert values == {after(minutes=15): 15, after(minutes=45): 16}


def test_a_series_of_weather_weighs_things_alike_however_often_they_speak() -> None:
    values = series(
        FIGURES["air_temperature"],
        [
            step("a", "air_temperature", T0, 10, 10, 10, 10),
            step("b", "air_temperature", T0, 20),
        ],
    )
    assert values == {T0: 15}


def test_a_series_of_rain_averages_totals_of_gauges() -> None:
    values = series(
        FIGURES["rainfall"], [step("a", "rainfall", T0, 1, 2), step("b", "rainfall", T0, 5)]
    )
    assert values == {T0: 4}


def test_a_series_of_wind_goes_across_north() -> None:
    values = series(
        FIGURES["wind_from_direction"],
        [
            step("a", "wind_from_direction", T0, 340, 350),
            step("b", "wind_from_direction", T0, 15),
            step("a", "wind_from_direction", after(hours=1), 90, 270),
        ],
    )
    assert values.pop(after(hours=1)) is None
    assert values == {T0: pytest.approx(0, abs=1e-9)} or values == {T0: pytest.approx(360)}


def test_a_step_of_one_datastream_combines_as_its_property_says() -> None:
    it = step("a", "x", T0, 1, 2, 6)
    assert combine.step_value(it, Aggregation.SUM) == 9
    assert combine.step_value(it, Aggregation.MEAN) == 3
    assert combine.step_value(it, Aggregation.MAXIMUM) == 6
    assert combine.step_value(step("a", "x", T0, 0, 180), Aggregation.CIRCULAR_MEAN) is None
