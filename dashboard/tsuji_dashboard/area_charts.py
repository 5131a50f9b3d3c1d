"""The charts of an area's page: data in, Plotly figure out."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tsuji_dashboard.area_data import Heat
from tsuji_dashboard.charts import FONT, THEMES, TOKYO, Colours, is_total, number, trace
from tsuji_dashboard.client import Series, Typical
from tsuji_dashboard.texts import Lang, text, unit_label

_COMPARED = {
    "light": ("#d9480f", "#1864ab", "#5f3dc4", "#2b8a3e"),
    "dark": ("#ff922b", "#74c0fc", "#b197fc", "#69db7c"),
}
_DASHES = ("solid", "dash", "dot", "dashdot")
"""Lines differ by more than their colour."""
_HEAT = {
    "light": ("#ffffcc", "#fed976", "#fd8d3c", "#e31a1c", "#800026"),
    "dark": ("#241a3a", "#6a176e", "#bc3754", "#f37819", "#f6d746"),
}


def _base(height: int, colours: Colours, **more: Any) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 52, "r": 12, "t": 8, "b": 36},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 11, "color": colours.text},
        "showlegend": False,
        "dragmode": False,
        "bargap": 0.1,
        "hovermode": "x unified",
        "hoverlabel": {
            "bgcolor": colours.panel,
            "bordercolor": colours.grid,
            "font": {"family": FONT, "size": 12, "color": colours.text},
        },
        **more,
    }


def _wall(time: datetime) -> datetime:
    """Tokyo's wall clock: Plotly knows no named time zones."""
    return time.astimezone(TOKYO).replace(tzinfo=None)


def _axis(colours: Colours, **more: Any) -> dict[str, Any]:
    # Invisible ticks keep the labels of both axes apart where they meet.
    away = {"ticks": "outside", "ticklen": 6, "tickcolor": "rgba(0,0,0,0)"}
    return {"gridcolor": colours.grid, "zeroline": False, "fixedrange": True, **away, **more}


def today(
    series: Series | None, typical: Typical | None, day: datetime, lang: Lang, theme: str
) -> go.Figure:
    """Counts of a day as a line before the band of what is usual on such a day."""
    colours = THEMES[theme]
    figure = go.Figure()
    if typical is not None and any(value is not None for value in typical.median):
        known = [i for i, value in enumerate(typical.median) if value is not None]
        x = [_wall(typical.times[i]) for i in known]
        low, high = ([its[i] for i in known] for its in (typical.q1, typical.q3))
        figure.add_scatter(
            x=[*x, *reversed(x)],
            y=[*low, *reversed(high)],
            fill="toself",
            fillcolor=colours.band,
            line={"width": 0},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=x,
            y=[typical.median[i] for i in known],
            name=text("area.median", lang),
            line={"color": colours.line, "width": 1.5, "dash": "dash"},
            hovertemplate="%{y:,.0f}",
        )
    if series is not None:
        figure.add_scatter(
            x=[_wall(time) for time in series.times],
            y=series.values,
            name=text("area.counts", lang),
            line={"color": colours.bar, "width": 2.5},
            hovertemplate="<b>%{y:,.0f}</b>",
        )
    start = _wall(day).replace(hour=0, minute=0)
    ticks = [start + timedelta(hours=3 * i) for i in range(9)]
    # On a narrow screen eight labels would run into each other.
    labels = ["" if i % 2 else f"{3 * i}:00" for i in range(9)]
    figure.update_layout(
        _base(230, colours),
        xaxis=_axis(
            colours, type="date", range=[start, ticks[-1]], tickvals=ticks, ticktext=labels,
            hoverformat="%H:%M",
        ),
        yaxis=_axis(colours, rangemode="tozero", nticks=5, tickformat=",.8~g"),
    )  # fmt: skip
    return figure


