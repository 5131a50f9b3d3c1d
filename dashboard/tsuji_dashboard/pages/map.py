"""The map: areas coloured by a figure, poles and counters as points, a panel with details."""

from collections.abc import Mapping
from typing import Any

import dash_leaflet as dl
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, dcc, html

from tsuji_dashboard import ids
from tsuji_dashboard.bins import BINS
from tsuji_dashboard.client import ApiAwayError, UnknownError
from tsuji_dashboard.detail import Details, Selection
from tsuji_dashboard.parts import aria
from tsuji_dashboard.parts import data as attributes
from tsuji_dashboard.shown import SHOWN, choices
from tsuji_dashboard.texts import Lang, text, unit_label, words
from tsuji_dashboard.views import Panel, label, other_charts, panel, trouble
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.contract import OBSERVED_PROPERTIES

PATH = "/"
TOKYO = (35.685, 139.745)
DEFAULT_FIGURE = "footfall"


def page_data(lang: Lang, tiles_url: str) -> dict[str, Any]:
    """All that the browser's scripts need to know: words, figures, bins, tiles."""
    figures = []
    for figure in SHOWN.values():
        bins = BINS[figure.id]
        figures.append(
            {
                "id": figure.id,
                "label": figure.label(lang),
                "unit": figure.unit(lang),
                "decimals": figure.figure.decimals,
                "properties": figure.properties,
                "derived": figure.derived,
                "newest": figure.newest,
                "estimates": figure.estimates,
                "turns": bins.turns,
                "names": bins.names,
                "edges": bins.edges,
                "colours": {theme: bins.palette(theme) for theme in ("light", "dark")},
                "labels": bins.labels(lang),
                "words": [text(key, lang) if key else "" for key in bins.words],
                "low": text(bins.low, lang) if bins.low else "",
                "high": text(bins.high, lang) if bins.high else "",
                "note": text(bins.note, lang) if bins.note else "",
            }
        )
    properties = {
        known.id: {
            "label": label(known, lang),
            "unit": unit_label(known.unit_label, lang),
            "decimals": FIGURES[known.id].decimals if known.id in FIGURES else 0,
        }
        for known in OBSERVED_PROPERTIES.values()
    }
    return {
        "lang": lang,
        "words": words(lang),
        "figures": figures,
        "properties": properties,
        "tiles": tiles_url,
        "figure": DEFAULT_FIGURE,
    }


def layout(lang: Lang, tiles_url: str) -> Any:
    """The page in one language; everything that changes is filled in by the browser."""
    return dmc.MantineProvider(
        [
            dcc.Store(id=ids.PAGE_DATA, data=page_data(lang, tiles_url)),
            dcc.Store(id=ids.BOOTED),
            dcc.Store(id=ids.SELECTION),
            html.A(text("skip", lang), href=f"#{ids.RANKING}", className="skip"),
            _header(lang),
            html.Div(id=ids.BANNER, hidden=True),
            html.Div(id=ids.ANNOUNCEMENT, role="status", className="hidden"),
            html.Main(
                [
                    _map(lang),
                    _controls(lang),
                    _timeline(lang),
                    _buttons(lang),
                    _detail(lang),
                    _side(lang),
                ]
            ),
        ],
        id=ids.THEME,
        forceColorScheme="light",
        theme={"fontFamily": "inherit", "primaryColor": "indigo", "defaultRadius": "md"},
    )


def _header(lang: Lang) -> html.Header:
    return html.Header(
        [
            html.H1(
                [
                    html.Span("辻", className="logo", lang="ja", **aria(hidden="true")),
                    html.Span("Tsuji", className="name"),
                    html.Span(text("tagline", lang), className="tagline"),
                ]
            ),
            html.Div(id=ids.HEADER_STATUS, role="status"),
            html.Div(id=ids.HEADER_COUNTS, role="group", **aria(label=text("counts.title", lang))),
            html.Div(
                [
                    html.Button(
                        html.Span(className="badge", hidden=True),
                        id=ids.ALERTS_BUTTON,
                        className="switch icon bell",
                        type="button",
                        title=text("alerts", lang),
                        **aria(label=text("alerts", lang), expanded="false", controls=ids.SIDE),
                    ),
                    html.Button(
                        id=ids.HEALTH_BUTTON,
                        className="switch icon pulse",
                        type="button",
                        title=text("health", lang),
                        **aria(label=text("health", lang), expanded="false", controls=ids.SIDE),
                    ),
                    html.A(
                        text("language.other", lang),
                        id=ids.LANGUAGE,
                        title=text("language.switch", lang),
                        href="?lang=" + ("en" if lang == "ja" else "ja"),
                        hrefLang="en" if lang == "ja" else "ja",
                        lang="en" if lang == "ja" else "ja",
                        className="switch",
                    ),
                    html.Button(id=ids.THEME_SWITCH, className="switch icon theme-icon", type="button"),
                ],
                className="switches",
            ),
        ]
    )  # fmt: skip


def _map(lang: Lang) -> html.Div:
    return html.Div(
        dl.Map(
            [dl.ScaleControl(position="bottomright", imperial=False)],
            id=ids.MAP,
            center=TOKYO,
            zoom=12,
            minZoom=3,
            maxZoom=18,
            zoomSnap=0.25,
            zoomControl=False,
            attributionControl=False,
            trackViewport=False,
        ),
        className="map",
        role="region",
        **aria(label=text("map.label", lang)),
    )


