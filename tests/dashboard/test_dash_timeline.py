"""Travel in time: the whole map follows slider and play button, and live is one click back."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from city import MESH, City, live, until

Open = Callable[..., Page]
WAITS = "asked => decodeURIComponent(asked).endsWith(`at=${window.tsuji.state.get().at}`)"


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


def test_one_step_back_is_a_past_moment_though_the_known_time_goes_back_over_the_quarter_hour(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, figure="footfall", lang="en"))
    live(page)
    quarter = page.evaluate("Math.ceil(tsuji.clock.now() / 900e3) * 900e3")
    page.locator("#timeline-slider").focus()
    # What is known of the hub's time goes back a little with every message that is late.
    page.evaluate(
        """quarter => {
          tsuji.clock.now = () => quarter + 10;
          tsuji.state.set({ at: new Date(quarter - 36e5).toISOString() });
          tsuji.state.set({ at: null });
          tsuji.clock.now = () => quarter - 10;
        }""",
        quarter,
    )
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("tsuji.state.get().at") is not None


DAYS = """hours => {
  const day = 86400e3, tokyo = 9 * 36e5;
  const now = Math.floor((Date.now() + tokyo) / day) * day - tokyo + hours * 36e5;
  tsuji.clock.now = () => now;
  tsuji.state.set({ at: new Date(now - 36e5).toISOString() });
  tsuji.state.set({ at: null });
  return [...document.querySelectorAll("#timeline .ticks span")].map(it => {
    const { left, right } = it.getBoundingClientRect();
    return [it.textContent, left, right];
  });
}"""


@pytest.mark.parametrize("width", [320, 360, 1440])
def test_no_two_days_below_the_slider_overlap_at_any_hour(
    city: City, open_page: Open, width: int
) -> None:
    page = open_page(city.address(set=MESH, figure="footfall", lang="ja"), size=(width, 800))
    live(page)
    for hours in range(24):
        days = page.evaluate(DAYS, hours)
        assert len(days) >= 2
        for (one, _, right), (other, left, _) in pairwise(days):
            assert right <= left, (hours, one, other)


def test_a_city_in_which_nothing_has_changed_for_minutes_does_not_set_the_clock_back(
    city: City, open_page: Open
) -> None:
    def quiet(route: Route) -> None:
        now = datetime.now(UTC)
        before = (now - timedelta(minutes=10)).isoformat()
        told = {
            "state": {"api": "live"},
            "snapshot": {"time": before, "areas": [], "things": []},
            "beat": {"time": now.isoformat()},
        }
        body = "".join(f"event: {it}\ndata: {json.dumps(said)}\n\n" for it, said in told.items())
        route.fulfill(content_type="text/event-stream", body=body)

    page = open_page("about:blank", hosts=(urlsplit(city.processes.dashboard_url).netloc,))
    page.route("**/hub/live?*", quiet)
    page.goto(city.address(set=MESH, lang="en"))
    until(page, "() => tsuji.data.asOf !== null && tsuji.clock.now() > Date.now() - 300e3")


# By how many minutes what is known of the hub's time is ahead, while its clock is and once it is put right.
PUT_RIGHT = """() => {
  const real = performance.now.bind(performance);
  let later = 0;
  performance.now = () => real() + later;
  const learn = minutes => {
    tsuji.clock.learn(new Date(Date.now() + minutes * 6e4).toISOString());
    return Math.round((tsuji.clock.now() - Date.now()) / 6e4);
  };
  const known = [learn(60), learn(0)];
  later = 61e3;
  return [...known, learn(0), learn(-2)];
}"""


def test_a_clock_of_the_hub_that_is_put_right_is_believed_a_minute_later(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, lang="en"))
    live(page)
    assert page.evaluate(PUT_RIGHT) == [60, 60, 0, 0]


def test_time_passes_until_it_is_paused_and_is_one_step_of_the_history(
    city: City, open_page: Open
) -> None:
    page = open_page(city.address(set=MESH, figure="footfall", lang="ja"))
    live(page)
    held: list[Route] = []
    free = [True]
    # Each picture comes by us: time would be over before a test looks that is held up.
    page.route("**/snapshot?at=*", lambda route: route.continue_() if free else held.append(route))
    page.get_by_role("button", name="再生").click()
    first = moment(page)
    until(page, "at => window.tsuji.state.get().at > at", first)
    free.clear()
    while not held:
        page.wait_for_timeout(20)
    until(page, WAITS, held[0].request.url)  # for a picture that takes longer than time to settle
    page.evaluate("() => new Promise((done) => setTimeout(done, 1500))")
    page.get_by_role("button", name="一時停止").click()
    free.append(True)
    for one in held:
        one.continue_()
    until(page, "() => window.tsuji.data.derivedAt === window.tsuji.state.get().at")
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
