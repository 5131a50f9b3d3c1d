"""Derived figures on the map and in the panel: the API's values, their bands, rules and reasons."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from city import MESH, City, live, until, wait_for_colour
from tsuji_dashboard.bins import BINS

Open = Callable[..., Page]
TIP = """([code, words]) => {
  window.tsuji.map.areas.get(code).openTooltip();
  const told = [...document.querySelectorAll(".tip")].at(-1)?.textContent || "";
  return words.every(word => told.includes(word));
}"""


@pytest.fixture(scope="module")
def street(city: City) -> str:
    """A cell with a street whose width and past days are known; its code."""
    place = {"longitude": 139.7301, "latitude": 35.6604}
    city.count(
        "counter-street", 29, **place, effective_width_m=4, name="六本木", name_en="Roppongi"
    )
    return city.cell("counter-street")


def derived(city: City, code: str, **params: str) -> dict[str, dict]:
    body = city.ask(f"/v1/area-sets/{MESH}/derived", **params)
    return next(it["derived"] for it in body["areas"] if it["code"] == code)


@pytest.fixture
def usual(city: City, street: str, eventually: Callable[..., None]) -> None:
    """The API has heard what is usual there: what it lacked it looks up again after half a minute."""
    eventually(lambda: derived(city, street)["percent_of_typical"]["value"] is not None, within=90)


@pytest.mark.parametrize("figure", ["percent_of_typical", "level_of_service"])
def test_areas_are_painted_in_the_colour_of_the_apis_derived_figure(
    city: City, street: str, usual: None, open_page: Open, figure: str
) -> None:
    page = open_page(city.address(set=MESH, figure=figure, lang="en"))
    live(page)
    told = derived(city, street)[figure]
    bins = BINS[figure]
    wait_for_colour(page, street, bins.palette("light")[bins.index(told["value"])])
    shown = bins.names[int(told["value"]) - 1] if bins.names else f"{told['value']:,.0f}%"
    until(page, TIP, [street, [shown, told["band"]["label"]]])
    row = page.locator(f"#ranking tr[data-code='{street}'] td").first
    expect(row).to_have_text(shown.removesuffix("%"))
    expect(page.locator("#legend .limits")).to_have_text(bins.labels("en")[::-1])


def test_an_area_without_a_derived_figure_says_why(
    city: City, street: str, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, figure="percent_of_typical", lang="ja"))
    live(page)
    until(page, "() => window.tsuji.data.derivedAt !== null")
    until(page, TIP, [city.cell("counter-east"), ["通常の値がまだありません"]])
    until(page, TIP, [city.cell("pole-1"), ["この指標を測るセンサーはありません"]])
    until(page, TIP, [city.cell("pole-mute"), ["60分以内の値はありません", "まだ受信していません"]])


def test_a_past_moment_has_its_own_derived_figures(
    city: City, street: str, open_page: Open
) -> None:
    at = "2026-01-01T00:00:00Z"
    page = open_page(city.address(set=MESH, figure="percent_of_typical", at=at))
    until(page, "at => window.tsuji.data.derivedAt === at", at)
    assert derived(city, street, at=at)["percent_of_typical"]["value"] is None
    assert page.evaluate("code => window.tsuji.paint.reading(code)", street) is None


def test_the_panel_tells_level_rule_source_and_method_of_each_figure(
    city: City, street: str, usual: None, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, area=street, lang="en"))
    told = city.ask(f"/v1/area-sets/{MESH}/areas/{street}/profile")["derived"]
    row = page.locator("[data-derived-row=level_of_service]")
    expect(row).to_contain_text(told["level_of_service"]["band"]["label"])
    expect(row).to_contain_text("By the hour's flow")
    method = row.get_by_text(told["level_of_service"]["method"])
    expect(method).to_be_hidden()
    row.locator("summary").click()
    expect(method).to_be_visible()
    expect(row).to_contain_text("Fruin (1971)")
    percent = page.locator("[data-derived-row=percent_of_typical]")
    expect(percent).to_contain_text(f"{told['percent_of_typical']['value']:.0f}%")
    expect(percent).to_contain_text(told["percent_of_typical"]["band"]["label"])
    missing = page.locator("#detail details.missing")
    missing.locator("summary").click()
    expect(missing).to_contain_text(told["wbgt"]["reason"])
