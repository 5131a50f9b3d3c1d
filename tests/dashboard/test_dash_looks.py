"""Pages look right: nothing is clipped, lies over something else, is empty without a reason or foreign."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from docs.page_looks import complaints
from playwright.sync_api import Page, expect

from city import MESH, City, live, until
from tsuji_dashboard.texts import Lang

Open = Callable[..., Page]
BOTH = pytest.mark.parametrize(
    ("lang", "theme", "size"), [("ja", "light", (1440, 900)), ("en", "dark", (390, 844))]
)

APART = """selectors => {
  const boxes = selectors.map((it) => document.querySelector(it).getBoundingClientRect());
  return boxes.every((one, i) => boxes.slice(i + 1).every((other) => one.right <= other.left)
    && one.top >= document.querySelector("main").getBoundingClientRect().top && one.bottom <= innerHeight);
}"""


def strings(body: Any) -> set[str]:
    if isinstance(body, str):
        return {body}
    inner = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return {said for one in inner for said in strings(one)}


def names(city: City) -> set[str]:
    """Words that come with the data."""
    places = ("things.geojson", "area-sets", "health", "datasets", f"area-sets/{MESH}/areas")
    return {said for place in places for said in strings(city.ask(f"/v1/{place}"))}


def looks_right(page: Page, lang: Lang, known: set[str]) -> None:
    """Wait until nothing is wrong with what is on the screen: it may still be moving."""
    deadline = time.monotonic() + 90
    while told := complaints(page, lang, known):
        assert time.monotonic() < deadline, "\n".join(told)
        page.wait_for_timeout(100)


@BOTH
def test_the_map_and_its_panels_look_right(
    city: City, open_page: Open, lang: Lang, theme: str, size: tuple[int, int]
) -> None:
    known = names(city)
    page = open_page(city.address(set=MESH, lang=lang, theme=theme), size=size)
    live(page)
    looks_right(page, lang, known)
    if size == (390, 844):  # on its side: cards beside the map, and nothing over the buttons
        page.set_viewport_size({"width": 844, "height": 390})
        looks_right(page, lang, known)
        until(page, APART, [".controls", "#timeline", ".corner .buttons"])
        page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("code => window.tsuji.select({area: code})", city.cell("counter-east"))
    expect(page.locator("#detail .js-plotly-plot .main-svg").first).to_be_attached()
    looks_right(page, lang, known)
    for panel in ("alerts", "health"):
        page.evaluate("panel => window.tsuji.state.set({area: null, panel})", panel)
        expect(page.locator("#side section").nth(1)).to_be_attached()
        looks_right(page, lang, known)


@BOTH
def test_the_page_of_an_area_looks_right_on_the_screen_and_on_paper(
    city: City, open_page: Open, lang: Lang, theme: str, size: tuple[int, int]
) -> None:
    known = names(city)
    query = {"set": MESH, "area": city.cell("counter-east"), "lang": lang, "theme": theme}
    page = open_page(
        str(httpx.URL(f"{city.processes.dashboard_url}/area", params=query)), size=size
    )
    for chart in ("today", "heat", "history"):
        expect(page.locator(f"[data-chart={chart}] .main-svg").first).to_be_attached()
    width, height = size
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": height})
    looks_right(page, lang, known)
    page.set_viewport_size({"width": 794, "height": 1123})  # A4
    page.emulate_media(media="print")
    looks_right(page, lang, known)


@BOTH
def test_the_map_within_another_page_looks_right(
    city: City, open_page: Open, lang: Lang, theme: str, size: tuple[int, int]
) -> None:
    query = {"set": MESH, "lang": lang, "theme": theme}
    page = open_page(
        str(httpx.URL(f"{city.processes.dashboard_url}/embed", params=query)), size=size
    )
    live(page)
    looks_right(page, lang, names(city))


def test_what_is_wrong_is_found(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, lang="ja"))
    live(page)
    page.evaluate("""() => {
      const made = (text, style) => {
        const element = document.createElement("div");
        element.textContent = text;
        element.style.cssText = `position: fixed; z-index: 99999; top: 300px; white-space: nowrap; ${style}`;
        document.body.append(element);
      };
      made("切れた長い文字列です", "left: 500px; width: 40px; overflow: hidden");
      made("重なる文字一", "left: 700px");
      made("重なる文字二", "left: 705px; top: 302px");
      made("Untranslated", "left: 900px");
    }""")
    told = "\n".join(complaints(page, "ja", names(city)))
    assert "clipped: 切れた長い文字列です" in told
    assert "over each other: 重なる文字一 / 重なる文字二" in told
    assert "not in ja: 'Untranslated'" in told
