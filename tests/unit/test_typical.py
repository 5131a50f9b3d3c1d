"""What is usual: kinds of days, quarter hours, quartiles, and areas whose things come and go."""

import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuji_platform.analytics.quarters import midnight, place_of
from tsuji_platform.analytics.typical import (
    MINIMUM_DAYS,
    DayKind,
    band,
    day_kind,
    days_behind,
    of_area,
    of_areas,
    of_thing,
    of_things,
    quarters_per_step,
    values_of,
)
from tsuji_platform.contract import Aggregation

NAN = math.nan
# the Cabinet Office's list (内閣府「国民の祝日について」) without the Sundays
_HOLIDAYS = """
2024-01-01 2024-01-08 2024-02-12 2024-02-23 2024-03-20 2024-04-29 2024-05-03 2024-05-04 2024-05-06
2024-07-15 2024-08-12 2024-09-16 2024-09-23 2024-10-14 2024-11-04 2024-11-23
2025-01-01 2025-01-13 2025-02-11 2025-02-24 2025-03-20 2025-04-29 2025-05-03 2025-05-05 2025-05-06
2025-07-21 2025-08-11 2025-09-15 2025-09-23 2025-10-13 2025-11-03 2025-11-24
2026-01-01 2026-01-12 2026-02-11 2026-02-23 2026-03-20 2026-04-29 2026-05-04 2026-05-05 2026-05-06
2026-07-20 2026-08-11 2026-09-21 2026-09-22 2026-09-23 2026-10-12 2026-11-03 2026-11-23
2027-01-01 2027-01-11 2027-02-11 2027-02-23 2027-03-22 2027-04-29 2027-05-03 2027-05-04 2027-05-05
2027-07-19 2027-08-11 2027-09-20 2027-09-23 2027-10-11 2027-11-03 2027-11-23
"""


def test_public_and_substitute_holidays_are_those_of_the_cabinet_office() -> None:
    first = date(2024, 1, 1)
    days = [first + timedelta(days=i) for i in range(4 * 365 + 1)]
    assert days[-1] == date(2027, 12, 31)
    found = [f"{day}" for day in days if day.weekday() != 6 and day_kind(day) is DayKind.HOLIDAY]
    assert found == _HOLIDAYS.split()


def test_kinds_of_days() -> None:
    week = [day_kind(date(2026, 6, 1) + timedelta(days=i)) for i in range(7)]
    assert week == [DayKind.WEEKDAY] * 5 + [DayKind.SATURDAY, DayKind.HOLIDAY]
    assert day_kind(date(2025, 5, 3)) is DayKind.HOLIDAY  # a Saturday


@given(st.dates(date(2024, 1, 1), date(2027, 12, 31)), st.integers(1, 53))
def test_the_days_behind_a_day_are_those_of_its_kind_and_never_itself(day: date, weeks) -> None:
    found = days_behind(day, weeks)
    assert found == sorted(set(found))
    assert all(0 < (day - one).days <= 7 * weeks for one in found)
    assert {day_kind(one) for one in found} <= {day_kind(day)}
    between = {day - timedelta(days=back) for back in range(1, 7 * weeks + 1)}
    assert all(day_kind(one) is not day_kind(day) for one in between - set(found))


@pytest.mark.parametrize(
    ("time", "day", "number"),
    [
        ("2026-04-01T00:00:00+09:00", date(2026, 3, 31), 96),
        ("2026-04-01T00:00:00.000001+09:00", date(2026, 4, 1), 1),
        ("2026-04-01T00:15:00+09:00", date(2026, 4, 1), 1),
        ("2026-04-01T00:16:00+09:00", date(2026, 4, 1), 2),
        ("2026-03-31T15:45:00Z", date(2026, 4, 1), 3),
        ("2026-04-01T23:59:59+09:00", date(2026, 4, 1), 96),
    ],
)
def test_quarter_hours_include_their_ends(time: str, day: date, number: int) -> None:
    assert place_of(datetime.fromisoformat(time)) == (day, number)


@given(
    st.integers(0, 40 * 366 * 86_400_000_000).map(
        lambda us: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    )
)
def test_a_moment_lies_in_its_quarter_hour(time: datetime) -> None:
    day, number = place_of(time)
    end = midnight(day) + number * timedelta(minutes=15)
    assert end - timedelta(minutes=15) < time <= end


