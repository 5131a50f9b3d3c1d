"""The detail panel's content: gathered details in, components out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from dash import dcc, html

from tsuji_dashboard.charts import chart, moment, summary
from tsuji_dashboard.client import Reading, Series, Thing, instant
from tsuji_dashboard.detail import AreaDetail, Neighbour, Selection, ThingDetail
from tsuji_dashboard.parts import aria, data
from tsuji_dashboard.texts import Lang, kind_label, text, unit_label
from tsuji_platform.analytics.figures import FIGURES, Figure
from tsuji_platform.contract import OBSERVED_PROPERTIES, ObservedProperty

DECIMALS = {figure.id: figure.decimals for figure in FIGURES.values()}


def label(of: Figure | ObservedProperty, lang: Lang) -> str:
    """The name of a figure or observed property."""
    return of.label_ja if lang == "ja" else of.label


def area_view(detail: AreaDetail, selection: Selection) -> list[Any]:
    """An area: what matters now, the last 24 hours, its sensors and how the values are made."""
    lang, area = selection.lang, detail.area
    name = area.name if lang == "ja" else area.name_en
    mesh = name == area.code
    current = [
        _tile(label(FIGURES[key], lang), key, area.figures[key], "figure", selection)
        for key in _first(selection.figure, list(FIGURES))
        if key in area.figures
    ]
    return [
        _heading(
            text("mesh", lang, code=name) if mesh else name,
            None if mesh else html.Span(area.code, className="code"),
        ),
        _now(current, _why_empty(detail, selection), selection),
        *_history(
            [
                _chart(label(FIGURES[key], lang), key, series, selection, _reason(detail.things, lang))
                for key, series in detail.series.items()
            ],
            selection,
        ),
        *_things(detail.things, selection),
        *_methods([FIGURES[key] for key in FIGURES if key in area.figures], lang),
    ]  # fmt: skip


def thing_view(detail: ThingDetail, selection: Selection) -> list[Any]:
    """A thing: what it is, its newest results, the last 24 hours of each datastream."""
    lang, thing = selection.lang, detail.thing
    newest = [
        _tile(label(OBSERVED_PROPERTIES[key], lang), key, thing.latest[key], "property", selection)
        for key in detail.series
        if key in thing.latest
    ]
    title = "detail.latest_past" if selection.at else "detail.latest"
    return [
        _heading(
            thing.name if lang == "ja" else thing.name_en,
            html.Span(
                [kind_label(thing.kind, lang), " · ", _state(thing.state, lang)], className="code"
            ),
        ),
        html.Section(
            [
                html.H3(text(title, lang)),
                html.Div(newest, className="tiles")
                if newest
                else html.P(text("detail.no_latest", lang), className="why"),
            ]
        ),
        *_history(
            [
                _chart(
                    label(OBSERVED_PROPERTIES[key], lang), key, series, selection, _silence(thing, lang)
                )
                for key, series in detail.series.items()
            ],
            selection,
        ),
        _facts(thing, selection),
    ]  # fmt: skip


def trouble_view(key: str, selection: Selection) -> list[Any]:
    """A panel that says why there is nothing to show."""
    fields = {"id": selection.id} if "{id}" in text(key, selection.lang, id="{id}") else {}
    return [
        _heading(selection.id, None),
        html.P(text(key, selection.lang, **fields), className="why", role="status"),
    ]


def _heading(name: str, below: Any) -> html.Div:
    return html.Div([html.H2(name, tabIndex=-1), below], className="detail-head")


def _first(key: str, keys: Sequence[str]) -> list[str]:
    return sorted(keys, key=lambda other: other != key)


def _tile(name: str, key: str, reading: Reading, what: str, selection: Selection) -> html.Div:
    """One value; the browser writes it into the empty spans, now and with every push."""
    unit = FIGURES[key].unit_label if what == "figure" else OBSERVED_PROPERTIES[key].unit_label
    shown = {what: key, "value": repr(reading.value), "decimals": str(DECIMALS.get(key, 0))}
    since = reading.time.isoformat() if reading.time else ""
    return html.Div(
        [
            html.Div(name, className="tile-name"),
            html.Div(
                [
                    html.Span(className="tile-value", **data(**shown)),
                    html.Span(unit_label(unit, selection.lang), className="tile-unit"),
                ]
            ),
            html.Div(
                [
                    html.Span(**data(**{f"{what}_n": key, "n": str(reading.n or "")})),
                    html.Span(**data(**{f"{what}_age": key, "time": since})),
                ],
                className="tile-foot",
            ),
        ],
        className="tile chosen" if key == selection.figure else "tile",
    )


def _now(tiles: list[Any], why: str, selection: Selection) -> html.Section:
    at = instant(selection.at)
    title = (
        text("detail.past", selection.lang, time=moment(at, selection.lang))
        if at
        else text("detail.current", selection.lang)
    )
    return html.Section(
        [
            html.H3(title),
            html.Div(tiles, className="tiles") if tiles else html.P(why, className="why"),
        ]
    )


def _why_empty(detail: AreaDetail, selection: Selection) -> str:
    if not detail.area.things:
        return text("detail.no_things", selection.lang)
    past = "_past" if selection.at else ""
    return text(f"detail.no_figures{past}", selection.lang)


def _history(charts: list[Any], selection: Selection) -> list[Any]:
    if not charts:
        return []
    past = "_past" if selection.at else ""
    return [
        html.Section(
            [
                html.H3(
                    [
                        text(f"detail.history{past}", selection.lang),
                        html.Small(text("detail.timezone", selection.lang)),
                    ]
                ),
                *charts,
            ]
        )
    ]


def _chart(
    name: str, key: str, series: Series | None, selection: Selection, why: str
) -> html.Figure:
    lang = selection.lang
    if series is None:
        body: list[Any] = [html.P(text("chart.failed", lang), className="why")]
        unit, said = "", None
    else:
        decimals = DECIMALS.get(key, 0)
        unit, said = unit_label(series.unit_label, lang), summary(series, decimals, lang)
        if said is None:
            body = [html.P(why, className="why")]
        else:
            figure = chart(series, decimals=decimals, lang=lang, theme=selection.theme)
            body = [
                html.Div(
                    dcc.Graph(
                        figure=figure,
                        config={"displayModeBar": False, "responsive": True, "scrollZoom": False},
                        style={"height": f"{figure.layout.height}px"},
                    ),
                    role="img",
                    **aria(label=text("chart.alt", lang, label=name, summary=said)),
                )
            ]
    caption = html.Figcaption(
        [
            html.Div([html.Strong(name), html.Span(unit, className="tile-unit")]),
            html.Div(said or "", className="summary"),
        ]
    )
    return html.Figure([caption, *body], className="chart", **data(chart=key))


def _reason(things: Sequence[Neighbour], lang: Lang) -> str:
    heard = [instant(t.last_observed_at) for t in things if t.last_observed_at]
    newest = max((time for time in heard if time is not None), default=None)
    if newest is None or (datetime.now(UTC) - newest).total_seconds() < 3600:
        return text("chart.empty", lang)
    return text("chart.empty_silent", lang, time=moment(newest, lang))


def _silence(thing: Thing, lang: Lang) -> str:
    if thing.last_observed_at is None:
        return text("chart.empty_waiting", lang)
    if thing.state == "silent":
        return text("chart.empty_silent", lang, time=moment(thing.last_observed_at, lang))
    return text("chart.empty", lang)


def _state(state: str, lang: Lang) -> html.Span:
    return html.Span(text(f"state.{state}", lang), className=f"state {state}")


def _things(things: Sequence[Neighbour], selection: Selection) -> list[Any]:
    if not things:
        return []
    lang = selection.lang
    rows = [
        html.Li(
            html.A(
                [
                    html.Span(className=f"mark {thing.kind} {thing.state}", **aria(hidden="true")),
                    html.Span(thing.name if lang == "ja" else thing.name_en, className="thing-name"),
                    _state(thing.state, lang),
                ],
                href=_address(selection, thing=thing.id),
                **data(thing=thing.id),
            )
        )
        for thing in sorted(things, key=lambda t: (t.state == "live", t.kind, t.name))
    ]  # fmt: skip
    title: list[Any] = [text("detail.things", lang), html.Small(str(len(things)))]
    return [html.Section([html.H3(title), html.Ul(rows, className="things")])]


def _methods(figures: Sequence[Figure], lang: Lang) -> list[Any]:
    if not figures:
        return []
    rows: list[Any] = []
    for figure in figures:
        rows += [
            html.Dt(label(figure, lang)),
            html.Dd(figure.method_ja if lang == "ja" else figure.method),
        ]
    return [html.Details([html.Summary(text("detail.methods", lang)), html.Dl(rows)])]


def _facts(thing: Thing, selection: Selection) -> html.Section:
    lang = selection.lang
    places: Any = [
        html.A(
            place.name if lang == "ja" else place.name_en,
            href=_address(selection, set=place.area_set, area=place.code),
            **data(set=place.area_set, area=place.code),
        )
        for place in thing.areas
    ]
    rows = [(text("detail.areas", lang), places or text("detail.outside", lang))]
    if thing.longitude is not None and thing.latitude is not None:
        position = f"{thing.latitude:.5f}, {thing.longitude:.5f}"
        rows.append((text("detail.position", lang), position))
    if thing.owner:
        rows.append((text("detail.owner", lang), thing.owner))
    rows.append((text("detail.id", lang), thing.id))
    return html.Section(
        html.Dl([cell for name, value in rows for cell in (html.Dt(name), html.Dd(value))]),
        className="facts",
    )


def _address(selection: Selection, **more: str) -> str:
    """The address that shows another selection; the browser normally follows it without a reload."""
    parts = {
        "set": selection.area_set,
        "figure": selection.figure,
        "lang": selection.lang,
        "theme": selection.theme,
        **({"at": selection.at} if selection.at else {}),
        **more,
    }
    return "?" + urlencode({key: value for key, value in parts.items() if value})
