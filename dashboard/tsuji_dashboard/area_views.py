"""The content of an area's page: gathered data in, components out."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from dash import dcc, html

from tsuji_dashboard import area_charts
from tsuji_dashboard.area_data import AreaPage, Asked, Heat, OverTime
from tsuji_dashboard.beginnings import late
from tsuji_dashboard.charts import TOKYO, is_total, moment, number, summary
from tsuji_dashboard.client import Reading, Series, Typical
from tsuji_dashboard.detail import AreaDetail, Selection
from tsuji_dashboard.measures import DECIMALS
from tsuji_dashboard.parts import aria, data, png_button
from tsuji_dashboard.profile_views import derived_section, residents_section
from tsuji_dashboard.texts import Lang, text, unit_label
from tsuji_dashboard.views import area_name, label, methods_section, things_section
from tsuji_platform.analytics.figures import FIGURES

PARTS: Mapping[str, tuple[Any, str]] = {
    "head": (html.Div, "area-head"),
    "now": (html.Section, "now"),
    "derived": (html.Div, "derived-part"),
    "heat": (html.Section, "heat"),
    "today": (html.Section, "today"),
    "history": (html.Section, "history"),
    "residents": (html.Div, "residents-part"),
    "sensors": (html.Div, "sensors-part"),
}
"""The page's parts in their order, each with its element and class; one that is as it was stays untouched."""


def page_parts(page: AreaPage, asked: Asked, selection: Selection) -> dict[str, list[Any]]:
    """The content of each part that was asked for."""
    lang, detail, over_time = selection.lang, page.detail, page.over_time
    figures = {
        FIGURES[key]: detail.area.figures[key] for key in FIGURES if key in detail.area.figures
    }
    parts = {
        "head": _head(page, asked, lang),
        "now": [html.H2(_when(page, asked, lang)), _tiles(page, lang)],
        "derived": [*(derived_section(detail.profile, lang) if detail.profile else ())],
        "residents": [
            *(residents_section(detail.profile, lang) if detail.profile else ()),
            *methods_section(figures, lang),
        ],
        "sensors": things_section(detail.things, selection),
    }
    if over_time is not None:
        parts["heat"] = _heat(over_time.heat, asked, selection)
        parts["today"] = _today(over_time, page.time, asked, selection)
        parts["history"] = _history(over_time, asked, selection)
    return parts


def _head(page: AreaPage, asked: Asked, lang: Lang) -> list[Any]:
    """Name, code and the moment, which goes on by itself where it is now."""
    name, below = area_name(page.detail, lang)
    shown = moment(page.time, lang)
    time: Any = shown if asked.at else html.Span(className="as-of-time")
    before, after = text("area.as_of", lang, time="\n").split("\n")
    updated = None if asked.at else html.Span(text("area.updated", lang), className="on-screen")
    return [
        html.H1(name, title=name),
        html.Span(below, className="code") if below else None,
        html.P([before, time, after, updated], className="as-of"),
    ]


def _when(page: AreaPage, asked: Asked, lang: Lang) -> str:
    if not asked.at:
        return text("detail.current", lang)
    return text("detail.past", lang, time=moment(page.time, lang))


def _tiles(page: AreaPage, lang: Lang) -> Any:
    """The newest value of each figure with its unit, its sensors and its time."""
    figures = page.detail.area.figures
    if not figures:
        key = "detail.no_figures" if page.detail.area.things else "detail.no_things"
        return html.P(text(key, lang), className="why")
    tiles = [_tile(key, figures[key], lang) for key in FIGURES if key in figures]
    return html.Div(tiles, className="tiles")


def _tile(key: str, reading: Reading, lang: Lang) -> html.Div:
    figure = FIGURES[key]
    shown = "–" if reading.value is None else number(reading.value, figure.decimals)
    if key == "wind_from_direction" and reading.value is not None:
        shown = (
            text(f"compass.short.{int(((reading.value + 22.5) % 360) // 45)}", lang) + f" {shown}"
        )
    guessed = "≈ " if reading.away else ""
    foot = moment(reading.time, lang) if reading.time else ""
    return html.Div(
        [
            html.Div(label(figure, lang), className="tile-name"),
            html.Div(
                [
                    html.Span(
                        guessed + shown,
                        className="tile-value",
                        **data(figure=key, decimals=str(figure.decimals)),
                    ),
                    html.Span(unit_label(figure.unit_label, lang), className="tile-unit"),
                ]
            ),
            html.Div(
                text("estimated.short", lang) if reading.away else foot,
                className="tile-foot",
                **({} if reading.away else data(figure_time=key)),
            ),
        ],
        className="tile",
    )  # fmt: skip


