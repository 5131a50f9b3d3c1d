"""Alerts on the map and in their panel, and what the panel of the data's state says against the API."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from city import MESH, City, live, until
from tsuji_ingest.alerting.evaluator import Evaluator
from tsuji_platform.analytics.alert_rules import parse
from tsuji_platform.contract import Reason
from tsuji_platform.store.alerting import AlertOffice

Open = Callable[..., Page]
RULES = f"""
[[rule]]
id = "hot-cells"
label = {{ ja = "暑いメッシュ", en = "Hot cell" }}
figure = "air_temperature"
areas = {{ set = "{MESH}" }}
at_least = 38
[[rule]]
id = "hot-poles"
label = {{ ja = "暑いポール", en = "Hot pole" }}
observed_property = "air_temperature"
things = {{ ids = ["pole-1"] }}
at_least = 38
"""
MARKED = """([code, wanted]) => {
  const look = window.tsuji.map.areas.get(code)?.options; // none while another set's shapes are loaded
  return look && (look.dashArray !== null && look.color === "#c92a2a") === wanted;
}"""


@pytest.fixture
def evaluate(city: City) -> Iterator[Callable[[], None]]:
    """Evaluate rules about the city, as ingest does."""
    office = AlertOffice(city.database_url, "test", ())
    evaluator = Evaluator(
        office, parse(RULES, "rules"), lambda: datetime.now(UTC), figures_rest_times=0
    )

    def turns() -> None:
        while evaluator.evaluate():
            pass

    yield turns
    office.close()


def test_alerts_come_onto_the_map_and_into_the_panel_and_end_there(
    city: City, evaluate: Callable[[], None], open_page: Open
) -> None:
    evaluate()
    page = open_page(city.address(set=MESH, figure="air_temperature", lang="en"))
    live(page)
    cell = city.cell("pole-1")
    until(page, MARKED, [cell, False])
    city.publish("pole-1", air_temperature=39.5)
    evaluate()
    (alert,) = [
        it for it in city.ask("/v1/alerts", state="on")["items"] if it["rule"] == "hot-cells"
    ]
    until(page, MARKED, [cell, True])
    # asked for as soon as it is heard of, though it was asked for a moment before
    page.get_by_role("button", name="2 alerts").click()
    panel = page.locator("#side")
    expect(panel.locator("h2")).to_be_focused()
    row = panel.locator(".alert.on", has_text="Hot cell")
    expect(row).to_contain_text(f"now 39.5 °C, peak {alert['peak']['value']:.1f} °C")
    page.wait_for_url("**panel=alerts**")
    other = "mesh250-nishi-shinjuku"
    page.evaluate("set => window.tsuji.state.set({set})", other)  # a cell's code tells where it is
    until(page, "set => window.tsuji.catalogue.shapesOf === set", other)
    expect(row.locator(".subject")).to_have_text("Near Smart pole 1")
    row.get_by_role("button").click()
    expect(panel).to_be_hidden()
    page.wait_for_url(f"**area={cell}**")
    city.publish("pole-1", air_temperature=18.2)
    evaluate()
    until(page, MARKED, [cell, False])
    page.get_by_role("button", name="Alerts", exact=True).click()
    expect(panel).to_contain_text("No alert is on")
    expect(panel.locator(".alert", has_text="Hot pole").first).to_contain_text("peak 39.5 °C")
    at = alert["peak"]["time"]
    page.evaluate("at => window.tsuji.state.set({at})", at)
    expect(panel.locator(".alert.on, .alert", has_text="Hot cell").first).to_be_visible()
    expect(panel.locator("h3").first).to_contain_text("On at that moment2")


def test_the_state_of_the_data_says_what_the_api_says(city: City, open_page: Open) -> None:
    city.refuse("pole-mute", Reason.BROKEN_JSON, b"{")
    page = open_page(city.address(set=MESH, panel="health", lang="en"))
    live(page)
    panel = page.locator("#side")
    expect(panel.locator("table").first).to_contain_text("Database")
    health = city.ask("/v1/health")
    expect(panel).to_contain_text(f"Values received{health['ingest']['received']:,}")
    expect(panel).to_contain_text("They add up")
    expect(panel.locator("section", has_text="Silent sensors")).to_contain_text("Mute pole")
    expect(panel.locator("section", has_text="Rejected messages")).to_contain_text(
        "Mute polenot JSON"
    )
    known = sum("air_temperature" in it["figures"] for it in
                city.ask(f"/v1/area-sets/{MESH}/snapshot")["areas"])  # fmt: skip
    row = panel.locator("tr", has_text="Air temperature")
    expect(row.locator("td").first).to_have_text(f"{known}")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
