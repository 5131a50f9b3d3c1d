"""No answer of the data API without the headers by which browsers guard it: of no path, and of no error."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from guards import faults
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.rates import Doors
from tsuji_platform.guarded import GuardedApp
from tsuji_platform.settings import ApiSettings, SharedSecretSettings
from tsuji_platform.store import Database

_OWN = {
    "thing_id": "pole-1",
    "area_set": "squares",
    "code": "W",
    "alert": "x",
    "dataset": "x",
    "id": "1",
}


def _filled(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda it: _OWN.get(it[1], "x"), path)


def test_every_path_and_every_error_carries_the_headers(api: TestClient) -> None:
    document = api.get("/openapi.json").json()
    paths = [_filled(path) for path in document["paths"] if path != "/v1/live"]
    paths += ["/", "/docs", "/openapi.json", "/nowhere", "/v1/things?limit=0", "/v1?x=1"]
    paths += [f"/static-offline-docs/{name}" for name in ("swagger-ui.css", "none", "../app.py")]
    pages = {"/docs", "/v1"}
    wrong = {}
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE"):
            headers = {"Accept": "text/html"} if path in pages else {}
            answer = api.request(method, path, headers=headers, follow_redirects=False)
            found = faults(answer.headers)
            if (
                path not in pages
                and "default-src 'none'" not in answer.headers["content-security-policy"]
            ):
                found.append("data that may run")
            if found:
                wrong[f"{method} {path} {answer.status_code}"] = found
    assert wrong == {}


def test_a_defect_a_refusal_a_preflight_and_a_stream_carry_them_too(
    city: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(city)
    doors = Doors.of(city, ApiSettings(anonymous_rate=2), SharedSecretSettings())
    client = TestClient(create_app(hub, doors), raise_server_exceptions=False)
    with client:
        preflight = client.options(
            "/v1/things",
            headers={"Origin": "https://a.org", "Access-Control-Request-Method": "PUT"},
        )
        answers = [preflight, client.get("/v1/things", headers={"X-API-Key": "guess"})]
        answers += [client.get("/v1/things") for _ in range(3)]
        monkeypatch.setattr(type(hub.reader), "things", lambda *_, **__: 1 / 0)
        doors.rates._accounts.clear()
        answers.append(TestClient(create_app(hub), raise_server_exceptions=False).get("/v1/things"))
    assert {answer.status_code for answer in answers} >= {400, 401, 429, 500}
    assert [faults(answer.headers) for answer in answers] == [[]] * len(answers)


def test_pages_of_other_sites_can_read_whatever_is_refused_and_each_answer_has_an_id(
    city: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(city)
    doors = Doors.of(city, ApiSettings(anonymous_rate=3), SharedSecretSettings())
    monkeypatch.setattr(type(hub.reader), "things", lambda *_, **__: 1 / 0)
    page = {"Origin": "https://a.example", "X-Request-ID": "mine"}
    with TestClient(create_app(hub, doors), raise_server_exceptions=False) as client:
        answers = [
            client.get("/v1/things", headers=page),
            client.request("GET", "/v1/figures", headers=page, content=b"x" * 100_000),
            client.head("/v1/nowhere", headers=page),
            client.get("/v1/latest", headers=page | {"X-API-Key": "guess"}),
            client.get("/v1/figures", headers=page),
            client.options("/v1", headers=page | {"Access-Control-Request-Method": "PUT"}),
        ]
    assert [it.status_code for it in answers] == [500, 413, 404, 401, 429, 400]
    for it in answers:
        assert it.headers["access-control-allow-origin"] == "*", it.status_code
        assert it.headers["x-request-id"] == "mine"
        assert {"Origin", "Accept", "X-API-Key"} <= set(it.headers["vary"].split(", "))
        assert it.headers["cache-control"] == "no-store"
        if it.request.method == "GET":
            assert "X-Request-ID" in it.headers["access-control-expose-headers"]


def test_pages_run_their_own_scripts_only(api: TestClient) -> None:
    for path in ("/docs", "/v1"):
        answer = api.get(path, headers={"Accept": "text/html"})
        policy = answer.headers["content-security-policy"]
        inline = re.findall(r"<(?:script|style)>", answer.text)
        assert len(inline) == policy.count("'sha256-") >= 1
        assert "http" not in policy
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", answer.text)


def test_https_is_insisted_on_over_https_only(city: Database) -> None:
    app = create_app(Hub(city), https_s=31_536_000)
    plain, secure = (TestClient(app, base_url=f"{it}://hub.example") for it in ("http", "https"))
    assert "strict-transport-security" not in plain.get("/v1/figures").headers
    said = secure.get("/v1/figures").headers["strict-transport-security"]
    assert said == "max-age=31536000; includeSubDomains"
    quiet = TestClient(create_app(Hub(city)), base_url="https://hub.example")
    assert "strict-transport-security" not in quiet.get("/v1/figures").headers


@pytest.fixture
def posted() -> Callable[..., Any]:
    """Posts a body to an application that wants to read it, and takes 1,000 bytes."""
    app = GuardedApp(guard={"X-Guard": "on"}, most_bytes=1_000)

    @app.post("/")
    async def count(body: dict[str, Any]) -> int:
        return len(body)

    client = TestClient(app, raise_server_exceptions=False)
    return lambda content: client.post(
        "/", content=content, headers={"content-type": "application/json"}
    )


def test_a_body_that_is_too_long_is_refused_whether_it_says_its_length_or_not(posted) -> None:
    def in_parts(size: int):
        yield b'{"a":"'
        for _ in range(size):
            yield b"x" * 100
        yield b'"}'

    assert posted(b'{"a": 1}').json() == 1
    assert posted(in_parts(5)).json() == 1
    for content in (b'"' + b"x" * 1_000 + b'"', in_parts(20)):
        refused = posted(content)
        assert refused.status_code == 413
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["x-guard"] == "on"
        assert "1000 bytes" in refused.json()["detail"]
