"""The dashboard as its readers meet it: the first live map, from a message to its pixel, 200 open maps."""

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.dashboard_hub import CELLS, EVERY_S, MUNICIPALITIES, POINTS, DashboardHub, dashboard_hub
from tsuji_dashboard.bins import BINS
from tsuji_platform.runtime.browser import ensure

MESSAGES = 40
VIEWERS = 200
SECONDS = 20.0
_OPENINGS = 7
_FIGURE = "air_temperature"
_TEMPERATURES = (-3.0, 12.0, 26.0, 36.0)
"""Of different colours."""

# Two frames after the one in which it is so, it is on the screen.
_WHEN_SHOWN = """(() => {
  const look = () => {
    const tsuji = window.tsuji;
    const shown = tsuji && tsuji.live && tsuji.live.status === 'live' && tsuji.map.areas.size &&
      tsuji.map.painted && tsuji.data.areas.size;
    if (!shown) return requestAnimationFrame(look);
    requestAnimationFrame(() => requestAnimationFrame(() => { window.benchShown = performance.now(); }));
  };
  look();
})();"""

# The colour of the marked area's middle, frame by frame; canvases are asked for the pixel itself.
_WATCH = """code => {
  const layer = window.tsuji.map.areas.get(code);
  const colour = () => {
    if (layer.getElement && layer.getElement()) return getComputedStyle(layer.getElement()).fill;
    const canvas = layer._renderer._container;
    const at = layer._renderer._bounds.min;
    const middle = window.tsuji.map.map().latLngToLayerPoint(layer.getBounds().getCenter()).subtract(at);
    const scale = canvas.width / canvas.clientWidth;
    const [x, y] = [(middle.x + 4) * scale, (middle.y + 4) * scale];
    return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data].join(' ');
  };
  let last = colour();
  window.benchPixels = [];
  const look = () => {
    const now = colour();
    if (now !== last) {
      last = now;
      requestAnimationFrame(() => window.benchPixels.push(Date.now()));
    }
    requestAnimationFrame(look);
  };
  look();
}"""


def run(messages: int = MESSAGES, viewers: int = VIEWERS, seconds: float = SECONDS) -> None:
    """Print the tables of this part.

    Args:
        messages: from each of which a pixel's change is timed, of each area set.
        viewers: open maps.
        seconds: that the cost of the open maps is measured.
    """
    with dashboard_hub() as hub:
        print(
            f"{POINTS} points, each speaks every {EVERY_S:.0f} s; Chromium and all servers on this machine",
            flush=True,
        )
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=str(ensure()),
                args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
            )
            _first_maps(browser, hub)
            _pixels(browser, hub, messages)
            browser.close()
        _open_maps(hub, viewers, seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    shown_ms: float
    wire: int
    requests: int


class _Wire:
    """What a page's requests bring over the wire, headers included."""

    def __init__(self, session: CDPSession) -> None:
        self._finished: dict[str, int] = {}
        self._running: dict[str, int] = {}
        session.on("Network.responseReceived", self._head)
        session.on("Network.dataReceived", self._part)
        session.on("Network.loadingFinished", self._end)
        session.send("Network.enable")

    def _head(self, told: dict[str, Any]) -> None:
        self._running[told["requestId"]] = int(told["response"]["encodedDataLength"])

    def _part(self, told: dict[str, Any]) -> None:
        had = self._running.get(told["requestId"], 0)
        self._running[told["requestId"]] = had + int(
            told["encodedDataLength"] or told["dataLength"]
        )

    def _end(self, told: dict[str, Any]) -> None:
        self._finished[told["requestId"]] = int(told["encodedDataLength"])

    @property
    def bytes(self) -> int:
        return sum((self._running | self._finished).values())

    @property
    def requests(self) -> int:
        return len(self._running | self._finished)


def _first_maps(browser: Browser, hub: DashboardHub) -> None:
    print(
        f"\n{'first live map, empty cache':32}{'p50 s':>8}{'worst s':>9}"
        f"{'MB over the wire':>18}{'requests':>10}"
    )
    for area_set in (MUNICIPALITIES, CELLS):
        _first_map(browser, hub.url, area_set)  # the server is warm from here on
        opened = [_first_map(browser, hub.url, area_set) for _ in range(_OPENINGS)]
        times = [one.shown_ms / 1_000 for one in opened]
        print(
            f"{area_set:32}{statistics.median(times):8.2f}{max(times):9.2f}"
            f"{max(one.wire for one in opened) / 1e6:18.2f}{opened[-1].requests:10}",
            flush=True,
        )


def _first_map(browser: Browser, url: str, area_set: str) -> _Opening:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="ja-JP")
    page = context.new_page()
    page.add_init_script(_WHEN_SHOWN)
    wire = _Wire(context.new_cdp_session(page))
    page.goto(f"{url}/?set={area_set}&figure={_FIGURE}", wait_until="commit")
    shown = _until(page, "() => window.benchShown")
    opening = _Opening(shown_ms=float(shown), wire=wire.bytes, requests=wire.requests)
    context.close()
    return opening


