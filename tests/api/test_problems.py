"""What callers get wrong comes back as problem details (RFC 9457), never as a fault of ours."""

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import quote

import httpx
import psycopg
import pytest
from fastapi.testclient import TestClient

from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.exports.about import STEPS
from tsuji_platform.store import Database

SERIES = "/v1/area-sets/squares/areas/W/series?figure=footfall"
THING_SERIES = "/v1/things/pole-1/series?observed_property=rainfall"


def problem(answer: httpx.Response) -> dict:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert set(body) - {"errors"} == {"type", "title", "status", "detail"}
    assert body["status"] == answer.status_code
    return body


@pytest.mark.parametrize(
    ("path", "named", "where"),
    [
        ("/v1/things/nobody", "'nobody'", "/v1/things"),
        ("/v1/things/nobody/series?observed_property=rainfall", "'nobody'", "/v1/things"),
        ("/v1/things/nobody/observations", "'nobody'", "/v1/things"),
        ("/v1/area-sets/atlantis/areas", "'atlantis'", "/v1/area-sets"),
        ("/v1/area-sets/atlantis/snapshot", "'atlantis'", "/v1/area-sets"),
        ("/v1/area-sets/atlantis/areas/W", "'atlantis'", "/v1/area-sets"),
        ("/v1/area-sets/squares/areas/Z", "'Z'", "/v1/area-sets/squares/areas"),
        ("/v1/area-sets/squares/areas/Z/series?figure=footfall", "'Z'", "/v1/area-sets/squares"),
        ("/v1/live?area_set=atlantis", "'atlantis'", "/v1/area-sets"),
    ],
)
def test_unknown_ids_are_named_with_where_to_look(
    api: TestClient, path: str, named: str, where: str
) -> None:
    answer = api.get(path)
    assert answer.status_code == 404
    detail = problem(answer)["detail"]
    assert named in detail
    assert where in detail


@pytest.mark.parametrize("path", [SERIES, THING_SERIES])
def test_a_series_of_too_much_is_refused_with_what_to_ask_for(api: TestClient, path: str) -> None:
    span = "&start=1970-01-01T00:00:00Z&end=2026-01-01T00:00:00Z"
    answer = api.get(f"{path}{span}&step={31 * 86_400 - 60}")
    assert answer.status_code == 422
    detail = problem(answer)["detail"]
    assert "more than 5,000,000" in detail
    assert "a multiple of 300 s" in detail
    assert "shorter time" in detail
    assert api.get(f"{path}{span}&step={31 * 86_400}").status_code == 200


