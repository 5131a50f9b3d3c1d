"""Takes the pictures of the README from a running dashboard, and of everything else that is to be looked at.

    python docs/make_screenshots.py http://127.0.0.1:8050
    python docs/make_screenshots.py http://127.0.0.1:8050 --all pictures

A picture is taken once the page is live and its charts are drawn. Each page is asked for what a picture must
not show (`page_looks.py`): clipped text, labels over each other, empty charts, words of the other language.
Needs a Chromium and, on Debian, fonts-noto-cjk.
"""

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from page_looks import complaints
from playwright.sync_api import Browser, Page, sync_playwright

from tsuji_dashboard.texts import LANGUAGES, Lang
from tsuji_platform.runtime.browser import ensure

IMAGES = Path(__file__).with_name("images")
LIMIT = 400_000
WIDE = (1440, 900)
NARROW = (390, 844)
SHEET = (726, 1055)
"""A4 at 96 dots per inch, within its margins of 9 mm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture.

    Attributes:
        name: of its file.
        lang: the page's language.
        query: what its address asks for beside.
        path: of the page.
        size: of the window.
        is_tall: whether all of the page is in it, not only what the window shows.
        is_printed: as it comes out of a printer.
    """

    name: str
    lang: Lang
    query: dict[str, str] = field(default_factory=dict)
    path: str = "/"
    size: tuple[int, int] = WIDE
    is_tall: bool = False
    is_printed: bool = False


def shots(area_set: str, area: str) -> list[Shot]:
    """The pictures of the README."""
    there = {"set": area_set}
    detail = {**there, "area": area}
    poles = {"set": "mesh250-nishi-shinjuku", "figure": "air_temperature", "thing": "pole-001"}
    return [
        Shot(name="map-ja", lang="ja", query=there),
        Shot(name="map-en", lang="en", query=there),
        Shot(name="detail-ja", lang="ja", query=detail),
        Shot(name="detail-en", lang="en", query=detail),
        Shot(name="map-dark-en", lang="en", query={**detail, "theme": "dark"}),
        Shot(name="pole-en", lang="en", query=poles),
        Shot(name="narrow-ja", lang="ja", query=detail, size=NARROW),
    ]


def all_shots(area_set: str, area: str) -> list[Shot]:
    """Every page and panel: wide and narrow, light and dark, in both languages, on paper, in a frame."""
    there = {"set": area_set}
    detail = {**there, "area": area}
    views: dict[str, tuple[str, dict[str, str]]] = {
        "map": ("/", there),
        "weather": ("/", {**there, "figure": "air_temperature"}),
        "detail": ("/", detail),
        "alerts": ("/", {**there, "panel": "alerts"}),
        "health": ("/", {**there, "panel": "health"}),
        "area": ("/area", detail),
        "embed": ("/embed", there),
    }
    found = []
    for name, (path, query) in views.items():
        tall = path == "/area"
        for lang, theme in ((lang, theme) for lang in LANGUAGES for theme in ("light", "dark")):
            for width, size in (("wide", WIDE), ("narrow", NARROW)):
                file = f"{name}-{width}-{theme}-{lang}"
                asked = {**query, "theme": theme}
                found.append(
                    Shot(name=file, lang=lang, query=asked, path=path, size=size, is_tall=tall)
                )
    for name in ("area", "map"):
        path, query = views[name]
        found += [
            Shot(name=f"{name}-printed-{lang}", lang=lang, query=query, path=path, is_printed=True)
            for lang in LANGUAGES
        ]
    return found


def busiest(url: str) -> tuple[str, str]:
    """The first area set and the area in it where most people are counted now."""
    with httpx.Client(base_url=url, timeout=30) as client:
        area_set = client.get("/hub/area-sets").raise_for_status().json()["items"][0]["id"]
        with client.stream("GET", "/hub/live", params={"area_set": area_set}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: ") and '"areas"' in line:
                    areas = httpx.Response(200, text=line.removeprefix("data: ")).json()["areas"]
                    break
    counted = [area for area in areas if "footfall" in area["figures"]]
    if not counted:
        sys.exit(f"{url}: no area has people counted yet; wait until the hub has data")
    return area_set, max(counted, key=lambda area: area["figures"]["footfall"]["value"] or 0)[
        "code"
    ]


def names(url: str, area_set: str) -> set[str]:
    """Words that come with the data: names of things, areas and datasets, and who publishes them."""
    places = (
        "/hub/things.geojson",
        "/hub/area-sets",
        "/hub/health",
        f"/hub/area-sets/{area_set}/areas",
        "/hub/datasets",
    )
    with httpx.Client(base_url=url, timeout=30) as client:
        return {
            said for place in places for said in _strings(client.get(place).raise_for_status().json())
        }  # fmt: skip


def _strings(body: Any) -> set[str]:
    if isinstance(body, str):
        return {body}
    inner = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return {said for one in inner for said in _strings(one)}


def opened(browser: Browser, url: str, shot: Shot) -> Page:
    """Open the view, and wait until it is at rest."""
    width, height = shot.size
    page = browser.new_page(
        viewport={"width": width, "height": height},
        locale=shot.lang,
        timezone_id="Asia/Tokyo",
        reduced_motion="reduce",
    )
    query = {"theme": "light", **shot.query, "lang": shot.lang}
    page.goto(f"{url}{shot.path}?{urlencode(query)}")
    if shot.path == "/area":
        page.wait_for_selector(".heat .js-plotly-plot, .heat .why")
        page.wait_for_selector(".history .js-plotly-plot, .history .why")
    else:
        page.wait_for_selector(
            "#status[data-status=live], #status[data-status=past]", state="attached"
        )
        while not page.evaluate(
            "() => window.tsuji.map.areas.size && window.tsuji.data.areas.size"
        ):
            page.wait_for_timeout(100)
    if shot.path == "/" and {"area", "thing"} & shot.query.keys():
        page.wait_for_selector("#detail .js-plotly-plot, #detail .why")
    if shot.is_printed:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        page.set_viewport_size({"width": SHEET[0], "height": SHEET[1]})
    page.wait_for_timeout(2_500)
    if shot.is_tall:
        whole = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": whole})
        page.wait_for_timeout(500)
    return page


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Takes pictures of the dashboard and judges them.")
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8050")
    parser.add_argument(
        "--all", metavar="FOLDER", type=Path, help="of everything, into this folder"
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="those whose names hold this")
    arguments = parser.parse_args()
    url = arguments.url.rstrip("/")
    area_set, area = busiest(url)
    known = names(url, area_set)
    folder = arguments.all or IMAGES
    folder.mkdir(exist_ok=True, parents=True)
    wrong = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(ensure()), args=["--no-sandbox", "--disable-gpu"]
        )
        for shot in (all_shots if arguments.all else shots)(area_set, area):
            if arguments.only not in shot.name:
                continue
            page = opened(browser, url, shot)
            picture = page.screenshot()
            told = complaints(page, shot.lang, known)
            page.close()
            if not arguments.all and len(picture) > LIMIT:
                sys.exit(f"{shot.name}: {len(picture):,} bytes are more than {LIMIT:,}")
            (folder / f"{shot.name}.png").write_bytes(picture)
            print(f"{shot.name}.png {len(picture):,} bytes", *told, sep="\n  ", flush=True)
            wrong += len(told)
        browser.close()
    sys.exit(f"{wrong} things are wrong" if wrong else 0)


if __name__ == "__main__":
    main()
