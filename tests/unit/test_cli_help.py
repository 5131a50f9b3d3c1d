"""The command line: what it lists, and how it says what is wrong."""

import os
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

import warm_tsuji
from tsuji import checkup, wiring
from tsuji_platform.settings import describe
from tsuji_platform.store import DatabaseAwayError


def tsuji(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TSUJI_")}
    return warm_tsuji.run_text(
        *arguments, env={**inherited, "TSUJI_HOME": str(home), **environment}
    )


def test_help_lists_every_setting_and_every_command(tmp_path: Path) -> None:
    done = tsuji("--help", home=tmp_path)
    assert done.returncode == 0
    shown = "".join(done.stdout.split())  # lines break wherever the terminal ends
    for name, default, meaning in describe():
        expected = f"{name} {meaning}" + (f" [{default}]" if default else "")
        assert "".join(expected.split()) in shown
    for command in (
        "up", "migrate", "ingest", "api", "dashboard", "simulate", "replay", "areas", "doctor", "keys",
    ):  # fmt: skip
        assert any(line.split()[:1] == [command] for line in done.stdout.splitlines()), command


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    assert tsuji("--version", home=tmp_path).stdout == f"tsuji {version('tsuji')}\n"


def _one_line(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("tsuji: ")
    return line


@pytest.mark.parametrize(
    "command", [["migrate"], ["ingest"], ["api"], ["areas", "list"], ["simulate"]]
)
def test_without_a_hub_one_line_says_what_to_do(tmp_path: Path, command: list[str]) -> None:
    line = _one_line(tsuji(*command, home=tmp_path))
    assert "TSUJI_BROKER_URL" in line or "TSUJI_DATABASE_URL" in line
    assert "tsuji up" in line
    assert str(tmp_path) in line


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("TSUJI_API_PORT", "99999", "'99999'"),
        ("TSUJI_LOG_LEVEL", "loud", "'loud'"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_value(
    tmp_path: Path, setting: str, value: str, named: str
) -> None:
    environment = {"TSUJI_DATABASE_URL": "postgresql://localhost:1/x", setting: value}
    line = _one_line(tsuji("api", home=tmp_path, **environment), code=2)
    assert setting in line
    assert named in line


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("TSUJI_RAW_DAYS", "0"),
        ("TSUJI_WEBHOOK_URLS", "ftp://x"),
        ("TSUJI_WEBHOOK_SECRET", "short"),
        ("TSUJI_THE_THINGS_STACK", "/nope"),
        ("TSUJI_ALERTS", "/nope"),
    ],
)
def test_up_starts_nothing_with_a_setting_that_a_service_would_refuse(
    tmp_path: Path, setting: str, value: str
) -> None:
    done = tsuji("up", home=tmp_path, **{setting: value})
    assert done.returncode == (1 if value == "/nope" else 2)  # a file may be put there
    (line,) = done.stderr.splitlines()
    assert setting in line or "webhook secret" in line or "/nope" in line
    assert "database" not in done.stdout


@pytest.mark.parametrize("service", ["api", "dashboard"])
def test_a_service_whose_port_is_taken_names_its_settings(tmp_path: Path, service: str) -> None:
    name = service.upper()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = {
            "TSUJI_DATABASE_URL": "postgresql://localhost:1/x",
            f"TSUJI_{name}_PORT": str(port),
        }
        line = _one_line(tsuji(service, home=tmp_path, **environment))
    assert f"can't listen on 127.0.0.1:{port} (Address already in use)" in line
    assert f"TSUJI_{name}_HOST and TSUJI_{name}_PORT" in line


def test_an_address_for_traces_that_is_none_is_refused(tmp_path: Path) -> None:
    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": "me:hunter2@collector:4317"}
    line = _one_line(tsuji("dashboard", home=tmp_path, **where), code=2)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT must look like http://collector:4318" in line
    assert "hunter2" not in line


def test_a_database_that_is_away_is_named(tmp_path: Path) -> None:
    url = "postgresql://tsuji:hunter2@127.0.0.1:1/tsuji"
    line = _one_line(tsuji("migrate", home=tmp_path, TSUJI_DATABASE_URL=url))
    assert "the database can't serve now" in line
    assert "127.0.0.1" in line
    assert "start it, or mend host and port in its address (TSUJI_DATABASE_URL)" in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("command", "setting", "url"),
    [
        ("ingest", "TSUJI_BROKER_URL", "mqtt://tsuji:hunter2/more@host"),
        ("ingest", "TSUJI_BROKER_URL", "amqp://tsuji:hunter2@host"),
        ("ingest", "TSUJI_DATABASE_URL", "postgresql://tsuji:hunter2/more@host/tsuji"),
        ("migrate", "TSUJI_DATABASE_URL", "hunter2"),
    ],
)
def test_passwords_are_never_shown(tmp_path: Path, command: str, setting: str, url: str) -> None:
    good = {
        "TSUJI_BROKER_URL": "mqtt://user:hunter2@127.0.0.1:1",
        "TSUJI_DATABASE_URL": "postgresql://tsuji:hunter2@127.0.0.1:1/tsuji",
    }
    done = tsuji(command, home=tmp_path, **{**good, setting: url})
    assert done.returncode == 2
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert setting in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_command_is_named(tmp_path: Path) -> None:
    done = tsuji("fly", home=tmp_path)
    assert done.returncode == 2
    assert "'fly'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("speed", ["-1", "0", "nan", "inf", "fast"])
def test_an_impossible_speed_is_told_before_a_file_is_read(tmp_path: Path, speed: str) -> None:
    done = tsuji(
        "replay", "melbourne", "nowhere.csv", "--locations", "nowhere.csv", f"--speed={speed}",
        home=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--speed" in done.stderr
    assert speed in done.stderr
    assert "nowhere.csv" not in done.stderr


def test_negative_degrees_are_no_options(tmp_path: Path) -> None:
    done = tsuji("areas", "mesh", "144.9", "-37.9", "145.0", "-37.7", home=tmp_path)
    assert "No such option" not in done.stderr


def test_a_mistyped_setting_is_told_once_and_does_no_harm(tmp_path: Path) -> None:
    done = tsuji("--version", home=tmp_path, TSUJI_API_PRT="1")
    assert done.returncode == 0
    done = tsuji("areas", "list", home=tmp_path, TSUJI_API_PRT="1", TSUJI_WRITE_EXPECTED="1")
    first, *others = done.stderr.splitlines()
    assert first == (
        "tsuji: not a setting, and not used: TSUJI_API_PRT (did you mean TSUJI_API_PORT?)"
    )
    assert not any("TSUJI_API_PRT" in line for line in others)


def test_commands_and_doctor_say_that_the_hub_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TSUJI_HOME", str(tmp_path))
    monkeypatch.delenv("TSUJI_DATABASE_URL", raising=False)
    (tmp_path / "up.lock").write_text("1\n")
    wiring.publish_addresses(tmp_path, {"database": "postgresql://tsuji@127.0.0.1:1/tsuji"})
    with pytest.raises(
        wiring.NotRunningError, match=r"does not run, and was not stopped: .* `tsuji up`"
    ):
        wiring.answering_database_url()
    (found,) = checkup.examine()
    assert (found.what, found.ok) == ("hub", False)
    assert "was not stopped: killed, or its machine went down" in found.chosen
    with wiring.instance().lock(), pytest.raises(DatabaseAwayError):
        wiring.answering_database_url()