@pytest.mark.parametrize(
    ("period_s", "quarters"),
    [(None, 1), (60, 1), (300, 1), (7, 1), (900, 1), (600, 2), (1800, 2), (3600, 4), (7200, 8),
     (5400, 6), (420, 6), (86_400, 96), (18_000, 96), (604_800, 96)],
)  # fmt: skip
def test_what_counts_over_a_longer_period_is_compared_over_a_longer_step(
    period_s, quarters
) -> None:
    assert quarters_per_step(period_s) == quarters


def profile(totals: list[float], weights: list[float]) -> np.ndarray:
    """One day."""
    return np.array([[totals], [weights]], dtype=float)


def test_a_quarter_hour_counts_where_it_was_counted_whole() -> None:
    given_ = profile([30, 30, 30, NAN, 0, 30], [900, 600, 810, 0, 900, 991])
    found = values_of("pedestrians", given_)
    np.testing.assert_array_equal(found, [[30, NAN, 30, NAN, 0, NAN]])


def test_hourly_counts_are_whole_by_the_hour_and_never_by_the_quarter() -> None:
    given_ = profile([NAN, NAN, NAN, 120, NAN, NAN, NAN, 70], [0, 0, 0, 3600, 0, 0, 0, 7200])
    np.testing.assert_array_equal(values_of("pedestrians", given_, 4), [[120, NAN]])
    assert np.isnan(values_of("pedestrians", given_)).all()


def test_means_and_maxima_need_any_observation() -> None:
    given_ = profile([40, NAN, 7], [2, 0, 1])
    np.testing.assert_array_equal(values_of("air_temperature", given_), [[20, NAN, 7]])
    np.testing.assert_array_equal(values_of("sound_level", given_), [[40, NAN, 7]])
    wide = profile([40, 50, NAN, NAN], [1, 3, 0, 0])
    np.testing.assert_array_equal(values_of("sound_level", wide, 2), [[50, NAN]])
    np.testing.assert_array_equal(values_of("air_temperature", wide, 2), [[22.5, NAN]])


def test_a_counter_is_not_counted_twice_and_both_directions_are_needed() -> None:
    one = np.array([[1.0], [2.0], [NAN]])
    other = np.array([[10.0], [NAN], [30.0]])
    nothing = np.full((3, 1), NAN)
    both = of_thing({"pedestrians_in": one, "pedestrians_out": other})
    np.testing.assert_array_equal(both, [[11], [NAN], [NAN]])
    np.testing.assert_array_equal(of_thing({"pedestrians": one, "pedestrians_in": other}), one)
    np.testing.assert_array_equal(of_thing({"pedestrians": nothing, "pedestrians_in": one}), one)
    assert of_thing({"pedestrians_in": nothing}) is None
    assert of_thing({}) is None


values = st.one_of(st.just(NAN), st.integers(0, 50).map(float), st.floats(0, 1e6))


@given(st.lists(st.tuples(values, values), min_size=1, max_size=45))
def test_quartiles_are_numpys_of_the_days_that_count(rows) -> None:
    given_ = np.array(rows)
    found = band(given_)
    for column in range(2):
        held = [row[column] for row in rows if not math.isnan(row[column])]
        assert found.days[column] == len(held)
        got = [found.q1[column], found.median[column], found.q3[column]]
        if len(held) < MINIMUM_DAYS:
            assert np.isnan(got).all()
        else:
            np.testing.assert_allclose(got, np.percentile(held, [25, 50, 75]), rtol=1e-12)
            assert got == sorted(got)


def test_no_day_at_all_is_no_value_and_no_error() -> None:
    found = band(np.empty((0, 3)))
    assert found.days.tolist() == [0, 0, 0]
    assert np.isnan(found.median).all()


small = st.one_of(st.just(NAN), st.integers(0, 50).map(float), st.floats(0, 100))


def column(*days: float) -> np.ndarray:
    return np.array(days, dtype=float)[:, None]


def test_an_area_adds_up_day_by_day_since_medians_do_not_add() -> None:
    one, other = column(0, 10, 20), column(20, 10, 0)
    assert of_area([one, other], Aggregation.SUM)[:, 0].tolist() == [20, 20, 20]
    skewed, mirrored = column(0, 0, 9), column(9, 0, 0)
    whole = band(of_area([skewed, mirrored], Aggregation.SUM)).median[0]
    assert (whole, band(skewed).median[0] + band(mirrored).median[0]) == (9, 0)


