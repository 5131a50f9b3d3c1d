"""The detail panel's content: gathered details in, components out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import nan
from typing import Any
from urllib.parse import urlencode

from dash import html

from tsuji_dashboard.charts import is_total, moment
from tsuji_dashboard.client import Reading, Thing, instant
from tsuji_dashboard.detail import AreaDetail, Neighbour, Selection, ThingDetail
from tsuji_dashboard.measures import Measure, charted, measured
from tsuji_dashboard.parts import aria, data
from tsuji_dashboard.profile_views import derived_section, residents_section
from tsuji_dashboard.texts import Lang, isolated, kind_label, reason_label, text
from tsuji_platform.analytics import estimate
from tsuji_platform.analytics.figures import FIGURES, Figure
from tsuji_platform.contract import OBSERVED_PROPERTIES, ObservedProperty

THEN = Reading(value=nan, time=None)
"""A thing's value at a past moment, which the browser has with the map's points and fills in."""


def label(of: Figure | ObservedProperty, lang: Lang) -> str:
    """The name of a figure or observed property."""
    return of.label_ja if lang == "ja" else of.label


@dataclass(frozen=True, slots=True)
class Panel:
    """The panel's content but for the other charts, which come between the two."""

    body: list[Any]
    foot: list[Any]


def panel(detail: AreaDetail | ThingDetail, selection: Selection) -> Panel:
    """What matters now in words and figures, and what is known of the area or thing."""
    if isinstance(detail, AreaDetail):
        return _area_panel(detail, selection)
    return _thing_panel(detail, selection)


def other_charts(detail: AreaDetail | ThingDetail, selection: Selection) -> list[Any]:
    """The last 24 hours of all that the panel doesn't lead with."""
    if isinstance(detail, AreaDetail):
        return list(charted(_area_measures(detail, selection.lang), selection))
    return list(charted(_thing_measures(detail, selection), selection))


def _area_measures(detail: AreaDetail, lang: Lang) -> list[Measure]:
    why = _reason(detail.things, lang)
    return [
        Measure(
            key=key,
            name=label(FIGURES[key], lang),
            charted=text(f"chart.{key}", lang) if is_total(key) else label(FIGURES[key], lang),
            what="figure",
            reading=detail.area.figures.get(key),
            series=detail.series.get(key),
            why=why,
            typical=detail.typical.get(key, ()),
        )
        for key in detail.measures
    ]


def _thing_measures(detail: ThingDetail, selection: Selection) -> list[Measure]:
    lang, at = selection.lang, selection.at
    why = _silence(detail.thing, lang)
    latest = dict.fromkeys(detail.measures, THEN) if at else detail.thing.latest
    return [
        Measure(
            key=key,
            name=label(OBSERVED_PROPERTIES[key], lang),
            charted=label(OBSERVED_PROPERTIES[key], lang),
            what="property",
            reading=latest.get(key),
            series=detail.series.get(key),
            why=why,
            typical=detail.typical.get(key, ()),
        )
        for key in detail.measures
    ]


def _area_panel(detail: AreaDetail, selection: Selection) -> Panel:
    lang, area = selection.lang, detail.area
    name, below = area_name(detail, lang)
    at = instant(selection.at)
    title = text("detail.past", lang, time=moment(at, lang)) if at else text("detail.current", lang)
    measures = _area_measures(detail, lang)
    first, *others = measured(measures, title, _why_empty(detail, selection), selection)
    return Panel(
        body=[
            _heading(name, html.Span(below, className="code") if below else None, selection),
            html.P(
                html.A(
                    text("area.open", lang),
                    href=address(selection, "/area", area=selection.id),
                    className="more",
                )
            ),
            first,
            *(derived_section(detail.profile, lang) if detail.profile else ()),
            *others,
        ],
        foot=[
            *(residents_section(detail.profile, lang) if detail.profile else ()),
            *things_section(detail.things, selection),
            *methods_section(
                {FIGURES[key]: area.figures[key] for key in FIGURES if key in area.figures}, lang
            ),
        ],
    )


def _thing_panel(detail: ThingDetail, selection: Selection) -> Panel:
    lang, thing = selection.lang, detail.thing
    at = instant(selection.at)
    state: list[Any] = [] if at else [" · ", _state(thing.state, lang)]  # known only of now
    kind = html.Span([kind_label(thing.kind, lang), *state], className="code")
    title = text("detail.past", lang, time=moment(at, lang)) if at else text("detail.latest", lang)
    measures = _thing_measures(detail, selection)
    return Panel(
        body=[
            _heading(thing.name if lang == "ja" else thing.name_en, kind, selection),
            *([] if at else _refused(thing, lang)),  # known only of now
            *measured(measures, title, text("detail.no_latest", lang), selection),
        ],
        foot=[_facts(thing, selection)],
    )


