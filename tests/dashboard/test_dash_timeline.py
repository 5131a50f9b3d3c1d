"""Travel in time: the whole map follows slider and play button, and live is one click back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from city import MESH, City, live, until

Open = Callable[..., Page]


def moment(page: Page) -> str:
    """The moment in the address, once the map shows it."""
    until(page, "() => window.tsuji.state.get().at && window.tsuji.live.status === 'past'")
    return str(page.evaluate("window.tsuji.state.get().at"))


def test_the_slider_moves_the_whole_map_by_keyboard_and_one_click_leads_back(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, figure="footfall", lang="en"))
    live(page)
    slider = page.get_by_role("slider", name="Moment (Tokyo time (UTC+9))")
    assert slider.get_attribute("aria-valuetext") == "now"
    slider.focus()
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    at = moment(page)
    then = datetime.fromisoformat(at)
    assert timedelta(hours=2, minutes=45) < datetime.now(UTC) - then < timedelta(hours=4)
    until(page, "at => location.search.includes(at)", f"at={at}")
    cell = city.cell("counter-east")
    known = city.ask(f"/v1/area-sets/{MESH}/areas/{cell}", at=at)["figures"]["footfall"]["value"]
    row = page.locator(f"#ranking tr[data-code='{cell}'] td").first
    expect(row).to_have_text(f"{known:,.0f}")
    tokyo = then + timedelta(hours=9)
    expect(page.locator("#timeline .moment")).to_have_text(f"{tokyo.day} {tokyo:%b %H:%M}")
    expect(page.locator("#banner")).to_contain_text(f"{tokyo:%H:%M}")
    page.locator("#timeline").get_by_role("button", name="Back to live").click()
    live(page)
    until(page, "() => !location.search.includes('at=')")


def test_time_passes_until_it_is_paused_and_is_one_step_of_the_history(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, figure="air_temperature", lang="ja"))
    live(page)
    page.get_by_role("button", name="再生").click()
    first = moment(page)
    until(page, "at => window.tsuji.state.get().at > at", first)
    page.get_by_role("button", name="一時停止").click()
    until(page, "() => window.tsuji.live.status === 'past'")
    at = moment(page)
    page.wait_for_timeout(1_000)  # nothing may move any more
    assert moment(page) == at
    page.go_back()
    live(page)


def test_a_moment_long_ago_has_the_slider_about_itself(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, at="2025-03-01T03:00:00Z", lang="ja"))
    assert moment(page) == "2025-03-01T03:00:00Z"
    expect(page.locator("#timeline .moment")).to_have_text("2025年3月1日 12:00")
    middle = page.evaluate(
        "() => { const it = document.querySelector('#timeline input'); return it.value / it.max }"
    )
    assert 0.4 < middle < 0.6
