"""The doctor names what is in the way and what to do about it, and changes nothing."""

import os
import socket
from pathlib import Path

import pytest
import typer

from tsuji.doctor import doctor as doctor_command
from tsuji_platform.runtime import doctor
from tsuji_platform.runtime.account import own_account
from tsuji_platform.runtime.doctor import Finding
from tsuji_platform.runtime.home import Instance
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
        listener.bind(("127.0.0.1", 0))
        listener.listen()
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