def trouble(key: str, selection: Selection) -> Panel:
    """A panel that says why there is nothing to show."""
    fields = {"id": selection.id} if "{id}" in text(key, selection.lang, id="{id}") else {}
    said = html.P(text(key, selection.lang, **fields), className="why", role="status")
    return Panel(body=[_heading(selection.id, None, selection), said], foot=[])


def _refused(thing: Thing, lang: Lang) -> list[Any]:
    """What of the thing's messages was not believed lately: it may be why values are missing."""
    if not thing.refused:
        return []
    often = sorted(thing.refused, key=lambda one: (-one[1], one[0]))
    named = [
        reason_label(reason, lang)
        if len(often) == 1
        else text("detail.refused_each", lang, reason=reason_label(reason, lang), n=f"{n:,}")
        for reason, n in often
    ]
    said = text(
        "detail.refused",
        lang,
        n=f"{sum(n for _, n in often):,}",
        reasons=text("detail.refused_and", lang).join(named),
    )
    return [html.P(said, className="refused")]


def _heading(name: str, below: Any, selection: Selection) -> html.Div:
    """Name and what stands below it; the browser writes values only beneath the name that they belong to."""
    return html.Div(
        [html.H2(name, tabIndex=-1, title=name), below],
        className="detail-head",
        **data(of=f"{selection.kind} {selection.id}"),
    )


def area_name(detail: AreaDetail, lang: Lang) -> tuple[str, str]:
    """Name and code; nobody knows a mesh cell by its code, so it is named after what stands in it."""
    area = detail.area
    if area.code not in area.name:
        return (area.name if lang == "ja" else area.name_en), area.code
    mesh = text("mesh", lang, code=area.code)
    if not detail.things:
        return mesh, ""
    first = min(detail.things, key=lambda thing: (thing.kind != "footfall_counter", thing.id))
    name = isolated(first.name if lang == "ja" else first.name_en)
    return text("near", lang, name=name), mesh


def _why_empty(detail: AreaDetail, selection: Selection) -> str:
    if not detail.area.things:
        return text("detail.no_things", selection.lang)
    past = "_past" if selection.at else ""
    return text(f"detail.no_figures{past}", selection.lang)


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


def things_section(things: Sequence[Neighbour], selection: Selection) -> list[Any]:
    """The things of an area with their state, those first that need looking after."""
    if not things:
        return []
    lang = selection.lang

    def name(thing: Neighbour) -> str:
        return thing.name if lang == "ja" else thing.name_en

    def state(thing: Neighbour) -> str:
        return "" if selection.at else thing.state  # known only of now

    rows = [
        html.Li(
            html.A(
                [
                    html.Span(className=f"mark {thing.kind} {state(thing)}", **aria(hidden="true")),
                    html.Span(name(thing), className="thing-name", title=name(thing)),
                    _state(thing.state, lang) if state(thing) else None,
                ],
                href=address(selection, thing=thing.id),
                **data(thing=thing.id),
            )
        )
        for thing in sorted(things, key=lambda t: (t.state == "live", t.kind, t.name))
    ]  # fmt: skip
    title: list[Any] = [text("detail.things", lang), html.Small(str(len(things)))]
    return [html.Section([html.H3(title), html.Ul(rows, className="things")])]


def methods_section(figures: Mapping[Figure, Reading], lang: Lang) -> list[Any]:
    """How each figure is made, to be opened."""
    if not figures:
        return []
    rows: list[Any] = []
    for figure, reading in figures.items():
        english, japanese = figure.method, figure.method_ja
        if reading.away is not None:
            english, japanese = estimate.METHOD, estimate.METHOD_JA
        rows += [html.Dt(label(figure, lang)), html.Dd(japanese if lang == "ja" else english)]
    said = [html.Summary(text("detail.methods", lang)), html.Dl(rows)]
    return [html.Details(said, **data(fold="methods"))]


def _facts(thing: Thing, selection: Selection) -> html.Section:
    lang = selection.lang
    places: Any = [
        html.A(
            place.name if lang == "ja" else place.name_en,
            href=address(selection, set=place.area_set, area=place.code),
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


def address(selection: Selection, page: str = "/", /, **more: str) -> str:
    """The address that shows another selection; the browser normally follows it without a reload."""
    parts = {
        "set": selection.area_set,
        "figure": selection.figure,
        "lang": selection.lang,
        "theme": selection.theme,
        **({"at": selection.at} if selection.at else {}),
        **more,
    }
    return f"{page}?" + urlencode({key: value for key, value in parts.items() if value})