def test_a_counter_added_last_week_leaves_only_the_days_since() -> None:
    old, new = column(*[100] * 40), column(*[NAN] * 35, *[50] * 5)
    found = band(of_area([old, new], Aggregation.SUM))
    assert (found.days[0], found.median[0]) == (5, 150)
    alone = band(of_area([old], Aggregation.SUM))
    assert (alone.days[0], alone.median[0]) == (40, 100)


def test_a_small_counter_that_misses_a_day_is_stood_in_for_and_a_large_one_is_not() -> None:
    large, small = column(90, 110, 100, 100), column(NAN, 9, 11, 10)
    assert of_area([large, small], Aggregation.SUM)[0, 0] == 90 + 10
    large, small = column(NAN, 110, 100, 100), column(10, 9, 11, 10)
    assert np.isnan(of_area([large, small], Aggregation.SUM)[0, 0])


def test_a_day_on_which_no_counter_counted_is_no_day_with_nobody() -> None:
    nights = [column(0, 0, 0, NAN) for _ in range(4)]
    found = of_area(nights, Aggregation.SUM)[:, 0]
    np.testing.assert_array_equal(found, [0, 0, 0, NAN])


def test_means_stand_in_for_one_in_ten() -> None:
    things = [column(10, 10, 10, 10 + i) for i in range(10)]
    things[0][3] = NAN
    assert of_area(things, Aggregation.MEAN)[3, 0] == np.mean([10, *range(11, 20)])
    assert np.isnan(of_area(things[:9], Aggregation.MEAN)[3, 0])
    loud = of_area(things, Aggregation.MAXIMUM)
    assert loud[3, 0] == 19


@given(
    st.lists(st.lists(small, min_size=6, max_size=6), min_size=1, max_size=5),
    st.sampled_from([Aggregation.SUM, Aggregation.MEAN, Aggregation.MAXIMUM]),
)
def test_areas_equal_the_rule_spelled_out(rows, aggregation) -> None:
    found = of_area([column(*row) for row in rows], aggregation)[:, 0]
    held = [[v for v in row if not math.isnan(v)] for row in rows]
    own = [float(np.median(row)) if len(row) >= MINIMUM_DAYS else NAN for row in held]
    weights = [
        (0 if math.isnan(it) else it) if aggregation is Aggregation.SUM else 1.0 for it in own
    ]
    for day in range(6):
        gaps = [i for i, row in enumerate(rows) if math.isnan(row[day])]
        parts = [own[i] if i in gaps else row[day] for i, row in enumerate(rows)]
        lacking = sum(weights[i] for i in gaps)
        if len(gaps) == len(rows) or any(map(math.isnan, parts)):
            assert math.isnan(found[day])
        elif abs(lacking - 0.1 * sum(weights)) > 1e-9:
            assert math.isnan(found[day]) == (lacking > 0.1 * sum(weights))
        if not math.isnan(found[day]):
            combined = {
                Aggregation.SUM: sum(parts),
                Aggregation.MEAN: sum(parts) / len(parts),
                Aggregation.MAXIMUM: max(parts),
            }[aggregation]
            assert found[day] == pytest.approx(combined)


counts = st.one_of(st.just(NAN), st.integers(0, 500).map(float))
six_days = st.lists(counts, min_size=6, max_size=6)


@given(
    st.lists(six_days, min_size=1, max_size=8),
    st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=8), min_size=1, max_size=5),
)
def test_many_areas_at_once_equal_each_by_itself(rows, areas) -> None:
    things = np.array(rows)
    members = [[number % len(rows) for number in area] for area in areas]
    alone = [of_area(things[area][:, :, None], Aggregation.SUM)[:, 0] for area in members]
    np.testing.assert_array_equal(of_areas(things, members), np.transpose(alone))


@given(
    st.lists(st.sampled_from(["pedestrians", "pedestrians_in", "pedestrians_out"]), unique=True),
    st.data(),
)
def test_many_things_at_once_equal_each_by_itself(names, data) -> None:
    parts = {
        name: np.array(data.draw(st.lists(six_days, min_size=3, max_size=3))) for name in names
    }
    for number, found in enumerate(of_things(parts) if parts else []):
        alone = of_thing({name: values[number] for name, values in parts.items()})
        np.testing.assert_array_equal(found, np.full(6, NAN) if alone is None else alone)
