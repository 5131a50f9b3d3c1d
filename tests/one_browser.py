"""One Chromium with one warm profile for many files: a cold page costs more than twice the work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from httpx import URL
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from tsuji_platform.runtime.browser import ensure

USUAL: dict[str, Any] = {
    "viewport": {"width": 1440, "height": 900},
    "locale": "ja-JP",
    "timezone_id": "America/New_York",
}
"""What a reader's browser is like where a test says nothing else."""
_HOME = "http://127.0.0.1/"


def launch(playwright: Playwright) -> Browser:
    """Start a real Chromium, which asks nobody but whom its pages ask."""
    return playwright.chromium.launch(
        executable_path=str(ensure()),
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--process-per-site",
            "--renderer-process-limit=1",  # none is started ahead of its need
        ],
    )


class OneBrowser:
    """A Chromium that starts when it is asked for first.

    While it runs, nothing else in this process can have an event loop: close it before.
    """

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._profile: BrowserContext | None = None

    @property
    def browser(self) -> Browser:
        """The browser."""
        if self._browser is None:
            self._playwright = sync_playwright().start()
            self._browser = launch(self._playwright)
        return self._browser

    @contextmanager
    def profile(self) -> Iterator[BrowserContext]:
        """Lend the profile that keeps what is no state: files in the cache and compiled scripts.

        Afterwards its pages are closed, and what pages have kept in it is gone.
        """
        if self._profile is None:
            self._profile = self.browser.new_context(**USUAL)
            # While a page of the site is open, its process stays, and knows the scripts.
            home = self._profile.new_page()
            home.set_default_timeout(90_000)
            home.route(_HOME, lambda route: route.fulfill(body=""))
            home.goto(_HOME)
        try:
            yield self._profile
        finally:
            home, *pages = self._profile.pages
            seen = {URL(frame.url) for page in pages for frame in page.frames}
            for page in pages:
                page.close()
            self._profile.clear_cookies()
            session = self._profile.new_cdp_session(home)
            for origin in {f"{it.scheme}://{it.netloc.decode()}" for it in seen if it.host}:
                asked = {"origin": origin, "storageTypes": "local_storage,indexeddb,cache_storage"}
                session.send("Storage.clearDataForOrigin", asked)
            session.detach()

    def close(self) -> None:
        """End the browser, where it runs."""
        if self._browser is not None:
            self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()
        self._profile = self._browser = self._playwright = None
