"""Charts: data in, Plotly figure out; nothing here knows Dash, HTTP or the page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from tsuji_dashboard.client import Series
from tsuji_dashboard.texts import Lang, text, unit_label
from tsuji_dashboard.usual import Usual
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation

TOKYO = ZoneInfo("Asia/Tokyo")
HEIGHT = 148
FONT = (
    "system-ui, -apple-system, 'Hiragino Sans', 'Noto Sans JP', 'Noto Sans CJK JP', "
    "'Yu Gothic UI', sans-serif"
)
_SUMS = {"footfall"} | {
    p.id for p in OBSERVED_PROPERTIES.values() if p.aggregation is Aggregation.SUM
}


@dataclass(frozen=True, slots=True)
class Colours:
    """What a chart is drawn in."""

    text: str
    grid: str
    bar: str
    line: str
    fill: str
    panel: str
    band: str
    pale: str


THEMES = {
    "light": Colours(
        "#4b5768",
        "#e3e8ee",
        "#d9480f",
        "#1864ab",
        "rgba(24,100,171,0.10)",
        "#ffffff",
        "rgba(24,100,171,0.25)",
        "rgba(217,72,15,0.22)",
    ),
    "dark": Colours(
        "#aab6c5",
        "#2c3744",
        "#ff922b",
        "#74c0fc",
        "rgba(116,192,252,0.12)",
        "#17202b",
        "rgba(116,192,252,0.32)",
        "rgba(255,146,43,0.22)",
    ),
}


def is_total(of: str) -> bool:
    """Whether each value of a series is what fell or passed within its step."""
    return of in _SUMS


def number(value: float, decimals: int) -> str:
    """A number as both languages write it: 12,345.6."""
    return f"{value:,.{decimals}f}".replace("-", "−")


def clock(time: datetime) -> str:
    """The Tokyo time of day."""
    return f"{time.astimezone(TOKYO):%H:%M}"


def moment(time: datetime, lang: Lang) -> str:
    """A Tokyo date and time as the language writes it, with the year where it isn't this one."""
    local = time.astimezone(TOKYO)
    this_year = local.year == datetime.now(TOKYO).year
    if lang == "ja":
        year = "" if this_year else f"{local.year}年"
        return f"{year}{local.month}月{local.day}日 {local:%H:%M}"
    year = "" if this_year else f"{local.year} "
    return f"{local.day} {local:%b} {year}{local:%H:%M}"


def span(series: Series, index: int) -> str:
    """The time or, for totals, the stretch of time that value number `index` stands for."""
    end = series.times[index]
    if not is_total(series.of):
        return clock(end)
    return f"{clock(end - timedelta(seconds=series.step_s))}–{clock(end)}"


def summary(series: Series, decimals: int, lang: Lang) -> str | None:
    """The chart in one sentence, for those who can't or won't look; None where it is empty."""
    known = [(value, i) for i, value in enumerate(series.values) if value is not None]
    if not known:
        return None
    low, low_at = min(known, key=lambda pair: pair[0])
    high, high_at = max(known, key=lambda pair: pair[0])
    shown_high = number(high, decimals)
    if is_total(series.of) and high == 0:
        return text("chart.zero", lang)
    if is_total(series.of):
        total = number(sum(value for value, _ in known), decimals)
        return text("chart.sum", lang, sum=total, high=shown_high, time=span(series, high_at))
    if series.of == "wind_from_direction":
        return text(f"compass.{int(((known[-1][0] + 22.5) % 360) // 45)}", lang)
    return text(
        "chart.range",
        lang,
        low=number(low, decimals),
        low_time=span(series, low_at),
        high=shown_high,
        high_time=span(series, high_at),
    )


def chart(
    series: Series, *, decimals: int, lang: Lang, theme: str, usual: Usual | None = None
) -> go.Figure:
    """24 hours of one figure: bars for totals, dots for directions, a line for the rest.

    Args:
        series: what to draw; gaps stay gaps.
        decimals: digits after the point in the hover text.
        lang: the reader's language.
        theme: `light` or `dark`.
        usual: what is usual in the same steps, drawn as a band between the quartiles and a line.
    """
    colours = THEMES[theme]
    unit = unit_label(series.unit_label, lang)
    hover = [
        f"{span(series, i)}  <b>{_said(series, i, value, decimals, lang)}</b> {unit}"
        for i, value in enumerate(series.values)
    ]
    traces = [trace(series, colours, hover)]
    if usual is not None and usual.known:
        hover = [
            one
            if low is None or high is None
            else f"{one}<br>{_usually(low, high, decimals, lang)}"
            for one, low, high in zip(hover, usual.q1, usual.q3, strict=True)
        ]
        pale = replace(colours, bar=colours.pale)
        traces = [trace(series, pale, hover), *_band(series, usual, colours)]
    figure = go.Figure(traces)
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 48, "r": 10, "t": 6, "b": 34},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 11, "color": colours.text},
        showlegend=False,
        bargap=0.12,
        hovermode="x",
        hoverlabel={
            "bgcolor": colours.panel,
            "bordercolor": colours.grid,
            "font": {"family": FONT, "size": 12, "color": colours.text},
        },
        dragmode=False,
        xaxis=_time_axis(series, colours),
        yaxis=_value_axis(series, usual, colours),
    )
    return figure


def _said(series: Series, index: int, value: float | None, decimals: int, lang: Lang) -> str:
    if value is not None:
        return number(value, decimals)
    return text("suppressed", lang) if series.times[index] in series.suppressed else "–"


