"""Whole instances: killed with their parent, begun again at once, side by side, as root and as others."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ordinary_user import ordinary_command
from tsuji_platform.runtime import broker, database
from tsuji_platform.runtime.private import private_folder
from tsuji_platform.runtime.process import is_alive

SCRIPT = """
import json, os
import psycopg
from tsuji_platform.runtime import broker, database
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.runtime.home import Instance
from tsuji_platform.runtime.supervisor import Supervisor
from tsuji_platform.settings import BrokerSettings, DatabaseSettings, RuntimeSettings

def run():
    instance = Instance.locate(RuntimeSettings().home).create()
    with instance.lock():
        db = database.choose(DatabaseSettings(), instance)
        mq = broker.choose(BrokerSettings(), instance)
        with Supervisor(instance.log_folder, print) as supervisor, supervisor.signals():
            for child in (db.child, mq.child):
                supervisor.add(child)
            for child in (db.child, mq.child):
                supervisor.wait_ready(child.name)
            with psycopg.connect(db.url) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS starts (at timestamptz)")
                connection.execute("INSERT INTO starts VALUES (now())")
                starts = connection.execute("SELECT count(*) FROM starts").fetchone()[0]
            print(json.dumps({
                "starts": starts, "uid": os.geteuid(), "broker": mq.url, "database": db.description,
                "notices": [db.notice, mq.notice],
                "pids": {one.name: one.pid for one in supervisor.statuses()},
            }), flush=True)
            supervisor.stop_requested.wait()
    print("clean", flush=True)

try:
    run()
except SetupError as error:
    raise SystemExit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(scope="module", autouse=True)
def fetched_programs() -> None:
    """Fetch before the clock of any test runs."""
    if database.with_timescaledb() is None:
        database.fetch()
    broker.find()


@pytest.fixture
def folder() -> Iterator[Path]:
    with private_folder() as made:
        yield made


class Up:
    """A running instance."""

    def __init__(self, process: subprocess.Popen[str], said: dict) -> None:
        self.process = process
        self.said = said

    def server_processes(self) -> list[psutil.Process]:
        """All processes of its servers, sessions and workers included."""
        roots = [psutil.Process(pid) for pid in self.said["pids"].values()]
        return [one for root in roots for one in (root, *root.children(recursive=True))]

    def end(self, number: signal.Signals) -> str:
        """Signal it and return the last that it said."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=90)
        return rest


@contextmanager
def up(
    home: Path, command: tuple[str, ...] = (sys.executable,), **environment: str
) -> Iterator[Up]:
    with subprocess.Popen(
        [*command, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        text=True,
        cwd=home.parent,
        env={**os.environ, "TSUJI_HOME": str(home), **environment},
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("{"), f"it said: {line}{process.stdout.read()}"
            yield Up(process, json.loads(line))
        finally:
            process.kill()


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if is_alive(one)]


def users_of(processes: list[psutil.Process]) -> set[int]:
    found = set()
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # workers come and go
            found.add(one.uids().effective)
    return found


def test_kill_leaves_nothing_and_the_next_start_continues(folder, eventually):
    with up(folder / "home") as first:
        assert first.said["notices"] == [None, None]
        assert "TimescaleDB" in first.said["database"]
        processes = first.server_processes()
        assert len(processes) > 5
        first.end(signal.SIGKILL)
        with up(folder / "home") as second:  # at once, while the old servers still go
            assert not alive(processes)
            assert second.said["starts"] == 2
            assert second.said["broker"] == first.said["broker"]
            assert second.end(signal.SIGINT) == "clean\n"
    assert not alive(processes)


@pytest.mark.parametrize("name", ["database", "broker"])
def test_a_killed_server_is_started_again(folder, eventually, name):
    with up(folder / "home") as running:
        old = psutil.Process(running.said["pids"][name])
        old.kill()
        parent = psutil.Process(running.process.pid)
        eventually(
            lambda: {one.pid for one in parent.children()} - {*running.said["pids"].values()},
        )
        assert running.end(signal.SIGTERM).endswith("clean\n")


def test_a_second_start_on_the_same_data_is_refused_with_the_pid(folder):
    with up(folder / "home") as first:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TSUJI_HOME": str(folder / "home")},
        )
        assert done.returncode == 1
        assert f"process {first.process.pid}" in done.stderr


def test_two_instances_run_side_by_side(folder):
    with up(folder / "one") as one, up(folder / "two") as two:
        assert one.said["broker"] != two.said["broker"]
        assert {*one.said["pids"].values()}.isdisjoint({*two.said["pids"].values()})
        assert (one.said["starts"], two.said["starts"]) == (1, 1)


def test_an_ordinary_user_needs_no_root(folder, eventually):
    command, environment = ordinary_command(folder)
    with up(folder / "home", command, **environment) as first:
        assert first.said["uid"] != 0
        assert first.said["notices"] == [None, None]
        processes = first.server_processes()
        assert users_of(processes) == {first.said["uid"]}
        first.end(signal.SIGKILL)
        eventually(lambda: not alive(processes))
    with up(folder / "home", command, **environment) as second:
        assert second.said["starts"] == 2
        assert second.end(signal.SIGINT) == "clean\n"
