"""The map within a page of another site: shapes, legend, list and moment, and the way to the whole map."""

from typing import Any

from dash import html

from tsuji_dashboard import ids
from tsuji_dashboard.framing import EMBED
from tsuji_dashboard.pages import pieces
from tsuji_dashboard.pages.map import page_data
from tsuji_dashboard.parts import aria
from tsuji_dashboard.texts import Lang, text

PATH = EMBED


def layout(lang: Lang, tiles_url: str) -> Any:
    """The page in one language.

    What it doesn't show of the whole map is there all the same, hidden, so that one set of scripts
    serves both.
    """
    return pieces.frame(
        lang,
        {**page_data(lang, tiles_url), "embed": True},
        [
            html.Header(
                [
                    html.H1(id=ids.EMBED_TITLE),
                    html.Div(id=ids.HEADER_STATUS, role="status"),
                    html.A(
                        text("embed.open", lang),
                        id=ids.EMBED_OPEN,
                        href="/",
                        target="_blank",
                        rel="noopener",
                    ),
                ]
            ),
            html.Div(id=ids.BANNER, hidden=True),
            html.Div(id=ids.ANNOUNCEMENT, role="status", className="hidden"),
            html.Main(
                [
                    pieces.map_region(lang),
                    html.Div(
                        [
                            html.Details(
                                [
                                    html.Summary(text("legend", lang)),
                                    html.Div(
                                        id=ids.LEGEND,
                                        role="group",
                                        **aria(label=text("legend", lang)),
                                    ),
                                ],
                                id=ids.EMBED_LEGEND,
                            ),
                            html.Div(id=ids.RANKING, tabIndex=-1),
                        ],
                        className="card controls",
                        role="region",
                        **aria(label=text("legend", lang)),
                    ),
                    pieces.buttons(lang),
                ]
            ),
            html.Div(
                [
                    pieces.header(lang, status=False),
                    pieces.chooser(lang),
                    pieces.timeline(lang),
                    html.Div(id=ids.SEARCH),
                    html.Div(id=ids.LAYERS),
                    html.Div(id=ids.TIME),
                    pieces.detail(lang),
                    pieces.side(lang),
                ],
                hidden=True,
            ),
        ],
    )
