"""axe-core finds no violation on any page in both languages and themes, and the keyboard reaches all."""

from collections.abc import Callable
from itertools import groupby

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from city import MESH, City, live, until

Open = Callable[..., Page]
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
STILL = """() => document.getAnimations().every(
  it => !(it instanceof CSSTransition) || it.playState !== "running"
)"""
MARKED = """() => {
  const it = document.activeElement;
  const look = getComputedStyle(it);
  return it === document.body || it instanceof SVGElement
    ? it === document.body || parseFloat(look.strokeWidth) === 5
    : (look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2) || look.boxShadow !== "none";
}"""


def violations(page: Page) -> list[str]:
    """What axe-core finds, each with the first elements that it is about, once all stands still."""
    until(page, STILL)
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{it['id']} ({it['impact']}): {it['help']} {[node['target'] for node in it['nodes'][:3]]}"
        for it in found
    ]


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_axe_finds_nothing_on_any_page(city: City, open_page: Open, lang: str) -> None:
    east = city.cell("counter-east")
    asked = {"set": MESH, "area": east, "lang": lang, "theme": "light"}
    page = open_page(city.address(figure="air_temperature", **asked))
    live(page)
    expect(page.locator("#detail .js-plotly-plot").first).to_be_visible()
    for theme in ("light", "dark"):
        page.evaluate("theme => window.tsuji.state.set({theme, panel: null})", theme)
        until(page, "theme => document.documentElement.dataset.theme === theme", theme)
        until(page, "() => document.querySelectorAll('.loading').length === 0")
        assert violations(page) == []
        for panel in ("alerts", "health"):
            page.evaluate("panel => window.tsuji.state.set({panel})", panel)
            expect(page.locator("#side h2")).to_be_visible()
            until(page, "() => document.querySelectorAll('#side section').length > 1")
            assert violations(page) == []
    page.goto(str(httpx.URL(f"{city.processes.dashboard_url}/area", params=asked)))
    for theme in ("light", "dark"):
        until(page, "theme => document.documentElement.dataset.theme === theme", theme)
        for chart in ("today", "heat", "history"):
            expect(page.locator(f"[data-chart={chart}] .js-plotly-plot").first).to_be_visible()
        assert violations(page) == []
        page.locator("[data-does=theme]").click()


def test_the_whole_way_is_gone_by_keyboard_alone(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, figure="footfall", lang="en"))
    live(page)
    focused = "() => document.activeElement.id || document.activeElement.tagName"
    missing = {
        "alerts-button",
        "health-button",
        "theme-switch",
        "search-field",
        "figure",
        "zoom-in",
    }
    seen: list[str] = []
    while missing and len(seen) < 150:
        page.keyboard.press("Tab")
        seen.append(str(page.evaluate(focused)))
        assert page.evaluate(MARKED), seen[-1]  # where the focus is can be seen
        missing.discard(seen[-1])
    assert not missing, [(name, len(list(its))) for name, its in groupby(seen)]
    page.locator("#figure").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name="Air temperature")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    until(page, "() => window.tsuji.state.get().figure !== 'footfall'")
    page.locator("#alerts-button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#side h2")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#alerts-button")).to_be_focused()
