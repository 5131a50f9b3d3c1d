"""Figures of several processes: added up over those that run and those that ran; nothing is left behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tsuji_platform.insight import workers

_WORKER = """
import sys
from prometheus_client import CollectorRegistry, Counter, Gauge
registry = CollectorRegistry()
Counter("done", "Done.", registry=registry).inc(3)
Gauge("open", "Open.", registry=registry, multiprocess_mode="livesum").set(2)
"""
_PARENT = f"""
import os, subprocess, sys
from tsuji_platform.insight import workers
folder = workers.share()
assert workers.share() == folder == workers.shared()
for _ in range(2):
    subprocess.run([sys.executable, "-c", {_WORKER!r}], check=True)
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
workers.bury(folder)
registry = CollectorRegistry()
MultiProcessCollector(registry, str(folder))
print(folder)
print([one.pid for one in workers.alive(folder)] == [os.getpid()])
print(generate_latest(registry).decode())
"""


def test_what_processes_counted_is_added_up_and_what_they_held_ends_with_them() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PROMETHEUS_MULTIPROC_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", _PARENT], env=environment, capture_output=True, text=True, check=True
    )
    folder, alive, *figures = done.stdout.splitlines()
    assert "done_total 6.0" in figures
    assert not any(line.startswith("open ") for line in figures)
    assert alive == "True"
    assert not Path(folder).exists(), "it goes with the process that made it"


def test_what_was_left_by_the_killed_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    monkeypatch.setattr(workers, "_MEMORY", tmp_path)
    monkeypatch.setattr(workers.atexit, "register", lambda *_: None)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    gone = tmp_path / f"tsuji-figures-{ended.pid}-x"
    ours = tmp_path / f"tsuji-figures-{os.getpid()}-x"
    others = tmp_path / "something-else"
    for folder in (gone, ours, others):
        folder.mkdir()
    made = workers.share()
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")
    assert made is not None
    assert made.is_dir()
    assert (gone.exists(), ours.exists(), others.exists()) == (False, True, True)
