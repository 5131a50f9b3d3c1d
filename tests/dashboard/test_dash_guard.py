"""No page or answer of the dashboard without its headers, and no page that its own policy would stop."""

import http.client
import re
import socket
import time
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from city import MESH, City, live, until
from guards import faults

_LISTEN = """window.broken = [];
document.addEventListener("securitypolicyviolation", it =>
  window.broken.push(`${it.violatedDirective} ${it.blockedURI} ${it.sourceFile}`));"""


def test_every_page_file_and_error_carries_the_headers(city: City) -> None:
    with httpx.Client(base_url=city.processes.dashboard_url, timeout=90) as client:
        page = client.get("/").text
        paths = re.findall(r'(?:src|href)="(/[^"]*)"', page)
        assert len(paths) > 20
        paths += ["/", "/area", "/embed", "/nowhere/at/all", "/?lang=en", "/assets/none.js"]
        paths += ["/_dash-layout", "/_dash-dependencies", "/_dash-component-suites/dash/none.js"]
        paths += [
            f"/hub/{it}" for it in ("area-sets", "things.geojson", "nothing", "area-sets/x/areas")
        ]
        paths += [
            f"/hub/area-sets/{MESH}/{it}"
            for it in ("areas", "snapshot", "snapshot?at=x", "derived")
        ]
        wrong = {}
        for path in dict.fromkeys(paths):
            of_kind = path.split("?")[0].rpartition(".")[0]  # of files the scripts are alike
            for method in ("GET",) if of_kind else ("GET", "HEAD", "POST", "OPTIONS"):
                answer = client.request(method, path)
                if faults(answer.headers):
                    wrong[f"{method} {path} {answer.status_code}"] = faults(answer.headers)
        assert wrong == {}
        with client.stream("GET", "/hub/live", params={"area_set": MESH}) as stream:
            assert faults(stream.headers) == []


def test_shapes_are_the_same_for_those_who_unpack_and_those_who_do_not(city: City) -> None:
    with httpx.Client(base_url=city.processes.dashboard_url, timeout=90) as client:
        packed, plain = (
            client.get(f"/hub/area-sets/{MESH}/areas", headers={"Accept-Encoding": it})
            for it in ("gzip", "identity")
        )
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "accept-encoding" in plain.headers["vary"].lower()
    assert packed.headers["etag"] == plain.headers["etag"]
    assert packed.json() == plain.json()


def test_what_is_too_long_or_no_request_of_a_page_is_refused_with_the_headers(city: City) -> None:
    with httpx.Client(base_url=city.processes.dashboard_url, timeout=90) as client:
        too_long = client.post("/_dash-update-component", content=b"[" * 1_000_001)
        broken = client.post(
            "/_dash-update-component", content=b"{", headers={"content-type": "application/json"}
        )
    assert too_long.status_code == 413
    assert too_long.headers["content-type"] == "application/problem+json"
    assert broken.status_code >= 400
    assert faults(too_long.headers) == faults(broken.headers) == []


def test_what_is_no_request_at_all_is_answered_with_the_headers(city: City) -> None:
    address = urlsplit(city.processes.dashboard_url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: hub\r\nno header\r\n\r\n")
        said = b"".join(iter(partial(connection.recv, 65_536), b""))
    head, _, _ = said.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first.split()[1] == "400"
    assert faults(httpx.Headers([tuple(line.split(": ", 1)) for line in lines])) == []


def test_who_asks_again_a_little_later_is_answered_on_the_same_connection(city: City) -> None:
    """Longer than clients keep one (httpx 5 s), else they ask on what is closed at that moment."""
    kept = [
        http.client.HTTPConnection(urlsplit(it).netloc, timeout=60)
        for it in (city.processes.dashboard_url, city.processes.api_url)
    ]
    for connection in kept:
        connection.request("GET", "/assets/none.js")
        connection.getresponse().read()
        connection.auto_open = 0  # never another
    time.sleep(6)
    for connection in kept:
        connection.request("GET", "/assets/none.js")
        assert connection.getresponse().status == 404
        connection.close()


@pytest.fixture(scope="module")
def watched(browser: Browser) -> Iterator[Page]:
    """A page that notes what its policy stops, and whom it asks."""
    expect.set_options(timeout=90_000)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(90_000)
    context.add_init_script(_LISTEN)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_no_page_does_what_its_policy_forbids(city: City, watched: Page, lang: str) -> None:
    hosts = {city.processes.dashboard_url, city.processes.api_url}
    foreign: list[str] = []
    watched.on(
        "request",
        lambda it: (
            foreign.append(it.url)
            if it.url.startswith("http") and not it.url.startswith(tuple(hosts))
            else None
        ),
    )
    east = city.cell("counter-east")
    asked = {"set": MESH, "area": east, "figure": "footfall", "lang": lang}
    watched.goto(city.address(**asked))
    live(watched)
    expect(watched.locator("#detail .js-plotly-plot").first).to_be_visible()
    assert watched.evaluate("window.broken") == []
    watched.goto(str(httpx.URL(f"{city.processes.dashboard_url}/area", params=asked)))
    for chart in ("today", "heat", "history"):
        expect(watched.locator(f"[data-chart={chart}] .js-plotly-plot").first).to_be_visible()
    assert watched.evaluate("window.broken") == []
    for address, shown in (
        (f"{city.processes.dashboard_url}/embed?set={MESH}&lang={lang}", "#embed-title"),
        (f"{city.processes.dashboard_url}/nowhere?lang={lang}", "main.unknown"),
        (f"{city.processes.api_url}/v1", "main table"),
        (f"{city.processes.api_url}/docs", ".opblock-tag"),
    ):
        watched.goto(address)
        expect(watched.locator(shown).first).to_be_visible()
        assert watched.evaluate("window.broken") == [], address
    assert foreign == []


def test_a_script_that_somebody_brings_in_does_not_run(city: City, watched: Page) -> None:
    watched.goto(city.address(set=MESH))
    live(watched)
    watched.evaluate(
        """() => {
          const bad = document.createElement("script");
          bad.textContent = "window.intruded = true";
          document.body.append(bad);
          document.body.insertAdjacentHTML("beforeend", '<img src="x:" onerror="window.intruded = true">');
        }"""
    )
    until(watched, "() => window.broken.length >= 2")
    assert watched.evaluate("window.intruded") is None
