"""The doctor names what is in the way and what to do about it, and changes nothing."""

import os
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import typer
from prometheus_client import CollectorRegistry

from tsuji import checkup_servers
from tsuji.doctor import doctor as doctor_command
from tsuji_platform.insight.endpoint import Endpoint
from tsuji_platform.runtime import doctor
from tsuji_platform.runtime.account import Account, own_account
from tsuji_platform.runtime.doctor import Finding
from tsuji_platform.runtime.home import Instance
from tsuji_platform.runtime.serving import serves
from tsuji_platform.settings import (
    ApiSettings,
    BrokerSettings,
    DashboardSettings,
    DatabaseSettings,
    IngestSettings,
    RuntimeSettings,
)


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # taken; who connects is refused
        yield listener.getsockname()[1]


def examine(home: object, **settings: object) -> dict[str, Finding]:
    findings = doctor.examine(
        runtime=RuntimeSettings(home=str(home)),
        database_settings=DatabaseSettings(database_url=settings.get("database_url")),
        broker_settings=BrokerSettings(
            broker_url=settings.get("broker_url"), broker_port=settings.get("broker_port")
        ),
        ingest=IngestSettings(ingest_port=settings.get("ingest_port")),
        api=ApiSettings(**{k: v for k, v in settings.items() if k == "api_port"}),
        dashboard=DashboardSettings(),
    )
    return {finding.what: finding for finding in findings}


def test_nothing_is_changed(tmp_path):
    examine(tmp_path / "home")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TSUJI_LOG_LEVEL", "loud", "TSUJI_LOG_LEVEL: "),
        ("TSUJI_ALERTS", "/nowhere/rules.toml", "rules.toml can't be read"),
        ("TSUJI_WEBHOOK_URLS", "ftp://x", "webhook address 1 must look like"),
    ],
)
def test_the_doctor_says_which_settings_up_refuses(
    tmp_path, monkeypatch, capsys, variable: str, value: str, said: str
):
    monkeypatch.setenv("TSUJI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.setenv(variable, value)
    with pytest.raises(typer.Exit) as ended:
        doctor_command()
    assert ended.value.exit_code == 1
    told = capsys.readouterr().out
    assert "✗  settings" in told
    assert said in told
    assert variable in told


def test_a_port_of_ingest_that_was_asked_for_is_looked_at(tmp_path, taken_port):
    found = examine(tmp_path / "home", ingest_port=taken_port)["ingest port"]
    assert (found.ok, "TSUJI_INGEST_PORT" in found.advice) == (False, True)


def test_a_service_that_runs_by_itself_is_not_in_its_own_way(tmp_path):
    told = ("TSUJI_INGEST_HOST", "TSUJI_INGEST_PORT")
    pages = {"/health": ("JSON", lambda: {"status": "ok", "ingest_id": "one"})}
    with Endpoint("127.0.0.1", 0, CollectorRegistry(), told, pages) as ingest:
        home, taken = tmp_path / "home", {"ingest_port": ingest.port, "api_port": ingest.port}
        by_itself = examine(home, database_url="postgresql://127.0.0.1:1/x", **taken)
        of_up = examine(home, **taken)
    assert by_itself["ingest port"].ok
    assert "`tsuji ingest` serves there" in by_itself["ingest port"].why
    assert not by_itself["API port"].ok  # where another service listens
    assert not of_up["ingest port"].ok  # `tsuji up` would start one there


def test_a_service_on_all_of_the_machine_is_asked_by_ipv4_and_what_is_no_name_is_nobodys():
    """IPv6 may be missing here: then `::` is all that there is of IPv4."""
    told = ("TSUJI_INGEST_HOST", "TSUJI_INGEST_PORT")
    pages = {"/health": ("JSON", lambda: {"status": "ok", "ingest_id": "one"})}
    with Endpoint("127.0.0.1", 0, CollectorRegistry(), told, pages) as ingest:
        for host in ("::", "0.0.0.0", ""):
            assert serves("ingest", host, ingest.port), host
        for host in ("a b", "a\nb", "a..b"):
            assert not serves("ingest", host, ingest.port)


def test_every_finding_says_what_and_why(tmp_path):
    found = examine(tmp_path / "home")
    assert {"Python", "data", "disk", "fetched programs", "database", "broker"} <= {*found}
    assert all(finding.chosen and finding.why for finding in found.values())
    assert all(finding.advice for finding in found.values() if not finding.ok)


def test_a_port_that_is_taken_is_bad_unless_we_took_it(tmp_path, taken_port):
    before = examine(tmp_path, api_port=taken_port)["API port"]
    assert not before.ok
    assert "TSUJI_API_PORT" in before.advice
    with Instance(home=tmp_path, account=own_account()).create().lock():
        running = examine(tmp_path, api_port=taken_port)
    assert running["API port"].ok
    assert f"process {os.getpid()}" in running["data"].why


def test_a_default_port_that_is_taken_gives_way(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.mqtt, "is_free", lambda *_: False)
    found = examine(tmp_path)["API port"]
    assert found.ok
    assert found.chosen == "the next free one"


def test_a_broker_port_that_was_asked_for_is_looked_at(tmp_path, taken_port):
    assert not examine(tmp_path, broker_port=taken_port)["broker port"].ok


def test_servers_of_yours_are_tried(tmp_path):
    found = examine(
        tmp_path,
        database_url=f"postgresql://x@/x?host={tmp_path}",
        broker_url="mqtt://u:secret@127.0.0.1:9",
    )
    assert not found["database"].ok
    assert str(tmp_path) in found["database"].advice
    assert not found["broker"].ok
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:sec@ret@localhost/db",
        "postgresql://u:sec/ret@localhost/db",
        "host=localhost password=sec ret",
    ],
)
def test_a_database_address_with_a_raw_password_is_refused_without_quoting_it(tmp_path, url):
    found = examine(tmp_path, database_url=url)["database"]
    assert not found.ok
    assert "%40" in found.advice
    assert "sec" not in repr(found)
    assert "ret" not in repr(found)


def test_data_that_fits_no_program_is_bad(tmp_path):
    data = tmp_path / "database" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")
    found = examine(tmp_path)["database"]
    assert not found.ok
    assert "PostgreSQL 9" in found.advice


def test_a_home_that_cannot_be_reached_is_bad(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o000)
    found = examine(tmp_path / "closed" / "home")["data"]
    assert not found.ok
    assert "TSUJI_HOME" in found.advice


def test_a_home_where_no_folder_can_be_made_is_bad():
    found = examine(Path("/proc/nope"))["data"]
    assert not found.ok
    assert "TSUJI_HOME" in found.advice


@pytest.mark.parametrize(
    ("dated_s", "said"),
    [(-60, "-50 s"), (-10, ""), (-5, ""), (0, ""), (3_600, "+3600 s")],
)
def test_an_answer_that_took_long_is_no_clock_that_is_wrong(dated_s, said):
    now = datetime.now(UTC).replace(microsecond=0)
    date = format_datetime(now + timedelta(seconds=dated_s), usegmt=True)
    told = checkup_servers.apart(date, asked=now - timedelta(seconds=10), answered=now)
    assert told == (f"; its clock is {said} from ours" if said else "")


def test_private_servers_need_no_way_to_the_data_where_others_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Account, "barrier", lambda _, folder: folder)
    named = {"database_url": "postgresql://127.0.0.1:1/x", "broker_url": "mqtt://127.0.0.1:1"}
    assert examine(tmp_path, **named)["data"].ok
    for one in named:
        assert not examine(tmp_path, **{one: named[one]})["data"].ok
