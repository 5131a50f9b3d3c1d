"""Whole instances: killed with their parent, begun again at once, side by side, as root and as others."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import tsuji_platform
from tsuji_platform.runtime import broker, database
from tsuji_platform.runtime.home import data_folder
from tsuji_platform.runtime.private import private_folder

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
        rest, _ = self.process.communicate(timeout=20)
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
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


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
            within=10,
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


def ordinary_command(folder: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return a Python that runs as an ordinary user, and its environment.

    Root's Python may stand where others cannot read it. Then the system's takes its place, and where that
    will not do the user is lent the right to read everything.
    """
    packages = Path(tsuji_platform.__path__[0]).parent
    paths = [str(packages), *(path for path in sys.path if path.endswith("-packages"))]
    environment = {
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(paths),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
        # The fetched programs are the same for all.
        "XDG_DATA_HOME": str(data_folder().parent),
    }
    if os.geteuid() != 0:
        return (sys.executable,), environment
    nobody = pwd.getpwnam("nobody")
    shutil.chown(folder, nobody.pw_uid, nobody.pw_gid)
    switch = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (
        (*switch, sys.executable),
        (*switch, system),
        (*switch, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", sys.executable),
    )
    # The second start counts: setpriv itself can still reach what its user cannot.
    probe = (
        "import subprocess, sys, psycopg, tsuji_platform.runtime.private;"
        "subprocess.run([sys.executable, '-c', ''], check=True)"
    )
    for command in candidates:
        done = subprocess.run(
            [*command, "-c", probe], env=environment, cwd=folder, capture_output=True, check=False
        )
        if done.returncode == 0:
            return command, environment
    pytest.fail(f"no Python runs as an ordinary user: {done.stderr.decode()}")


def test_an_ordinary_user_needs_no_root(folder, eventually):
    command, environment = ordinary_command(folder)
    with up(folder / "home", command, **environment) as first:
        assert first.said["uid"] != 0
        assert first.said["notices"] == [None, None]
        processes = first.server_processes()
        assert {one.uids().effective for one in processes} == {first.said["uid"]}
        first.end(signal.SIGKILL)
        eventually(lambda: not alive(processes), within=10)
    with up(folder / "home", command, **environment) as second:
        assert second.said["starts"] == 2
        assert second.end(signal.SIGINT) == "clean\n"


def test_an_ordinary_user_fetches_programs_without_root(folder):
    command, environment = ordinary_command(folder)
    script = (
        "import sys; from pathlib import Path; from tsuji_platform.runtime import debian;"
        "print(debian.fetch(debian.MOSQUITTO, Path(sys.argv[1]), print))"
    )
    running = [
        subprocess.Popen(
            [*command, "-c", script, str(folder / "programs")],
            env=environment,
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0].splitlines() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert {lines[-1] for lines in said} == {str(folder / "programs" / "mosquitto-sqlite")}
    fetching = [line for lines in said for line in lines if line.startswith("fetching")]
    assert len(fetching) == 1, "one fetches, the other waits"
    program = folder / "programs" / "mosquitto-sqlite" / "usr" / "sbin" / "mosquitto"
    assert (
        "2." in subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    )
    assert not list((folder / "programs").glob(".*.part-*"))
