"""What the page of an area says where there is none: no area asked for, an unknown one, or an unknown set."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from dash import html

from tsuji_dashboard.area_data import Asked
from tsuji_dashboard.asking import or_none
from tsuji_dashboard.client import Api
from tsuji_dashboard.texts import Lang, text


async def lost(api: Api, asked: Asked | None, lang: Lang) -> html.Div:
    """What is wrong with the address, and the maps on which areas can be chosen."""
    listed = await or_none(api.get("/v1/area-sets"))
    sets: Sequence[Mapping[str, Any]] = listed["items"] if listed else ()
    own = asked and next((it for it in sets if it["id"] == asked.area_set), None)
    if asked is None:
        title, why = text("area.none", lang), text("area.choose", lang)
    elif own is None and sets:
        title = text("area.unknown_set", lang, id=asked.area_set)
        why = text("area.choose_set", lang)
    else:
        title = text("area.unknown", lang, id=asked.code)
        why = text("area.choose", lang)
    shown = [own] if own else sets
    maps = [
        html.Li(html.A(_name(it, lang), href="/?" + urlencode({"set": it["id"], "lang": lang})))
        for it in shown
    ]
    return html.Div(
        [
            html.H1(title),
            html.P(why, className="why", role="status"),
            html.Ul(maps) if maps else None,
        ],
        className="lost",
    )


def _name(area_set: Mapping[str, Any], lang: Lang) -> str:
    name = area_set["name"] if lang == "ja" else area_set.get("name_en")
    return str(name or area_set["name"] or area_set["id"])