def test_what_takes_too_long_is_ended_with_what_to_ask_for(
    city: Database, clock: Callable[[], datetime], eventually: Callable[..., None]
) -> None:
    """Here a lock holds it up; it must hold nobody else up, such as the pool's other callers."""
    with (
        psycopg.connect(city.url) as other,
        Database(city.url, size=1, query_s=0.2) as impatient,
        TestClient(create_app(Hub(impatient, clock)), raise_server_exceptions=False) as api,
    ):
        other.execute("LOCK TABLE latest IN ACCESS EXCLUSIVE MODE")
        answer = api.get("/v1/latest")
        assert answer.status_code == 504
        assert "TSUJI_QUERY_SECONDS" in problem(answer)["detail"]
        other.rollback()
        # on a busy machine a question may take that long without being held up
        eventually(lambda: api.get("/v1/latest").status_code == 200)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/v1/things?limit=0", "limit"),
        ("/v1/things?limit=10001", "limit"),
        ("/v1/things?limit=many", "'many'"),
        ("/v1/things?limit=" + "9" * 5000, "limit"),
        ("/v1/things?after=" + "a" * 65, "after"),
        ("/v1/things.geojson?at=yesterday", "'yesterday'"),
        ("/v1/things.geojson?at=2026-04-01T09:00:00", "at"),  # no offset
        ("/v1/area-sets/squares/snapshot?at=1969-12-31T23:59:59Z", "1970"),
        ("/v1/area-sets/squares/snapshot?at=9999-12-31T23:59:59Z", "2200"),
        ("/v1/area-sets/squares/snapshot?at=0001-01-01T00:00:00%2B14:00", "1970"),
        ("/v1/area-sets/squares/snapshot?at=%00", "at"),
        ("/v1/area-sets/squares/snapshot?at=", "at"),
        ("/v1/area-sets/squares/areas/W/series", "figure"),
        ("/v1/area-sets/squares/areas/W/series?figure=gravity", "footfall"),
        (SERIES + "&step=59", "step"),
        (SERIES + "&step=1e3", "step"),
        (SERIES + "&step=32d", "31d"),
        (SERIES + "&step=60.5s", "whole seconds"),
        (SERIES + "&step=PT1Y", "15min"),
        ("/v1/aggregates?step=", "step"),
        (SERIES + "&step=999999999999999999999", "step"),
        (SERIES + "&start=2026-04-01T03:00:00Z&end=2026-04-01T03:00:00Z", "before end"),
        (SERIES + "&start=2026-04-02T00:00:00Z", "before end"),
        (SERIES + "&start=1970-01-01T00:00:00Z&step=60", "10000"),
        (THING_SERIES + "&start=now", "'now'"),
        ("/v1/things/pole-1/series?observed_property=gravity", "air_temperature"),
        ("/v1/latest?thing=%27%20OR%201=1%20--", "thing"),
        ("/v1/latest?thing=x%00", "thing"),
        ("/v1/latest?observed_property=" + "x" * 65, "observed_property"),
        ("/v1/live?events=areas", "area_set"),
    ],
)
def test_bad_parameters_are_named(api: TestClient, path: str, named: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 422, answer.text
    detail = problem(answer)["detail"]
    assert named in detail
    assert len(detail) < 600
    for foreign in ("Input should", "String should", "Field required", "Value error"):
        assert foreign not in detail


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/latest?thing=x%20y", "thing"),  # one of several, which may be repeated
        ("/v1/things?kind=x%00", "kind"),
        ("/v1/area-sets/squares/derived?figures=wbgt,gravity", "figures"),
        ("/v1/observations?thing=nobody", "thing"),
        ("/v1/observations?area_set=squares&area=Z", "area"),
        ("/v1/observations?area_set=", "area_set"),
        (f"{THING_SERIES}&interval=P5000D&step=60", "step"),
    ],
)
def test_the_parameter_is_named_with_an_example(api: TestClient, path: str, parameter: str) -> None:
    body = problem(api.get(path))
    assert parameter in body["detail"]
    assert f"{parameter}." not in body["detail"]
    assert [it["parameter"] for it in body["errors"]] == [parameter]
    assert body["errors"][0]["example"]


