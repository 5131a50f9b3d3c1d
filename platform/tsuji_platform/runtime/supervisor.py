"""Keeps child processes alive: starts, watches, restarts with back-off, and stops them in order."""

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import FrameType

from tsuji_platform.runtime import process
from tsuji_platform.runtime.basics import SetupError, tail
from tsuji_platform.runtime.logs import LogFile
from tsuji_platform.runtime.process import Child

_BACK_OFF_S = (0.2, 0.5, 1, 2, 5, 10, 20)
"""Waits before restarts in a row; what ran for `_SETTLED_S` begins at the first again."""
_SETTLED_S = 15.0
_LOOK_S = 0.2
_SIGNALLED = b"s"
_TROUBLE_AFTER = 4
"""Failures in a row after which people are told."""


class State(StrEnum):
    """What a child is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILING = "failing"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A child at one moment.

    Attributes:
        name: the child's.
        state: waiting for its start, running, failing again and again, or stopped for good (by us, or
            since its work is done).
        pid: while it runs.
        restarts: how often it was started again.
        last_exit: how it ended last: exit code, or minus the signal.
        log: its log file.
    """

    name: str
    state: State
    pid: int | None
    restarts: int
    last_exit: int | None
    log: Path


@dataclass(slots=True)
class _Kept:
    """A child with what happened to it; only the keeper's thread changes it."""

    child: Child
    log: LogFile
    process: subprocess.Popen[bytes] | None = None
    pipe: int | None = None
    started: float = 0
    due: float = 0
    starts: int = 0
    failures: int = 0
    done: bool = False
    last_exit: int | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=200))

    def status(self, stopping: bool) -> Status:
        running = self.process is not None
        if running:
            state = State.RUNNING
        elif stopping or self.done:
            state = State.STOPPED
        else:
            state = State.FAILING if self.failures >= _TROUBLE_AFTER else State.WAITING
        return Status(
            name=self.child.name,
            state=state,
            pid=self.process.pid if self.process else None,
            restarts=max(self.starts - 1, 0),
            last_exit=self.last_exit,
            log=self.log.path,
        )


