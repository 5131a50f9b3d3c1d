"""The band of what is usual: its shape, and words that say what it rests on."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tsuji_dashboard.charts import chart
from tsuji_dashboard.client import Series, Typical
from tsuji_dashboard.usual import beside, days_of

MIDNIGHT = datetime(2026, 4, 3, 15, tzinfo=UTC)  # of Saturday, 4 April, in Tokyo
QUARTER = timedelta(minutes=15)


def series(*values: float | None) -> Series:
    """Quarter hours, half of them before midnight."""
    start = MIDNIGHT - len(values) // 2 * QUARTER
    return Series(
        of="footfall",
        unit_label="people / 15 min",
        start=start,
        end=start + len(values) * QUARTER,
        step_s=900,
        times=tuple(start + (i + 1) * QUARTER for i in range(len(values))),
        values=values,
    )


def typical(begin: datetime, kind: str, median: float | None, days: int) -> Typical:
    whole = (median,) * 96
    return Typical(
        kind=kind,
        weeks=8,
        minimum_days=3,
        step_s=900,
        times=tuple(begin + (i + 1) * QUARTER for i in range(96)),
        q1=tuple(None if it is None else it - 2 for it in whole),
        median=whole,
        q3=tuple(None if it is None else it + 3 for it in whole),
        days=(days,) * 96,
    )


FRIDAY = typical(MIDNIGHT - timedelta(days=1), "weekday", 10, 34)
SATURDAY = typical(MIDNIGHT, "saturday", 20, 7)
NONE = typical(MIDNIGHT - timedelta(days=1), "weekday", None, 0)
FEW = typical(MIDNIGHT, "saturday", None, 2)


def test_the_24_hours_of_a_moment_lie_in_two_tokyo_days() -> None:
    assert days_of("2026-04-03T14:00:00Z") == [date(2026, 4, 2), date(2026, 4, 3)]
    assert days_of("2026-04-04T00:30:00+09:00") == [date(2026, 4, 3), date(2026, 4, 4)]
    assert len(days_of(None)) == 2


def test_each_side_of_midnight_has_its_own_kind_of_day() -> None:
    usual = beside(series(1, 2, 3, 4), [FRIDAY, SATURDAY], "ja")
    assert usual is not None
    assert usual.median == (10, 10, 20, 20)
    assert (usual.q1[0], usual.q3[3]) == (8, 23)
    assert usual.said == ("通常の範囲: 過去8週の四分位範囲と中央値(平日 34日、土曜 7日)",)


def test_days_that_differ_are_given_as_a_range_and_what_is_not_shown_does_not_count() -> None:
    days = replace(SATURDAY, days=(5, 7, *[1] * 94))
    usual = beside(series(1, 2, 3, 4), [FRIDAY, days], "en")
    assert usual is not None
    assert usual.said == (
        "Usual range: quartiles and median of the last 8 weeks (weekdays: 34, Saturdays: 5–7)",
    )


def test_too_few_days_are_said_honestly() -> None:
    usual = beside(series(1, 2, 3, 4), [NONE, FEW], "en")
    assert usual is not None
    assert not usual.known
    assert usual.said == ("The usual range needs 3 days (weekdays: 0, Saturdays: 2)",)
    mixed = beside(series(1, 2, 3, 4), [FRIDAY, FEW], "ja")
    assert mixed is not None
    assert mixed.median == (10, 10, None, None)
    assert mixed.said == (
        "通常の範囲: 過去8週の四分位範囲と中央値(平日 34日)",
        "通常の範囲は3日分以上で表示(土曜 2日)",
    )


@pytest.mark.parametrize("days", [[], [None, None], [replace(FRIDAY, step_s=3600)]])
def test_without_typical_values_of_these_steps_there_is_nothing(days) -> None:
    assert beside(series(1, 2), days, "en") is None


def test_the_band_is_one_shape_a_stretch_and_the_counts_stay_in_sight() -> None:
    given = series(1, None, 3, 50)
    usual = beside(given, [FRIDAY, SATURDAY], "en")
    assert usual is not None
    usual = replace(usual, q1=(8, None, 18, 18), median=(10, None, 20, 20), q3=(13, None, 23, 23))
    bars, band, median, counts = chart(
        given, decimals=0, lang="en", theme="light", usual=usual
    ).data
    assert bars.type == "bar"
    assert list(bars.y) == [1, None, 3, 50]
    assert bars.hovertext[0] == "23:30–23:45  <b>1</b> people / 15 min<br>usually 8–13"
    assert "usually" not in bars.hovertext[1]
    assert band.fill == "toself"
    assert list(band.y) == [8, 8, 13, 13, None, 18, 18, 18, 18, 23, 23, 23, 23, None]
    assert band.x[0] == datetime(2026, 4, 3, 23, 30)  # noqa: DTZ001 - Plotly takes wall clocks
    assert list(median.y) == [10, 10, None, 20, 20, 20, 20, None]
    assert list(counts.y) == [1, 1, None, 3, 3, 50, 50, None]


def test_the_axis_has_room_for_the_band() -> None:
    given = series(1, 1, 1, 1)
    usual = beside(given, [FRIDAY, SATURDAY], "en")
    figure = chart(given, decimals=0, lang="en", theme="dark", usual=usual)
    assert figure.layout.yaxis.range[1] > 23


def test_too_few_days_leave_the_chart_as_it_is() -> None:
    given = series(1, 1, 1, 1)
    usual = beside(given, [FEW, FEW], "en")
    plain = chart(given, decimals=0, lang="en", theme="light")
    assert chart(given, decimals=0, lang="en", theme="light", usual=usual) == plain
