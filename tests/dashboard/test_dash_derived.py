"""Derived figures on the map and in the panel: the API's values, their bands, rules and reasons."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from city import MESH, City, as_told, live, until, wait_for_colour
from tsuji_dashboard.bins import BINS

Open = Callable[..., Page]
TIP = """([code, words]) => {
  window.tsuji.map.areas.get(code).openTooltip();
  const told = [...document.querySelectorAll(".tip")].at(-1)?.textContent || "";
  return words.every(word => told.includes(word));
}"""

COMPARED = """code => {
  const { text, side } = window.tsuji.usual(code) || {};
  const label = window.tsuji.map.areas.get(code).getElement().getAttribute("aria-label");
  const arrow = document.querySelector(`#ranking tr[data-code='${code}'] .trend`)?.textContent;
  return text && label.endsWith(text) && (side ? arrow?.endsWith(text) : arrow === "");
}"""


# Heat stress that is made of what stands near by.
HOT = """code => {
  const wbgt = {value: 32, band: 0, estimated: {distance_m: 300, farthest_m: 900}};
  const time = new Date().toISOString();
  window.tsuji.data.mergeDerived({time, texts: [["danger", "危険"]], areas: {[code]: {wbgt}}});
  return document.querySelector("#glance [data-about=heat]").textContent.includes("≈ 32");
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
    bins = BINS[figure]

    def now() -> tuple[float, str]:
        told = derived(city, street)[figure]
        return told["value"], told["band"]["label"]

    def is_shown(told: tuple[float, str]) -> None:
        value, band = told
        wait_for_colour(page, street, bins.palette("light")[bins.index(value)])
        shown = bins.names[int(value) - 1] if bins.names else f"{value:,.0f}%"
        until(page, TIP, [street, [shown, band]])
        row = page.locator(f"#ranking tr[data-code='{street}'] td").first
        expect(row).to_have_text(shown.removesuffix("%"))

    as_told(now, is_shown)
    expect(page.locator("#legend .limits")).to_have_text(bins.labels("en")[::-1])


def test_an_area_without_a_derived_figure_says_why(
    city: City, street: str, open_page: Open
) -> None:
    city.publish("pole-1", air_temperature=18.2)  # it is no silent one that measures something else
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
    # Counts are compared with what was usual then.
    earlier = "2025-12-31T00:00:00Z"
    page.evaluate("at => window.tsuji.state.set({figure: 'footfall', at})", earlier)
    until(page, "at => window.tsuji.data.derivedAt === at", earlier)


def test_the_panel_tells_level_rule_source_and_method_of_each_figure(
    city: City, street: str, usual: None, open_page: Open
) -> None:
    def now() -> tuple[str, str]:
        of_typical = derived(city, street)["percent_of_typical"]
        return f"{of_typical['value']:.0f}%", of_typical["band"]["label"]

    def opened(told: tuple[str, str]) -> Page:
        page = open_page(city.address(set=MESH, area=street, lang="en"))
        for part in told:
            expect(page.locator("[data-derived-row=percent_of_typical]")).to_contain_text(part)
        return page

    page = as_told(now, opened)
    told = city.ask(f"/v1/area-sets/{MESH}/areas/{street}/profile")["derived"]
    row = page.locator("[data-derived-row=level_of_service]")
    expect(row).to_contain_text(told["level_of_service"]["band"]["label"])
    expect(row).to_contain_text("By the hour's flow")
    method = row.get_by_text(told["level_of_service"]["method"])
    expect(method).to_be_hidden()
    row.locator("summary").click()
    expect(method).to_be_visible()
    expect(row).to_contain_text("Fruin (1971)")
    # The same beside the count itself, of which the list, the shape and the city at a glance tell, too.
    said = re.compile(r"^\d+ % of typical · (quieter than|as|busier than) usual$")
    expect(page.locator("#detail .tile.chosen .compared")).to_have_text(said)
    until(page, COMPARED, street)
    people, heat = (page.locator(f"#glance [data-about={it}]") for it in ("people", "heat"))
    expect(people).to_contain_text(re.compile("[Aa]s usual|than usual"))
    expect(people).to_have_attribute("aria-pressed", "false")
    for chip, figure in ((people, "percent_of_typical"), (heat, "air_temperature")):
        chip.click()
        until(page, "figure => window.tsuji.state.get().figure === figure", figure)
        expect(chip).to_have_attribute("aria-pressed", "true")
    expect(heat).to_contain_text("°C")
    until(page, HOT, street)
    missing = page.locator("#detail details.missing")
    missing.locator("summary").click()
    expect(missing).to_contain_text(told["wbgt"]["reason"])


GLANCE = """({busier, quieter}) => {
  const codes = [...window.tsuji.catalogue.area.keys()];
  const areas = Object.fromEntries(codes.map((code, i) => {
    const [value, band] = i < busier ? [200 + i, 0] : i < busier + quieter ? [40 - i, 1] : [100, 2];
    return [code, {percent_of_typical: {value, band}}];
  }));
  const texts = ["busier than usual", "quieter than usual", "as usual"].map(text => [text, text]);
  window.tsuji.data.mergeDerived({time: window.tsuji.state.get().at, texts, areas});
  const chip = document.querySelector("#glance [data-about=people]");
  const [value, where] = ["value", "where"].map(part => chip.querySelector(`.glance-${part}`).textContent);
  return `${value} ${(where.match(/[0-9]+%$/) || [""])[0]}`.trim();
}"""


def test_the_city_at_a_glance_counts_busier_and_quieter_areas_and_names_one_of_what_most_are(
    city: City, street: str, open_page: Open
) -> None:
    at = city.ask(f"/v1/area-sets/{MESH}/snapshot")["time"]
    page = open_page(city.address(set=MESH, figure="air_temperature", lang="en", at=at))
    until(page, "() => window.tsuji.live.status === 'past' && window.tsuji.catalogue.area.size > 3")
    for busier, quieter, said in (
        (2, 1, "2 areas busier, 1 quieter than usual 201%"),
        (1, 2, "1 area busier, 2 quieter than usual 38%"),
        (0, 1, "1 area quieter than usual 40%"),
        (3, 0, "3 areas busier than usual 202%"),
        (0, 0, "As usual"),
    ):
        counts = {"busier": busier, "quieter": quieter}
        until(page, f"([counts, said]) => ({GLANCE})(counts) === said", [counts, said])
