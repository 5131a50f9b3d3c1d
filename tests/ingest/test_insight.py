"""What ingest, data API and dashboard say of themselves while they run: traces, logs, figures."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg.conninfo import make_conninfo

from broker_queue import BrokerQueue
from dropped import drop
from hub_processes import HubProcesses
from otlp_receiver import OtlpReceiver, receiving
from own_ports import own_port
from samples import after, observations, thing
from tsuji_platform.insight import traces
from tsuji_platform.runtime.private import PrivateServer, private_broker
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import migrate
from tsuji_simulators.publish import Publisher

_ROOT = Path(__file__).resolve().parents[2]
_TRACE = "0af7651916cd43dd8448eb211c80319c"
_ASKING = {"traceparent": f"00-{_TRACE}-b7ad6b7169203331-01", "X-Request-ID": "a-request"}
_OURS = re.compile(r"\b(?:tsuji|process)_[a-z0-9_]+\b")
_NO_METRICS = {"tsuji_ingest", "tsuji_api", "tsuji_admin", "tsuji_backup", "tsuji_drop_chunks"}
"""Names of roles and packages."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """All three, and where they send their traces.

    Attributes:
        ports: of `/metrics`, by service.
    """

    hub: HubProcesses
    collector: OtlpReceiver
    ports: dict[str, int]

    def families(self) -> Iterator:
        """All that `/metrics` tells."""
        for port in self.ports.values():
            text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=90).text
            yield from text_string_to_metric_families(text)


@pytest.fixture(scope="module")
def services(
    timescaledb_server: PrivateServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    with psycopg.connect(timescaledb_server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE insight")
    url = make_conninfo(timescaledb_server.url, dbname="insight")
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO backup_run (started, bytes, target) VALUES (now(), 9, 'x')")
    with private_broker() as broker, receiving() as collector:
        hub = HubProcesses(url, broker.url, tmp_path_factory.mktemp("insight"))
        ports = {name: own_port() for name in ("ingest", "api", "dashboard")}
        hub.environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "TSUJI_LOG_FORMAT": "json",
            "TSUJI_LOG_LEVEL": "debug",
            "TSUJI_ALERTS": "demonstration",
            "TSUJI_INGEST_PORT": str(ports["ingest"]),
            "TSUJI_API_METRICS_PORT": str(ports["api"]),
            "TSUJI_DASHBOARD_METRICS_PORT": str(ports["dashboard"]),
        }
        try:
            for name in ports:
                hub.start(name)
            queue, deadline = BrokerQueue(broker, "tsuji-ingest"), time.monotonic() + 180
            while not queue.subscribed:  # what is published before is nobody's
                assert time.monotonic() < deadline, hub.log("ingest").read_text()
                time.sleep(0.02)
            with Publisher(BrokerAddress.parse(broker.url)) as publisher:
                publisher.publish_things([thing("gate", "pedestrians")])
                publisher.publish("tsuji/v1/things/gate/observations", b"not JSON")
                publisher.publish_observations(
                    "gate", observations("gate", after(), 60, pedestrians=1)
                )
                publisher.flush()
            yield Services(hub=hub, collector=collector, ports=ports)
        finally:
            hub.close()
    with psycopg.connect(timescaledb_server.url, autocommit=True) as connection:
        drop(connection, "insight")


def test_a_request_is_one_trace_through_dashboard_api_and_database_and_a_batch_is_one(
    services: Services, eventually: Callable[..., None]
) -> None:
    hub, collector = services.hub, services.collector
    answer = httpx.get(f"{hub.dashboard_url}/hub/things.geojson", headers=_ASKING, timeout=90)
    assert answer.status_code == 200
    assert answer.headers["X-Request-ID"] == "a-request"
    eventually(lambda: collector.of("tsuji-ingest", "store a batch"))
    eventually(lambda: collector.of("tsuji-dashboard", "GET /hub/things.geojson"))
    eventually(lambda: collector.of("tsuji-api", "GET /v1/things.geojson"))
    eventually(
        lambda: any(one.trace_id == _TRACE and one.name == "SELECT" for one in collector.spans)
    )
    (asked,) = collector.of("tsuji-dashboard", "GET /hub/things.geojson")
    (answered,) = collector.of("tsuji-api", "GET /v1/things.geojson")
    assert (asked.trace_id, asked.parent_id) == (_TRACE, "b7ad6b7169203331")
    assert (answered.trace_id, answered.parent_id) == (_TRACE, asked.span_id)
    assert answered.attributes["tsuji.request_id"] == "a-request"
    assert asked.attributes["tsuji.request_id"] == "a-request"
    statements = [one for one in collector.spans if one.parent_id == answered.span_id]
    assert statements
    assert {one.service for one in statements} == {"tsuji-api"}
    batch = collector.of("tsuji-ingest", "store a batch")[0]
    assert batch.attributes["messaging.batch.message_count"] >= 1
    assert batch.attributes["tsuji.batch_id"]
    roots = {one.name for one in collector.spans if not one.parent_id}
    assert "SELECT" not in roots, "statements that look for work every second are no traces"
    eventually(lambda: _lines(hub, "api", "a-request"))
    assert _lines(hub, "api", "a-request")[0]["trace_id"] == _TRACE


def _lines(hub: HubProcesses, name: str, request_id: str) -> list[dict]:
    """What a service has logged of a request."""
    lines = [json.loads(line) for line in _whole_lines(hub, name)]
    return [one for one in lines if one.get("request_id") == request_id]


def _whole_lines(hub: HubProcesses, name: str) -> list[str]:
    """What a service has logged, without a line that it is just writing."""
    return hub.log(name).read_text().rpartition("\n")[0].splitlines()


def test_every_service_logs_nothing_but_json_lines(services: Services) -> None:
    for name in services.ports:
        for line in _whole_lines(services.hub, name):
            assert json.loads(line)["service"] == name


def _exported(services: Services) -> set[str]:
    """Names under which Prometheus keeps what the services tell."""
    found: set[str] = set()
    for family in services.families():
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        found |= {f"{family.name}{end}" for end in ends.get(family.type, ("",))}
    return found


def _labels(services: Services) -> set[str]:
    """Names of labels of all that the services tell."""
    return {
        name
        for family in services.families()
        for sample in family.samples
        for name in sample.labels
    }


def test_dashboard_and_alert_rules_ask_for_what_the_services_tell(
    services: Services, eventually: Callable[..., None]
) -> None:
    httpx.get(f"{services.hub.api_url}/v1/health", timeout=90)
    files = ("deploy/grafana/tsuji.json", "deploy/prometheus-alerts.yml")
    texts = {file: (_ROOT / file).read_text(encoding="utf-8") for file in files}
    asked = {file: set(_OURS.findall(text)) for file, text in texts.items()}
    by = {
        file: {it.strip() for one in re.findall(r"by \(([^)]*)\)", text) for it in one.split(",")}
        # which alerts there are, whom they go to and who is refused shows only once there are some
        - {"instance", "job", "le", "target", "policy"}
        for file, text in texts.items()
    }
    lacking: dict[str, set[str]] = {}

    def is_told() -> bool:
        exported, labels = _exported(services), _labels(services)
        # some only once their part has worked
        lacking.update({file: asked[file] - exported | by[file] - labels for file in files})
        return not any(lacking.values())

    try:
        eventually(is_told)
    finally:
        assert not any(lacking.values()), lacking
    assert all(len(asked[file]) > 10 for file in files)


def test_every_figure_is_documented_and_what_is_documented_is_told(
    services: Services, eventually: Callable[..., None]
) -> None:
    page = (_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(tsuji_[a-z0-9_]+)", page, re.MULTILINE))
    with_a_replica = {"tsuji_api_replica_lag_seconds", "tsuji_api_replica_readers"}
    told: set[str] = set()

    def all_is_told() -> bool:  # some only once their part has worked
        for name in _exported(services):
            if name.startswith("tsuji_"):
                is_part = "_seconds_" in name
                told.add(re.sub(r"_(bucket|sum|count)$", "", name) if is_part else name)
        return documented <= told | with_a_replica

    try:
        eventually(all_is_told)
    finally:
        assert documented == told | with_a_replica


def test_without_being_asked_nothing_of_traces_is_imported() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    code = (
        "import sys; from tsuji_platform.insight import traces; traces.begin('x', database=True)\n"
        "with traces.span('y', a=1): traces.note('b', 2)\n"
        "assert traces.trace_id() is None\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


_ENDS = """
import atexit, sys, threading
atexit.register(lambda: print([one.name for one in threading.enumerate() if "Otel" in one.name]))
from tsuji_platform.insight import traces
traces._LAST_S = float(sys.argv[1])
traces.begin("x")
with traces.span("y"):
    pass