def history(found: Mapping[str, Series], lang: Lang, theme: str) -> go.Figure:
    """People and weather one below the other, on one time axis."""
    colours = THEMES[theme]
    keys = list(found)
    heights = [0.5, 0.27, 0.23][: len(keys)]
    figure = make_subplots(
        rows=len(keys), cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=heights
    )
    for row, (key, series) in enumerate(found.items(), start=1):
        unit = unit_label(series.unit_label, lang)
        decimals = 0 if key == "footfall" else 1
        said = [
            "–" if value is None else f"{number(value, decimals)} {unit}" for value in series.values
        ]
        figure.add_trace(trace(series, colours, said), row=row, col=1)
        figure.update_yaxes(
            _axis(
                colours,
                nticks=4,
                tickformat=",.8~g",
                title={"text": unit, "standoff": 4},
                **({"range": [0, _top(series)]} if is_total(key) else {}),
            ),
            row=row,
            col=1,
        )
    first = next(iter(found.values()))
    ticks, labels = _ticks(_wall(first.start), _wall(first.end))
    figure.update_xaxes(
        _axis(
            colours,
            type="date",
            range=[_wall(first.start), _wall(first.end)],
            tickvals=ticks,
            ticktext=labels,
            hoverformat="%-m/%-d %H:%M",
        )
    )
    figure.update_layout(_base(380, colours, margin={"l": 62, "r": 12, "t": 8, "b": 36}))
    return figure


def _top(series: Series) -> float:
    """Where the axis of totals ends: a dry day has one, too."""
    return 1.08 * max((value for value in series.values if value is not None), default=0) or 1


def _ticks(start: datetime, end: datetime) -> tuple[list[datetime], list[str]]:
    """Every six hours of a day, the midnights of a week, every fifth of a month."""
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    length = end - start
    every = timedelta(hours=6) if length < timedelta(days=2) else timedelta(days=1)
    if length > timedelta(days=10):
        every = timedelta(days=5)
    ticks = [midnight + i * every for i in range(40)]
    ticks = [it for it in ticks if start <= it <= end]
    return ticks, [f"{it:%-m/%-d}" if it.hour == 0 else f"{it:%-H:%M}" for it in ticks]


def heat(found: Heat, lang: Lang, theme: str) -> go.Figure:
    """Weekdays by hours."""
    colours = THEMES[theme]
    days = [text(f"weekday.{i}", lang) for i in range(7)]
    hours = [f"{i}:00" for i in range(24)]
    figure = go.Figure(
        go.Heatmap(
            z=found.means,
            x=hours,
            y=days,
            xgap=1,
            ygap=1,
            colorscale=_steps(_HEAT[theme]),
            colorbar={"thickness": 10, "tickformat": ",.8~g", "outlinewidth": 0, "nticks": 4},
            hovertemplate="%{y} %{x}  <b>%{z:,.0f}</b><extra></extra>",
            zmin=0,
        )
    )
    figure.update_layout(
        _base(230, colours, margin={"l": 34, "r": 4, "t": 8, "b": 30}, hovermode="closest"),
        xaxis=_axis(colours, tickvals=hours[::6], tickangle=0, showgrid=False),
        yaxis=_axis(colours, autorange="reversed", showgrid=False),
        meta={"paper": _steps(_HEAT["light"])},  # which is white, whatever the theme
    )
    return figure


def _steps(scale: Sequence[str]) -> list[list[float | str]]:
    return [[i / (len(scale) - 1), it] for i, it in enumerate(scale)]


def compared(found: Sequence[tuple[str, Series]], theme: str) -> go.Figure:
    """Counts of several areas as lines that differ in colour and dashes."""
    colours = THEMES[theme]
    figure = go.Figure()
    for i, (name, series) in enumerate(found):
        figure.add_scatter(
            x=[_wall(time) for time in series.times],
            y=series.values,
            name=name,
            line={"color": _COMPARED[theme][i % 4], "dash": _DASHES[i % 4], "width": 2},
            hovertemplate="%{y:,.0f}",
        )
    first = found[0][1]
    ticks, labels = _ticks(_wall(first.start), _wall(first.end))
    figure.update_layout(
        _base(260, colours, showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"}),
        margin={"l": 52, "r": 12, "t": 34, "b": 36},
        xaxis=_axis(
            colours, type="date", range=[_wall(first.start), _wall(first.end)], tickvals=ticks,
            ticktext=labels, hoverformat="%-m/%-d %H:%M",
        ),
        yaxis=_axis(colours, rangemode="tozero", nticks=5, tickformat=",.8~g"),
    )  # fmt: skip
    return figure
