"""HEAD, OPTIONS and request ids on every resource."""

import pytest
from fastapi.testclient import TestClient

_PATHS = ["/v1/things", "/v1/things.geojson", "/v1/observations?thing=pole-1&format=csv", "/docs"]


@pytest.mark.parametrize("path", [*_PATHS, "/v1/things/nobody"])
def test_head_is_get_without_the_body(api: TestClient, path: str) -> None:
    head, get = api.head(path), api.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    varying = {"x-request-id", "date"}
    for name in ("content-type", "content-disposition", "etag"):
        assert head.headers.get(name) == get.headers.get(name)
    assert set(head.headers) - varying == set(get.headers) - varying


def test_options_says_what_is_allowed_and_others_are_told(api: TestClient) -> None:
    answer = api.options("/v1/things")
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    refused = api.post("/v1/things", json={})
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert refused.headers["content-type"] == "application/problem+json"


def test_pages_of_other_sites_may_ask(api: TestClient) -> None:
    asked = {
        "Origin": "https://a.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "X-API-Key",
    }
    answer = api.options("/v1/things", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-API-Key" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-123", True), ("", False), ("a b", False), ("x" * 65, False)]
)
def test_requests_have_ids(api: TestClient, given: str, kept: bool) -> None:
    answered = api.get("/v1/figures", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert (answered == given) is kept
    assert 1 <= len(answered) <= 64
