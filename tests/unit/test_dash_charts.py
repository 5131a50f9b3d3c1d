from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tsuji_dashboard.beginnings import late
from tsuji_dashboard.charts import TOKYO, chart, moment, number, span, summary
from tsuji_dashboard.client import Series

START = datetime(2026, 4, 1, 0, 0, tzinfo=UTC)  # 9:00 in Tokyo


def series(of: str, values: list[float | None], unit: str = "people / 15 min") -> Series:
    return Series(
        of=of,
        unit_label=unit,
        start=START,
        end=START + timedelta(minutes=15 * len(values)),
        step_s=900,
        times=tuple(START + timedelta(minutes=15 * (i + 1)) for i in range(len(values))),
        values=tuple(values),
    )


def test_totals_are_bars_over_their_own_stretch_of_tokyo_time():
    figure = chart(series("footfall", [10, None, 30]), decimals=0, lang="ja", theme="light")
    (bars,) = figure.data
    assert bars.type == "bar"
    assert bars.x[0] == datetime(2026, 4, 1, 9, 7, 30)  # noqa: DTZ001 - Plotly takes wall clocks
    assert list(bars.y) == [10, None, 30]
    assert bars.hovertext[0] == "9:00–9:15  <b>10</b> 人/15分".replace("9:", "09:")
    assert figure.layout.yaxis.range[0] == 0


def test_weather_is_a_line_at_the_end_of_each_step_and_gaps_stay_gaps():
    given = series("air_temperature", [1.0, None, -2.0], "°C")
    (line,) = chart(given, decimals=1, lang="en", theme="dark").data
    assert line.type == "scatter"
    assert line.connectgaps is False
    assert line.x[0] == datetime(2026, 4, 1, 9, 15)  # noqa: DTZ001
    assert line.hovertext[1] == "09:30  <b>–</b> °C"
    assert line.hovertext[2] == "09:45  <b>−2.0</b> °C"


def test_directions_are_dots_since_north_meets_itself():
    given = series("wind_from_direction", [350, 10], "°")
    figure = chart(given, decimals=0, lang="en", theme="light")
    assert figure.data[0].mode == "markers"
    assert list(figure.layout.yaxis.range) == [0, 360]


def test_the_time_axis_is_in_tokyo_and_names_the_day_at_midnight():
    given = series("footfall", [1.0] * 96)
    axis = chart(given, decimals=0, lang="ja", theme="light").layout.xaxis
    assert list(axis.ticktext) == ["12:00<br>4/1", "18:00", "0:00<br>4/2", "6:00"]
    assert [tick.hour for tick in axis.tickvals] == [12, 18, 0, 6]


def test_the_hours_are_named_to_the_end_of_a_day_that_began_in_the_evening():
    later = timedelta(hours=10)  # 19:00 in Tokyo
    of = series("footfall", [1.0] * 96)
    given = replace(of, start=of.start + later, end=of.end + later)
    axis = chart(given, decimals=0, lang="ja", theme="light").layout.xaxis
    assert [tick.hour for tick in axis.tickvals] == [0, 6, 12, 18]


@pytest.mark.parametrize("of", ["footfall", "air_temperature", "wind_from_direction"])
def test_a_series_without_values_has_no_summary(of):
    assert summary(series(of, [None, None]), 0, "ja") is None


def test_summaries_say_what_a_reader_would_look_for():
    assert (
        summary(series("footfall", [100, 1500, None]), 0, "en")
        == "1,600 in total, most 1,500 (09:15–09:30)"
    )
    assert (
        summary(series("air_temperature", [3.04, -1, None]), 1, "ja")
        == "最低 −1.0(09:30)、最高 3.0(09:15)"
    )
    assert summary(series("wind_from_direction", [10, 200], "°"), 0, "en") == "south"


def test_times_are_tokyos():
    this_year = datetime.now(TOKYO).year
    late = datetime(this_year - 1, 12, 31, 15, 5, tzinfo=UTC)
    assert moment(late, "ja") == "1月1日 00:05"
    assert moment(late, "en") == "1 Jan 00:05"


def test_another_year_is_named():
    assert moment(datetime(2014, 5, 31, 15, 5, tzinfo=UTC), "ja") == "2014年6月1日 00:05"
    assert moment(datetime(2014, 5, 31, 15, 5, tzinfo=UTC), "en") == "1 Jun 2014 00:05"
    assert span(series("pedestrians", [1]), 0) == "09:00–09:15"
    assert number(12345.678, 1) == "12,345.7"


def test_an_empty_beginning_is_told_with_its_end():
    full = series("air_temperature", [1.0] * 48)
    counts = series("footfall", [None] * 24 + [3.0] * 24)
    assert late({"": full}, "en") == []
    assert late({"": series("footfall", [None, *[3.0] * 47])}, "en") == []  # hardly to be seen
    since = moment(START + timedelta(hours=6), "en")
    assert late({"": counts}, "en") == [f"No values before {since}."]
    warmth = replace(counts, of="air_temperature")  # whose values are of moments, not of stretches
    later = moment(START + timedelta(hours=6, minutes=15), "ja")
    assert late({"気温": warmth, "雨": full, "風": warmth}, "ja") == [
        f"気温、風: {later} より前の値はありません。"
    ]


def test_withheld_steps_are_no_empty_beginning():
    counts = series("footfall", [None] * 24 + [3.0] * 24)
    assert late({"": replace(counts, suppressed=frozenset(counts.times[:24]))}, "en") == []
    assert late({"": series("footfall", [None] * 48)}, "en") == []
