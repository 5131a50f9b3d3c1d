"""HEAD, OPTIONS and request ids on every resource."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from samples import message
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.rates import Doors
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.settings import ApiSettings, SharedSecretSettings
from tsuji_platform.store import Database
from tsuji_platform.store.keys import Keys
from tsuji_platform.store.writer import Writer

_PATHS = ["/v1/things", "/v1/things.geojson", "/v1/observations?thing=pole-1&format=csv", "/docs"]


@pytest.mark.parametrize("path", [*_PATHS, "/v1/things/nobody"])
def test_head_is_get_without_the_body(api: TestClient, path: str) -> None:
    head, get = api.head(path), api.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    varying = {"x-request-id", "date"}
    for name in ("content-type", "content-disposition", "etag"):
        assert head.headers.get(name) == get.headers.get(name)
    assert set(head.headers) - varying == set(get.headers) - varying


def test_redirections_lead_to_paths_of_the_host_that_was_asked(api: TestClient) -> None:
    for asked, where in (
        ("/", "/docs"),
        ("/v1/things/?limit=2&kind=%E6%9D%B1", "/v1/things?limit=2&kind=%E6%9D%B1"),
        ("/v1/things/%E6%9D%B1/", "/v1/things/%E6%9D%B1"),
    ):
        answer = api.get(asked, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, where)
    assert api.get("http://testserver//elsewhere.example/").status_code == 404


def test_options_says_what_is_allowed_and_others_are_told(api: TestClient) -> None:
    answer = api.options("/v1/things")
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    refused = api.post("/v1/things", json={})
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert refused.headers["content-type"] == "application/problem+json"


def test_pages_of_other_sites_may_ask_whatever_else_they_send(api: TestClient) -> None:
    for sent in ("X-API-Key", "range", "authorization, traceparent"):
        asked = {
            "Origin": "https://a.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": sent,
        }
        answer = api.options("/v1/things", headers=asked)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Headers"] == sent


def test_answers_are_packed_for_whom_takes_that(api: TestClient) -> None:
    taking = ("gzip", "br, GZip ; q=0.5", "*", "x-gzip")
    others = ("gzip;q=0, *", "*;q=0.0", "zstd, br", "identity", "", "gzip" + "," * 300)
    for accepted in (*taking, *others):
        answer = api.get("/v1/things", headers={"Accept-Encoding": accepted})
        is_packed = answer.headers.get("content-encoding") == "gzip"
        assert is_packed is (accepted in taking), accepted
        assert answer.json()["items"]


def test_what_pages_may_not_ask_is_said_like_every_other_mistake(api: TestClient) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "DELETE"}
    answer = api.options("/v1/things", headers=asked)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "'DELETE'" in answer.json()["detail"]
    assert "GET and HEAD" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-123", True), ("", False), ("a b", False), ("x" * 65, False)]
)
def test_requests_have_ids(api: TestClient, given: str, kept: bool) -> None:
    answered = api.get("/v1/figures", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert (answered == given) is kept
    assert 1 <= len(answered) <= 64


_VALIDATED = [
    "/v1",
    "/v1/things",
    "/v1/things.geojson",
    "/v1/things/pole-1",
    "/v1/things/pole-1/series?observed_property=rainfall",
    "/v1/things/pole-1/observations",
    "/v1/things/gate-1/typical?observed_property=pedestrians_in",
    "/v1/datastreams",
    "/v1/latest",
    "/v1/area-sets",
    "/v1/area-sets/squares",
    "/v1/area-sets/squares/areas",
    "/v1/area-sets/squares/snapshot",
    "/v1/area-sets/squares/snapshot?format=parquet",
    "/v1/area-sets/squares/areas/W/series?figure=footfall",
    "/v1/datasets",
    "/v1/catalogue",
    "/v1/figures",
    "/openapi.json",
]


@pytest.mark.parametrize("path", _VALIDATED)
def test_what_has_not_changed_is_not_sent_again(
    api: TestClient, clock: Callable[[], datetime], path: str
) -> None:
    first = api.get(path, headers={"Accept-Encoding": "identity"})
    etag = first.headers["etag"]
    assert etag.startswith('W/"')
    for asked in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        again = api.get(path, headers={"If-None-Match": asked})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["cache-control"] == first.headers["cache-control"]
        assert again.headers["vary"] == first.headers["vary"]
        assert "content-type" not in again.headers
    assert api.get(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200
    assert first.headers["cache-control"].startswith("public, ")
    assert {"Accept", "Authorization", "X-API-Key"} <= set(first.headers["vary"].split(", "))


def test_a_snapshot_of_now_changes_with_its_figures_and_not_with_its_time(
    api: TestClient, clock: Any, writer: Writer
) -> None:
    path = "/v1/area-sets/squares/snapshot"
    first = api.get(path)
    clock.now += timedelta(microseconds=1)
    same = api.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert same.status_code == 304
    writer.save([message("pole-1", clock.now, air_temperature=13)])
    assert api.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_answers_to_a_key_are_kept_for_nobody_else(city: Database) -> None:
    key = Keys(city).create("reader", [Scope.COUNTS])
    doors = Doors.of(city, ApiSettings(anonymous_rate=0), SharedSecretSettings())
    with TestClient(create_app(Hub(city), doors)) as api:
        for path in ("/v1/latest", "/v1/area-sets", "/v1/figures"):
            keyed = api.get(path, headers={"X-API-Key": key})
            anonymous = api.get(path)
            assert keyed.headers["cache-control"].startswith("private")
            assert anonymous.headers["cache-control"].startswith("public")
            assert keyed.headers["vary"] == anonymous.headers["vary"]
        wrong = api.get("/v1/latest", headers={"X-API-Key": "tsuji_0000000000_x"})
        assert (wrong.status_code, wrong.headers["cache-control"]) == (401, "no-store")


@pytest.mark.parametrize(
    ("path", "named", "near"),
    [
        ("/v1/latest?obsereved_property=rainfall", "obsereved_property", "observed_property"),
        ("/v1/things?Limit=3", "Limit", "limit"),
        ("/v1/figures?x=1", "x", "format"),
        ("/v1/observations?thngs=a", "thngs", "thing"),
    ],
)
def test_a_parameter_that_nobody_knows_is_refused(
    api: TestClient, path: str, named: str, near: str
) -> None:
    answer = api.get(path)
    assert answer.status_code == 422
    (wrong,) = answer.json()["errors"]
    assert (wrong["parameter"], near in wrong["detail"]) == (named, True)


@pytest.mark.parametrize(
    "path", ["/v1/things?bbox=0,0,1,1&bbox=1,1,2,2", "/v1/figures?format=csv&format=json"]
)
def test_what_counts_once_is_refused_twice(api: TestClient, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, "2 times" in answer.json()["detail"]) == (422, True)
    assert api.get("/v1/latest?thing=pole-2&thing=gate-1").status_code == 200


@pytest.mark.parametrize(
    ("path", "named", "example"),
    [
        ("/v1/things?bbox=tokyo", "bbox", "139.69,35.68,139.71,35.70"),
        ("/v1/things?limit=many", "limit", 1000),
        ("/v1/observations?interval=P1M", "interval", "PT24H"),
        ("/v1/area-sets/squares/snapshot?at=now", "at", "2026-04-01T09:00:00+09:00"),
    ],
)
def test_a_problem_names_the_parameter_and_shows_an_example(
    api: TestClient, path: str, named: str, example: object
) -> None:
    (wrong,) = api.get(path).json()["errors"]
    assert (wrong["parameter"], wrong["example"]) == (named, example)


def test_pages_lead_on_in_every_format_and_count_only_when_asked(api: TestClient) -> None:
    seen, address = [], "/v1/things?limit=2&format=csv"
    while address:
        answer = api.get(address)
        seen += [line.partition(",")[0] for line in answer.text.splitlines()[1:]]
        address = answer.links.get("next", {}).get("url", "")
    assert seen == ["gate-1", "gate-2", "pole-1", "pole-2", "pole-3"]
    assert api.get("/v1/things").json()["count"] is None
    for path, count in [
        ("/v1/things?limit=1", 5),
        ("/v1/things?limit=1&kind=smart_pole", 2),
        ("/v1/datastreams?limit=1", 13),
        ("/v1/datastreams?limit=1&observed_property=rainfall", 3),
        ("/v1/things/pole-1/observations?limit=1", 7),
        ("/v1/alerts", 0),
        ("/v1/rejected", 0),
    ]:
        joined = "&" if "?" in path else "?"
        exact = api.get(f"{path}{joined}count=exact").json()["count"]
        assert exact == {"value": count, "way": "exact"}, path
        estimated = api.get(f"{path}{joined}count=estimated").json()["count"]
        assert (estimated["way"], estimated["value"] >= 0) == ("estimated", True), path
