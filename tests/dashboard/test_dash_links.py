"""Addresses: each view has one, and every address, however odd, shows something sensible."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from city import MESH, City, live, until

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


def test_nonsense_in_the_address_is_told_and_replaced(city: City, open_page: Open) -> None:
    wrong = {"figure": "beauty", "at": "tomorrow", "view": "1/2", "theme": "pink", "lang": "xx"}
    page = open_page(city.address(**wrong))
    live(page)
    expect(page.locator("#figure")).to_have_value("1時間の通行人数")
    for key, value in wrong.items():
        expect(page.locator("#banner")).to_contain_text(f"{key}「{value}」")
    page.locator("#figure").click()
    page.get_by_role("option", name="気温").click()
    expect(page.locator("#banner")).to_be_hidden()


def test_all_that_is_wrong_in_an_address_is_told_together(city: City, open_page: Open) -> None:
    wrong = {"set": "nix", "area": "x9", "figure": "beauty", "at": "tomorrow"}
    page = open_page(city.address(**wrong), troubled=True)
    live(page)
    for value in wrong.values():
        expect(page.locator("#banner")).to_contain_text(f"「{value}」")


def test_a_future_moment_is_told_and_shown_as_now(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, at="2090-01-01T00:00:00Z", figure="x", lang="en"))
    live(page)
    expect(page.locator("#banner")).to_contain_text("1 Jan 2090 09:00 is yet to come")
    expect(page.locator("#banner")).to_contain_text("figure “x”")
    until(page, "() => !location.search.includes('at=')")


def test_back_takes_back_what_was_opened_and_chosen(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, lang="en"))
    live(page)
    before = page.evaluate("history.length")
    page.locator("#figure").click()
    page.get_by_role("option", name="Air temperature").click()
    page.wait_for_url("**figure=air_temperature**")
    page.locator("#ranking").get_by_role("button", name="Smart pole 1", exact=True).click()
    page.wait_for_url("**area=**")
    page.get_by_role("button", name="Close").click()
    until(page, "() => !location.search.includes('area=')")
    page.evaluate("window.tsuji.map.map().panBy([80, 0], {animate: false})")
    page.get_by_role("button", name="Use the dark theme").click()
    page.wait_for_url("**theme=dark**")
    page.locator("#area-set").click()
    page.get_by_role("option", name="Nishi-Shinjuku").click()
    page.wait_for_url("**set=mesh250-nishi-shinjuku**")
    until(page, "() => window.tsuji.map.areas.size === 80")
    page.wait_for_timeout(400)
    assert page.evaluate("history.length") == before + 4
    page.go_back()
    until(page, "() => window.tsuji.map.areas.size > 400")
    expect(page.locator("#area-set")).not_to_have_value(re.compile("Nishi-Shinjuku"))
    expect(page.locator("#detail")).to_be_hidden()
    page.go_back()
    expect(page.locator("#detail h2")).to_have_text("Near Smart pole 1")
    page.go_back()
    expect(page.locator("#detail")).to_be_hidden()
    page.go_back()
    expect(page.locator("#figure")).to_have_value("People counted in one hour")
    expect(page.locator("#legend .legend-title")).to_contain_text("People counted")
    live(page)
    page.go_forward()
    expect(page.locator("#figure")).to_have_value("Air temperature")


@pytest.mark.parametrize("asked", [{}, {"set": "nowhere", "area": "1"}])
def test_a_choice_is_a_step_before_the_area_sets_are_listed_and_what_the_page_completes_is_none(
    city: City, open_page: Open, asked: dict[str, str]
) -> None:
    page = open_page(city.address(set=MESH), troubled=bool(asked))
    held: list[Route] = []
    free: list[bool] = []
    page.route("**/area-sets", lambda route: route.continue_() if free else held.append(route))
    page.goto(city.address(lang="en", **asked))
    until(page, "() => window.tsuji.page")
    before = page.evaluate("history.length")
    page.locator("#figure").click()
    page.get_by_role("option", name="Air temperature").click()
    page.wait_for_url("**figure=air_temperature**")
    until(page, "() => document.querySelector('#area-set').value === ''")
    free.append(True)
    for one in held:
        one.continue_()
    until(page, "() => document.querySelector('#area-set').value !== ''")
    until(page, "() => location.search.includes('set=mesh')")
    assert page.evaluate("history.length") == before + 1
    page.go_back()
    expect(page.locator("#figure")).to_have_value("People counted in one hour")
    live(page)
    expect(page.locator("#area-set")).to_have_value(re.compile("mesh"))
    shown = [one["id"] for one in city.ask("/v1/area-sets")["items"]]
    assert page.evaluate("window.tsuji.state.get().set") in shown


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
    until(page, "width => document.documentElement.scrollWidth <= width", size[0])
    until(
        page,
        """() => [...document.querySelectorAll('.tile, .legend-title, .keys li, .rows td, header > *')]
          .every(e => !e.offsetParent || e.scrollWidth <= e.clientWidth + 1)""",
    )
