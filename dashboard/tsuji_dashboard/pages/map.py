"""The map: areas coloured by a figure, poles and counters as points, a panel with details."""

from collections.abc import Mapping
from typing import Any

from dash import ClientsideFunction, Input, Output, html

from tsuji_dashboard import ids
from tsuji_dashboard.bins import BINS
from tsuji_dashboard.client import ApiAwayError, UnknownError
from tsuji_dashboard.detail import Details, Selection
from tsuji_dashboard.pages.pieces import (
    buttons,
    chooser,
    detail,
    frame,
    header,
    map_region,
    side,
    timeline,
)
from tsuji_dashboard.parts import aria
from tsuji_dashboard.shown import DEFAULT_FIGURE, SHOWN
from tsuji_dashboard.texts import Lang, text, unit_label, words
from tsuji_dashboard.views import Panel, label, other_charts, panel, trouble
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.contract import OBSERVED_PROPERTIES

PATH = "/"


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


def layout(lang: Lang, tiles_url: str, embed_origins: str) -> Any:
    """The page in one language; everything that changes is filled in by the browser."""
    return frame(
        lang,
        {**page_data(lang, tiles_url), "embed_origins": embed_origins},
        [
            header(lang),
            html.Div(id=ids.BANNER, hidden=True),
            html.Div(id=ids.ANNOUNCEMENT, role="status", className="hidden"),
            html.Div(id=ids.GLANCE, role="region", **aria(label=text("glance", lang))),
            html.Main(
                [
                    map_region(lang),
                    _controls(lang),
                    timeline(lang),
                    buttons(lang),
                    detail(lang),
                    side(lang),
                ]
            ),
        ],
    )


def _controls(lang: Lang) -> html.Div:
    return html.Div(
        [
            html.Div(id=ids.SEARCH, role="search"),
            chooser(lang, _more(lang)),
            html.Div(id=ids.LEGEND, role="group", **aria(label=text("legend", lang))),
            html.Div(id=ids.RANKING, tabIndex=-1),
            html.Div(id=ids.LAYERS),
            html.Div(id=ids.TIME),
        ],
        className="card controls",
        role="region",
        **aria(label=text("controls", lang)),
    )


def _more(lang: Lang) -> html.Button:
    """Where the screen is narrow: search, list, open data and past moments."""
    said = text("controls.more", lang)
    return html.Button(
        id=ids.CONTROLS_MORE,
        className="icon",
        type="button",
        title=said,
        **aria(label=said, expanded="false"),
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
