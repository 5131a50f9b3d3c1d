"""`tsuji up` as people run it: from nothing to a live hub, killed in every way, continued."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

import recipes
from own_ports import own_port
from tsuji_platform.runtime.private import private_folder

_SERVICES = ("ingest", "api", "dashboard", "simulate")


class Up:
    """One data folder and the runs of `tsuji up` on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.api = f"http://127.0.0.1:{own_port()}"
        self.dashboard = f"http://127.0.0.1:{own_port()}"
        self.environment = {
            **os.environ,
            "TSUJI_HOME": str(home),
            "TSUJI_API_PORT": self.api.rsplit(":", 1)[1],
            "TSUJI_DASHBOARD_PORT": self.dashboard.rsplit(":", 1)[1],
            "TSUJI_BROKER_PORT": str(own_port()),
            "TSUJI_HISTORY_DAYS": "0.03",
        }
        self.process: subprocess.Popen[str] | None = None
        self.output = home.parent / "up.log"

    def start(self) -> psutil.Process:
        self._begins = len(self.output.read_text()) if self.output.exists() else 0
        with self.output.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tsuji", "up"],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        deadline = time.monotonic() + 300
        while "Ctrl-C stops everything" not in self.since_start():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"not up:\n{self.output.read_text()}")
            time.sleep(0.05)
        return psutil.Process(self.process.pid)

    def since_start(self) -> str:
        return self.output.read_text()[self._begins :]

    def health(self) -> dict[str, dict[str, int]]:
        """As soon as it is told again, where something was killed."""
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer: dict[str, dict[str, int]] = httpx.get(
                    f"{self.api}/v1/health", timeout=90
                ).json()
                if answer.get("ingest"):
                    return answer
            assert time.monotonic() < deadline, "nothing is told of ingest"
            time.sleep(0.1)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(180)


@contextlib.contextmanager
def _up() -> Iterator[Up]:
    with private_folder() as folder:
        one = Up(folder / "home")
        try:
            yield one
        finally:
            one.close()


@pytest.fixture
def up() -> Iterator[Up]:
    """One that is not started yet."""
    with _up() as one:
        yield one


@pytest.fixture(scope="module")
def running() -> Iterator[Up]:
    """One that runs all the time, whatever is done to its processes."""
    with _up() as one:
        one.start()
        yield one


def _named(parent: psutil.Process, name: str) -> psutil.Process | None:
    for child in parent.children():
        with contextlib.suppress(psutil.Error):
            if child.cmdline()[-1:] == [name] or name in Path(child.exe()).name:
                return child
    return None


@pytest.mark.timeout(900)
def test_the_tutorial_holds_as_it_is_written(running: Up, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    port = running.environment["TSUJI_BROKER_PORT"]
    steps = recipes.recipes_of(recipes.DOCS / "tutorial.md", "tutorial")
    assert len(steps) >= 10
    for step in steps:
        text = step.text.replace("http://127.0.0.1:8000", running.api)
        text = text.replace('("127.0.0.1", 1883)', f'("127.0.0.1", {port})')
        deadline = time.monotonic() + 180  # what was published shows a moment later
        while True:
            done = _in_a_shell(text, tmp_path, running.environment)
            if done.returncode == 0 and step.is_answered_by(done.stdout):
                break
            if time.monotonic() > deadline:
                pytest.fail(f"{step.where} should print {step.like}: {done}")


def _in_a_shell(
    text: str, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tutorial_says_the_same_in_japanese() -> None:
    """And begins with what the Makefile does, which here is done by hand."""
    both = [
        recipes.recipes_of(recipes.DOCS / folder / "tutorial.md", "tutorial")
        for folder in ("", "ja")
    ]
    first, second = ([(it.text, it.like) for it in steps] for steps in both)
    assert first == second
    makefile = (recipes.DOCS.parent / "Makefile").read_text(encoding="utf-8")
    assert "run:\n\t@tools/setup run\n\t@$(BIN)/tsuji up\n" in makefile


def test_it_is_asked_at_the_ports_that_it_has_taken(running: Up) -> None:
    usual = {
        name: value for name, value in running.environment.items() if not name.endswith("_PORT")
    }
    for service in ("ingest", "api", "dashboard"):
        done = subprocess.run(
            [sys.executable, "-m", "tsuji", "healthy", service],
            env=usual, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert f"dashboard on {running.dashboard.removeprefix('http://')} is healthy" in done.stdout


def test_a_second_run_on_the_same_data_is_refused_with_what_to_do(running: Up) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "tsuji", "up"],
        env=running.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "already running" in second.stderr
    assert "TSUJI_HOME" in second.stderr
    assert "Traceback" not in second.stderr


def test_every_process_comes_back_after_kill_9(
    running: Up, eventually: Callable[..., None]
) -> None:
    up = running
    assert up.process is not None
    parent = psutil.Process(up.process.pid)
    eventually(lambda: up.health()["ingest"]["stored"] > 1_000, what="observations")
    for name in (*_SERVICES, "mosquitto", "postgres"):
        before = _named(parent, name)
        assert before is not None, name
        before.send_signal(signal.SIGKILL)
        eventually(
            lambda name=name, pid=before.pid: (
                (after := _named(parent, name)) is not None and after.pid != pid
            ),
            what=f"{name} again",
        )

    def answers(url: str) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(url, timeout=90).status_code == 200
        return False

    eventually(lambda: answers(up.dashboard), what="the dashboard")
    eventually(lambda: answers(f"{up.api}/v1/health"), what="health")
    stored = up.health()["ingest"]["stored"]
    eventually(lambda: up.health()["ingest"]["stored"] > stored, what="fresh rows")
    tally = up.health()["ingest"]
    assert tally["received"] == (
        tally["stored"]
        + tally["duplicate"]
        + tally["corrected"]
        + tally["rejected"]
        + tally["waiting"]
    )


def test_kill_9_leaves_no_process_and_the_next_run_goes_on(
    up: Up, eventually: Callable[..., None]
) -> None:
    parent = up.start()
    eventually(lambda: up.health()["ingest"]["stored"] > 1_000, what="observations")
    stored = up.health()["ingest"]["stored"]
    family = [parent, *parent.children(recursive=True)]
    assert len(family) > len(_SERVICES) + 2
    parent.send_signal(signal.SIGKILL)
    assert up.process is not None
    up.process.wait(180)
    gone, alive = psutil.wait_procs(family, timeout=90)
    assert not alive
    assert len(gone) == len(family)

    up.start()
    assert up.health()["ingest"]["stored"] >= stored

    begun = time.monotonic()
    family = [
        psutil.Process(up.process.pid),
        *psutil.Process(up.process.pid).children(recursive=True),
    ]
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(180) == 0, f"after {time.monotonic() - begun} s:\n{up.since_start()}"
    _, alive = psutil.wait_procs(family, timeout=90)
    assert not alive


def test_a_taken_port_is_named(up: Up) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(up.environment["TSUJI_API_PORT"])))
        taken.listen()
        run = subprocess.run(
            [sys.executable, "-m", "tsuji", "up"],
            env=up.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    assert run.returncode == 1
    assert f"TSUJI_API_PORT={up.environment['TSUJI_API_PORT']}" in run.stderr
