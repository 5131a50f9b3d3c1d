"""The doctor at a running installation: what it looks at, what it finds, and what it advises."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from samples import message, registration
from tsuji import checkup, checkup_servers
from tsuji.cli import app
from tsuji.doctor import doctor as doctor_command
from tsuji_platform.devices.certificates import make_authority, make_certificate
from tsuji_platform.runtime.doctor import Finding
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.store import Refresher
from tsuji_platform.store.records import IngestState
from tsuji_platform.store.writer import Writer

_SILENT_AFTER = checkup._SILENT_AFTER


@pytest.fixture
def installation(
    hub_url: str, broker: PrivateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Database and broker that the settings name; its ingest has just shown itself."""
    monkeypatch.setenv("TSUJI_HOME", str(tmp_path))
    monkeypatch.setenv("TSUJI_DATABASE_URL", hub_url)
    monkeypatch.setenv("TSUJI_BROKER_URL", broker.url)
    monkeypatch.delenv("TSUJI_API_URL", raising=False)
    monkeypatch.setattr(checkup, "_SILENT_AFTER", timedelta(hours=1))  # this machine may be busy
    _report(hub_url, lag_s=0.1)
    return hub_url


def _report(url: str, lag_s: float) -> None:
    writer = Writer(url, "one", lambda: IngestState(waiting=3, lag_s=lag_s))
    writer.save([registration("pole")])
    writer.report()
    writer.close()


def found() -> dict[str, Finding]:
    return {one.what: one for one in checkup.examine()}


def test_a_hub_that_is_well_is_said_to_be(installation: str) -> None:
    with psycopg.connect(installation) as connection:
        connection.execute("INSERT INTO backup_run (started, bytes, target) VALUES (now(), 9, 'x')")
    findings = found()
    doubtful = [one.what for one in findings.values() if one.advice or not one.ok]
    # how full this machine's disk is says nothing about the hub
    assert [what for what in doubtful if not what.startswith("room on the disk")] == []
    assert {
        "clock",
        "versions",
        "schema",
        "permissions",
        "ingest one",
        "rollups",
        "last backup",
        "broker answers",
        "broker's queue",
    } <= findings.keys()
    assert "3 values waiting" in findings["ingest one"].chosen
    assert "TimescaleDB" in findings["versions"].chosen
    assert "mosquitto version 2" in findings["broker answers"].chosen
    assert "to x" in findings["last backup"].chosen