def _graph(figure: Any, said: str, key: str, lang: Lang) -> html.Div:
    return html.Div(
        dcc.Graph(
            figure=figure,
            config={"displayModeBar": False, "responsive": True, "scrollZoom": False},
            style={"height": f"{figure.layout.height}px"},
        ),
        role="img",
        className="graph drawn",
        style={"minHeight": f"{figure.layout.height}px"},
        **aria(label=said),
        **data(chart=key, loading=text("detail.loading", lang)),
    )


def _today(page: OverTime, day: datetime, asked: Asked, selection: Selection) -> list[Any]:
    """The day's counts before the quartiles of its kind of day."""
    lang, series, typical = selection.lang, page.today, page.typical
    title = text("area.day" if asked.at else "area.today", lang)
    said = summary(series, 0, lang) if series else None
    usual = typical is not None and any(it is not None for it in typical.median)
    notes: list[Any] = [html.P(said or text("area.no_counts", lang), className="summary")]
    if typical is not None:
        notes.append(html.P(_band(typical, usual=usual, lang=lang), className="summary"))
    body: list[Any] = []
    if said or usual:
        figure = area_charts.today(series, typical, day, lang, selection.theme)
        alt = text("area.alt", lang, name=title, summary=said or text("area.no_counts", lang))
        body = [
            _graph(figure, alt, "today", lang),
            _table(_day_rows(series, typical, lang), "today", lang),
            _files(asked, lang, "today"),
        ]
    unit = html.Small(unit_label(series.unit_label, lang)) if series and said else None
    return [html.H2([title, unit]), *notes, *body]


def _band(typical: Typical, *, usual: bool, lang: Lang) -> list[Any]:
    if not usual:
        return [text("area.no_typical", lang, n=typical.minimum_days)]
    kind = text("usual.kind", lang, kind=text(f"usual.{typical.kind}", lang), n=max(typical.days))
    mark = html.Span(className="usual-mark", **aria(hidden="true"))
    return [mark, text("usual.band", lang, weeks=typical.weeks, kinds=kind)]


def _day_rows(series: Series | None, typical: Typical | None, lang: Lang) -> list[list[str]]:
    """The day by the hour's quarter as a table."""
    counted = dict(zip(series.times, series.values, strict=True)) if series else {}
    usual = (
        {time: (typical.q1[i], typical.median[i], typical.q3[i]) for i, time in enumerate(typical.times)}
        if typical
        else {}
    )  # fmt: skip
    head = [text(f"area.{it}", lang) for it in ("time", "counts", "median", "band")]
    rows = []
    for time in sorted({*counted, *usual}):
        low, middle, high = usual.get(time, (None, None, None))
        band = "–" if low is None or high is None else f"{number(low, 0)}–{number(high, 0)}"
        shown = f"{time.astimezone(TOKYO):%H:%M}"
        rows.append([shown, _cell(counted.get(time), 0), _cell(middle, 0), band])
    return [head, *rows]


def _history(page: OverTime, asked: Asked, selection: Selection) -> list[Any]:
    """People beside the weather on one axis of time, to look at, to read and to take away."""
    lang = selection.lang
    found = {
        key: series
        for key, series in page.history.items()
        if series is not None and any(value is not None for value in series.values)
    }
    title = text("area.history", lang)
    when = f"{text(f'area.range.{asked.range}', lang)} · {text('detail.timezone', lang)}"
    heading = html.H2([title, html.Small(when)])
    if not found:
        return [heading, html.P(text("area.no_series", lang), className="why")]
    lines = {key: summary(series, DECIMALS.get(key, 0), lang) for key, series in found.items()}
    named = [f"{_figure_name(key, lang)}: {said}" for key, said in lines.items()]
    query = {"range": asked.range, **({"at": asked.at} if asked.at else {})}
    where = f"/hub/area/{asked.area_set}/{asked.code}"
    return [
        heading,
        *(html.P(line, className="summary") for line in named),
        *_late({_figure_name(key, lang): series for key, series in found.items()}, lang),
        _graph(
            area_charts.history(found, lang, selection.theme),
            text("area.alt", lang, name=title, summary=" ".join(named)),
            "history",
            lang,
        ),
        _table(_rows(found, lang), "history", lang),
        _files(asked, lang, f"history-{asked.range}", f"{where}/history.csv?{urlencode(query)}"),
    ]


def _late(found: Mapping[str, Series], lang: Lang) -> list[html.P]:
    return [html.P(said, className="summary begins") for said in late(found, lang)]


def _figure_name(key: str, lang: Lang) -> str:
    return text(f"chart.{key}", lang) if is_total(key) else label(FIGURES[key], lang)