def _controls(lang: Lang) -> html.Div:
    return html.Div(
        [
            html.Div(id=ids.SEARCH, role="search"),
            html.Div(
                [
                    dmc.Select(
                        id=ids.AREA_SET,
                        label=text("area_set", lang),
                        data=[],
                        allowDeselect=False,
                        size="sm",
                        comboboxProps={"zIndex": 2000},
                    ),
                    dmc.Select(
                        id=ids.FIGURE,
                        label=text("figure", lang),
                        data=choices(lang),
                        value=DEFAULT_FIGURE,
                        allowDeselect=False,
                        size="sm",
                        maxDropdownHeight=460,
                        comboboxProps={"zIndex": 2000},
                    ),
                ],
                className="choosers",
            ),
            html.Div(id=ids.LEGEND, role="group", **aria(label=text("legend", lang))),
            html.Div(id=ids.RANKING, tabIndex=-1),
            html.Div(id=ids.LAYERS),
            html.Div(id=ids.TIME),
        ],
        className="card controls",
        role="region",
        **aria(label=text("controls", lang)),
    )


def _timeline(lang: Lang) -> html.Div:
    return html.Div(
        id=ids.TIMELINE, className="card", role="group", **aria(label=text("timeline", lang))
    )


def _buttons(lang: Lang) -> html.Div:
    def button(key: str, id_: str, icon: str) -> html.Button:
        said = text(key, lang)
        return html.Button(
            id=id_, type="button", className=f"icon {icon}", title=said, **aria(label=said)
        )

    return html.Div(
        [
            html.Div(
                [
                    button("zoom.in", ids.ZOOM_IN, "plus"),
                    button("zoom.out", ids.ZOOM_OUT, "minus"),
                    button("fit.areas", ids.FIT_AREAS, "frame"),
                    button("fit.things", ids.FIT_THINGS, "globe"),
                ],
                className="buttons",
            ),
            html.Div(id=ids.CREDIT),
        ],
        className="corner",
    )


def _detail(lang: Lang) -> html.Aside:
    close = text("detail.close", lang)
    return html.Aside(
        [
            html.Button(
                id=ids.DETAIL_CLOSE,
                type="button",
                className="icon cross",
                title=close,
                **aria(label=close),
            ),
            html.Div(id=ids.DETAIL_BODY, **attributes(loading=text("detail.loading", lang))),
            html.Div(id=ids.DETAIL_CHARTS),
            html.Div(id=ids.DETAIL_FOOT),
        ],
        id=ids.DETAIL,
        className="card",
        hidden=True,
        **aria(label=text("detail", lang)),
    )


def _side(lang: Lang) -> html.Aside:
    close = text("detail.close", lang)
    return html.Aside(
        [
            html.Button(
                id=ids.SIDE_CLOSE,
                type="button",
                className="icon cross",
                title=close,
                **aria(label=close),
            ),
            html.Div(id=ids.SIDE_BODY),
        ],
        id=ids.SIDE,
        className="card",
        hidden=True,
        **aria(label=text("side", lang)),
    )


async def show_detail(data: Mapping[str, Any] | None, details: Details) -> Panel:
    """The panel for a selection; trouble is told in the panel, never raised at the reader."""
    selection = Selection.read(data)
    if selection is None:
        return Panel(body=[], foot=[])
    try:
        return panel(await details.of(selection, "first"), selection)
    except UnknownError:
        return trouble(f"detail.unknown_{selection.kind}", selection)
    except ApiAwayError:
        return trouble("detail.away", selection)


async def show_charts(data: Mapping[str, Any] | None, details: Details) -> list[Any]:
    """The other charts for a selection; what troubles is told by the panel."""
    selection = Selection.read(data)
    if selection is None:
        return []
    try:
        return other_charts(await details.of(selection, "others"), selection)
    except (UnknownError, ApiAwayError):
        return []


def register(app: Any, details: Details) -> None:
    """Connect the page's callbacks; what happens in the browser alone stays in its scripts."""

    async def shown(data: Mapping[str, Any] | None) -> tuple[list[Any], list[Any]]:
        found = await show_detail(data, details)
        return found.body, found.foot

    async def charts(data: Mapping[str, Any] | None) -> list[Any]:
        return await show_charts(data, details)

    app.callback(
        Output(ids.DETAIL_BODY, "children"),
        Output(ids.DETAIL_FOOT, "children"),
        Input(ids.SELECTION, "data"),
        running=[(Output(ids.DETAIL_BODY, "className"), "loading", "")],
        prevent_initial_call=True,
    )(shown)
    app.callback(
        Output(ids.DETAIL_CHARTS, "children"),
        Input(ids.SELECTION, "data"),
        running=[(Output(ids.DETAIL_CHARTS, "className"), "loading", "")],
        prevent_initial_call=True,
    )(charts)
    # Dash calls a function for a page that has just been put in only if it has an output.
    app.clientside_callback(
        ClientsideFunction("tsuji", "boot"),
        Output(ids.BOOTED, "data"),
        Input(ids.PAGE_DATA, "data"),
    )
    app.clientside_callback(
        ClientsideFunction("tsuji", "chooseAreaSet"), Input(ids.AREA_SET, "value")
    )
    app.clientside_callback(ClientsideFunction("tsuji", "chooseFigure"), Input(ids.FIGURE, "value"))
