"""When something is away the page says so, keeps what it knew, and recovers by itself."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from city import MESH, City, fill_of, live, until
from hub_processes import HubProcesses
from own_ports import own_port

Open = Callable[..., Page]


def test_the_api_stops_and_comes_back(city: City, open_page: Open) -> None:
    cell = city.cell("counter-east")
    page = open_page(city.address(set=MESH, lang="en"), troubled=True)
    live(page)
    colour = fill_of(page, cell)
    city.processes.end("api", signal.SIGKILL)
    try:
        expect(page.locator("#banner")).to_contain_text("The data API can't be reached")
        expect(page.locator("#banner")).to_contain_text("ago")
        expect(page.locator("#status .word")).to_have_text("Data API away")
        assert fill_of(page, cell) == colour
        page.evaluate("code => void window.tsuji.map.areas.get(code).fire('click')", cell)
        expect(page.locator("#detail .why")).to_contain_text("The data API can't be reached")
        late = open_page(city.address(lang="en"), troubled=True)
        expect(late.locator("#banner")).to_contain_text("The data API can't be reached")
        late.wait_for_url("**view=12/**")  # the banner has taken room from the map
        expect(late.locator("#ranking .note")).to_have_text("The data API can't be reached")
    finally:
        city.processes.start("api")
    until(late, "() => tsuji.map.map().getZoom() > 13")  # where the sensors are
    expect(page.locator("#banner")).to_be_hidden()
    live(page)
    expect(page.locator("#detail h2")).to_have_text("Near Shinjuku Station, East Exit")
    city.publish("pole-1", air_temperature=19.9)
    until(
        page,
        "() => window.tsuji.data.things.get('pole-1')?.latest.air_temperature?.result === 19.9",
    )


def test_the_dashboard_stops_and_comes_back(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, lang="en"), troubled=True)
    live(page)
    city.processes.end("dashboard", signal.SIGKILL)
    try:
        expect(page.locator("#banner")).to_contain_text("The connection to the dashboard broke")
    finally:
        city.processes.start("dashboard")
    expect(page.locator("#banner")).to_be_hidden()
    city.publish("pole-1", air_temperature=17.7)
    until(
        page,
        "() => window.tsuji.data.things.get('pole-1')?.latest.air_temperature?.result === 17.7",
    )


def test_the_dashboard_stops_in_time_with_open_streams(city: City, open_page: Open) -> None:
    page = open_page(city.address(set=MESH, lang="en"), troubled=True)
    live(page)
    try:
        city.processes.end("dashboard", signal.SIGTERM)  # fails where it does not end
    finally:
        city.processes.start("dashboard")


@pytest.fixture(scope="module")
def apiless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcesses]:
    """A dashboard whose API was never there."""
    processes = HubProcesses("", "mqtt://127.0.0.1:9", tmp_path_factory.mktemp("apiless"))
    processes.environment["TSUJI_TILES_URL"] = ""
    try:
        processes.start("dashboard")
        yield processes
    finally:
        processes.close()


@pytest.mark.parametrize(
    "query",
    [
        f"lang=ja&set={MESH}&area=533945263",
        f"lang=en&set={MESH}&area=533945263",
        "lang=ja",
        "lang=en&at=2026-04-01T00:00:00Z&thing=pole-1",
    ],
)
def test_without_any_api_the_page_stands_and_says_why_it_is_empty(
    apiless: HubProcesses, open_page: Open, query: str
) -> None:
    page = open_page(f"{apiless.dashboard_url}?{query}", troubled=True)
    said = "データAPIに接続でき" if "lang=ja" in query else "The data API can't be reached"
    expect(page.locator("#banner")).to_contain_text(said)
    if "area=" in query or "thing=" in query:
        expect(page.locator("#detail .why")).to_contain_text(said)
    expect(page.locator("#legend .limits").first).to_be_visible()


# --- map tiles ----------------------------------------------------------------------------------

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763e8eeee0600036601b1a8b0d7bd0000000049454e44ae426082"
)


class _Tiles(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        with suppress(BrokenPipeError):  # a map that moves on wants its tiles no more
            self.wfile.write(PIXEL)

    def log_message(self, *_: object) -> None:
        pass


def _with_tiles(city: City, tmp_path: Path, tiles: str) -> HubProcesses:
    processes = HubProcesses("", "mqtt://127.0.0.1:9", tmp_path)
    processes.environment |= {"TSUJI_TILES_URL": tiles, "TSUJI_API_URL": city.processes.api_url}
    processes.start("dashboard")
    return processes


def test_tiles_are_shown_with_their_credit_where_they_can_be_reached(
    city: City, open_page: Open, tmp_path: Path
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Tiles)
    host = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    processes = _with_tiles(city, tmp_path, f"http://{host}/{{z}}/{{x}}/{{y}}.png")
    try:
        page = open_page(f"{processes.dashboard_url}?set={MESH}", hosts=(host,))
        live(page)
        expect(page.locator("img.leaflet-tile-loaded").first).to_be_attached()
        credit = page.locator("#credit a").first
        expect(credit).to_have_text("地理院タイル")
        expect(credit).to_have_attribute("href", "https://maps.gsi.go.jp/development/ichiran.html")
        expect(page.locator("#credit")).to_contain_text("地域メッシュ")
        page.close()
    finally:
        processes.close()
        server.shutdown()
        server.server_close()


def test_tiles_that_cannot_be_reached_leave_a_quiet_background(
    city: City, open_page: Open, tmp_path: Path
) -> None:
    host = f"127.0.0.1:{own_port()}"
    processes = _with_tiles(city, tmp_path, f"http://{host}/{{z}}/{{x}}/{{y}}.png")
    asked: list[str] = []
    try:
        page = open_page(
            "about:blank", hosts=(host, urlsplit(processes.dashboard_url).netloc), troubled=True
        )
        page.on("requestfailed", lambda request: asked.append(request.url))
        page.goto(f"{processes.dashboard_url}?set={MESH}")
        live(page)
        while not asked:
            page.wait_for_timeout(20)
        page.wait_for_timeout(500)
        assert asked == [f"http://{host}/5/28/12.png"]
        assert page.locator("img").count() == 0
        expect(page.locator("#credit")).not_to_contain_text("地理院タイル")
    finally:
        processes.close()


# --- the way to the API -------------------------------------------------------------------------


@pytest.fixture
def ask(city: City) -> Iterator[Callable[..., httpx.Response]]:
    with httpx.Client(base_url=city.processes.dashboard_url, timeout=90) as client:
        yield partial(client.request, "GET")


def test_shapes_come_compressed_and_only_once(ask: Callable[..., httpx.Response]) -> None:
    first = ask(f"/hub/area-sets/{MESH}/areas", headers={"Accept-Encoding": "gzip"})
    assert first.status_code == 200
    assert first.headers["content-encoding"] == "gzip"
    assert len(first.json()["features"]) > 400
    again = ask(f"/hub/area-sets/{MESH}/areas", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize(
    "where",
    ["/hub/area-sets/nowhere/areas", f"/hub/area-sets/{MESH}%2Fareas/areas", "/hub/else"],
)
def test_what_the_api_does_not_know_is_not_found(
    ask: Callable[..., httpx.Response], where: str
) -> None:
    answer = ask(where)
    assert answer.status_code == 404 or "react-entry-point" in answer.text


def test_pages_forbid_other_hosts_and_evaluated_code(ask: Callable[..., httpx.Response]) -> None:
    answer = ask("/", headers={"Accept-Language": "en"})
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert '<html lang="en">' in answer.text
    assert "//" not in answer.text.replace("http://www.w3.org", "").split("<footer")[0]


def test_where_too_many_maps_are_open_the_page_asks_now_and_then_and_is_live_again_by_itself(
    city: City, open_page: Open
) -> None:
    at = city.ask(f"/v1/area-sets/{MESH}/snapshot")["time"]
    page = open_page(city.address(set=MESH, figure="footfall", lang="en", at=at), troubled=True)
    expect(page.locator("#status .word")).to_have_text("Past moment")
    asking: list[Route] = []
    full: dict[str, str] = {}

    def refuse(route: Route) -> None:
        if full:
            route.fulfill(status=429, headers=full, body="{}")
        elif route.request.resource_type == "eventsource":
            route.fulfill(status=502)
        else:
            asking.append(route)  # why it was refused, and waits for the answer

    page.route("**/hub/live?*", refuse)
    page.locator("#banner button").click()
    expect(page.locator("#status .word")).to_have_text("Disconnected")
    while not asking:
        page.wait_for_timeout(20)
    then = datetime.now(UTC) - timedelta(hours=1)  # by the hub's clock: the reader's is ahead
    full |= {"Retry-After": "1", "Date": format_datetime(then, usegmt=True)}
    with page.expect_request(f"**/hub/area-sets/{MESH}/snapshot?*") as asked:
        asking[0].abort()
    moment = parse_qs(urlsplit(asked.value.url).query)["at"][0]
    assert moment.endswith("0.000Z")  # as others ask, too
    assert datetime.fromisoformat(moment) < datetime.now(UTC) - timedelta(minutes=30)
    expect(page.locator("#status .word")).to_have_text("Every 30 s")
    expect(page.locator("#banner")).to_contain_text("Too many maps are open from your address")
    until(page, "code => tsuji.data.areas.has(code)", city.cell("counter-east"))
    page.unroute("**/hub/live?*")
    live(page)
    expect(page.locator("#banner")).to_be_hidden()


def test_many_viewers_share_one_stream_and_each_gets_the_whole_state_first(city: City) -> None:
    seen: list[list[str]] = [[] for _ in range(20)]
    ready = threading.Barrier(21)

    def watch(events: list[str]) -> None:
        url = f"{city.processes.dashboard_url}/hub/live"
        told = False
        with httpx.stream("GET", url, params={"area_set": MESH}, timeout=90) as stream:
            for line in stream.iter_lines():
                if line.startswith("event: ") and line != "event: beat":
                    events.append(line.removeprefix("event: "))
                if not told and "snapshot" in events:
                    told = True
                    ready.wait(90)
                if "change" in events:
                    return

    watchers = [threading.Thread(target=watch, args=(events,)) for events in seen]
    for watcher in watchers:
        watcher.start()
    ready.wait(90)
    city.publish("pole-1", air_temperature=18.3)
    for watcher in watchers:
        watcher.join(90)
    assert all(events[0] == "state" and events[-1] == "change" for events in seen)
    assert all("snapshot" in events for events in seen)
