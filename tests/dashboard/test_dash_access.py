"""axe-core finds no violation on any page in both languages and themes, and the keyboard reaches all."""

import re
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
    },
    "resultTypes": ["violations"],  # what is well is not written down
}
STILL = """() => document.querySelectorAll(".loading").length === 0 && document.getAnimations().every(
  it => !(it instanceof CSSTransition) || it.playState !== "running"
)"""
# Whether a panel has been asked for anew since, and was faded meanwhile.
STIRRED = """() => {
  window.stirring ??= new MutationObserver(() => { window.stirred = true; });
  for (const it of document.querySelectorAll("#detail-body, #detail-charts, #area-body")) {
    window.stirring.observe(it, {attributes: true, attributeFilter: ["class"]});
  }
  const was = window.stirred;
  window.stirred = false;
  return was;
}"""
MARKED = """() => {
  const it = document.activeElement;
  const look = getComputedStyle(it);
  return it === document.body || it instanceof SVGElement
    ? it === document.body || parseFloat(look.strokeWidth) === 5
    : (look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2) || look.boxShadow !== "none";
}"""


FORCED = """() => {
  const ground = getComputedStyle(document.querySelector(".controls")).backgroundColor;
  const looks = [...document.querySelectorAll("header .icon, .buttons .icon, #timeline .icon")]
    .map((icon) => [icon.className, getComputedStyle(icon, "::before").backgroundColor]);
  const colours = [...document.querySelectorAll("#legend .scale .swatch")]
    .map((it) => [it.style.backgroundColor, getComputedStyle(it).backgroundColor]);
  const unseen = looks.filter(([, colour]) => colour === ground);
  return [...unseen, ...colours.filter(([own, shown]) => own !== shown)];
}"""


def violations(page: Page) -> list[str]:
    """What axe-core finds, each with the first elements that it is about, while all stands still."""
    for _ in range(5):
        until(page, STILL)
        page.evaluate(STIRRED)
        found = Axe().run(page, options=RULES).response["violations"]
        if not found or not page.evaluate(STIRRED):
            break
    return [
        f"{it['id']} ({it['impact']}): {it['help']} {[node['target'] for node in it['nodes'][:3]]}"
        for it in found
    ]


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_axe_finds_nothing_on_the_map(city: City, open_page: Open, lang: str) -> None:
    east = city.cell("counter-east")
    asked = {"set": MESH, "area": east, "lang": lang, "theme": "light"}
    page = open_page(city.address(figure="air_temperature", **asked))
    live(page)
    expect(page.locator("#detail .js-plotly-plot").first).to_be_visible()
    for theme in ("light", "dark"):
        page.evaluate("theme => window.tsuji.state.set({theme, panel: null})", theme)
        until(page, "theme => document.documentElement.dataset.theme === theme", theme)
        assert violations(page) == []
        for panel in ("alerts", "health"):
            page.evaluate("panel => window.tsuji.state.set({panel})", panel)
            expect(page.locator("#side h2")).to_be_visible()
            until(page, "() => document.querySelectorAll('#side section').length > 1")
            assert violations(page) == []
        page.locator("#share-button").click()
        expect(page.locator("#share h2")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
    # Where the system forces its colours, icons and the colours of the scale are still there.
    page.emulate_media(forced_colors="active")
    assert page.evaluate(FORCED) == []


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_axe_finds_nothing_beside_the_map(city: City, open_page: Open, lang: str) -> None:
    asked = {"set": MESH, "area": city.cell("counter-east"), "lang": lang, "theme": "light"}
    page = open_page(str(httpx.URL(f"{city.processes.dashboard_url}/embed", params=asked)))
    live(page)
    for theme in ("light", "dark"):
        page.evaluate("theme => window.tsuji.state.set({theme})", theme)
        expect(page.locator(".place-popup .tip-label").first).to_be_visible()
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
        "share-button",
        "alerts-button",
        "health-button",
        "theme-switch",
        "search-field",
        "figure",
        "timeline-slider",
        "zoom-in",
    }
    seen: list[str] = []
    while missing and len(seen) < 150:
        page.keyboard.press("Tab")
        seen.append(str(page.evaluate(focused)))
        if seen[-1] == "map":
            expect(page.locator("#map")).to_have_accessible_name(re.compile("Arrow keys"))
        assert page.evaluate(MARKED), seen[-1]  # where the focus is can be seen
        missing.discard(seen[-1])
    assert not missing, [(name, len(list(its))) for name, its in groupby(seen)]
    page.locator("#figure").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name="Air temperature")).to_be_visible()
    page.evaluate(
        "() => new Promise((done) => setTimeout(done))"
    )  # it counts from the chosen one then
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    until(page, "() => window.tsuji.state.get().figure !== 'footfall'")
    page.locator("#alerts-button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#side h2")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#alerts-button")).to_be_focused()
    page.locator("#search-field").focus()
    page.keyboard.type("smart pole 1")
    expect(page.get_by_role("option", name="Smart pole 1")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#search-field")).to_be_focused()
    page.locator("#timeline-slider").focus()
    page.keyboard.press("ArrowLeft")
    until(page, "() => window.tsuji.state.get().at !== null")
    page.get_by_role("button", name="Back to live").last.press("Enter")
    live(page)
    shape = page.locator("path.leaflet-interactive[aria-label^='Near Shinjuku Station']").first
    shape.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_be_focused()
    page.get_by_role("link", name="Open this area's page").press("Enter")
    expect(page.locator(".history .js-plotly-plot").first).to_be_visible()
    page.get_by_role("radio", name="24 h").press("ArrowRight")
    until(page, "() => location.search.includes('range=7d')")
    page.locator(".history .as-table summary").press("Enter")
    expect(page.locator(".history table")).to_be_visible()
    page.locator("#area-compare").focus()
    page.keyboard.type("mesh")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-combobox-selected]")).to_have_count(1)
    page.keyboard.press("Enter")
    until(page, "() => location.search.includes('compare=')")
    with page.expect_download():
        page.locator(".history .png").press("Enter")
