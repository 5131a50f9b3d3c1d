"""What is taken away: pictures, tables, addresses, and the map within another site's page."""

import csv
import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageColor
from playwright.sync_api import Browser, Download, Page, expect

from city import MESH, City, fill_of, live, until
from tsuji_dashboard.framing import ancestors
from tsuji_platform.runtime.browser import ensure
from tsuji_platform.settings import DashboardSettings

Open = Callable[..., Page]
NOW = r"\d{8}-\d{4}"


def picture(download: Download, tmp_path: Path) -> Image.Image:
    """The picture in a file that the reader was given."""
    path = tmp_path / download.suggested_filename
    download.save_as(path)
    with Image.open(path) as found:
        assert found.format == "PNG"
        return found.convert("RGB")


def share_of(found: Image.Image, colour: str, near: int = 12) -> float:
    """How much of a picture is of a colour, or nearly so."""
    red, green, blue = ImageColor.getrgb(colour)[:3]
    small = found.resize((found.width // 2, found.height // 2), Image.Resampling.NEAREST)
    pixels = small.get_flattened_data()
    alike = sum(
        abs(r - red) <= near and abs(g - green) <= near and abs(b - blue) <= near
        for r, g, b in pixels
    )
    return alike / (small.width * small.height)


def test_the_map_is_saved_with_what_it_shows(city: City, open_page: Open, tmp_path: Path) -> None:
    east = city.cell("counter-east")
    page = open_page(city.address(set=MESH, figure="footfall", lang="ja", theme="light"))
    live(page)
    page.evaluate("code => tsuji.map.goToArea(code)", east)
    until(page, "() => tsuji.map.map().getZoom() >= 15")
    for theme in ("light", "dark"):
        page.evaluate("theme => tsuji.state.set({theme})", theme)
        page.locator("#share-button").click()
        with page.expect_download() as given:
            page.locator(".share-png").click()
        expect(page.locator("#share .said")).to_have_text("保存しました。")
        assert re.fullmatch(rf"tsuji-{MESH}-footfall-{NOW}\.png", given.value.suggested_filename)
        found = picture(given.value, tmp_path)
        assert found.width > 2 * 1000  # twice the screen's pixels, the legend beside the map
        paper = {"light": "#ffffff", "dark": "#17202b"}[theme]
        assert found.getpixel((3, 3)) == ImageColor.getrgb(paper)
        # the area fills the map, beside it lies the legend with every colour of the scale
        mixed = page.evaluate(
            """([fill, ground]) => {
              const pen = document.createElement("canvas").getContext("2d");
              for (const [colour, alpha] of [[ground, 1], [fill, 0.88]]) {
                pen.globalAlpha = alpha;
                pen.fillStyle = colour;
                pen.fillRect(0, 0, 1, 1);
              }
              return "#" + [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)]
                .map(it => it.toString(16).padStart(2, "0")).join("");
            }""",
            [fill_of(page, east), {"light": "#eef2f5", "dark": "#0d131a"}[theme]],
        )
        assert share_of(found, mixed) > 0.02
        for colour in page.evaluate("() => tsuji.figure().colours[tsuji.state.get().theme]"):
            assert share_of(found.crop((0, 0, 500, found.height)), colour) > 0.001, colour
        page.keyboard.press("Escape")


NO_PICTURE = """() => {
  window.toImage = window.Plotly.toImage;
  window.Plotly.toImage = () => Promise.reject(new Error("no canvas"));
}"""
FAILED = "The picture could not be made. Please try again."
FAILED_JA = "画像を作れませんでした。もう一度お試しください。"


def test_charts_are_saved_where_they_stand(city: City, open_page: Open, tmp_path: Path) -> None:
    east = city.cell("counter-east")
    page = open_page(city.address(set=MESH, area=east, lang="en", theme="dark"))
    chart = page.locator("#detail figure[data-chart=footfall]")
    expect(chart.locator(".js-plotly-plot")).to_be_visible()
    save = chart.get_by_role("button", name="Download as PNG")
    page.evaluate(NO_PICTURE)
    save.click()
    failed = chart.get_by_role("status")
    expect(failed).to_have_text(FAILED)
    page.evaluate("() => { window.Plotly.toImage = window.toImage; }")
    with page.expect_download() as given:
        save.click()
    expect(failed).to_have_text("")
    assert re.fullmatch(rf"tsuji-{MESH}-{east}-footfall-{NOW}\.png", given.value.suggested_filename)
    found = picture(given.value, tmp_path)
    assert found.width >= 1600
    assert share_of(found, "#ff922b") > 0.005  # the bars
    page.goto(
        str(httpx.URL(f"{city.processes.dashboard_url}/area", params={"set": MESH, "area": east}))
    )
    for part, what in (("today", "today"), ("history", "history-24h"), ("heat", "weekday-hour")):
        expect(page.locator(f".{part} .js-plotly-plot").first).to_be_visible()
        if part == "today":
            page.evaluate(NO_PICTURE)
            page.locator(f".{part} .png").click()
            expect(page.locator(f".{part} [role=status]")).to_have_text(FAILED_JA)
            page.evaluate("() => { window.Plotly.toImage = window.toImage; }")
        with page.expect_download() as given:
            page.locator(f".{part} .png").click()
        named = given.value.suggested_filename
        assert re.fullmatch(rf"tsuji-{MESH}-{east}-{what}-{NOW}\.png", named)
        assert picture(given.value, tmp_path).width >= 1600
    with page.expect_download() as given:
        page.locator(".history .download a").click()
    assert re.fullmatch(
        rf"tsuji-{MESH}-{east}-history-24h-{NOW}\.csv", given.value.suggested_filename
    )


def test_the_table_of_the_map_has_its_numbers(city: City, open_page: Open, tmp_path: Path) -> None:
    page = open_page(city.address(set=MESH, figure="air_temperature", lang="en"))
    live(page)
    page.locator("#share-button").click()
    with page.expect_download() as given:
        page.locator(".share-csv").click()
    given.value.save_as(tmp_path / "table.csv")
    text = (tmp_path / "table.csv").read_text(encoding="utf-8-sig")
    rows = {row["code"]: row for row in csv.DictReader(io.StringIO(text))}
    shown = page.evaluate(
        "() => [...tsuji.catalogue.area.keys()].filter(code => tsuji.paint.reading(code))"
    )
    assert sorted(rows) == sorted(shown)
    pole = city.cell("pole-1")
    value = float(rows[pole]["air_temperature (°C)"])
    assert value == page.evaluate("code => tsuji.paint.reading(code).value", pole)


# --- within another site ------------------------------------------------------------------------

# All that takes room from the map has done so, and the map knows.
FITTED = """() => {
  const { x, y } = tsuji.map.map().getSize();
  const { clientWidth, clientHeight } = tsuji.map.map().getContainer();
  return document.querySelector("#counts *") && x === clientWidth && y === clientHeight
    && tsuji.catalogue.sets && document.querySelector("#timeline").clientHeight > 0;
}"""


class _Site(BaseHTTPRequestHandler):
    body = ""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(type(self).body.encode() if self.path == "/" else b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A site of another origin, whose page is what the test writes into `_Site.body`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def test_the_map_lives_in_a_page_of_another_site_and_no_other_page_does(
    city: City, open_page: Open, elsewhere: str
) -> None:
    east = city.cell("counter-east")
    page = open_page(city.address(set=MESH, figure="footfall", lang="en"), troubled=True)
    live(page)
    until(page, FITTED)
    page.locator("#share-button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#share h2")).to_be_focused()
    snippet = page.get_by_label("Embed in another site").input_value()
    address = page.get_by_label("Address of this view").input_value()
    assert "set=mesh500-central&figure=footfall" in address
    assert "view=" not in snippet
    extent = page.evaluate("() => tsuji.map.extent()")
    assert f"bounds={extent}" in snippet
    page.keyboard.press("Escape")
    expect(page.locator("#share")).to_be_hidden()
    expect(page.locator("#share-button")).to_be_focused()
    # what is seen beyond the world's edges, or of its second round, is none of it
    page.evaluate("() => void tsuji.map.map().setView([80, 500], 3, {animate: false})")
    w, s, e, n = map(float, page.evaluate("() => tsuji.map.extent()").split(","))
    assert -540 <= w < 140 < e <= 540
    assert -85 <= s < n <= 85

    own = city.processes.dashboard_url
    whole = f'<iframe id="whole" src="{own}/?lang=en"></iframe>'
    _Site.body = f"<!doctype html><title>A city's page</title>{snippet}{whole}"
    there = open_page(elsewhere, hosts=(httpx.URL(own).netloc.decode(),), troubled=True)
    frame = there.frame_locator("iframe").first
    expect(frame.locator("#status[data-status=live]")).to_be_visible()
    expect(frame.locator("#embed-title")).to_have_text(
        "People counted in one hour · 500 m mesh, central Tokyo"
    )
    inner = next(it for it in there.frames if "/embed" in it.url)
    until(inner, "() => tsuji.map.areas.size > 0 && tsuji.data.areas.size > 0")
    expect(frame.locator("#search-field")).to_be_hidden()
    # smaller, it shows what was seen of the map there, and not much more
    west, south, east_, north = map(float, extent.split(","))
    slack = 0.01 * (east_ - west)

    def shows_it() -> bool:
        w, s, e, n = map(float, inner.evaluate("() => tsuji.map.extent()").split(","))
        whole = (
            w <= west + slack and s <= south + slack and e >= east_ - slack and n >= north - slack
        )
        return whole and min((e - w) / (east_ - west), (n - s) / (north - south)) < 1.25

    deadline = time.monotonic() + 150
    while not shows_it():  # fitted again with the next picture, where the title has taken room
        if time.monotonic() > deadline:
            pytest.fail(
                f"the map does not show {extent}: {inner.evaluate('() => tsuji.map.extent()')}"
            )
        there.wait_for_timeout(20)
    inner.evaluate("code => void tsuji.map.areas.get(code).fire('click')", east)
    popup = frame.locator(".place-popup")
    expect(popup).to_contain_text("Near Shinjuku Station, East Exit")
    more = popup.get_by_role("link", name="See more")
    expect(more).to_have_attribute("href", re.compile(rf"^/\?set={MESH}.*area={east}"))
    expect(more).to_have_attribute("target", "_blank")
    assert there.evaluate("history.length") <= 2  # the other site's "back" leads back
    # the whole dashboard is nobody's to frame
    refused = next(it for it in there.frames if it.parent_frame and it is not inner)
    assert refused.url.startswith("chrome-error:") or "tsuji" not in refused.content().lower()


@pytest.mark.parametrize(
    ("path", "origins", "expected"),
    [
        ("/", "*", "'none'"),
        ("/hub/live", "*", "'none'"),
        ("/embed", "*", "*"),
        ("/embed", "none", "'self'"),
        ("/embed", "https://a.example https://b.example:8443", "'self' https://a.example https://b.example:8443"),
    ],
)  # fmt: skip
def test_only_named_sites_may_frame_only_the_embeddable_map(
    path: str, origins: str, expected: str
) -> None:
    assert ancestors(path, DashboardSettings(embed_origins=origins).embed_origins) == expected


@pytest.mark.parametrize(
    "wrong", ["", "city.example", "https://a.example/page", "*; script-src *", "none *"]
)
def test_what_is_no_origin_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="no origin: give origins such as https://"):
        DashboardSettings(embed_origins=wrong)


# --- less of a browser ----------------------------------------------------------------------------


def test_map_charts_and_pictures_need_no_webgl(
    city: City, browser: Browser, tmp_path: Path
) -> None:
    plain = browser.browser_type.launch(
        executable_path=str(ensure()),
        args=["--no-sandbox", "--disable-gpu", "--disable-webgl", "--disable-3d-apis"],
    )
    try:
        page = plain.new_page(viewport={"width": 1200, "height": 800})
        page.set_default_timeout(90_000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(city.address(set=MESH, area=city.cell("counter-east"), lang="en"))
        live(page)
        without = "() => !document.createElement('canvas').getContext('webgl')"
        assert page.evaluate(without)
        expect(page.locator("#detail .js-plotly-plot .bars path").first).to_be_visible()
        with page.expect_download() as given:
            page.evaluate("() => void tsuji.mapPicture.save()")
        assert picture(given.value, tmp_path).width > 1000
        assert problems == []
    finally:
        plain.close()
