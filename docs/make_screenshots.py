"""Takes the pictures of the README from a running dashboard: map and details, Japanese and English.

    python docs/make_screenshots.py http://127.0.0.1:8050

A picture is taken once the map is live and its charts are drawn. Needs a Chromium and, on Debian,
fonts-noto-cjk.
"""

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import httpx
from playwright.sync_api import Browser, sync_playwright

from tsuji_platform.runtime.browser import ensure

IMAGES = Path(__file__).with_name("images")
LIMIT = 400_000
WIDE = (1440, 900)
NARROW = (390, 844)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its file's name, what its address asks for, and the window."""

    name: str
    query: dict[str, str] = field(default_factory=dict)
    size: tuple[int, int] = WIDE


def shots(area_set: str, area: str) -> list[Shot]:
    """The pictures of the README."""
    there = {"set": area_set}
    detail = {**there, "area": area}
    poles = {"set": "mesh250-nishi-shinjuku", "figure": "air_temperature", "thing": "pole-001"}
    return [
        Shot("map-ja", {**there, "lang": "ja"}),
        Shot("map-en", {**there, "lang": "en"}),
        Shot("detail-ja", {**detail, "lang": "ja"}),
        Shot("detail-en", {**detail, "lang": "en"}),
        Shot("map-dark-en", {**detail, "lang": "en", "theme": "dark"}),
        Shot("pole-en", {**poles, "lang": "en"}),
        Shot("narrow-ja", {**detail, "lang": "ja"}, NARROW),
    ]


def busiest(url: str) -> tuple[str, str]:
    """The first area set and the area in it where most people are counted now."""
    with httpx.Client(base_url=url, timeout=30) as client:
        area_set = client.get("/hub/area-sets").raise_for_status().json()["items"][0]["id"]
        with client.stream("GET", "/hub/live", params={"area_set": area_set}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: ") and '"areas"' in line:
                    areas = httpx.Response(200, text=line.removeprefix("data: ")).json()["areas"]
                    break
    counted = [area for area in areas if "footfall" in area["figures"]]
    if not counted:
        sys.exit(f"{url}: no area has people counted yet; wait until the hub has data")
    return area_set, max(counted, key=lambda area: area["figures"]["footfall"]["value"])["code"]


def take(browser: Browser, url: str, shot: Shot) -> bytes:
    """Open the view and take its picture."""
    width, height = shot.size
    page = browser.new_page(
        viewport={"width": width, "height": height},
        locale=shot.query.get("lang", "ja"),
        timezone_id="Asia/Tokyo",
        reduced_motion="reduce",
    )
    page.goto(f"{url}/?{urlencode({'theme': 'light', **shot.query})}")
    page.wait_for_selector("#status[data-status=live]")
    while not page.evaluate("() => window.tsuji.map.areas.size && window.tsuji.data.areas.size"):
        page.wait_for_timeout(100)
    if "area" in shot.query or "thing" in shot.query:
        page.wait_for_selector("#detail .js-plotly-plot")
    page.wait_for_timeout(2_500)
    picture = page.screenshot()
    page.close()
    return picture


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description="Takes the pictures of the README.")
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8050")
    url = parser.parse_args().url.rstrip("/")
    area_set, area = busiest(url)
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(ensure()), args=["--no-sandbox", "--disable-gpu"]
        )
        for shot in shots(area_set, area):
            picture = take(browser, url, shot)
            if len(picture) > LIMIT:
                sys.exit(f"{shot.name}: {len(picture):,} bytes are more than {LIMIT:,}")
            (IMAGES / f"{shot.name}.png").write_bytes(picture)
            print(f"{shot.name}.png {len(picture):,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
