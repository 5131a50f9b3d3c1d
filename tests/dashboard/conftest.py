"""One city for all browser tests, and pages that tolerate no error and no foreign host."""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect
from psycopg.conninfo import make_conninfo

from city import City
from hub_processes import HubProcesses
from one_browser import USUAL, OneBrowser
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.store import migrate

_FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def city(
    timescaledb_server: PrivateServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[City]:
    """A real hub without a broker; nothing but what a test publishes changes in it."""
    with psycopg.connect(timescaledb_server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE city")
    url = make_conninfo(timescaledb_server.url, dbname="city")
    migrate(url)
    processes = HubProcesses(url, "mqtt://127.0.0.1:9", tmp_path_factory.mktemp("city"))
    processes.environment["TSUJI_TILES_URL"] = ""
    made = City(url, processes)
    try:
        processes.start("api")
        processes.start("dashboard")
        yield made
    finally:
        made.close()
        with psycopg.connect(timescaledb_server.url, autocommit=True) as connection:
            connection.execute("DROP DATABASE city WITH (FORCE)")


_chromium = OneBrowser()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a browser's test that fails once more, or `RERUNS` times; what each try said is printed.

    A page, a stream and a clock that go on by themselves meet in ways that no waiting foresees. What has
    taken all of its time has none left, and no limit either.
    """
    tries = int(os.environ.get("RERUNS") or "1")
    again = pytest.mark.flaky(reruns=tries, rerun_except=r"Timeout \(>")
    for item in items:
        if item.path.is_relative_to(_FOLDER):
            item.add_marker(again)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item,
    nextitem: pytest.Item | None,
) -> Generator[None, object, object]:
    """After all tries, close the browser before tests of another folder, which may have event loops."""
    result = yield
    if nextitem is None or not nextitem.path.is_relative_to(_FOLDER):
        _chromium.close()
    return result


@pytest.fixture(scope="module")
def browser() -> Browser:
    """A real Chromium, which all files of this folder share."""
    return _chromium.browser


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address as a reader would: `open_page(address, locale="en-US")`.

    A script error, a refused resource or a request to another host fails the test; `hosts` names
    hosts that may be asked, `troubled` allows failed requests. Pages share a warm profile, except
    where `options` ask for another one.
    """
    contexts = []
    problems: list[str] = []
    expect.set_options(timeout=90_000)

    def open_(
        address: str,
        *,
        hosts: tuple[str, ...] = (),
        troubled: bool = False,
        size: tuple[int, int] = (1440, 900),
        **options: Any,
    ) -> Page:
        context = profile
        if options:
            context = browser.new_context(**{**USUAL, **options})
            contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        allowed = {urlsplit(address).netloc, *hosts}
        page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
        page.on(
            "console",
            lambda said: (
                problems.append(f"console: {said.text}")
                if said.type == "error" and not troubled
                else None
            ),
        )
        page.on(
            "request",
            lambda request: (
                problems.append(f"foreign host: {request.url}")
                if urlsplit(request.url).netloc not in allowed
                and not request.url.startswith(("data:", "blob:"))
                else None
            ),
        )
        page.goto(address)
        return page

    with _chromium.profile() as profile:
        yield open_
    for context in contexts:
        context.close()
    assert problems == []
