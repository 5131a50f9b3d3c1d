"""What an area or a thing measures, as the panel shows it: values, and charts of 24 hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from dash import dcc, html

from tsuji_dashboard.beginnings import late
from tsuji_dashboard.charts import chart, summary
from tsuji_dashboard.client import Reading, Series, Typical
from tsuji_dashboard.detail import Selection
from tsuji_dashboard.parts import aria, data, png_button
from tsuji_dashboard.texts import Lang, text, unit_label
from tsuji_dashboard.usual import Usual, beside
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.contract.quality import QUALITY_RULES, Flag

DECIMALS = {figure.id: figure.decimals for figure in FIGURES.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure of an area or one datastream of a thing.

    Attributes:
        key: id of the figure or observed property.
        name: what its value is called.
        charted: what its series is called.
        what: which of the two it is.
        reading: the value, or None where there is none.
        series: 24 hours, or None where they could not be loaded or weren't asked for.
        why: the sentence for a series without a single value.
        typical: what is usual on the days of the series, where that is asked for.
    """

    key: str
    name: str
    charted: str
    what: Literal["figure", "property"]
    reading: Reading | None
    series: Series | None
    why: str
    typical: Sequence[Typical | None] = ()


def measured(
    measures: Sequence[Measure], title: str, empty: str, selection: Selection
) -> list[html.Section]:
    """The first measure large with its chart, then the others' values."""
    if not measures:
        return [html.Section([html.H3(title), html.P(empty, className="why")])]
    first, *others = measures
    above: list[Any] = [html.H3(title)]
    if first.reading:
        above.append(_tile(first, first.reading, selection, large=True))
    if not any(measure.reading for measure in measures):
        above.append(html.P(empty, className="why"))
    sections = [html.Section([*above, _chart(first, selection, stated=True)])]
    tiles = [_tile(other, other.reading, selection) for other in others if other.reading]
    if tiles:
        sections.append(html.Section(html.Div(tiles, className="tiles")))
    return sections


def charted(measures: Sequence[Measure], selection: Selection) -> list[html.Section]:
    """The charts of all measures but the first."""
    if not measures[1:]:
        return []
    past = "_past" if selection.at else ""
    heading: list[Any] = [
        text(f"detail.history{past}", selection.lang),
        html.Small(text("detail.timezone", selection.lang)),
    ]
    charts = [_chart(measure, selection) for measure in measures[1:]]
    return [html.Section([html.H3(heading), *charts])]


def _tile(
    measure: Measure, reading: Reading, selection: Selection, *, large: bool = False
) -> html.Div:
    """One value; the browser writes it into the empty spans, now and with every push."""
    key, what = measure.key, measure.what
    table = FIGURES if what == "figure" else OBSERVED_PROPERTIES
    unit = table[key].unit_label
    said = "" if reading.value is None else repr(reading.value)
    shown = {what: key, "value": said, "decimals": str(DECIMALS.get(key, 0))}
    since = reading.time.isoformat() if reading.time else ""
    return html.Div(
        [
            html.Div(measure.name, className="tile-name"),
            html.Div(
                [
                    html.Span(className="tile-value", **data(**shown)),
                    html.Span(
                        unit_label(unit, selection.lang),
                        className="tile-unit tight" if unit == "°" else "tile-unit",
                    ),
                ]
            ),
            *([html.Div(className="compared", **data(usual=key))] if key == "footfall" else ()),
            html.Div(
                [
                    html.Span(
                        **data(**{f"{what}_n": key, "n": str(reading.n or "")}, **_away(reading))
                    ),
                    html.Span(**data(**{f"{what}_age": key, "time": since})),
                ],
                className="tile-foot",
            ),
            *_left_out(reading, selection),
            *_doubts(key, reading, selection),
        ],
        className="tile chosen" if large else "tile",
    )


def _away(reading: Reading) -> dict[str, str]:
    """How far away that stands of which an estimate is made, for the browser to put into words."""
    if reading.away is None:
        return {}
    near, far = reading.away
    return {"near": f"{near:g}", "far": f"{far:g}"}


