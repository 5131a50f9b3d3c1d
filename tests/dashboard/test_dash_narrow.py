"""What must hold whatever the window's size and however odd the things in it are."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from city import MESH, City, known, live, until

Open = Callable[..., Page]
NARROW = (390, 844)
THREE_STATES = """() => {
  const some = (n, state) => Array.from({length: n}, (_, i) => ({id: `${state}-${i}`, state, latest: {}}));
  const things = [...some(188, "live"), ...some(15, "silent"), ...some(12, "waiting")];
  window.tsuji.data.load({areas: [], things});
}"""
SIDES = """selector => [...document.querySelectorAll(selector)]
  .map(e => e.getBoundingClientRect())
  .map(box => [box.left, box.right])"""
BOX = """selector => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return [box.left, box.top, box.right, box.bottom];
}"""

FILLED = """() => {
  const map = window.tsuji.map.map();
  return map.getSize().y === document.querySelector("main").clientHeight;
}"""
IN_SIGHT = """codes => codes.every(code => {
  const map = window.tsuji.map.map();
  const bounds = window.tsuji.map.areas.get(code).getBounds();
  return map.latLngToContainerPoint(bounds.getSouthWest()).y <= map.getSize().y;
})"""


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("width", [320, 390, 860])
def test_three_states_of_things_fit_into_the_header(
    city: City, open_page: Open, lang: str, width: int
) -> None:
    page = open_page(city.address(set=MESH, lang=lang), size=(width, 844))
    live(page)
    page.evaluate(THREE_STATES)
    expect(page.locator(".count")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for left, right in page.evaluate(SIDES, ".count"):
        assert left >= 0
        assert right <= width
    assert width - page.evaluate(BOX, ".switches")[2] <= 13  # at the right edge


def test_the_scale_lies_beside_the_credits(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH), size=NARROW)
    live(page)
    expect(page.locator("#credit")).to_contain_text("地域メッシュ")  # comes later than the values
    until(
        page,
        """() => {
          const [scale, credit] = [".leaflet-control-scale", "#credit"]
            .map(it => document.querySelector(it).getBoundingClientRect());
          return scale.width > 0 && (scale.right <= credit.left || scale.bottom <= credit.top);
        }""",
    )


@pytest.mark.parametrize("size", [NARROW, (1440, 900)])
def test_the_map_is_fitted_again_when_a_banner_takes_room(
    city: City, open_page: Open, size: tuple[int, int]
) -> None:
    page = open_page(city.address(set=MESH), size=size)
    live(page)
    cells = [city.cell("pole-1"), city.cell("counter-east")]
    for key in ("banner.geometry", None):
        page.evaluate("key => window.tsuji.status.remark('shapes', key)", key)
        until(page, FILLED)
        until(page, IN_SIGHT, cells)
    page.evaluate("window.tsuji.map.map().setView([35.6, 139.6], 11, {animate: false})")
    page.evaluate("window.tsuji.status.remark('shapes', 'banner.geometry')")
    until(page, FILLED)
    assert page.evaluate("window.tsuji.map.map().getZoom()") == 11


def test_a_position_at_a_pole_does_not_spoil_the_view_of_all_sensors(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, lang="en"))
    live(page)
    known(page)
    page.evaluate("""() => {
      const odd = (id, coordinates) => window.tsuji.catalogue.things.set(id, {
        type: "Feature", id, geometry: {type: "Point", coordinates},
        properties: {id, name: id, kind: "smart_pole", state: "live", latest: {}}});
      odd("pole", [180, -90]);
      odd("zero", [0, 0]);
      window.tsuji.tell("things");
    }""")
    page.get_by_role("button", name="Show all sensors").click()
    until(page, "() => window.tsuji.map.map().getBounds().contains([-37.8149, 144.9666])")
    page.wait_for_timeout(600)
    assert page.evaluate("window.tsuji.map.map().getBounds().getSouth()") > -80


def test_a_long_name_takes_two_lines_and_one_that_turns_turns_nothing_else(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, figure="air_temperature", lang="en"))
    live(page)
    known(page)
    long = "\u202e" + "endless " * 25
    cell = page.evaluate(
        """long => {
          const thing = window.tsuji.catalogue.things.get("pole-1");
          thing.properties.name_en = long;
          window.tsuji.tell("things");
          return [...window.tsuji.catalogue.near].find(([, near]) => near.id === "pole-1")[0];
        }""",
        long,
    )
    name = page.locator(f"#ranking tr[data-code='{cell}'] .row-name")
    expect(name).to_have_attribute("title", long)
    until(
        page,
        """selector => {
          const height = document.querySelector(selector)?.getBoundingClientRect().height;
          return 0 < height && height < 45;
        }""",
        f"#ranking tr[data-code='{cell}'] .row-name",
    )
    page.evaluate("code => void window.tsuji.map.areas.get(code).openTooltip()", cell)
    # The tooltip is drawn anew with every change of the city: what it says and its height are read at once.
    until(
        page,
        """told => {
          const head = [...document.querySelectorAll(".tip strong")].at(-1);
          const height = head?.getBoundingClientRect().height;
          return head?.textContent === told && 0 < height && height < 45;
        }""",
        f"Near \u2068{long}\u2069",
    )
    # So it is where it stands in a sentence of the city at a glance.
    until(
        page,
        """([cell, long]) => {
          const warm = {value: 39.5, n: 1, time: new Date().toISOString()};
          window.tsuji.data.merge({areas: [{code: cell, figures: {air_temperature: warm}}], things: []});
          const where = document.querySelector("#glance [data-about=heat] .glance-where");
          return where.textContent.endsWith(`\u2068${long}\u2069`);
        }""",
        [cell, long],
    )
