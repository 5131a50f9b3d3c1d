"""The page of an area: now, against the typical day, over time, beside the weather and other areas."""

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, dcc, html
from dash.exceptions import PreventUpdate

from tsuji_dashboard import ids
from tsuji_dashboard.area_data import COMPARED, RANGES, Asked, gather
from tsuji_dashboard.area_views import compared_section, page_body
from tsuji_dashboard.client import Api, ApiAwayError, UnknownError
from tsuji_dashboard.detail import Details, Selection
from tsuji_dashboard.parts import aria, data
from tsuji_dashboard.texts import Lang, text

PATH = "/area"
_EVERY_MS = 60_000


def layout(lang: Lang) -> Any:
    """The page in one language; its content follows once the browser has said what it asks for."""
    return dmc.MantineProvider(
        [
            dcc.Store(id=ids.AREA_ASK),
            dcc.Interval(id=ids.AREA_TICK, interval=_EVERY_MS),
            _header(lang),
            html.Main(
                [
                    html.Div(id=ids.AREA_BODY, **aria(live="polite", busy="true")),
                    _tools(lang),
                    html.Div(id=ids.AREA_COMPARED),
                ],
                className="area-page",
            ),
        ],
        id=ids.THEME,
        forceColorScheme="light",
        theme={"fontFamily": "inherit", "primaryColor": "indigo", "defaultRadius": "md"},
    )


def _header(lang: Lang) -> html.Header:
    other = "en" if lang == "ja" else "ja"
    return html.Header(
        [
            html.Div(
                [
                    html.Span("辻", className="logo", lang="ja", **aria(hidden="true")),
                    html.A("Tsuji", href="/", className="name", **_says("to-map")),
                    html.Span(text("tagline", lang), className="tagline"),
                ],
                className="brand",
            ),
            html.Nav(
                [
                    html.A(text("area.map", lang), href="/", className="switch", **_says("to-map")),
                    html.Button(
                        text("area.print", lang), type="button", className="switch", **_says("print")
                    ),
                    html.A(
                        text("language.other", lang),
                        href="?",
                        hrefLang=other,
                        lang=other,
                        title=text("language.switch", lang),
                        className="switch",
                        **_says("language"),
                    ),
                    html.Button(
                        type="button",
                        className="switch icon theme-icon",
                        title=text("theme.to_dark", lang),
                        **aria(label=text("theme.to_dark", lang)),
                        **_says("theme", light=text("theme.to_dark", lang)),
                        **data(dark=text("theme.to_light", lang)),
                    ),
                ],
                className="switches",
                **aria(label=text("controls", lang)),
            ),
        ]
    )  # fmt: skip


def _says(does: str, **more: str) -> dict[str, Any]:
    return data(does=does, **more)


def _tools(lang: Lang) -> html.Div:
    """Span and areas to compare with; they stay while the content is made anew."""
    return html.Div(
        [
            html.H2(text("area.compare", lang), id="compare-title"),
            html.Div(
                [
                    dmc.SegmentedControl(
                        id=ids.AREA_RANGE,
                        data=[
                            {"value": it, "label": text(f"area.range.{it}", lang)} for it in RANGES
                        ],
                        value="24h",
                        size="sm",
                        **aria(label=text("area.range", lang)),
                    ),
                    dmc.MultiSelect(
                        id=ids.AREA_COMPARE,
                        label=text("area.compare_hint", lang),
                        data=[],
                        maxValues=COMPARED,
                        searchable=True,
                        clearable=False,
                        size="sm",
                        nothingFoundMessage=text("search.none", lang),
                        comboboxProps={"zIndex": 2000},
                    ),
                ],
                className="choosers",
            ),
        ],
        id=ids.AREA_TOOLS,
        hidden=True,
    )


def _selection(wanted: Mapping[str, Any], asked: Asked) -> Selection | None:
    return Selection.read(
        {**wanted, "kind": "area", "id": asked.code, "set": asked.area_set, "figure": "footfall"}
    )


def _told(key: str, lang: Lang, **fields: str) -> html.P:
    return html.P(text(key, lang, **fields), className="why", role="status")


def register(app: Any, api: Api, details: Details) -> None:
    """Connect the page's callbacks."""

    async def shown(
        wanted: Mapping[str, Any] | None, _: int | None
    ) -> tuple[Any, Any, Any, Sequence[Any]]:
        asked = Asked.read(wanted)
        lang: Lang = "en" if wanted and wanted.get("lang") == "en" else "ja"
        if wanted is None:
            raise PreventUpdate
        selection = None if asked is None else _selection(wanted, asked)
        if asked is None or selection is None:
            return [_told("area.choose", lang)], [], True, []
        try:
            found = await gather(api, details, asked, selection)
        except UnknownError:
            return [_told("detail.unknown_area", lang, id=asked.code)], [], True, []
        except ApiAwayError:
            return [_told("area.failed", lang)], [], True, []
        options = [
            {"value": code, "label": (name if lang == "ja" else name_en) or code}
            for code, name, name_en, things in found.names
            if things and code != asked.code
        ]
        return (
            page_body(found, asked, selection),
            compared_section(found, asked, selection),
            False,
            options,
        )

    app.callback(
        Output(ids.AREA_BODY, "children"),
        Output(ids.AREA_COMPARED, "children"),
        Output(ids.AREA_TOOLS, "hidden"),
        Output(ids.AREA_COMPARE, "data"),
        Input(ids.AREA_ASK, "data"),
        Input(ids.AREA_TICK, "n_intervals"),
        prevent_initial_call=True,
    )(shown)
    app.clientside_callback(
        ClientsideFunction("tsujiArea", "begin"),
        Output(ids.AREA_ASK, "data"),
        Output(ids.AREA_RANGE, "value"),
        Output(ids.AREA_COMPARE, "value"),
        Input(ids.AREA_BODY, "id"),
    )
    app.clientside_callback(
        ClientsideFunction("tsujiArea", "choose"),
        Output(ids.AREA_ASK, "data", allow_duplicate=True),
        Input(ids.AREA_RANGE, "value"),
        Input(ids.AREA_COMPARE, "value"),
        prevent_initial_call=True,
    )
