"""Holds what a page asks Dash until a test lets it go: what stands there meanwhile can be looked at."""

import time

import pytest
from playwright.sync_api import Page, Route


class HeldQuestions:
    """Callbacks of one page that are not passed on.

    Args:
        page: which.
        about: what is in those that are held, such as the id of what they fill; others pass.
    """

    def __init__(self, page: Page, about: str) -> None:
        self._page, self._about = page, about
        self._is_holding = True
        self._held: list[Route] = []
        # callbacks that stream their answers name it behind a question mark
        page.route("**/_dash-update-component*", self._come)

    def __len__(self) -> int:
        return len(self._held)

    def wait(self, within: float = 150) -> None:
        """Until one is held."""
        deadline = time.monotonic() + within
        while not self:
            if time.monotonic() > deadline:
                pytest.fail(f"not within {within} s: a question about {self._about}")
            self._page.wait_for_timeout(20)

    def hold(self) -> None:
        """Hold what comes, again."""
        self._is_holding = True

    def let_go(self) -> None:
        """Pass on what was held and what comes."""
        self._is_holding = False
        held, self._held = self._held, []
        for one in held:
            one.continue_()

    def _come(self, route: Route) -> None:
        if self._is_holding and self._about in (route.request.post_data or ""):
            self._held.append(route)
        else:
            route.continue_()
