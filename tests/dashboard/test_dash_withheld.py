"""A hub that withholds small counts: its dashboard says so on the map, in the list and in the panel."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from city import MESH, City, live
from hub_processes import HubProcesses

SUPPRESSED = "少数のため非表示"


@pytest.fixture(scope="module")
def reserved(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcesses]:
    """API and dashboard over the same city, to which all of its counts are small ones."""
    home: Path = tmp_path_factory.mktemp("reserved")
    database_url = city.processes.environment["TSUJI_DATABASE_URL"]
    processes = HubProcesses(database_url, "mqtt://127.0.0.1:9", home)
    processes.environment |= {"TSUJI_TILES_URL": "", "TSUJI_SMALL_COUNT": "1000"}
    try:
        processes.start("api")
        processes.start("dashboard")
        yield processes
    finally:
        processes.close()


def test_a_withheld_figure_is_said_to_be_one(
    city: City, reserved: HubProcesses, open_page: Callable[..., Page]
) -> None:
    city.publish("counter-east", pedestrians_in=31, pedestrians_out=26)
    code = city.cell("counter-east")
    asked = {"set": MESH, "figure": "footfall", "lang": "ja"}
    page = open_page(str(httpx.URL(reserved.dashboard_url, params=asked)))
    live(page)
    tip = page.locator(".tip").last
    page.evaluate("code => void window.tsuji.map.areas.get(code).openTooltip()", code)
    expect(tip).to_contain_text(SUPPRESSED)
    row = page.locator(f"#ranking tr[data-code='{code}'] td").first
    expect(row).to_have_text("非表示")
    page.evaluate("code => void window.tsuji.map.areas.get(code).fire('click')", code)
    expect(page.locator("#detail [data-figure=footfall]")).to_have_text(SUPPRESSED)
    expect(page.locator("#detail figure[data-chart=footfall]")).to_contain_text(SUPPRESSED)
    page.evaluate("window.tsuji.select({thing: 'counter-east'})")
    expect(page.locator("#detail [data-property=pedestrians_in]")).to_have_text(SUPPRESSED)
