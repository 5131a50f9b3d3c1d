"""How the hub says that it is; with the database away, too."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest
from fastapi.testclient import TestClient

from killed import kill_with_backends
from samples import message, registration
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.runtime.private import PrivateServer, private_database
from tsuji_platform.store import Database, migrate
from tsuji_platform.store.records import IngestState
from tsuji_platform.store.writer import Writer


def test_health_counts_what_became_of_every_value(api: TestClient, writer: Writer, clock) -> None:
    clock.now = datetime.now(UTC)
    writer.save([message("ghost", air_temperature=1), message("ghost", air_temperature=2)])
    body = api.get("/v1/health").json()
    assert body["status"] == "ok"
    assert body["version"] == version("tsuji")
    assert body["database"]["ok"]
    assert "TimescaleDB" in body["database"]["edition"]
    ingest = body["ingest"]
    assert (ingest["messages"], ingest["received"], ingest["rejected"]) == (16, 22, 2)
    assert ingest["received"] == (
        ingest["stored"] + ingest["duplicate"] + ingest["corrected"] + ingest["rejected"]
    )
    assert (ingest["waiting"], ingest["processes"]) == (0, [])
    assert ingest["last_stored_at"].endswith("Z")
    assert ingest["age_s"] < 120
    assert body["things"] == {"total": 5, "live": 0, "silent": 4, "waiting": 1}


def test_each_ingest_says_how_it_fares(
    api: TestClient, hub_database: Database, hub_url: str, clock
) -> None:
    clock.now = datetime.now(UTC)
    for name, waiting, lag_s in (("a", 0, 0.25), ("b", 7, None)):
        writer = Writer(hub_url, name, lambda w=waiting, s=lag_s: IngestState(waiting=w, lag_s=s))
        writer.report()
        writer.close()
    before = api.get("/v1/health").json()["ingest"]
    assert [
        (one["id"], one["state"], one["waiting"], one["lag_s"]) for one in before["processes"]
    ] == [
        ("a", "ok", 0, 0.25),
        ("b", "ok", 7, None),
    ]
    assert before["waiting"] == 7
    assert before["received"] == 7 + sum(
        before[outcome] for outcome in ("stored", "duplicate", "corrected", "rejected")
    )
    clock.now = datetime.now(UTC) + timedelta(seconds=31)
    body = api.get("/v1/health").json()
    assert body["status"] == "degraded"
    assert {one["state"] for one in body["ingest"]["processes"]} == {"silent"}


def test_things_are_counted_by_state(api: TestClient) -> None:
    assert api.get("/v1/health").json()["things"] == {
        "total": 5,
        "live": 3,
        "silent": 1,
        "waiting": 1,
    }


def test_health_is_degraded_when_nothing_new_comes(api: TestClient, clock) -> None:
    clock.now = datetime.now(UTC) + timedelta(minutes=2, seconds=1)
    answer = api.get("/v1/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.headers["cache-control"] == "no-store"


def test_an_empty_hub_is_degraded_and_answers_everything(hub_database: Database) -> None:
    with TestClient(create_app(Hub(hub_database))) as api:
        body = api.get("/v1/health").json()
        assert (body["status"], body["ingest"]["last_stored_at"], body["ingest"]["age_s"]) == (
            "degraded",
            None,
            None,
        )
        for path in ("/v1/things", "/v1/latest", "/v1/area-sets"):
            assert api.get(path).json()["items"] == []
        assert api.get("/v1/things.geojson").json() == {"type": "FeatureCollection", "features": []}


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateServer]:
    """A server of this file's own, since it is stopped."""
    with private_database(kind="timescaledb") as server:
        migrate(server.url)
        yield server


def test_with_the_database_away_callers_are_asked_to_try_again(
    server: PrivateServer, eventually
) -> None:
    writer = Writer(server.url, "test")
    writer.save([registration("pole")])
    writer.close()
    with (
        Database(server.url, timeout_s=0.5) as database,
        TestClient(create_app(Hub(database))) as api,
    ):
        eventually(lambda: api.get("/v1/things/pole").status_code == 200)
        kill_with_backends(server)
        for path in ("/v1/things", "/v1/things/pole", "/v1/area-sets", "/v1/live?area_set=x"):
            answer = api.get(path)
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"] == "5"
            assert answer.json()["detail"] == "the database can't serve now; try again"
        health = api.get("/v1/health")
        assert (health.status_code, health.json()["status"]) == (503, "down")
        assert health.json()["database"] == {"ok": False, "edition": None, "replica": None}
        assert api.get("/v1/figures").status_code == 200  # needs no database
        server.start()
        eventually(lambda: api.get("/v1/things/pole").status_code == 200)
        eventually(lambda: api.get("/v1/health").json()["database"]["ok"])