def _until(page: Page, expression: str, arg: object = None) -> Any:
    deadline = time.monotonic() + 60
    while not (found := page.evaluate(expression, arg)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within a minute: {expression}")
        page.wait_for_timeout(10)
    return found


def _pixels(browser: Browser, hub: DashboardHub, messages: int) -> None:
    print(
        f"\n{'message → changed pixel':32}{'p50 ms':>8}{'p95 ms':>9}{'worst ms':>10}{'messages':>10}"
    )
    for area_set in (MUNICIPALITIES, CELLS):
        took = sorted(_pixel_times(browser, hub, area_set, messages))
        shares = [took[min(len(took) - 1, int(share * len(took)))] for share in (0.5, 0.95)]
        print(
            f"{area_set:32}{shares[0]:8.0f}{shares[1]:9.0f}{took[-1]:10.0f}{len(took):10}",
            flush=True,
        )


def _pixel_times(browser: Browser, hub: DashboardHub, area_set: str, messages: int) -> list[float]:
    code = hub.code(area_set)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(_WHEN_SHOWN)
    page.goto(f"{hub.url}/?set={area_set}&figure={_FIGURE}")
    _until(page, "() => window.benchShown")
    page.evaluate(_WATCH, code)
    assert len({BINS[_FIGURE].index(it) for it in _TEMPERATURES}) == len(_TEMPERATURES)
    chance, took = random.Random(1), []
    for number in range(messages):
        page.wait_for_timeout(300 + 700 * chance.random())
        page.evaluate("() => { window.benchPixels.length = 0; }")
        said = hub.city.say(_TEMPERATURES[number % len(_TEMPERATURES)])
        painted = _until(page, "() => window.benchPixels[0]")
        took.append(painted - 1_000 * said)
    page.close()
    return took


def _open_maps(hub: DashboardHub, viewers: int, seconds: float) -> None:
    heads = ("dashboard", "API", "together", "events/s", "kB/s each", "lost")
    print(f"\n{'% of one core, open maps':32}" + "".join(f"{head:>11}" for head in heads))
    for area_set in (MUNICIPALITIES, CELLS):
        for number in (0, 1, viewers):
            dashboard, api, got = _cost(hub, area_set, number, seconds)
            print(
                f"{f'{area_set}, {number}':32}{dashboard:11.1f}{api:11.1f}{dashboard + api:11.1f}"
                f"{got['events_per_s']:11.1f}{got['bytes_per_s'] / 1e3:11.1f}{got['lost']:11}",
                flush=True,
            )


def _cost(
    hub: DashboardHub, area_set: str, number: int, seconds: float
) -> tuple[float, float, dict[str, Any]]:
    nothing = {"events_per_s": 0, "bytes_per_s": 0, "lost": 0}
    if not number:
        time.sleep(31)  # a stream nobody reads is kept for half a minute
        return *_share_of_a_core((hub.dashboard, hub.api), seconds), nothing
    watching = subprocess.Popen(
        [sys.executable, "-m", "bench.viewers", hub.url, area_set, f"{number}", f"{seconds}"],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        text=True,
    )
    assert watching.stdout is not None
    try:
        assert watching.stdout.readline() == "open\n"
        shares = _share_of_a_core((hub.dashboard, hub.api), seconds)
        return *shares, json.loads(watching.stdout.readline())
    finally:
        watching.kill()
        watching.wait()


def _share_of_a_core(processes: Sequence[psutil.Process], seconds: float) -> tuple[float, float]:
    def spent() -> list[float]:
        return [sum(process.cpu_times()[:2]) for process in processes]

    before, begun = spent(), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    first, second = (100 * (b - a) / took for a, b in zip(before, spent(), strict=True))
    return first, second