def _rows(found: dict[str, Series], lang: Lang) -> list[list[str]]:
    head = [
        text("area.time", lang),
        *(
            f"{_figure_name(key, lang)} ({unit_label(series.unit_label, lang)})"
            for key, series in found.items()
        ),
    ]
    cells = {key: dict(zip(it.times, it.values, strict=True)) for key, it in found.items()}
    times = sorted({time for its in cells.values() for time in its})
    return [head] + [
        [_moment(time), *(_cell(cells[key].get(time), DECIMALS.get(key, 0)) for key in found)]
        for time in times
    ]


def _moment(time: datetime) -> str:
    return f"{time.astimezone(TOKYO):%-m/%-d %H:%M}"


def _cell(value: float | None, decimals: int) -> str:
    return "–" if value is None else number(value, decimals)


def _heat(heat: Heat | None, asked: Asked, selection: Selection) -> list[Any]:
    """Weekday by hour."""
    lang = selection.lang
    title = html.H2(text("area.heat", lang))
    if heat is None or all(it is None for hours in heat.means for it in hours):
        return [title, html.P(text("area.no_counts", lang), className="why")]
    high, day, hour = max(
        (it, day, hour)
        for day, hours in enumerate(heat.means)
        for hour, it in enumerate(hours)
        if it is not None
    )
    said = text(
        "area.heat_alt", lang, day=text(f"weekday.{day}", lang), hour=hour, high=number(high, 0)
    )
    rows = [["", *(str(it) for it in range(24))]] + [
        [text(f"weekday.{i}", lang), *(_cell(it, 0) for it in hours)]
        for i, hours in enumerate(heat.means)
    ]
    query = f"?{urlencode({'at': asked.at})}" if asked.at else ""
    where = f"/hub/area/{asked.area_set}/{asked.code}/weekday-hour.csv{query}"
    return [
        title,
        html.P(text("area.heat_note", lang), className="summary"),
        _graph(area_charts.heat(heat, lang, selection.theme), said, "heat", lang),
        _table(rows, "heat", lang),
        _files(asked, lang, "weekday-hour", where),
    ]


def compared_section(
    page: OverTime, detail: AreaDetail, asked: Asked, selection: Selection
) -> list[Any]:
    """People counted here and in the areas that were chosen."""
    lang = selection.lang
    if not asked.compare:
        return [html.P(text("area.compare_none", lang), className="note compare-none")]
    names = {
        code: (name if lang == "ja" else english) or code for code, name, english, _ in page.names
    }
    own = area_name(detail, lang)[0]
    here = page.history.get("footfall")
    found = [(own, here), *((names.get(code, code), it) for code, it in page.compared.items())]
    known = [(name, it) for name, it in found if it is not None and _any(it)]
    missing = [name for name, it in found if it is None or not _any(it)]
    notes = [
        html.P(f"{name}: {text('area.no_series', lang)}", className="summary") for name in missing
    ]
    notes += _late(dict(known), lang)
    if not known:
        return notes
    lines = [f"{name}: {summary(it, 0, lang)}" for name, it in known]
    title = f"{text('area.counts', lang)} · {text(f'area.range.{asked.range}', lang)}"
    table = _table(_compared_rows(known, lang), "compare", lang)
    graph = _graph(area_charts.compared(known, selection.theme), " ".join(lines), "compare", lang)
    unit = html.Small(unit_label(known[0][1].unit_label, lang), className="tile-unit")
    heading = html.Div([title, " ", unit], className="chart-title")
    return [heading, graph, table, *notes, _files(asked, lang, f"compared-{asked.range}")]


def _any(series: Series) -> bool:
    return any(value is not None for value in series.values)


def _compared_rows(known: Sequence[tuple[str, Series]], lang: Lang) -> list[list[str]]:
    cells = [dict(zip(it.times, it.values, strict=True)) for _, it in known]
    times = sorted({time for its in cells for time in its})
    head = [text("area.time", lang), *(name for name, _ in known)]
    return [head] + [[_moment(time), *(_cell(its.get(time), 0) for its in cells)] for time in times]


def _table(rows: Iterable[Sequence[str]], key: str, lang: Lang) -> html.Details:
    """The same numbers to read, for those who can't or won't look at a chart.

    The browser makes the table once it is opened: as components its cells would cost seconds.
    """
    return html.Details(
        [
            html.Summary(text("area.table", lang)),
            html.Div(
                className="table",
                tabIndex=0,
                role="region",
                **aria(label=text("area.table", lang)),
                **data(rows=json.dumps(list(rows), ensure_ascii=False)),
            ),
        ],
        className="as-table",
        **data(fold=f"table-{key}"),
    )


def _files(asked: Asked, lang: Lang, what: str, csv: str | None = None) -> html.P:
    """What can be taken away of a chart: its numbers where `csv` is their address, and its picture."""
    numbers = [html.A(text("area.download", lang), href=csv, download="")] if csv else []
    picture = png_button(lang, asked.area_set, asked.code, what)
    return html.P([*numbers, picture], className="download")
