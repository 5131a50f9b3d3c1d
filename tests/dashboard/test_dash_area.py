"""The page of an area: the API's numbers in words, charts, tables, files, and on one sheet of paper."""

import csv
import io
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta

import httpx
from playwright.sync_api import Page, expect

from city import MESH, City, as_told, live, until
from held_questions import HeldQuestions
from tsuji_dashboard.bins import BINS
from tsuji_platform.analytics.quarters import TOKYO

Open = Callable[..., Page]
PAINTED = """([code, colours]) =>
  colours.includes(tsuji.map.areas.get(code).getElement().getAttribute("fill"))
  && colours.includes(tsuji.figure().colours[tsuji.paint.theme()][0])
  && [...document.querySelectorAll("#legend .scale .swatch")].length === colours.length"""


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

    def now() -> tuple[str, str, date]:
        known = city.ask(profile)
        value = known["figures"]["footfall"]["value"]
        band = known["derived"]["percent_of_typical"]["band"]["label"]
        return f"{value:,.0f}", band, datetime.now(TOKYO).date()

    def says(told: tuple[str, str, date]) -> None:
        value, band, today = told
        page = open_page(where(city, area=code, lang="en"))
        for chart in ("today", "heat", "history"):
            drawn(page, chart)
        expect(page.locator("h1")).to_have_text("Near Past Street")
        expect(page.locator(".now [data-figure=footfall]")).to_have_text(value)
        expect(page.locator("[data-derived-row=percent_of_typical]")).to_contain_text(band)
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

    as_told(now, says)


def test_numbers_follow_the_stream_and_what_is_as_it_was_is_not_drawn_again(
    city: City, open_page: Open
) -> None:
    page = open_page(where(city, area=city.cell("pole-1"), lang="en"))
    drawn(page, "history")
    expect(page.locator("#status .word")).to_have_text("Live")
    number = page.locator(".now [data-figure=air_temperature]")
    for asked in range(3):
        before = page.evaluate("dash_component_api.getLayout('area-seen').props.data")
        page.evaluate(
            """() => {
              window.redrawn = 0;
              window.draw ??= Plotly.react;
              Plotly.react = (chart, ...others) => {
                window.redrawn += chart.closest("[data-chart=history]") !== null;
                return window.draw(chart, ...others);
              };
            }"""
        )
        city.publish("pole-1", air_temperature=-2.5 - asked)
        expect(number).to_have_text(f"−{2.5 + asked}")
        page.evaluate("tsuji.area.ask('whole')")
        news = "was => dash_component_api.getLayout('area-seen').props.data.now !== was"
        until(page, news, before["now"])
        after = page.evaluate("dash_component_api.getLayout('area-seen').props.data")
        if after["history"] == before["history"]:
            break
        until(
            page, "() => window.redrawn > 0"
        )  # a quarter of an hour has just ended: its step came
    else:
        raise AssertionError("the chart was drawn anew without news")
    assert page.evaluate("window.redrawn") == 0
    expect(number).to_have_text(f"−{2.5 + asked}")


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


def test_until_the_answers_are_there_the_page_says_that_they_are_on_their_way(
    city: City, open_page: Open
) -> None:
    address = where(city, area=city.cell("counter-east"), lang="en")
    page = open_page(city.address(set=MESH))
    questions = HeldQuestions(page, "area-part-")
    page.goto(address)
    said = "() => getComputedStyle(document.querySelector('#area-body'), '::after').content"
    until(page, "() => document.querySelector('#area-body.loading')")
    assert page.evaluate(said) == '"Loading…"'
    questions.let_go()
    drawn(page, "history")
    assert page.evaluate(said) == "none"
    questions.hold()
    page.get_by_text("7 days", exact=True).click()
    faded = "() => Number(getComputedStyle(document.querySelector('.history .graph')).opacity) < 1"
    until(page, faded)
    questions.wait()
    questions.let_go()
    expect(page.locator(".history h2")).to_contain_text("7 days")
    until(page, "() => !document.querySelector('#area-body.loading')")


def test_a_table_that_was_opened_stays_open_when_its_chart_is_made_anew(
    city: City, open_page: Open
) -> None:
    # a day is full, a week begins late and says so, above the chart
    city.count("counter-new", 2, longitude=139.7652, latitude=35.6891)
    page = open_page(where(city, area=city.cell("counter-new"), lang="en"))
    drawn(page, "history")
    table = page.locator(".history .as-table table")
    expect(page.locator(".history .begins")).to_have_count(0)
    questions = HeldQuestions(page, "area-part-")
    page.locator(".history .as-table summary").press("Enter")
    expect(table).to_be_visible()
    expect(table.locator("tr").nth(90)).to_be_attached()  # quarters of an hour
    page.get_by_text("7 days", exact=True).click()
    questions.wait()
    page.locator(".history .as-table summary").focus()
    region = page.locator(".history .as-table .table")
    region.evaluate("it => { it.scrollTop = 100; }")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    questions.let_go()
    expect(page.locator(".history .begins")).to_have_count(1)
    expect(table.locator("tr").nth(160)).to_be_visible()  # hours of a week
    assert region.evaluate("it => it.scrollTop") == 100
    expect(page.locator(".history .as-table summary")).to_be_focused()


