"""The first page that a dashboard gives after its start is whole, whichever address is asked for."""

import pytest
from fastapi.testclient import TestClient

from tsuji_dashboard.app import ahead, create_app
from tsuji_platform.settings import DashboardSettings


@pytest.mark.parametrize(("path", "waits"), [("/area?lang=en", "Loading…"), ("/", "読み込み中…")])
def test_the_first_page_brings_its_scripts_styles_and_words(path: str, waits: str) -> None:
    with TestClient(create_app(DashboardSettings(), "http://127.0.0.1:9")) as client:
        page = client.get(path, headers={"Accept-Language": "ja"}).text
    assert "/assets/95-area.js" in page
    assert "/assets/10-tsuji.css" in page
    assert waits in page
    assert "Loading..." not in page
    assert "preload" not in page  # the address names no area set


def test_the_shapes_that_the_address_names_are_fetched_while_scripts_are_read() -> None:
    with TestClient(create_app(DashboardSettings(), "http://127.0.0.1:9")) as client:
        page = client.get("/?lang=en&set=mesh500-central").text
        other = client.get("/area?set=mesh500-central").text
    assert 'as="fetch" crossorigin href="/hub/area-sets/mesh500-central/areas"' in page
    assert "preload" not in other


@pytest.mark.parametrize("name", ["", 'a"><script>', "a/../b", "a b", "区", "a" * 101])
def test_a_name_that_needs_escaping_is_left_to_the_scripts(name: str) -> None:
    assert ahead("/", name) == ""
