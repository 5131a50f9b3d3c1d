"""Ids come from addresses that anyone can write: none leads anywhere else in the API."""

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tsuji_dashboard.client import UnknownError, path
from tsuji_dashboard.guests import Guests
from tsuji_dashboard.hub import router
from tsuji_dashboard.relay import Relay


def test_ids_are_escaped() -> None:
    assert path("things", "a/b?c#d é") == "/v1/things/a%2Fb%3Fc%23d%20%C3%A9"
    assert path("things", "...") == "/v1/things/..."


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_a_segment_that_leads_elsewhere_is_no_id(part: str) -> None:
    with pytest.raises(UnknownError):
        path("area-sets", part, "areas")


@pytest.mark.parametrize("rest", ["areas", "snapshot?at=2026-04-01T00:00:00Z"])
def test_such_an_address_is_not_found_without_asking_the_api(rest: str) -> None:
    http = httpx.AsyncClient(base_url="http://127.0.0.1:9")  # asking would be a bad gateway
    app = FastAPI()
    app.include_router(router(http, Relay(http), Guests(1)))
    answer = TestClient(app).get(f"/hub/area-sets/%2E%2E/{rest}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "nothing under" in answer.json()["detail"]
