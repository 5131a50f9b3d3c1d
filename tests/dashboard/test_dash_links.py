"""Addresses: each view has one, and every address, however odd, shows something sensible."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from city import MESH, City, live

Open = Callable[..., Page]
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def test_an_address_restores_the_whole_view(city: City, open_page: Open) -> None:
    cell = city.cell("pole-1")
    query = {
        "set": MESH,
        "figure": "air_temperature",
        "area": cell,
        "lang": "en",
        "theme": "dark",
        "view": "15/35.69/139.7",
    }
    page = open_page(city.address(**query))
    live(page)
    expect(page.locator("#detail h2")).to_have_text("Near Smart pole 1")
    assert page.evaluate("window.tsuji.map.map().getZoom()") == 15
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("document.documentElement.dataset.mantineColorScheme") == "dark"
    assert page.evaluate("document.documentElement.lang") == "en"
    expect(page.locator("#figure")).to_have_value("Air temperature")
    page.reload()
    live(page)
    kept = dict(pair.split("=", 1) for pair in page.url.split("?")[1].split("&"))
    assert {key: kept[key] for key in query if key != "view"} == {
        key: value for key, value in query.items() if key != "view"
    }


@pytest.mark.parametrize(
    ("locale", "query", "language"),
    [
        ("ja-JP", {}, "ja"),
        ("en-GB", {}, "en"),
        ("fr-FR", {}, "ja"),
        ("ja-JP", {"lang": "en"}, "en"),
    ],
)
def test_the_language_is_the_asked_one_else_the_browsers(
    city: City, open_page: Open, locale: str, query: dict[str, str], language: str
) -> None:
    page = open_page(city.address(**query), locale=locale)
    live(page)
    assert page.evaluate("document.documentElement.lang") == language
    expect(page.locator("#status .word")).to_have_text({"ja": "ライブ", "en": "Live"}[language])


def test_switching_the_language_keeps_the_view(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, figure="rainfall", thing="pole-1"))
    live(page)
    expect(page.locator("#detail h2")).to_have_text("スマートポール 1")
    page.get_by_title("Switch to English").click()
    live(page)
    expect(page.locator("#detail h2")).to_have_text("Smart pole 1")
    expect(page.locator("#legend")).to_contain_text("Rain in one hour")


def test_switching_the_theme_changes_page_charts_and_address(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, area=city.cell("counter-east"), lang="en"))
    live(page)
    page.get_by_role("button", name="Use the dark theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.wait_for_url("**theme=dark**")
    bar = page.locator("[data-chart=footfall] .bars path").first
    expect(bar).to_have_css("fill", "rgb(255, 146, 43)")
    page.get_by_role("button", name="Use the light theme").click()
    page.wait_for_url("**theme=light**")


def test_the_systems_theme_is_followed_where_none_is_asked_for(city: City, open_page: Open) -> None:
    page = open_page(city.address(), color_scheme="dark")
    live(page)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert "theme" not in page.url


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_an_unknown_area_set_is_told_and_replaced(city: City, open_page: Open, lang: str) -> None:
    page = open_page(city.address(set="nowhere", lang=lang), troubled=True)
    live(page)
    expect(page.locator("#banner")).to_contain_text("nowhere")
    expect(page.locator("#announcement")).to_contain_text("nowhere")


def test_an_unknown_area_is_told(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, area="13999", lang="en"))
    expect(page.locator("#detail .why")).to_have_text("There is no area “13999”.")
    expect(page.locator("#banner")).to_contain_text("There is no area “13999”")


def test_an_unknown_thing_is_told(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, thing="<b>x</b>", lang="en"))
    expect(page.locator("#detail .why")).to_have_text("There is no sensor “<b>x</b>”.")


def test_nonsense_in_the_address_is_ignored(city: City, open_page: Open) -> None:
    page = open_page(
        city.address(figure="beauty", at="tomorrow", view="1/2", theme="pink", lang="xx")
    )
    live(page)
    expect(page.locator("#figure")).to_have_value("1時間の通行人数")


def test_an_unknown_page_leads_to_the_map(city: City, open_page: Open) -> None:
    page = open_page(f"{city.processes.dashboard_url}/nowhere?lang=en")
    page.get_by_role("link", name="To the map").click()
    live(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_english_pages_hold_no_japanese_word_and_nothing_sticks_out(
    city: City, open_page: Open, theme: str, size: tuple[int, int]
) -> None:
    address = city.address(set=MESH, area=city.cell("pole-1"), lang="en", theme=theme)
    page = open_page(address, size=size)
    live(page)
    expect(page.locator("#detail h2")).to_be_visible()
    said = page.evaluate("document.body.innerText")
    words = said.replace("日本語", "").replace("辻", "").replace("地域メッシュ", "")
    assert JAPANESE.findall(words) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    clipped = page.evaluate(
        """() => [...document.querySelectorAll('.tile, .legend-title, .keys li, .rows td, header > *')]
          .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1)
          .map(e => e.textContent)"""
    )
    assert clipped == []