class Supervisor:
    """Runs children until it is closed.

    One thread starts and watches them. It lives until the last has ended: the kernel ties a child's life
    to the thread that made it. All methods may be called from any thread.

    Args:
        log_folder: gets one log per child.
        report: told in one line, from the keeper's thread, of every child that ended by itself.
    """

    def __init__(self, log_folder: Path, report: Callable[[str], None]) -> None:
        self._log_folder = log_folder
        self._report = report
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self.stop_requested = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, child: Child) -> None:
        """Start a child and keep it running.

        Raises:
            ValueError: where another has its name.
        """
        with self._lock:
            if child.name in self._kept:
                raise ValueError(f"a child named {child.name!r} is there already")
            log = LogFile(self._log_folder / f"{child.name}.log")
            self._kept[child.name] = _Kept(child, log)
        self._wake()

    def wait_ready(self, name: str, timeout_s: float | None = None) -> None:
        """Wait until a child does its work.

        Raises:
            SetupError: where it does not in time, with the end of its log, or where all is to stop.
        """
        child = self._kept[name].child
        limit = child.ready_timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + limit
        while not (self._kept[name].process and child.ready()):
            if self.stop_requested.wait(0.05):
                raise SetupError(f"stopped while waiting for {name}")
            if not self._keeper.is_alive():
                raise SetupError("the supervisor's own thread ended; see the error above")
            if time.monotonic() > deadline:
                raise SetupError(
                    f"{name} is not ready after {limit:.0f} s. The end of its log "
                    f"({self._kept[name].log.path}):\n{tail(self.log_lines(name))}"
                )

    def statuses(self) -> list[Status]:
        """Return how all children are, in the order in which they were added."""
        with self._lock:
            return [kept.status(self._stopping.is_set()) for kept in self._kept.values()]

    def log_lines(self, name: str) -> list[str]:
        """Return the last lines that a child printed."""
        return list(self._kept[name].lines)

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Turn Ctrl-C, SIGTERM and SIGHUP into `stop_requested`; the second makes the stop hasty.

        Closes the supervisor at its end. Only for the main thread.
        """

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            # Not set here: this thread may be inside a wait() and hold the event's own lock.
            self._wake(_SIGNALLED)

        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup means to outlive its terminal
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, on_signal) for number in numbers}
        try:
            yield
        finally:
            self.close()  # before the second Ctrl-C means something else again
            for number, handler in before.items():
                signal.signal(number, handler)

    def close(self) -> None:
        """Stop all children, the highest stage first, and return when the last has ended."""
        self.stop_requested.set()
        self._stopping.set()
        self._wake()
        self._keeper.join()

    def _wake(self, why: bytes = b".") -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, why)

    # What follows runs in the keeper's thread.

    def _keep(self) -> None:
        try:
            while not self._stopping.is_set():
                self._look()
        finally:
            self.stop_requested.set()  # should this thread ever fail, everybody has to know
        stages = sorted({kept.child.stage for kept in self._kept.values()}, reverse=True)
        for stage in stages:
            self._stop([kept for kept in self._kept.values() if kept.child.stage == stage])
        for kept in self._kept.values():
            kept.log.close()

    def _look(self) -> None:
        with self._lock:
            everyone = list(self._kept.values())
        for kept in everyone:
            if kept.process is None and not kept.done and time.monotonic() >= kept.due:
                self._start(kept)
        self._drain(_LOOK_S)
        for kept in everyone:
            self._reap(kept)

    def _start(self, kept: _Kept) -> None:
        if not kept.child.may_start():
            kept.due = time.monotonic() + 0.1
            return
        kept.started = time.monotonic()
        read, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read, False)
        try:
            kept.process = process.spawn(kept.child, write)
        except OSError as error:  # no memory or no processes left: that passes
            os.close(read)
            kept.lines.append(f"cannot start: {error}")
            self._plan_restart(kept, 127)
            return
        finally:
            os.close(write)
        kept.pipe = read
        kept.starts += 1
        self._selector.register(read, selectors.EVENT_READ, kept)

    def _drain(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                for _ in range(os.read(self._wake_read, 4096).count(_SIGNALLED)):
                    if self.stop_requested.is_set():
                        self._hurry.set()
                    self.stop_requested.set()
            else:
                self._read(key.data)

    def _read(self, kept: _Kept) -> None:
        if kept.pipe is None:
            return
        try:
            chunk = os.read(kept.pipe, 65_536)
        except BlockingIOError:
            return
        if chunk:
            kept.lines.extend(kept.log.write(chunk))
        else:
            self._close_pipe(kept)

    def _close_pipe(self, kept: _Kept) -> None:
        if kept.pipe is not None:
            self._selector.unregister(kept.pipe)
            os.close(kept.pipe)
            kept.pipe = None

    def _reap(self, kept: _Kept) -> bool:
        """Notice a child's end; returns whether it has none to wait for."""
        if kept.process is None:
            return True
        code = kept.process.poll()
        if code is None:
            return False
        process.signal_group(kept.process, signal.SIGKILL)  # what it may have started itself
        self._read(kept)
        self._close_pipe(kept)
        kept.process = None
        kept.last_exit = code
        kept.done = kept.child.once and code == 0
        if not kept.done and not self._stopping.is_set():
            self._plan_restart(kept, code)
        return True

    def _plan_restart(self, kept: _Kept, code: int) -> None:
        settled = time.monotonic() - kept.started >= _SETTLED_S
        kept.failures = 1 if settled else kept.failures + 1
        wait = _BACK_OFF_S[min(kept.failures, len(_BACK_OFF_S)) - 1]
        kept.due = time.monotonic() + wait
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        line = f"{kept.child.name} {how}; starting it again in {wait:g} s"
        if kept.failures >= _TROUBLE_AFTER:
            line += f" ({kept.failures} times in a row; {kept.log.path}):\n" + tail(
                list(kept.lines)
            )
        self._report(line)

    def _stop(self, group: list[_Kept]) -> None:
        begun = time.monotonic()
        for kept in group:
            if kept.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    kept.process.send_signal(kept.child.stop_signal)
        left = group
        while left := [kept for kept in left if not self._reap(kept)]:
            self._drain(0.05)
            for kept in left:
                late = time.monotonic() - begun > kept.child.stop_timeout_s or self._hurry.is_set()
                if late and kept.process is not None:
                    process.signal_group(kept.process, signal.SIGKILL)