def refused(*_):
    raise RuntimeError("can't create new thread at interpreter shutdown")

atexit.register(setattr, threading.Thread, "start", refused)  # from Python 3.12 on it is so
"""


def _ends(collector: str, within_s: float) -> str:
    """What of its traces a process leaves undone that ends at once, as far as it waits for them."""
    environment = os.environ | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "25",
    }
    return subprocess.run(
        [sys.executable, "-c", _ENDS, str(within_s)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def test_a_process_that_ends_sends_what_is_left_and_does_not_wait_for_a_collector_that_is_stuck() -> (
    None
):
    with receiving() as collector:
        assert _ends(collector.url, 60) == "[]\n"
        assert len(collector.of("tsuji-x", "y")) == 1
    with socket.create_server(("127.0.0.1", 0)) as stuck:
        left = _ends(f"http://127.0.0.1:{stuck.getsockname()[1]}", traces._LAST_S)
    assert "OtelBatch" in left, "it went while it still tried to send"


def test_what_is_left_is_sent_when_a_signal_ends_what_serves(
    services: Services, tmp_path: Path
) -> None:
    url = services.hub.environment["TSUJI_DATABASE_URL"]
    hub = HubProcesses(url, services.hub.broker_url, tmp_path)
    with receiving() as collector:
        hub.environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "600000",
        }
        try:
            for name in ("api", "dashboard"):
                hub.start(name)
            httpx.get(f"{hub.dashboard_url}/hub/things.geojson", timeout=90).raise_for_status()
            assert collector.spans == []
            for name in ("dashboard", "api"):
                hub.end(name)
        finally:
            hub.close()
        assert collector.of("tsuji-dashboard", "GET /hub/things.geojson")
        assert collector.of("tsuji-api", "GET /v1/things.geojson")
