"""The page of an area: the API's numbers in words, charts, tables, files, and on one sheet of paper."""

import csv
import io
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
from playwright.sync_api import Page, expect

from city import MESH, City, until
from tsuji_platform.analytics.typical import TOKYO

Open = Callable[..., Page]


def where(city: City, **query: str) -> str:
    """The address of an area's page."""
    return str(httpx.URL(f"{city.processes.dashboard_url}/area", params={"set": MESH, **query}))


def drawn(page: Page, chart: str) -> None:
    """Wait until a chart is there."""
    expect(page.locator(f"[data-chart={chart}] .js-plotly-plot .main-svg").first).to_be_visible()


def cells(page: Page, section: str) -> list[list[str]]:
    """What the table behind a chart says."""
    page.locator(f"{section} .as-table summary").click()
    expect(page.locator(f"{section} .as-table tr").first).to_be_visible()
    read = "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    rows: list[list[str]] = page.locator(f"{section} .as-table tr").evaluate_all(read)
    return rows


def test_the_page_says_what_the_api_says_and_charts_have_tables(
    city: City, open_page: Open, eventually: Callable[..., None]
) -> None:
    city.count("counter-past", 29, longitude=139.7601, latitude=35.6904, name_en="Past Street")
    code = city.cell("counter-past")
    # what is usual it looks up again half a minute after it lacked it
    profile = f"/v1/area-sets/{MESH}/areas/{code}/profile"
    eventually(
        lambda: city.ask(profile)["derived"]["percent_of_typical"]["value"] is not None, within=90
    )
    page = open_page(where(city, area=code, lang="en"))
    for chart in ("today", "heat", "history"):
        drawn(page, chart)
    expect(page.locator("h1")).to_have_text("Near Past Street")
    known = city.ask(profile)
    shown = f"{known['figures']['footfall']['value']:,.0f}"
    expect(page.locator(".now [data-figure=footfall]")).to_have_text(shown)
    band = known["derived"]["percent_of_typical"]["band"]["label"]
    expect(page.locator("[data-derived-row=percent_of_typical]")).to_contain_text(band)
    today = datetime.now(TOKYO).date()
    typical = city.ask(
        f"/v1/area-sets/{MESH}/areas/{code}/typical", figure="footfall", date=f"{today}"
    )
    usual = {row[0]: row[2] for row in cells(page, ".today")[1:]}
    for time, median in zip(typical["times"], typical["median"], strict=True):
        clock = f"{datetime.fromisoformat(time).astimezone(TOKYO):%H:%M}"
        assert usual[clock] == ("–" if median is None else f"{median:,.0f}")
    heat = cells(page, ".heat")
    assert [row[0] for row in heat[1:]] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    yesterday = today - timedelta(days=1)
    assert "–" not in heat[1 + yesterday.weekday()]


def test_span_and_other_areas_are_chosen_and_kept_in_the_address(
    city: City, open_page: Open
) -> None:
    east, pole = city.cell("counter-east"), city.cell("pole-1")
    page = open_page(where(city, area=east, lang="ja", compare=pole))
    drawn(page, "compare")
    expect(page.locator("#area-compared")).to_contain_text("この期間の値はありません")  # the pole's
    page.get_by_text("7日", exact=True).click()
    until(page, "() => location.search.includes('range=7d')")
    until(page, "code => location.search.includes('compare=' + code)", pole)
    expect(page.locator(".history h2")).to_contain_text("7日")
    series = city.ask(f"/v1/area-sets/{MESH}/areas/{east}/series", figure="footfall", step="3600")
    told = [value for value in series["values"] if value is not None]
    table = {row[1] for row in cells(page, ".history")[1:]}
    assert {f"{value:,.0f}" for value in told[-3:-1]} <= table


def test_files_have_the_numbers_and_unknown_areas_are_told(city: City, open_page: Open) -> None:
    east = city.cell("counter-east")
    base = f"{city.processes.dashboard_url}/hub/area/{MESH}"
    answer = httpx.get(f"{base}/{east}/history.csv?range=7d")
    assert answer.headers["content-disposition"].endswith(f"tsuji-{east}-7d.csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0][:2] == ["time", "footfall (people / 1 h)"]
    assert rows[1][0].endswith("+09:00")
    assert len(rows) - 1 == 7 * 24
    heat = httpx.get(f"{base}/{east}/weekday-hour.csv").text
    assert heat.splitlines()[1].startswith("1,0,")
    assert httpx.get(f"{base}/none/history.csv").status_code == 404
    page = open_page(where(city, area="none", lang="en"))
    expect(page.locator("#area-body .why")).to_have_text("There is no area “none”.")
    page = open_page(str(httpx.URL(f"{city.processes.dashboard_url}/area", params={"lang": "en"})))
    expect(page.locator("#area-body .why")).to_contain_text("Choose an area")


def test_the_page_fits_on_one_sheet_of_paper(city: City, open_page: Open) -> None:
    page = open_page(where(city, area=city.cell("counter-east"), lang="ja"))
    drawn(page, "history")
    drawn(page, "heat")
    sheets = page.pdf(prefer_css_page_size=True, print_background=True)
    assert sheets.count(b"/Type /Page\n") == 1


def test_paper_is_light_whatever_the_theme_and_the_map_is_on_it(
    city: City, open_page: Open
) -> None:
    page = open_page(where(city, area=city.cell("counter-east"), lang="en", theme="dark"))
    drawn(page, "history")
    page.emulate_media(media="print")
    expect(page.locator("h1")).to_have_css("color", "rgb(27, 42, 65)")
    page = open_page(city.address(set=MESH, lang="en", theme="dark"))
    until(page, "() => tsuji.map.areas.size && tsuji.data.areas.size")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(page.locator("header")).to_have_attribute("data-printed", re.compile("Tokyo time"))
    expect(page.locator("#timeline")).to_be_hidden()
    until(page, "() => document.querySelector('.map').getBoundingClientRect().width > 400")
    until(page, "() => document.querySelector('.map').getBoundingClientRect().height > 300")
    expect(page.locator("#legend")).to_be_visible()


def test_the_panel_leads_to_the_page_and_the_page_back_to_the_map(
    city: City, open_page: Open
) -> None:
    east = city.cell("counter-east")
    page = open_page(city.address(set=MESH, area=east, lang="en", theme="dark"))
    page.get_by_role("link", name="Open this area's page").click()
    drawn(page, "today")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.get_by_role("link", name="On the map").click()
    expect(page.locator("#detail h2")).to_have_text("Near Shinjuku Station, East Exit")
