"""The page of an area: now, against the typical day, over time, beside the weather and other areas."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate
from plotly.io.json import to_json_plotly

from tsuji_dashboard import ids
from tsuji_dashboard.area_data import COMPARED, RANGES, Asked, gather
from tsuji_dashboard.area_lost import lost
from tsuji_dashboard.area_views import PARTS, compared_section, page_parts
from tsuji_dashboard.client import Api, ApiAwayError, UnknownError
from tsuji_dashboard.detail import Details, Selection
from tsuji_dashboard.parts import aria, data
from tsuji_dashboard.texts import Lang, text, words

PATH = "/area"
_WORDS = ("live.", "banner.", "age.", "compass.short.", "area.as_of", "chart.png_failed")
"""The beginnings of the keys of those texts that the browser writes."""


def layout(lang: Lang) -> Any:
    """The page in one language; its content follows once the browser has said what it asks for."""
    return dmc.MantineProvider(
        [
            dcc.Store(id=ids.AREA_ASK),
            dcc.Store(id=ids.AREA_SEEN, data={}),
            dcc.Store(id=ids.AREA_LANGUAGE, data=_language(lang)),
            _header(lang),
            html.Div(id=ids.BANNER, hidden=True),
            html.Div(id=ids.ANNOUNCEMENT, role="status", className="hidden"),
            html.Main(
                [
                    html.Div(
                        [
                            html.Div(id=ids.AREA_TOLD, **aria(live="polite")),
                            *(
                                part
                                for name, (element, look) in PARTS.items()
                                for part in (
                                    *([_span(lang)] if name == "history" else ()),
                                    element(id=ids.area_part(name), className=look),
                                )
                            ),
                        ],
                        id=ids.AREA_BODY,
                        **data(loading=text("detail.loading", lang)),
                    ),
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


def _language(lang: Lang) -> dict[str, Any]:
    said = {key: said for key, said in words(lang).items() if key.startswith(_WORDS)}
    return {"lang": lang, "words": said}


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
            html.Div(id=ids.HEADER_STATUS, role="status"),
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


def _span(lang: Lang) -> html.Div:
    """How far back the chart goes that it stands upon; it stays while that is made anew."""
    choices = [{"value": it, "label": text(f"area.range.{it}", lang)} for it in RANGES]
    chooser = dmc.SegmentedControl(
        id=ids.AREA_RANGE,
        data=choices,
        value="24h",
        size="sm",
        **aria(label=text("area.range", lang)),
    )
    return html.Div(chooser, className="span on-screen")


def _tools(lang: Lang) -> html.Div:
    """Areas to compare with; they stay while the content is made anew."""
    return html.Div(
        [
            html.H2(text("area.compare", lang), id="compare-title"),
            html.Div(
                [
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


async def answer(
    wanted: Mapping[str, Any] | None, seen: Mapping[str, str], api: Api, details: Details
) -> Sequence[Any]:
    """The values of the outputs: parts, comparison, areas to compare with, what is told, and digests.

    Args:
        wanted: what the page's address asks for.
        seen: a digest of each part as the page has it; what is the same is not sent again.
        api: the data API.
        details: what else asks it.

    Raises:
        PreventUpdate: nothing is asked for yet.
    """
    if wanted is None:
        raise PreventUpdate
    asked = Asked.read(wanted)
    lang: Lang = "en" if wanted.get("lang") == "en" else "ja"
    selection = None if asked is None else _selection(wanted, asked)
    if asked is None or selection is None:
        return _nothing_but(await lost(api, None, lang))
    try:
        found = await gather(api, details, asked, selection)
    except UnknownError:
        return _nothing_but(await lost(api, asked, lang))
    except ApiAwayError:
        again = html.Span(**data(again=""))
        # What is on the page stays: it says how old it is.
        return (no_update,) * (len(PARTS) + 2) + (
            [_told("area.failed", lang), again],
            no_update if seen else True,
            no_update,
        )
    parts: dict[str, Any] = dict(page_parts(found, asked, selection))
    if found.over_time is not None:
        parts["compared"] = compared_section(found.over_time, found.detail, asked, selection)
        parts["options"] = [
            {"value": code, "label": (name if lang == "ja" else name_en) or code}
            for code, name, name_en, things in found.over_time.names
            if things and code != asked.code
        ]
    digests = {name: _digest(part) for name, part in parts.items()}
    news = (
        parts[name] if name in parts and digests[name] != seen.get(name) else no_update
        for name in (*PARTS, "compared", "options")
    )
    return (*news, [], False, {**seen, **digests})


def _nothing_but(said: Any) -> Sequence[Any]:
    return (*([] for _ in range(len(PARTS) + 2)), [said], True, {})


def _digest(part: Any) -> str:
    return blake2b(to_json_plotly(part).encode(), digest_size=8).hexdigest()


def register(app: Any, api: Api, details: Details) -> None:
    """Connect the page's callbacks."""

    async def shown(wanted: Mapping[str, Any] | None, seen: Mapping[str, str] | None) -> list[Any]:
        return list(await answer(wanted, seen or {}, api, details))

    app.callback(
        *(Output(ids.area_part(name), "children") for name in PARTS),
        Output(ids.AREA_COMPARED, "children"),
        Output(ids.AREA_COMPARE, "data"),
        Output(ids.AREA_TOLD, "children"),
        Output(ids.AREA_TOOLS, "hidden"),
        Output(ids.AREA_SEEN, "data"),
        Input(ids.AREA_ASK, "data"),
        State(ids.AREA_SEEN, "data"),
        running=[(Output(ids.AREA_BODY, "className"), "loading", "")],
        prevent_initial_call=True,
    )(shown)
    app.clientside_callback(
        ClientsideFunction("tsujiArea", "begin"),
        Output(ids.AREA_ASK, "data"),
        Output(ids.AREA_RANGE, "value"),
        Output(ids.AREA_COMPARE, "value"),
        Input(ids.AREA_LANGUAGE, "data"),
    )
    app.clientside_callback(
        ClientsideFunction("tsujiArea", "choose"),
        Output(ids.AREA_ASK, "data", allow_duplicate=True),
        Input(ids.AREA_RANGE, "value"),
        Input(ids.AREA_COMPARE, "value"),
        prevent_initial_call=True,
    )
