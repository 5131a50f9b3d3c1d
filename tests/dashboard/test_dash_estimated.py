"""Estimated weather looks like what it is: marked in the tooltip, the legend, the table and the panel."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from city import City, live, until

Open = Callable[..., Page]


@pytest.fixture
def around(city: City) -> Iterator[str]:
    """Cells around two poles, made when these were known; removed so that others see the city as it was."""
    extent = ("139.688", "35.684", "139.71", "35.699")
    city.processes.run(
        "areas", "mesh", *extent, "--size", "500", "--id", "around"
    ).check_returncode()
    yield "around"
    city.processes.run("areas", "remove", "around").check_returncode()


def test_a_cell_without_a_sensor_shows_estimated_weather_and_no_footfall(
    city: City, around: str, open_page: Open
) -> None:
    features = city.ask(f"/v1/area-sets/{around}/areas")["features"]
    empty = next(f["properties"]["code"] for f in features if not f["properties"]["things"])
    own = city.cell("pole-1", around)
    page = open_page(city.address(set=around, figure="air_temperature", lang="en"))
    live(page)
    opacity = "code => window.tsuji.map.areas.get(code).options.fillOpacity"
    until(page, f"codes => ({opacity})(codes[0]) < ({opacity})(codes[1])", [empty, own])
    told = re.compile(r"Estimated from 2 sensors \d\.\d(–\d\.\d)? km away")
    tip = page.locator(".tip").last
    page.evaluate("code => void window.tsuji.map.areas.get(code).openTooltip()", empty)
    expect(tip).to_contain_text(told)
    page.evaluate("code => void window.tsuji.map.areas.get(code).closeTooltip()", empty)
    expect(page.locator("#legend")).to_contain_text("Estimated")
    row = page.locator(f"#ranking tr[data-code='{empty}']")
    expect(row).to_contain_text("≈")
    expect(page.locator(f"#ranking tr[data-code='{own}']")).not_to_contain_text("≈")

    page.evaluate("code => void window.tsuji.map.areas.get(code).fire('click')", empty)
    expect(page.locator("#detail .tile.chosen")).to_contain_text(told)
    value = city.value(empty, "air_temperature", around)
    expect(page.locator("[data-figure=air_temperature]")).to_have_text(f"{value:.1f}")
    made = page.locator("#detail details", has_text="How these values are made").last
    made.locator("summary").click()
    expect(made).to_contain_text("no thing in this area measures it")

    page = open_page(city.address(set=around, figure="footfall", lang="en"))
    live(page)
    page.evaluate("code => void window.tsuji.map.areas.get(code).openTooltip()", empty)
    expect(page.locator(".tip").last).to_contain_text("No sensor here")
    expect(page.locator("#legend")).not_to_contain_text("Estimated")
