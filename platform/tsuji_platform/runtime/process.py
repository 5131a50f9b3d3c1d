"""One child process: how it is described, started so that it never outlives us, and found again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from tsuji_platform.runtime.account import Account

_LAUNCH = Path(__file__).with_name("launch.py")


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What to run and how to treat it.

    Attributes:
        name: short and unique; also the name of its log.
        command: program and arguments.
        environment: variables on top of ours.
        account: the user that it runs as; None for ours.
        stage: children of the highest stage stop first, those of the same stage together.
        stop_signal: asks it to end.
        stop_timeout_s: how long it may take before it is killed.
        death_signal: what the kernel sends it when we die, whatever we die of.
        may_start: asked before every start; False means not yet, and is asked again soon.
        ready: whether it does its work; slow ones are fine, it is asked by whoever waits.
        ready_timeout_s: how long `ready` may take to come true.
        once: it ends by itself, with 0, when its work is done, and is not started again then.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    stage: int = 2
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 5
    death_signal: signal.Signals = signal.SIGKILL
    may_start: Callable[[], bool] = _always
    ready: Callable[[], bool] = _always
    ready_timeout_s: float = 60
    once: bool = False


def launcher(
    account: Account | None = None, death_signal: signal.Signals = signal.SIGKILL
) -> tuple[str, ...]:
    """Return what goes before a command to run it as another user and never longer than we live.

    Args:
        account: whom to switch to; None stays.
        death_signal: what the kernel sends it when the thread that started it ends.
    """
    uid, gid = (account.uid, account.gid) if account else (os.geteuid(), os.getegid())
    # Isolated and without site-packages it starts within a few milliseconds.
    python = (sys.executable, "-I", "-S", str(_LAUNCH))
    return (*python, str(os.getpid()), str(int(death_signal)), str(uid), str(gid))


def spawn(child: Child, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the child in a process group of its own, its output going to `output`.

    The thread that calls this must live as long as the child may: to the kernel the parent whose death
    counts is the thread.
    """
    return subprocess.Popen(
        [*launcher(child.account, child.death_signal), *child.command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, **child.environment},
        process_group=0,
    )


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the child and whatever it started in its group; nothing happens where none is left."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def is_alive(process: psutil.Process) -> bool:
    """Whether the process still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def with_argument(argument: str) -> list[psutil.Process]:
    """Return the living processes that were started with exactly this argument, such as a data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if argument in process.cmdline()[1:] and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if is_alive(process)]


def with_folder(folder: Path) -> list[psutil.Process]:
    """Return the living processes whose working folder is `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return [process for process in found if is_alive(process)]


def with_hidden_folder(name: str, uid: int) -> list[psutil.Process]:
    """Return the living processes of this program and user whose working folder may not be seen."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == name and process.uids().effective == uid:
                process.cwd()
        except psutil.AccessDenied:
            found.append(process)
        except (psutil.Error, OSError):
            continue
    return [process for process in found if is_alive(process)]


def send(process: psutil.Process, number: signal.Signals) -> None:
    """Signal a process that may have ended meanwhile."""
    try:
        process.send_signal(number)
    except (psutil.Error, PermissionError):
        return


def process_name(process: psutil.Process) -> str:
    """Return the program's name, empty where the process is gone."""
    try:
        return str(process.name())
    except psutil.Error:
        return ""


class Remains:
    """What an earlier run left, and its orderly end: asked again and again, it gets less patient.

    Args:
        find: returns the living processes that are in the way.
        signals: sent to them, from the gentlest to the last; each gets `patience_s`.
        tidy: called once nothing is left, before a new process starts.
        patience_s: how long one signal may take to work.
    """

    def __init__(
        self,
        find: Callable[[], list[psutil.Process]],
        signals: tuple[signal.Signals, ...],
        tidy: Callable[[], None] = lambda: None,
        patience_s: float = 8,
    ) -> None:
        self._find = find
        self._signals = signals
        self._tidy = tidy
        self._patience_s = patience_s
        self._since: float | None = None

    def left(self) -> list[psutil.Process]:
        """What is in the way now."""
        return self._find()

    def are_gone(self) -> bool:
        """Whether the way is free; sends the signal whose time has come where it is not."""
        left = self._find()
        if not left:
            self._since = None
            self._tidy()
            return True
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        step = min(int((now - self._since) / self._patience_s), len(self._signals) - 1)
        for one in left:
            send(one, self._signals[step])
        return False
