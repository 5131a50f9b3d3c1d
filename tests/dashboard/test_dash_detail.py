"""The panel of an area or a thing: the API's numbers, 24 hours, and a reason for every gap."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from city import MESH, City, as_told, live, until
from held_questions import HeldQuestions
from tsuji_platform.analytics.quarters import TOKYO
from tsuji_platform.contract import Reason

Open = Callable[..., Page]


def plotted(page: Page, key: str) -> list[float | None]:
    """The values of a chart as they were drawn."""
    graph = page.locator(f"[data-chart={key}] .js-plotly-plot")
    expect(graph).to_be_attached()
    expect(graph.locator(".bars path").first).to_be_attached()
    drawn = graph.evaluate("graph => Array.from(graph._fullData[0].y, y => y ?? null)")
    return [None if value is None else float(value) for value in drawn]


def test_a_click_on_an_area_shows_its_numbers_and_its_last_24_hours(
    city: City, open_page: Open
) -> None:
    cell = city.cell("counter-east")

    def clicked(told: list[float | None]) -> Page:
        page = open_page(city.address(set=MESH, lang="en"))
        live(page)
        page.evaluate("code => void window.tsuji.map.areas.get(code).fire('click')", cell)
        expect(page.locator("#detail h2")).to_have_text("Near Shinjuku Station, East Exit")
        expect(page.locator("#detail .code")).to_have_text(f"Mesh cell {cell}")
        assert [v for v in plotted(page, "footfall") if v] == [v for v in told if v]
        total = sum(v for v in told if v)
        said = page.locator("[data-chart=footfall] .summary")
        expect(said).to_contain_text(f"{total:,.0f} in total")
        return page

    series = f"/v1/area-sets/{MESH}/areas/{cell}/series"
    page = as_told(lambda: city.ask(series, figure="footfall")["values"], clicked)
    number = page.locator("[data-figure=footfall]")
    as_told(
        lambda: city.value(cell, "footfall"),
        lambda told: expect(number).to_have_text(f"{told:,.0f}"),
    )
    expect(page.locator("[data-chart=footfall]")).to_contain_text("Tokyo time (UTC+9)")
    page.wait_for_url(f"**area={cell}**")


def test_what_was_opened_stays_open_while_the_panel_is_made_anew_until_another_one_is_chosen(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, area=city.cell("counter-east"), lang="en"))
    methods = page.locator("#detail details[data-fold=methods]")
    methods.locator("summary").press("Enter")
    expect(methods.locator("dl")).to_be_visible()
    methods.locator("summary").click(click_count=2)  # it has the focus already
    expect(methods.locator("dl")).to_be_visible()
    methods.evaluate("it => { it.dataset.old = ''; }")
    page.evaluate("() => tsuji.state.set({theme: 'dark'})")  # asks for the panel as news does
    expect(page.locator("#detail [data-old]")).to_have_count(0)
    expect(methods.locator("dl")).to_be_visible()
    expect(methods.locator("summary")).to_be_focused()
    page.evaluate("code => tsuji.select({area: code})", city.cell("pole-1"))
    expect(page.locator("#detail h2")).not_to_contain_text("East Exit")
    expect(methods).to_be_attached()
    expect(methods.locator("dl")).to_be_hidden()


def test_what_is_usual_stands_behind_the_counts_once_there_are_enough_days(
    city: City, open_page: Open
) -> None:
    address = city.address(set=MESH, thing="counter-weeks", lang="en")
    city.count("counter-weeks", days=1)
    said = open_page(address).locator("[data-chart=pedestrians] .usual")
    expect(said).to_contain_text("The usual range needs 3 days")
    city.count("counter-weeks", days=29)
    page = open_page(address)
    expect(page.locator("[data-chart=pedestrians] .usual-mark")).to_be_visible()
    said = page.locator("[data-chart=pedestrians] .usual")
    expect(said).to_contain_text("quartiles and median of the last 8 weeks")
    graph = page.locator("[data-chart=pedestrians] .js-plotly-plot")
    drawn = graph.evaluate("graph => Array.from(graph._fullData[2].y, y => y ?? null)")
    medians = {float(value) for value in drawn if value is not None}
    usual = {
        value
        for day in {datetime.now(TOKYO).date() - timedelta(days=back) for back in (0, 1, 2)}
        for value in city.ask(
            "/v1/things/counter-weeks/typical", observed_property="pedestrians", date=f"{day}"
        )["median"]
    }
    assert medians
    assert medians <= usual


def test_the_panels_numbers_follow_the_stream(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, figure="air_temperature", area=city.cell("pole-1")))
    live(page)
    number = page.locator("#detail [data-figure=air_temperature]")
    city.publish("pole-1", air_temperature=-1.5)
    expect(number).to_have_text("−1.5")
    city.publish("pole-1", air_temperature=18.2)
    expect(number).to_have_text("18.2")


def test_no_number_stands_under_the_name_of_another_area_while_the_answer_is_on_its_way(
    city: City, open_page: Open
) -> None:
    before, other = city.cell("pole-hostile"), city.cell("pole-1")
    page = open_page(city.address(set=MESH, figure="air_temperature", area=before))
    live(page)
    number = page.locator("#detail [data-figure=air_temperature]")
    expect(number).not_to_have_text("")
    questions = HeldQuestions(page, "detail-body")
    page.evaluate("code => window.tsuji.select({ area: code })", other)
    until(page, "() => document.querySelector('#detail-body.loading')")
    questions.wait()
    shown = number.text_content()
    city.publish("pole-1", air_temperature=17.3)
    came = "code => window.tsuji.data.areas.get(code).air_temperature.value === 17.3"
    until(page, came, other)
    assert number.text_content() == shown
    questions.let_go()
    expect(number).to_have_text("17.3")


def test_a_panel_that_comes_late_leaves_the_focus_to_whoever_has_gone_on(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, lang="en"))
    live(page)
    page.locator("#search-field").focus()
    for goes_on in (False, True):
        questions = HeldQuestions(page, "detail-body")
        page.evaluate("area => window.tsuji.select({ area })", city.cell("pole-1"))
        until(page, "() => document.querySelector('#detail-body.loading')")
        until(page, "() => document.activeElement.id === 'search-field'")
        if goes_on:
            page.keyboard.press("Tab")
            until(page, "() => document.activeElement.id !== 'search-field'")
        questions.let_go()
        until(page, "() => !document.querySelector('#detail-body.loading')")
        expect(page.locator("#detail h2")).to_be_visible()
        heading = "() => document.activeElement === document.querySelector('#detail h2')"
        if goes_on:
            page.wait_for_timeout(500)
            assert not page.evaluate(heading)
            return
        until(page, heading)
        page.keyboard.press("Escape")
        until(page, "() => document.activeElement.id === 'search-field'")


def test_an_area_without_sensors_says_so(city: City, open_page: Open) -> None:
    features = city.ask(f"/v1/area-sets/{MESH}/areas")["features"]
    empty = next(f["properties"]["code"] for f in features if not f["properties"]["things"])
    page = open_page(city.address(set=MESH, area=empty))
    expect(page.locator("#detail .why")).to_contain_text("センサーがない")


def test_a_sensor_that_never_spoke_has_charts_with_a_reason(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, thing="pole-mute", lang="en"))
    expect(page.locator("#detail h2")).to_have_text("Mute pole")
    expect(page.locator("#detail .state")).to_have_text("waiting")
    expect(page.locator("[data-chart=air_temperature] .why")).to_have_text(
        "No observation of this sensor has arrived yet."
    )


def test_a_sensor_whose_messages_are_rejected_says_so(city: City, open_page: Open) -> None:
    city.refuse("pole-hostile", Reason.FUTURE_TIME, *(bytes([i]) for i in range(12)))
    page = open_page(city.address(set=MESH, thing="pole-hostile", lang="ja"))
    line = page.locator("#detail .refused")
    expect(line).to_have_text("過去24時間に拒否されたメッセージ: 12件(時刻が未来)")
    city.refuse("pole-hostile", Reason.NOT_A_NUMBER, b"x")
    page = open_page(city.address(set=MESH, thing="pole-hostile", lang="en"))
    expect(page.locator("#detail .refused")).to_have_text(
        "Rejected messages in the last 24 hours: 13 (time in the future: 12, not a number: 1)"
    )
    page = open_page(city.address(set=MESH, thing="pole-1", lang="en"))
    expect(page.locator("#detail h2")).to_have_text("Smart pole 1")
    expect(page.locator("#detail .refused")).to_have_count(0)


def test_a_thing_outside_every_area_has_a_panel_too(city: City, open_page: Open) -> None:

    def opened(told: list[float | None]) -> Page:
        page = open_page(city.address(set=MESH, thing="melbourne", lang="en"))
        assert [v for v in plotted(page, "pedestrians") if v] == [v for v in told if v]
        return page

    series = "/v1/things/melbourne/series"
    page = as_told(lambda: city.ask(series, observed_property="pedestrians")["values"], opened)
    expect(page.locator("#detail h2")).to_have_text("Melbourne Town Hall")
    expect(page.locator("#detail")).to_contain_text("Outside every area known here")
    expect(page.locator("#detail")).to_contain_text("-37.81490, 144.96660")
    until(page, "() => window.tsuji.map.map().getBounds().contains([-37.8149, 144.9666])")


def test_from_an_area_to_its_sensor_and_from_there_to_another_area(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, area=city.cell("counter-east"), lang="en"))
    live(page)
    page.locator("#detail a[data-thing=counter-east]").click()
    expect(page.locator("#detail h2")).to_have_text("Shinjuku Station, East Exit")
    page.locator("#detail a[data-set=mesh250-nishi-shinjuku]").click()
    page.wait_for_url("**set=mesh250-nishi-shinjuku**")
    expect(page.locator("#detail .code")).to_contain_text(
        city.cell("counter-east", "mesh250-nishi-shinjuku")
    )


def test_the_keyboard_alone_opens_and_closes_an_area(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, lang="en"))
    live(page)
    east = page.get_by_role("button", name="Near Shinjuku Station, East Exit: People counted")
    east.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_have_text("Near Shinjuku Station, East Exit")
    expect(page.locator("#detail h2")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    expect(east).to_be_focused()


def test_the_table_is_another_way_to_every_value(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, figure="air_temperature", lang="en"))
    live(page)
    rows = page.locator("#ranking tbody tr")
    expect(rows).to_have_count(2)
    known = {
        area["code"]: area["figures"]["air_temperature"]["value"]
        for area in city.ask(f"/v1/area-sets/{MESH}/snapshot")["areas"]
        if "air_temperature" in area["figures"]
    }
    for code, value in known.items():
        row = page.locator(f"#ranking tr[data-code='{code}']")
        expect(row.locator("td").first).to_have_text(f"{value:.1f}")
    shown = [float(text) for text in page.locator("#ranking td:nth-child(2)").all_text_contents()]
    assert shown == sorted(known.values(), reverse=True)
    page.locator("#ranking tbody button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#detail h2")).to_be_focused()


def test_rows_stay_under_the_pointer_until_it_leaves(city: City, open_page: Open) -> None:
    city.publish("pole-1", air_temperature=18.2)
    page = open_page(city.address(set=MESH, figure="air_temperature", lang="en"))
    live(page)
    rows = page.locator("#ranking tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("Smart pole 1")
    expect(rows.nth(1)).to_contain_text("18.2")
    button = rows.nth(1).locator("button").bounding_box()
    assert button is not None

    def place_of(value: float) -> int:
        """Which row a new value comes to while the pointer moves a little."""
        page.mouse.move(button["x"] + 3, button["y"] + button["height"] / 2)
        city.publish("pole-1", air_temperature=value)
        find = """value => [...document.querySelectorAll('#ranking tbody tr')]
            .findIndex(row => row.textContent.includes(value))"""
        deadline = time.monotonic() + 150
        while (place := int(page.evaluate(find, f"{value}"))) < 0:
            assert time.monotonic() < deadline, f"{value} did not come"
            for step in (4, 5):
                page.mouse.move(button["x"] + step, button["y"] + button["height"] / 2)
            page.wait_for_timeout(20)
        return place

    assert place_of(33.3) == 1
    page.mouse.down()
    assert place_of(34.4) == 1
    page.mouse.up()
    expect(page.locator("#detail h2")).to_have_text("Near Smart pole 1")
    page.mouse.move(700, 450)
    expect(rows.nth(0)).to_contain_text("Smart pole 1")
    city.publish("pole-1", air_temperature=18.2)
    expect(rows.nth(1)).to_contain_text("Smart pole 1")


def test_a_past_moment_is_marked_shows_its_own_values_and_leads_back_to_live(
    city: City, open_page: Open
) -> None:
    at = (datetime.now(UTC) - timedelta(hours=6)).replace(microsecond=0)
    stamp = at.isoformat().replace("+00:00", "Z")
    cell = city.cell("counter-east")
    page = open_page(city.address(set=MESH, area=cell, at=stamp, lang="en"))
    expect(page.locator("#banner")).to_contain_text("This is not live")
    expect(page.locator("#status .word")).to_have_text("Past moment")
    then = city.ask(f"/v1/area-sets/{MESH}/areas/{cell}", at=stamp)["figures"]["footfall"]["value"]
    expect(page.locator("#detail [data-figure=footfall]")).to_have_text(f"{then:,.0f}")
    row = page.locator(f"#ranking tr[data-code='{cell}'] td").first
    expect(row).to_have_text(f"{then:,.0f}")
    page.locator("#banner").get_by_role("button", name="Back to live").click()
    live(page)
    expect(page.locator("#banner")).to_be_hidden()
    as_told(
        lambda: city.value(cell, "footfall"),
        lambda told: expect(row).to_have_text(f"{told:,.0f}"),
    )
    until(page, "() => !location.search.includes('at=')")


def test_a_past_moment_is_chosen_in_tokyo_time_wherever_the_reader_is(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, lang="en"))
    live(page)
    page.get_by_text("Show a past moment").click()
    tokyo = datetime.now(UTC) - timedelta(hours=3) + timedelta(hours=9)
    page.locator("#time-field").fill(f"{tokyo:%Y-%m-%dT%H:%M}")
    page.locator("#time button").click()
    utc = tokyo - timedelta(hours=9)
    page.wait_for_url(f"**at={utc:%Y-%m-%dT%H:%M}:00Z**")
    expect(page.locator("#banner")).to_contain_text(f"{tokyo:%H:%M}")


def test_a_sensor_at_a_past_moment_shows_the_values_of_that_moment(
    city: City, open_page: Open
) -> None:
    city.publish("pole-1", air_temperature=18.2)  # what was heard long ago is silent
    at = (datetime.now(UTC) - timedelta(hours=6)).replace(microsecond=0)
    stamp = at.isoformat().replace("+00:00", "Z")
    page = open_page(city.address(set=MESH, thing="pole-1", at=stamp, lang="en"))
    snapshot = city.ask(f"/v1/area-sets/{MESH}/snapshot", at=stamp, things="true")
    (pole,) = [thing for thing in snapshot["things"] if thing["id"] == "pole-1"]
    then = pole["latest"]["air_temperature"]["result"]
    now = city.ask("/v1/things/pole-1")["latest"]["air_temperature"]["result"]
    assert then != now
    expect(page.locator("#detail [data-property=air_temperature]")).to_have_text(f"{then:.1f}")
    expect(page.locator("#detail h3").first).to_contain_text("At ")
    expect(page.locator("#detail .state")).to_have_count(0)
    page.locator("#banner").get_by_role("button", name="Back to live").click()
    expect(page.locator("#detail [data-property=air_temperature]")).to_have_text(f"{now:.1f}")
    expect(page.locator("#detail .state")).to_have_text("live")
