"""The map: the API's values in the bins' colours, live, with the reason where there is no value."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from city import HOSTILE, MESH, City, as_told, known, live, until, wait_for_colour
from tsuji_dashboard.bins import BINS

Open = Callable[..., Page]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_area_is_painted_in_the_colour_of_the_apis_value(
    city: City, open_page: Open, theme: str
) -> None:
    page = open_page(city.address(set=MESH, figure="air_temperature", theme=theme))
    live(page)
    bins = BINS["air_temperature"]
    seen = 0
    for area in city.ask(f"/v1/area-sets/{MESH}/snapshot")["areas"]:
        reading = area["figures"].get("air_temperature")
        if reading:
            seen += 1
            wanted = bins.palette(theme)[bins.index(reading["value"])]
            wait_for_colour(page, area["code"], wanted)
    assert seen == 2


def test_a_new_value_reaches_the_pixel_and_paints_no_other_shape(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, figure="air_temperature"))
    live(page)
    known(page)  # each is painted when it comes
    cell = city.cell("pole-1")
    seen = """() => ({
      painted: tsuji.map.painted,
      states: [...tsuji.data.things.values()].map(({ id, state }) => `${id} ${state}`),
      valued: [...tsuji.data.areas].filter(([, it]) => it.air_temperature).map(([code]) => code),
    })"""
    for value in (-7.0, 36.5):
        before = page.evaluate(seen)
        city.publish("pole-1", air_temperature=value)
        colour = BINS["air_temperature"].palette("light")[BINS["air_temperature"].index(value)]
        wait_for_colour(page, cell, colour)
        path = page.evaluate(
            "code => window.tsuji.map.areas.get(code).getElement().getAttribute('fill')", cell
        )
        assert path == colour
        # The cell and the pole itself; beside them only what has just become silent, with its cell, or old.
        after = page.evaluate(seen)
        silent = set(after["states"]) - set(before["states"])
        too_old = set(after["valued"]) ^ set(before["valued"])
        assert after["painted"] - before["painted"] <= 2 + 2 * len(silent) + len(too_old)
    city.publish("pole-1", air_temperature=18.2)


def test_tooltips_give_value_unit_sensors_and_age_or_say_why_there_is_none(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, figure="footfall", lang="en"))
    live(page)
    tip = page.locator(".tip").last  # the one before may still be fading
    east = city.cell("counter-east")
    page.evaluate("code => void window.tsuji.map.areas.get(code).openTooltip()", east)
    expect(tip).to_contain_text("Near Shinjuku Station, East Exit")
    as_told(
        lambda: city.value(east, "footfall"),
        lambda value: expect(tip).to_contain_text(f"{value:,.0f}people/h"),
    )
    expect(tip).to_contain_text("1 sensor")
    expect(tip).to_contain_text("ago")
    page.evaluate("code => void window.tsuji.map.areas.get(code).closeTooltip()", east)
    features = city.ask(f"/v1/area-sets/{MESH}/areas")["features"]
    empty = next(f["properties"]["code"] for f in features if not f["properties"]["things"])
    page.evaluate("code => void window.tsuji.map.areas.get(code).openTooltip()", empty)
    expect(tip).to_contain_text("No sensor here")
    page.evaluate("code => void window.tsuji.map.areas.get(code).closeTooltip()", empty)
    mute = city.cell("pole-mute")
    page.evaluate("code => void window.tsuji.map.areas.get(code).openTooltip()", mute)
    expect(tip).to_contain_text("No value within the last 60 minutes")
    wait_for_colour(page, mute, "url(#tsuji-hatch)")


def test_names_from_strangers_are_text_and_never_markup(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, figure="air_temperature", thing="pole-hostile"))
    live(page)
    expect(page.locator("#detail h2")).to_have_text(HOSTILE)
    known(page)
    page.evaluate("() => void window.tsuji.map.things.get('pole-hostile').openTooltip()")
    expect(page.locator(".tip")).to_contain_text(HOSTILE)
    expect(page.locator("#ranking")).to_contain_text(HOSTILE)
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("window.hacked") is None


def test_choosing_a_figure_changes_legend_colours_table_and_address(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, lang="en"))
    live(page)
    expect(page.locator("#legend .legend-title")).to_have_text("People counted in one hourpeople/h")
    page.locator("#figure").click()
    page.get_by_role("option", name="Air temperature").click()
    expect(page.locator("#legend .legend-title")).to_have_text("Air temperature°C")
    labels = page.locator("#legend .limits").all_text_contents()
    assert labels[::-1] == BINS["air_temperature"].labels("en")
    expect(page.locator("#ranking tbody tr")).to_have_count(2)
    page.wait_for_url("**figure=air_temperature**")


def test_choosing_an_area_set_brings_its_shapes_and_values(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, lang="en"))
    live(page)
    page.locator("#area-set").click()
    page.get_by_role("option", name="Nishi-Shinjuku").click()
    page.wait_for_url("**set=mesh250-nishi-shinjuku**")
    until(page, "() => window.tsuji.map.areas.size === 80")
    live(page)
    assert page.locator("#status").get_attribute("data-status") == "live"


@pytest.fixture
def fine(city: City) -> Iterator[None]:
    """An area set of thousands of cells, which every page would show unasked while it is there."""
    run = city.processes.run
    extent = ("139.60", "35.60", "139.82", "35.78")
    run("areas", "mesh", *extent, "--size", "250", "--id", "fine").check_returncode()
    yield
    run("areas", "remove", "fine").check_returncode()


PRINTED = """async () => {
  const drawn = () => document.querySelector(".leaflet-tsuji-areas-pane canvas").toDataURL();
  const pictures = async () => { for (const _ of [1, 2, 3]) await new Promise(requestAnimationFrame); };
  await pictures();
  const screen = drawn();
  dispatchEvent(new Event("beforeprint"));
  const printed = drawn();
  await pictures();
  const later = drawn();
  dispatchEvent(new Event("afterprint"));
  return screen !== printed && printed === later;
}"""


@pytest.mark.usefixtures("fine")
def test_thousands_of_cells_go_on_a_canvas_and_stay_live(city: City, open_page: Open) -> None:
    page = open_page(city.address(set="fine", figure="air_temperature", lang="en"))
    live(page)
    assert page.evaluate("window.tsuji.map.areas.size") > 2_000
    assert page.locator(".leaflet-tsuji-areas-pane path").count() == 0
    page.locator("#ranking").get_by_role("button", name="Smart pole 1", exact=True).click()
    expect(page.locator("#detail h2")).to_have_text("Near Smart pole 1")
    cell = page.evaluate("window.tsuji.state.get().area")
    assert cell == city.cell("pole-1", "fine")
    city.publish("pole-1", air_temperature=-3)
    colour = BINS["air_temperature"].palette("light")[0]
    wait_for_colour(page, cell, colour)
    city.publish("pole-1", air_temperature=18.2)
    page.evaluate("window.tsuji.state.set({theme: 'dark'})")
    until(page, PRINTED)  # no sheet of paper waits for the next picture of the screen


def test_things_look_by_kind_and_state(city: City, open_page: Open) -> None:
    city.publish("pole-1", air_temperature=18.2)  # what was heard long ago is silent
    page = open_page(city.address(set=MESH))
    live(page)
    known(page)
    shape = "([id, shape]) => window.tsuji.map.things.get(id).options.shape === shape"
    until(page, shape, ["counter-east", "circle"])
    until(page, shape, ["pole-1", "diamond"])
    until(page, "() => window.tsuji.map.things.get('pole-1').options.dashArray === null")
    fill = "id => window.tsuji.map.things.get(id).options.fillColor"
    until(page, f"() => ({fill})('pole-1') !== ({fill})('pole-mute')")
    counts = page.locator("#counts")

    def said(states: list[str]) -> None:
        expect(counts).to_contain_text(f"{states.count('live')} 台が稼働中")
        expect(counts).to_contain_text(f"{states.count('waiting')} 台が受信待ち")

    as_told(lambda: [thing["state"] for thing in city.ask("/v1/things")["items"]], said)


def test_points_outside_every_area_are_within_reach(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, lang="en"))
    live(page)
    known(page)
    melbourne = [-37.8149, 144.9666]
    inside = "point => window.tsuji.map.map().getBounds().contains(point)"
    assert page.evaluate(inside, melbourne) is False
    page.get_by_role("button", name="Show all sensors").click()
    until(page, inside, melbourne)