def test_what_is_amiss_is_named_with_what_to_do(
    installation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _report(installation, lag_s=600)
    now = datetime.now(UTC)
    with closing(Writer(installation, "two")) as writer:
        writer.save([message("pole", now - timedelta(minutes=40), air_temperature=1)])
        writer.report()
    with psycopg.connect(installation, autocommit=True) as connection:
        connection.execute(
            "UPDATE ingest_counter SET seen_at = now() - interval '2 hours' WHERE ingest_id = 'two'"
        )
        connection.execute(
            "INSERT INTO backup_run (started, ended, bytes, target)"
            " VALUES (now() - interval '9 days', now() - interval '9 days', 9, 'x')"
        )
        lost = connection.execute(
            "DELETE FROM migration WHERE name = (SELECT max(name) FROM migration) RETURNING *"
        ).fetchone()
        monkeypatch.setattr(checkup, "time", SimpleNamespace(time=lambda: time.time() + 90))
        try:
            findings = found()
        finally:
            monkeypatch.undo()
            connection.execute("INSERT INTO migration VALUES (%s, %s, %s)", lost)
    assert not findings["clock"].ok
    assert "NTP" in findings["clock"].advice
    assert not findings["schema"].ok
    assert lost is not None
    assert findings["schema"].advice == f"run `tsuji migrate`: {lost[0]}"
    assert not findings["ingest one"].ok
    assert "add another" in findings["ingest one"].advice
    assert not findings["ingest two"].ok
    assert "TSUJI_INGEST_ID=two tsuji ingest --leave" in findings["ingest two"].advice
    assert not findings["rollups"].ok
    assert "tsuji backup" in findings["last backup"].advice
    assert "9 d ago" in findings["last backup"].chosen


def test_an_ingest_is_silent_after_the_time_that_is_documented(
    installation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
    seconds = _SILENT_AFTER.total_seconds()
    assert f"| each ingest | silent for {seconds:g} s;" in page.read_text(encoding="utf-8")
    monkeypatch.setattr(checkup, "_SILENT_AFTER", _SILENT_AFTER)
    with psycopg.connect(installation, autocommit=True) as connection:
        connection.execute(
            "UPDATE ingest_counter SET seen_at = now() - make_interval(secs => %s)"
            " WHERE ingest_id = 'one'",
            (seconds + 1,),
        )
    assert not (ingest := found()["ingest one"]).ok
    assert ingest.chosen.startswith("silent for ")


def test_rollups_that_are_done_are_not_behind(installation: str) -> None:
    now = datetime.now(UTC)
    with closing(Writer(installation, "one")) as writer:
        writer.save([message("pole", now - timedelta(minutes=40), air_temperature=1)])
    assert not found()["rollups"].ok
    refresher = Refresher(installation)
    while refresher.refresh():
        pass
    refresher.close()
    assert found()["rollups"].ok


def test_a_replica_that_is_away_is_bad(installation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    away = "postgresql://tsuji:hunter2@127.0.0.1:1/tsuji"
    monkeypatch.setenv("TSUJI_DATABASE_READ_URL", away)
    finding = found()["replica"]
    assert not finding.ok
    assert finding.chosen == "away"
    assert "docs/scaling.md" in finding.advice
    assert "hunter2" not in repr(finding)


def test_servers_that_are_away_are_named_without_their_passwords(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TSUJI_HOME", str(tmp_path))
    monkeypatch.setenv("TSUJI_DATABASE_URL", "postgresql://tsuji:hunter2@127.0.0.1:1/tsuji")
    monkeypatch.setenv("TSUJI_BROKER_URL", "mqtt://tsuji:hunter2@127.0.0.1:9")
    monkeypatch.setenv("TSUJI_API_URL", "http://127.0.0.1:9")
    findings = found()
    for what in ("database answers", "broker answers", "data API answers"):
        assert not findings[what].ok, what
        assert findings[what].advice
    with pytest.raises(typer.Exit) as ended:
        doctor_command(as_json=True)
    assert ended.value.exit_code == 1
    told = capsys.readouterr().out
    assert {"what", "chosen", "why", "ok", "advice"} == set(json.loads(told)[0])
    assert "hunter2" not in told


def test_where_nothing_runs_there_is_nothing_to_look_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TSUJI_HOME", str(tmp_path))
    for name in ("TSUJI_DATABASE_URL", "TSUJI_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    assert found() == {}


@contextmanager
def _secured(folder: Path, days: int) -> Iterator[tuple[int, Path]]:
    """A server with a certificate for so many days: its port, and the authority's certificate."""
    now = datetime.now(UTC)
    authority = make_authority(now)
    pair = make_certificate(authority, ["localhost"], now, days)
    for name, octets in {
        "ca.pem": authority.certificate,
        "cert.pem": pair.certificate,
        "key.pem": pair.key,
    }.items():
        (folder / name).write_bytes(octets)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        caller, _ = listener.accept()
        with suppress(OSError), context.wrap_socket(caller, server_side=True) as secured:
            secured.recv(1)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], folder / "ca.pem"
    finally:
        listener.close()
        thread.join(timeout=10)


@pytest.mark.parametrize(("days", "renew"), [(5, True), (90, False)])
def test_certificates_are_to_be_renewed_in_time(tmp_path: Path, days: int, renew: bool) -> None:
    with _secured(tmp_path, days) as (port, authority):
        (finding,) = checkup_servers.certificate(
            "certificate",
            "localhost",
            port,
            lambda: ssl.create_default_context(cafile=str(authority)),
        )
    assert finding.ok
    assert f"{days - 1} days" in finding.chosen
    assert bool(finding.advice) is renew


def test_a_certificate_of_an_unknown_authority_is_bad(tmp_path: Path) -> None:
    with _secured(tmp_path, 5) as (port, _):
        (finding,) = checkup_servers.certificate(
            "certificate", "localhost", port, ssl.create_default_context
        )
    assert not finding.ok
    assert "certificate verify failed" in finding.why


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"[]", b'{"status": "ok"}'])
def test_whatever_answers_in_place_of_a_data_api_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: bytes
) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return "yesterday"

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    monkeypatch.setenv("TSUJI_HOME", str(tmp_path))
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("TSUJI_API_URL", f"http://127.0.0.1:{server.server_port}")
        (finding,) = checkup_servers._services()
    is_one = b"ok" in body
    assert (finding.ok, "mend TSUJI_API_URL" in finding.advice) == (is_one, not is_one)
    assert "no time that can be read" in finding.why


def test_an_address_that_is_none_is_said_beside_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TSUJI_HOME", str(tmp_path))
    monkeypatch.setenv("TSUJI_API_URL", "http://127.0.0.1:port")
    done = CliRunner().invoke(app, ["doctor", "--json"])
    (finding,) = json.loads(done.stdout)
    assert (done.exit_code, finding["what"], finding["ok"]) == (1, "settings", False)
    assert "http://127.0.0.1:port" in finding["advice"]
