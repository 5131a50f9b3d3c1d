"""`tsuji healthy` finds out what a container runs, and says what is wrong; tests/e2e asks real services."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from own_ports import own_port
from tsuji import wiring
from tsuji.cli import app
from tsuji.healthy import Service, service_of
from tsuji_platform.insight.endpoint import Endpoint
from tsuji_platform.runtime.home import Instance


@pytest.mark.parametrize(
    ("line", "service"),
    [
        (b"/venv/bin/python\0/venv/bin/tsuji\0api\0", Service.API),
        (b"/sbin/docker-init\0--\0tsuji\0ingest\0", Service.INGEST),
        (b"tsuji\0dashboard\0", Service.DASHBOARD),
        (b"tsuji\0migrate\0", None),
        (b"/sbin/init\0", None),
        (b"/usr/bin/api-server\0", None),
        (b"", None),
    ],
)
def test_the_service_of_a_container_is_its_first_process(
    line: bytes, service: Service | None
) -> None:
    assert service_of(line) is service


def test_what_does_not_answer_is_named_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    port = own_port()
    monkeypatch.setenv("TSUJI_API_HOST", "0.0.0.0")
    monkeypatch.setenv("TSUJI_API_PORT", str(port))
    done = CliRunner().invoke(app, ["healthy", "api"])
    assert done.exit_code == 1
    assert f"api does not answer on 127.0.0.1:{port}" in done.stderr


def test_ingest_without_a_port_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TSUJI_INGEST_PORT", raising=False)
    done = CliRunner().invoke(app, ["healthy", "ingest"])
    assert done.exit_code == 2
    assert "TSUJI_INGEST_PORT" in done.stderr


def test_where_a_hub_runs_it_is_asked_where_that_hub_has_its_services(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("INGEST", "API", "DASHBOARD"):
        monkeypatch.delenv(f"TSUJI_{name}_PORT", raising=False)
    monkeypatch.setenv("TSUJI_HOME", str(tmp_path))
    instance, nobody = Instance.locate(tmp_path), own_port()
    told = ("TSUJI_INGEST_HOST", "TSUJI_INGEST_PORT")
    health: dict[str, object] = {"status": "ok", "broker": {"connected": True}}
    pages = {"/health": ("JSON", lambda: health)}
    with Endpoint("127.0.0.1", 0, CollectorRegistry(), told, pages) as ingest:
        at = f"http://127.0.0.1:{ingest.port}"
        wiring.publish_addresses(tmp_path, {"ingest": at, "api": f"http://127.0.0.1:{nobody}"})
        with instance.lock():
            done = CliRunner().invoke(app, ["healthy", "ingest", "--ready"])
            assert (done.exit_code, done.stdout) == (
                0,
                f"ingest on 127.0.0.1:{ingest.port} is ready\n",
            )
            health |= {"status": "waiting", "database": {"ok": False}}
            waiting = CliRunner().invoke(app, ["healthy", "ingest", "--ready"])
            assert (waiting.exit_code, waiting.stderr) == (
                1,
                f"tsuji: ingest on 127.0.0.1:{ingest.port} is not ready: its database can't be reached\n",
            )
            assert CliRunner().invoke(app, ["healthy", "ingest"]).exit_code == 0
            away = CliRunner().invoke(app, ["healthy", "api"])
            assert (away.exit_code, f"127.0.0.1:{nobody}: " in away.stderr) == (1, True)
            monkeypatch.setenv("TSUJI_INGEST_PORT", str(nobody))  # what is set counts
            assert CliRunner().invoke(app, ["healthy", "ingest"]).exit_code == 1
            monkeypatch.delenv("TSUJI_INGEST_PORT")
        cut_off = CliRunner().invoke(app, ["healthy", "ingest"])
    assert cut_off.exit_code == 1
    assert (
        f"{tmp_path} does not run, and was not stopped: killed, or its machine went down: start it "
        "again with `tsuji up`"
    ) in cut_off.stderr


def test_a_first_process_that_is_no_service_is_nothing_to_worry_about(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cmdline").write_bytes(b"tsuji\0migrate\0")
    monkeypatch.setattr("tsuji.healthy._FIRST_PROCESS", tmp_path / "cmdline")
    assert CliRunner().invoke(app, ["healthy"]).exit_code == 0
