"""The pieces that the map's page and the embeddable map are put together of."""

from collections.abc import Sequence
from typing import Any

import dash_leaflet as dl
import dash_mantine_components as dmc
from dash import dcc, html

from tsuji_dashboard import ids
from tsuji_dashboard.parts import aria
from tsuji_dashboard.parts import data as attributes
from tsuji_dashboard.shown import DEFAULT_FIGURE, choices
from tsuji_dashboard.texts import Lang, text

TOKYO = (35.685, 139.745)


def frame(lang: Lang, data: dict[str, Any], parts: Sequence[Any]) -> Any:
    """What every page with the map has: its data, its theme, and the way past all the shapes."""
    return dmc.MantineProvider(
        [
            dcc.Store(id=ids.PAGE_DATA, data=data),
            dcc.Store(id=ids.BOOTED),
            dcc.Store(id=ids.SELECTION),
            html.A(text("skip", lang), href=f"#{ids.RANKING}", className="skip"),
            *parts,
        ],
        id=ids.THEME,
        forceColorScheme="light",
        theme={"fontFamily": "inherit", "primaryColor": "indigo", "defaultRadius": "md"},
    )


def header(lang: Lang, *, status: bool = True) -> html.Header:
    """Name, how it stands with the data, and the buttons of panels, language and theme."""
    return html.Header(
        [
            html.H1(
                [
                    html.Span("辻", className="logo", lang="ja", **aria(hidden="true")),
                    html.Span("Tsuji", className="name"),
                    html.Span(text("tagline", lang), className="tagline"),
                ]
            ),
            html.Div(id=ids.HEADER_STATUS, role="status") if status else None,
            html.Div(id=ids.HEADER_COUNTS, role="group", **aria(label=text("counts.title", lang))),
            html.Div(
                [
                    html.Button(
                        id=ids.SHARE_BUTTON,
                        className="switch icon share",
                        type="button",
                        title=text("share", lang),
                        **aria(label=text("share", lang), haspopup="dialog"),
                    ),
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


def map_region(lang: Lang) -> html.Div:
    """The map itself."""
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


def chooser(lang: Lang, *more: Any) -> html.Div:
    """Which areas, and which figure."""
    return html.Div(
        [
            dmc.Select(
                id=ids.AREA_SET,
                label=text("area_set", lang),
                data=[],
                placeholder=text("detail.loading", lang),
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
            *more,
        ],
        className="choosers",
    )


def timeline(lang: Lang) -> html.Div:
    """The bar of time, which the browser fills."""
    return html.Div(
        id=ids.TIMELINE, className="card", role="group", **aria(label=text("timeline", lang))
    )


def buttons(lang: Lang) -> html.Div:
    """Zoom and view, above the credits."""

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


def detail(lang: Lang) -> html.Aside:
    """The panel of an area or a sensor."""
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
            html.Div(id=ids.DETAIL_CHARTS, **attributes(loading=text("detail.loading", lang))),
            html.Div(id=ids.DETAIL_FOOT),
        ],
        id=ids.DETAIL,
        className="card",
        hidden=True,
        **aria(label=text("detail", lang)),
    )


def side(lang: Lang) -> html.Aside:
    """The panel of alerts or of the data's state."""
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