def test_files_have_the_numbers_and_unknown_areas_are_told(city: City, open_page: Open) -> None:
    east = city.cell("counter-east")
    base = f"{city.processes.dashboard_url}/hub/area/{MESH}"
    answer = httpx.get(f"{base}/{east}/history.csv?range=7d", timeout=90)
    named = rf"tsuji-{MESH}-{east}-history-7d-\d{{8}}-\d{{4}}\.csv$"
    assert re.search(named, answer.headers["content-disposition"])
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0][:2] == ["time", "footfall (people / 1 h)"]
    assert rows[1][0].endswith("+09:00")
    assert len(rows) - 1 == 7 * 24
    heat = httpx.get(f"{base}/{east}/weekday-hour.csv", timeout=90).text
    assert heat.splitlines()[1].startswith("1,0,")
    assert httpx.get(f"{base}/none/history.csv", timeout=90).status_code == 404
    page = open_page(where(city, area="none", lang="en"))
    expect(page.locator("#area-body h1")).to_have_text("There is no area “none”")
    expect(page.locator("#area-body .lost a")).to_have_attribute("href", f"/?set={MESH}&lang=en")
    page.goto(str(httpx.URL(page.url, params={"set": "nowhere", "area": east, "lang": "en"})))
    expect(page.locator("#area-body h1")).to_have_text("There is no area set “nowhere”")
    expect(page.locator("#area-body .lost a")).to_have_count(
        len(city.ask("/v1/area-sets")["items"])
    )
    page = open_page(str(httpx.URL(f"{city.processes.dashboard_url}/area", params={"lang": "en"})))
    expect(page.locator("#area-body .why")).to_contain_text("Choose an area")


def test_the_page_fits_on_one_sheet_of_paper(city: City, open_page: Open) -> None:
    page = open_page(where(city, area=city.cell("counter-east"), lang="ja"))
    drawn(page, "history")
    drawn(page, "heat")
    sheets = page.pdf(prefer_css_page_size=True, print_background=True)
    assert sheets.count(b"/Type /Page\n") == 1
    compared = where(city, area=city.cell("counter-east"), lang="ja", compare=city.cell("pole-1"))
    page.goto(compared)
    for chart in ("history", "heat", "compare"):
        drawn(page, chart)
    sheets = page.pdf(prefer_css_page_size=True, print_background=True)
    assert sheets.count(b"/Type /Page\n") == 1


# The cells of the heat map are a picture: drawn anew for paper, and as it was for the screen again.
HEAT_ON_PAPER = """() => {
  const cells = () => document.querySelector("[data-chart=heat] .heatmaplayer image")?.getAttribute("href");
  const many = () => document.querySelector("[data-chart=heat] .js-plotly-plot").data[0].colorscale.at(-1)[1];
  const dark = [cells(), many()];
  dispatchEvent(new Event("beforeprint"));
  const light = [cells(), many()];
  dispatchEvent(new Event("afterprint"));
  const later = [cells(), many()];
  return dark.every((it, i) => it && it !== light[i] && it === later[i]);
}"""


def test_paper_is_light_whatever_the_theme_and_the_map_is_on_it(
    city: City, open_page: Open
) -> None:
    page = open_page(where(city, area=city.cell("counter-east"), lang="en", theme="dark"))
    drawn(page, "history")
    page.emulate_media(media="print")
    expect(page.locator("h1")).to_have_css("color", "rgb(27, 42, 65)")
    drawn(page, "heat")
    until(page, HEAT_ON_PAPER)
    cell, scale = city.cell("counter-east"), BINS["footfall"]
    page = open_page(city.address(set=MESH, area=cell, lang="en", theme="dark"))
    until(page, "() => tsuji.map.areas.size && tsuji.data.areas.size")
    expect(page.locator("#detail h2")).to_be_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.set_viewport_size({"width": 726, "height": 1040})  # A4 within its margins
    page.emulate_media(media="print")
    expect(page.locator("header")).to_have_attribute("data-printed", re.compile("Tokyo time"))
    expect(page.locator("#timeline")).to_be_hidden()
    until(page, "() => document.querySelector('.map').getBoundingClientRect().width > 400")
    until(page, "() => document.querySelector('.map').getBoundingClientRect().height > 300")
    expect(page.locator("#legend")).to_be_visible()
    until(page, "() => document.querySelector('#credit').getBoundingClientRect().width > 200")
    until(page, PAINTED, [cell, scale.palette("light")])
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    until(page, PAINTED, [cell, scale.palette("dark")])


def test_the_map_is_one_sheet_of_paper_however_many_areas_have_a_value(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, figure="rainfall", lang="ja"))
    live(page)
    until(page, "() => tsuji.map.areas.size && tsuji.data.areas.size")
    page.evaluate(
        """() => {
          const now = {n: 1, time: new Date().toISOString()};
          const areas = [...tsuji.catalogue.area.keys()].map((code, i) =>
            ({code, figures: {rainfall: {value: i % 90, ...now}}}));
          tsuji.data.merge({areas, things: []});
        }"""
    )
    until(page, "() => document.querySelectorAll('#ranking tbody tr').length > 500")
    sheets = page.pdf(prefer_css_page_size=True, print_background=True)
    assert sheets.count(b"/Type /Page\n") == 1
    page.emulate_media(media="print")
    # What is on it lies one below the other, and some rows of the list are seen.
    until(
        page,
        """() => {
          const box = what => document.querySelector(what).getBoundingClientRect();
          const below = ["header", ".map", "#legend", "#ranking .rows", "#credit"].map(box);
          const ordered = below.every((it, i) => !i || it.top >= below[i - 1].bottom - 1);
          const rows = box("#ranking .rows");
          const seen = [...document.querySelectorAll("#ranking tbody tr")]
            .map(it => it.getBoundingClientRect())
            .filter(it => it.right <= rows.right + 1);
          const whole = seen.every(it => it.bottom <= rows.bottom + 1 && it.width > 100);
          return ordered && whole && seen.length >= 9;
        }""",
    )


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
