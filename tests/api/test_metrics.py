"""What the data API tells Prometheus: through a key at its own port, without one at a port of its own."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import psutil
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from hub_processes import HubProcesses
from own_ports import own_port
from samples import message
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.rates import Doors
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.settings import ApiSettings, SharedSecretSettings
from tsuji_platform.store import Database
from tsuji_platform.store.checkup import TABLES
from tsuji_platform.store.keys import Keys
from tsuji_platform.store.writer import Writer

Figures = dict[tuple[str, ...], float]


def figures_of(text: str) -> Figures:
    """Every sample by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def guarded(city: Database, clock) -> Iterator[TestClient]:
    """The API with its doors, three requests a minute open to strangers."""
    doors = Doors.of(city, ApiSettings(anonymous_rate=3), SharedSecretSettings())
    app = create_app(Hub(city, clock), doors)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def watcher(city: Database) -> dict[str, str]:
    """Headers of somebody who may see the figures."""
    return {"Authorization": f"Bearer {Keys(city).create('prometheus', [Scope.METRICS])}"}


def test_figures_need_the_scope(
    guarded: TestClient, watcher: dict[str, str], city: Database
) -> None:
    assert guarded.get("/metrics").status_code == 401
    other = Keys(city).create("app", [Scope.COUNTS])
    refused = guarded.get("/metrics", headers={"X-API-Key": other})
    assert refused.status_code == 403
    assert "'metrics'" in refused.json()["detail"]
    assert guarded.get("/metrics", headers=watcher).status_code == 200


def test_figures_hold_what_health_says(
    guarded: TestClient, watcher: dict[str, str], writer: Writer, clock
) -> None:
    clock.now = datetime.now(UTC)
    ago = clock.now - timedelta(minutes=20)
    writer.save([message("ghost", air_temperature=1), message("pole-1", ago, air_temperature=1)])
    answer = guarded.get("/metrics", headers=watcher)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    figures = figures_of(answer.text)
    ingest = guarded.get("/v1/health").json()["ingest"]
    for outcome in ("stored", "duplicate", "corrected", "rejected"):
        assert figures["tsuji_values", outcome] == ingest[outcome]
    assert figures[("tsuji_values_received",)] == ingest["received"]
    assert figures["tsuji_rejected_messages", "unregistered_thing"] >= 1
    assert figures["tsuji_things", "waiting"] == 1
    assert figures[("tsuji_database_up",)] == 1
    assert figures[("tsuji_rollup_lag_seconds",)] > 900, "nothing refreshes here"
    assert figures["tsuji_rollup_log_rows", "new"] == 1
    assert figures["tsuji_rollup_log_rows", "late"] > 0
    assert all(figures["tsuji_table_bytes", table] > 0 for table in TABLES)
    assert figures[("tsuji_database_bytes",)] > figures["tsuji_table_bytes", "observation"]


def test_requests_are_counted_by_route_and_refusals_by_limit(
    guarded: TestClient, watcher: dict[str, str]
) -> None:
    for path in ("/v1/things/pole-1", "/v1/things/gate-1", "/v1/things/nobody", "/v1/figures"):
        guarded.get(path)
    guarded.get("/nowhere/at/all", headers=watcher)
    guarded.head("/v1/things/pole-1", headers=watcher)
    figures = figures_of(guarded.get("/metrics", headers=watcher).text)
    assert figures["tsuji_api_requests_total", "/v1/things/{thing_id}", "200"] == 3
    assert figures["tsuji_api_requests_total", "/v1/things/{thing_id}", "404"] == 1
    assert figures["tsuji_api_requests_total", "/v1/figures", "429"] == 1
    assert figures["tsuji_api_requests_total", "none", "404"] == 1
    assert figures["tsuji_api_rate_refusals_total", "anonymous"] == 1
    assert figures["tsuji_api_request_seconds_count", "/v1/things/{thing_id}"] == 4
    assert figures["tsuji_api_pool_connections", "busy"] >= 0
    assert figures[("tsuji_api_downloads",)] == 0
    assert not any("pole-1" in str(one) for one in figures), "addresses are no labels"


def test_all_workers_are_added_up_at_a_port_of_its_own(
    hub: HubProcesses, eventually: Callable[..., None]
) -> None:
    port = own_port()
    hub.start(
        "api",
        TSUJI_API_WORKERS="2",
        TSUJI_API_METRICS_PORT=str(port),
        TSUJI_LOG_FORMAT="json",
        TSUJI_LOG_LEVEL="debug",
    )

    def figures() -> Figures:
        return figures_of(httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=90).text)

    both = ("tsuji_api_workers",)
    eventually(lambda: figures().get(both) == 2, within=240, what="two workers")
    route = ("tsuji_api_requests_total", "/v1/observed-properties", "200")
    for _ in range(40):  # each on a connection of its own, so that both workers get some
        httpx.get(f"{hub.api_url}/v1/observed-properties", timeout=90)
    eventually(lambda: figures().get(route) == 40)  # counted behind the answer
    assert figures()[("process_resident_memory_bytes",)] > 1e8
    eventually(lambda: figures()[("tsuji_database_up",)] == 1)  # which is asked for two seconds
    assert httpx.get(f"{hub.api_url}/metrics", timeout=90).status_code == 401
    named = {"X-Request-ID": "asked-for-by-a-test"}
    httpx.get(f"{hub.api_url}/v1/things/nobody", headers=named, timeout=90)
    # noted behind the answer, maybe by the one who is killed
    eventually(lambda: "asked-for-by-a-test" in hub.log("api").read_text())
    pids = [one.pid for one in psutil.Process(hub.pid("api")).children(recursive=True)]
    served = [pid for pid in pids if _answers(pid)]
    assert len(served) == 2
    os.kill(served[0], signal.SIGKILL)
    eventually(
        lambda: not psutil.pid_exists(served[0]) and figures().get(("tsuji_api_workers",)) == 2,
        within=240,
        what="another worker in its place",
    )
    assert figures()[route] == 40, "what a worker has counted outlives it"
    assert figures()[("tsuji_api_workers_started_total",)] == 3
    hub.end("api", kill_after_s=60)
    lines = [json.loads(line) for line in hub.log("api").read_text().splitlines()]
    assert all({"time", "level", "service", "logger", "message"} <= set(one) for one in lines)
    assert {one["service"] for one in lines} == {"api"}
    told = [one for one in lines if one.get("request_id") == "asked-for-by-a-test"]
    assert any(one.get("route") == "/v1/things/{thing_id}" for one in told)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", one["time"]) for one in lines)


def _answers(pid: int) -> bool:
    """Whether a process is one of those that answer, not one that watches over them."""
    return "spawn_main" in " ".join(psutil.Process(pid).cmdline())