@pytest.mark.parametrize("path", ["/v2", "/v1/thing", "/v1/things/pole-1/colour"])
def test_where_nothing_is_it_says_where_to_look(api: TestClient, path: str) -> None:
    detail = problem(api.get(path))["detail"]
    assert path in detail
    assert "/v1 lists" in detail


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/things?limit=many", "query parameter 'limit' must be a whole number, got 'many'"),
        ("/v1/things?limit=0", "query parameter 'limit' must be at least 1, got '0'"),
        ("/v1/area-sets/squares/areas/W/series", "query parameter 'figure' is missing"),
        (
            "/v1/observations?bom=perhaps",
            "query parameter 'bom' must be true or false, got 'perhaps'",
        ),
        (
            "/v1/aggregates?step=2h",
            "step '2h' is not one of 5min, 1h, 1day; a series may have other steps",
        ),
        (SERIES + "&step=59", "step '59' is not from 1m to 31d"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_a_sentence(
    api: TestClient, path: str, told: str
) -> None:
    assert problem(api.get(path))["detail"] == told


def test_steps_are_said_in_the_same_ways_everywhere(api: TestClient) -> None:
    lengths = {300: ["300", "5m", "5min", "PT5M"], 86_400: ["86400", "24h", "1d", "1day", "P1D"]}
    for seconds, said in lengths.items():
        for step in said:
            asked = {"start": "2026-03-30T00:00:00Z", "end": "2026-04-01T00:00:00Z", "step": step}
            series = api.get(
                "/v1/things/pole-1/series", params={**asked, "observed_property": "rainfall"}
            )
            assert series.json()["step_s"] == seconds, step
            past = {"interval": "2020-01-01T00:00:00Z/P1D", "step": step}  # of which nothing waits
            answer = api.get("/v1/aggregates", params=past)
            width = timedelta(seconds=seconds)
            assert STEPS[answer.json()["about"]["step"]] == width, step


HOSTILE = [
    "\x00",
    "pole-1\x00",
    "'; DROP TABLE thing; --",
    "%s%(x)s{0}$1\\",
    "../../../etc/passwd",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "\u202e\u0301\ufffe\U0010ffff",
    "ｐｏｌｅ－１",
    "9" * 400,
    "-1",
    "NaN",
    "1e999",
    "x" * 4000,
    "<script>alert(1)</script>",
    "\r\nSet-Cookie: a=b",
]
PATHS = [
    "/v1/things/{}",
    "/v1/things/{}/series?observed_property=rainfall",
    "/v1/things/pole-1/series?observed_property={}",
    "/v1/things/{}/observations",
    "/v1/things/pole-1/observations?after={}",
    "/v1/things/pole-1/observations?observed_property={}",
    "/v1/things/pole-1/observations?quality={}",
    "/v1/things?after={}",
    "/v1/things?limit={}",
    "/v1/latest?thing={}",
    "/v1/latest?observed_property={}",
    "/v1/things.geojson?at={}",
    "/v1/area-sets/{}/areas",
    "/v1/area-sets/{}/snapshot",
    "/v1/area-sets/{}/areas/W",
    "/v1/area-sets/squares/snapshot?at={}",
    "/v1/area-sets/squares/areas/{}",
    "/v1/area-sets/squares/areas/{}/series?figure=footfall",
    SERIES.replace("footfall", "{}"),
    SERIES + "&step={}",
    SERIES + "&start={}",
    SERIES + "&end={}",
    "/v1/live?area_set={}",
    "/v1/{}",
]


@pytest.mark.parametrize("path", PATHS)
def test_hostile_text_anywhere_is_the_callers_mistake(api: TestClient, path: str) -> None:
    for text in HOSTILE:
        answer = api.get(path.format(quote(text, safe="")))
        assert answer.status_code < 500, (path, text, answer.text)
        if answer.status_code >= 400:
            problem(answer)
        else:  # a filter that finds nothing
            assert answer.json().get("items") is not None, (path, text, answer.text)
    assert len(api.get("/v1/things").json()["items"]) == 5


@pytest.mark.parametrize("raw", ["/v1/things/%ff%fe", "/v1/things/%C0%80", "/v1/things?after=%ff"])
def test_bytes_that_are_no_text_are_the_callers_mistake(api: TestClient, raw: str) -> None:
    assert api.get(raw).status_code in (200, 404, 422)


@pytest.mark.parametrize("header", ['"', "*", 'W/"x"', "\xff" * 10, "," * 1000])
def test_odd_headers_are_passed_over(api: TestClient, header: str) -> None:
    answer = api.get(
        "/v1/area-sets/squares/areas", headers={"If-None-Match": header.encode("latin-1")}
    )
    assert answer.status_code in (200, 304)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(api: TestClient, method: str) -> None:
    answer = api.request(method, "/v1/things")
    assert answer.status_code == 405
    assert method in problem(answer)["detail"]
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