def _left_out(reading: Reading, selection: Selection) -> list[html.Div]:
    """How many small counts are no part of a value that is told."""
    if not reading.left_out or reading.value is None:
        return []
    said = text("left_out", selection.lang, n=f"{reading.left_out:,}")
    return [html.Div(said, className="tile-foot")]


def _doubts(key: str, reading: Reading, selection: Selection) -> list[html.Div]:
    """What looks wrong with a reading, in words; the browser takes it away with the reading."""
    said = {Flag.STEP: text("odd.step", selection.lang)}
    rule = QUALITY_RULES.get(key)
    if rule is not None and rule.stuck is not None:
        hours = f"{rule.stuck.after / timedelta(hours=1):g}"
        said[Flag.STUCK] = text("odd.stuck", selection.lang, hours=hours)
    since = reading.time.isoformat() if reading.time else ""
    return [
        html.Div(
            said[flag],
            className="odd",
            **data(odd=flag.value, of=key, time=since, result=repr(reading.value)),
        )
        for flag in said
        if flag.value in reading.quality
    ]


def _chart(measure: Measure, selection: Selection, *, stated: bool = False) -> html.Figure:
    """A chart with its name, unit and summary; `stated` says over what time, for one that stands alone."""
    lang, series = selection.lang, measure.series
    unit, said = "", None
    usual = None if series is None else beside(series, measure.typical, lang)
    if series is None:
        body: Any = html.P(text("chart.failed", lang), className="why")
    else:
        decimals = DECIMALS.get(measure.key, 0)
        unit, said = unit_label(series.unit_label, lang), summary(series, decimals, lang)
        if said is None:
            why = text("suppressed", lang) if series.suppressed else measure.why
            body = html.P(why, className="why")
        else:
            figure = chart(series, decimals=decimals, lang=lang, theme=selection.theme, usual=usual)
            body = html.Div(
                dcc.Graph(
                    figure=figure,
                    config={"displayModeBar": False, "responsive": True, "scrollZoom": False},
                    style={"height": f"{figure.layout.height}px"},
                ),
                role="img",
                className="drawn",
                style={"minHeight": f"{figure.layout.height}px"},
                **aria(label=text("chart.alt", lang, label=measure.charted, summary=said)),
                **data(loading=text("detail.loading", lang)),
            )
    past = "_past" if selection.at else ""
    when = f"{text(f'detail.history{past}', lang)} · {text('detail.timezone', lang)}"
    caption = html.Figcaption(
        [
            html.Div(
                [
                    html.Strong(measure.charted),
                    html.Span(unit, className="tile-unit"),
                    html.Span(when, className="when") if stated else None,
                ]
            ),
            html.Div(said or "", className="summary"),
            *_hidden(series, lang, said),
            *_begins(series, lang, said),
            *(_usually(usual) if usual and said else ()),
            *([png_button(lang, selection.area_set, selection.id, measure.key)] if said else ()),
        ]
    )
    return html.Figure([caption, body], className="chart", **data(chart=measure.key))


def _hidden(series: Series | None, lang: Lang, said: str | None) -> list[html.Div]:
    """That some steps are withheld, where others are not."""
    if series is None or not series.suppressed or said is None:
        return []
    n = f"{len(series.suppressed):,}"
    return [html.Div(text("chart.suppressed", lang, n=n), className="usual")]


def _begins(series: Series | None, lang: Lang, said: str | None) -> list[html.Div]:
    """Why the first part of the chart is empty."""
    if series is None or said is None:
        return []
    return [html.Div(sentence, className="usual begins") for sentence in late({"": series}, lang)]


def _usually(usual: Usual) -> list[html.Div]:
    """The legend of the band, or why there is none."""
    mark = [html.Span(className="usual-mark", **aria(hidden="true"))] if usual.known else []
    return [
        html.Div([*(mark if not i else ()), sentence], className="usual")
        for i, sentence in enumerate(usual.said)
    ]
