import httpx
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient
from starlette.middleware.gzip import GZipMiddleware

from tsuji_dashboard.kept_files import KeptFiles


def client() -> tuple[TestClient, list[str]]:
    app, asked = FastAPI(), []

    @app.get("/assets/{name:path}")
    async def asset(name: str) -> Response:
        asked.append(name)
        if name == "none.js":
            return Response(status_code=404)
        return Response(f"// {len(asked)}" + "x" * 2_000, headers={"ETag": '"e"'})

    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    app.add_middleware(KeptFiles)
    return TestClient(app), asked


def same(one: httpx.Response, other: httpx.Response) -> bool:
    return (one.status_code, one.headers, one.text) == (
        other.status_code,
        other.headers,
        other.text,
    )


def test_a_file_is_made_once_for_as_long_as_its_address_is_the_same():
    asking, asked = client()
    first = asking.get("/assets/a.js?m=1")
    assert first.headers["content-encoding"] == "gzip"
    assert same(asking.get("/assets/a.js?m=1"), first)
    assert asked == ["a.js"]
    second = asking.get("/assets/a.js?m=2")
    assert second.text != first.text
    assert same(asking.get("/assets/a.js?m=2"), second)
    assert len(asked) == 2


def test_who_asks_otherwise_gets_what_is_there_now():
    asking, asked = client()
    for headers in (
        {"Accept-Encoding": "identity"},
        {"If-None-Match": '"e"'},
        {"Range": "bytes=0-1"},
    ):
        for _ in range(2):
            asking.get("/assets/a.js?m=1", headers=headers)
    for _ in range(2):
        asking.get("/assets/a.js")  # without a fingerprint it may be another one tomorrow
        assert asking.get("/assets/none.js?m=1").status_code == 404
    assert len(asked) == 10


def test_a_file_is_not_kept_under_every_name_that_leads_to_it():
    asking, asked = client()
    for _ in range(2):
        for name in ("/assets//a.js?m=1", "/assets/b/%2e%2e/a.js?m=1", "/assets/%2e/a.js?m=1"):
            assert asking.get(name).status_code == 200
    assert len(asked) == 6