def trace(series: Series, colours: Colours, hover: Sequence[str]) -> go.Bar | go.Scatter:
    """One series: bars for totals, dots for directions, a line for the rest; `hover` is said of each."""
    # Plotly knows no named time zones: it is given Tokyo's wall clock.
    ends = [time.astimezone(TOKYO).replace(tzinfo=None) for time in series.times]
    shared = {"y": series.values, "hovertext": hover, "hoverinfo": "text"}
    if is_total(series.of):
        step = timedelta(seconds=series.step_s)
        return go.Bar(
            x=[end - step / 2 for end in ends],
            width=step.total_seconds() * 1000 * 0.88,
            marker={"color": colours.bar if "rain" not in series.of else colours.line, "line": {"width": 0}},
            **shared,
        )  # fmt: skip
    if series.of == "wind_from_direction":
        return go.Scatter(
            x=ends, mode="markers", marker={"color": colours.line, "size": 4}, **shared
        )
    return go.Scatter(
        x=ends,
        mode="lines+markers",
        connectgaps=False,
        line={"color": colours.line, "width": 2, "shape": "linear"},
        marker={"color": colours.line, "size": _alone(series.values), "line": {"width": 0}},
        **shared,
    )


def _alone(values: Sequence[float | None]) -> list[int]:
    """Sizes of the markers: only a value between two gaps has one, since no line can show it."""
    gaps = [True, *(value is None for value in values), True]
    return [
        6 if before and after and value is not None else 0
        for before, value, after in zip(gaps, values, gaps[2:], strict=False)
    ]


def _usually(low: float, high: float, decimals: int, lang: Lang) -> str:
    return text("usual.hover", lang, low=number(low, decimals), high=number(high, decimals))


def _band(series: Series, usual: Usual, colours: Colours) -> list[go.Scatter]:
    """The range between the quartiles, the median, and the counts as a line that both can't hide."""
    ends = [time.astimezone(TOKYO).replace(tzinfo=None) for time in series.times]
    step = timedelta(seconds=series.step_s)
    x: list[datetime | None] = []
    y: list[float | None] = []
    for places in _stretches(usual.median):
        sides = [side for i in places for side in (ends[i] - step, ends[i])]
        low = [value for i in places for value in (usual.q1[i],) * 2]
        high = [value for i in places for value in (usual.q3[i],) * 2]
        x += [*sides, *reversed(sides), None]
        y += [*low, *reversed(high), None]
    shared = {"mode": "lines", "hoverinfo": "skip"}
    middle, counts = (_steps(ends, step, values) for values in (usual.median, series.values))
    return [
        go.Scatter(x=x, y=y, fill="toself", fillcolor=colours.band, line={"width": 0}, **shared),
        go.Scatter(x=middle[0], y=middle[1], line={"color": colours.line, "width": 1.5}, **shared),
        go.Scatter(x=counts[0], y=counts[1], line={"color": colours.bar, "width": 2}, **shared),
    ]


def _stretches(values: Sequence[float | None]) -> list[list[int]]:
    """The places of values, those next to each other together."""
    grouped = groupby(range(len(values)), lambda i: values[i] is not None)
    return [list(places) for known, places in grouped if known]


def _steps(
    ends: Sequence[datetime], step: timedelta, values: Sequence[float | None]
) -> tuple[list[datetime | None], list[float | None]]:
    """A line that is level over each step, with gaps."""
    x: list[datetime | None] = []
    y: list[float | None] = []
    for places in _stretches(values):
        x += [*(side for i in places for side in (ends[i] - step, ends[i])), None]
        y += [*(value for i in places for value in (values[i],) * 2), None]
    return x, y


def _time_axis(series: Series, colours: Colours) -> dict[str, object]:
    start, end = (t.astimezone(TOKYO).replace(tzinfo=None) for t in (series.start, series.end))
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    ticks = [midnight + timedelta(hours=6 * i) for i in range(9)]
    ticks = [tick for tick in ticks if start <= tick <= end]
    labels = []
    for i, tick in enumerate(ticks):
        named = f"{tick:%-m/%-d}" if i == 0 or tick.hour == 0 else ""
        labels.append(f"{tick:%-H:%M}<br>{named}" if named else f"{tick:%-H:%M}")
    return {
        "type": "date",
        "range": [start, end],
        "tickvals": ticks,
        "ticktext": labels,
        "gridcolor": colours.grid,
        "zeroline": False,
        "fixedrange": True,
        "ticks": "outside",
        "ticklen": 3,
        "tickcolor": colours.grid,
    }


def _value_axis(series: Series, usual: Usual | None, colours: Colours) -> dict[str, object]:
    axis: dict[str, object] = {
        "gridcolor": colours.grid,
        "zeroline": False,
        "fixedrange": True,
        "nticks": 4,
        "tickformat": ",.8~g",
    }
    known = [value for value in series.values if value is not None]
    if series.of == "wind_from_direction":
        return axis | {"range": [0, 360], "tickvals": [0, 90, 180, 270, 360]}
    if not known:
        return axis
    if is_total(series.of) or (min(known) >= 0 and series.of not in _NARROW):
        band = usual.q3 if usual is not None else ()
        top = max(*known, *(value for value in band if value is not None), 1.0)
        return axis | {"range": [0, top * 1.08]}
    low, high = min(known), max(known)
    margin = max((high - low) * 0.12, 0.5)
    return axis | {"range": [low - margin, high + margin]}


_NARROW = {"air_temperature", "air_pressure", "sound_level", "relative_humidity"}
"""Whose interest lies in their changes, so that their axis needn't begin at nought."""
