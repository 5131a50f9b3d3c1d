"""Children are kept alive, and none outlives its parent, whatever that dies of."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.runtime.process import Child
from tsuji_platform.runtime.supervisor import State, Supervisor


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, reports: list[str]):
    with Supervisor(tmp_path, reports.append) as running:
        yield running


def shell(name: str, script: str, **more) -> Child:
    return Child(name=name, command=("sh", "-c", script), **more)


def status(supervisor: Supervisor, name: str):
    return next(one for one in supervisor.statuses() if one.name == name)


def test_what_is_killed_is_started_again(supervisor, reports, eventually):
    supervisor.add(Child(name="sleeper", command=("sleep", "1000")))
    supervisor.wait_ready("sleeper")
    first = status(supervisor, "sleeper").pid
    os.kill(first, signal.SIGKILL)
    eventually(lambda: status(supervisor, "sleeper").pid not in (None, first))
    assert status(supervisor, "sleeper").restarts == 1
    assert reports == ["sleeper was ended by SIGKILL; starting it again in 0.2 s"]


def test_what_is_done_is_not_started_again_and_what_was_killed_before_is(
    supervisor, reports, tmp_path, eventually
):
    script = f"test -e {tmp_path}/go && exit 0; echo at work; exec sleep 1000"
    supervisor.add(shell("worker", script, once=True))
    eventually(lambda: supervisor.log_lines("worker"))
    (tmp_path / "go").touch()
    os.kill(status(supervisor, "worker").pid, signal.SIGKILL)
    eventually(lambda: status(supervisor, "worker").state is State.STOPPED)
    done = status(supervisor, "worker")
    assert (done.restarts, done.last_exit) == (1, 0)
    supervisor.add(shell("other", "echo later; exec sleep 1000"))
    eventually(lambda: supervisor.log_lines("other"))
    assert status(supervisor, "worker") == done
    assert len(reports) == 1


def test_what_fails_again_and_again_is_shown_with_its_log_and_tried_on(
    supervisor, reports, eventually
):
    supervisor.add(shell("failer", "echo the reason; exit 3"))
    eventually(lambda: status(supervisor, "failer").state is State.FAILING)
    assert status(supervisor, "failer").last_exit == 3
    eventually(lambda: any("the reason" in line for line in reports), what="it is told")
    starts = status(supervisor, "failer").restarts
    eventually(lambda: status(supervisor, "failer").restarts > starts)


def test_a_program_that_is_missing_fails_with_its_name(supervisor, eventually):
    supervisor.add(Child(name="missing", command=("/no/such/program",)))
    eventually(lambda: "/no/such/program" in " ".join(supervisor.log_lines("missing")))


def test_one_that_never_gets_ready_is_named_with_its_log(supervisor, eventually):
    supervisor.add(shell("slow", "echo still thinking; sleep 100", ready=lambda: False))
    eventually(lambda: supervisor.log_lines("slow"))
    with pytest.raises(SetupError, match=r"slow is not ready after 1 s(.|\n)*still thinking"):
        supervisor.wait_ready("slow", timeout_s=1)


def test_output_goes_to_a_log_of_its_own(supervisor, tmp_path, eventually):
    supervisor.add(shell("talker", "echo out; echo err >&2; exec sleep 100"))
    eventually(lambda: (tmp_path / "talker.log").read_text() == "out\nerr\n")


def test_signals_that_python_ignores_work_in_children(supervisor, eventually):
    supervisor.add(shell("piper", "grep SigIgn /proc/self/status; exec sleep 100"))
    eventually(lambda: supervisor.log_lines("piper"))
    mask = int(supervisor.log_lines("piper")[0].split()[1], 16)
    # but for those that the C library keeps for itself
    assert {n for n in signal.valid_signals() if mask >> (n - 1) & 1} == set()


def test_stop_goes_from_the_highest_stage_down(tmp_path, eventually):
    order = tmp_path / "order"
    script = f"trap 'echo NAME >> {order}; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    names = ("database", "broker", "service")
    with Supervisor(tmp_path, lambda _line: None) as supervisor:
        for stage, name in enumerate(names):
            supervisor.add(
                shell(name, script.replace("NAME", name), stage=stage, stop_timeout_s=90)
            )
            supervisor.wait_ready(name)
        eventually(lambda: all(supervisor.log_lines(name) for name in names))  # their traps are set
    assert order.read_text().split() == ["service", "broker", "database"]


def test_what_ignores_the_request_is_killed_with_all_that_it_started(tmp_path, eventually):
    with Supervisor(tmp_path, lambda _line: None) as supervisor:
        supervisor.add(
            shell("deaf", "trap '' TERM; sleep 1000 & echo $!; sleep 1001", stop_timeout_s=0.5)
        )
        eventually(lambda: supervisor.log_lines("deaf"))
        grandchild = int(supervisor.log_lines("deaf")[0])
        begun = time.monotonic()
    assert time.monotonic() - begun < 600  # it would sleep for longer
    eventually(lambda: not psutil.pid_exists(grandchild) or _is_zombie(grandchild))


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


PARENT = """
import signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
from pathlib import Path
from tsuji_platform.runtime.process import Child
from tsuji_platform.runtime.supervisor import Supervisor
with Supervisor(Path(sys.argv[1]), print) as supervisor, supervisor.signals():
    supervisor.add(Child(name="sleeper", command=("sleep", "1000")))
    supervisor.wait_ready("sleeper")
    print(supervisor.statuses()[0].pid, flush=True)
    supervisor.stop_requested.wait()
print("clean", flush=True)
"""


@pytest.mark.parametrize(
    ("number", "clean"),
    [
        (signal.SIGKILL, False),
        (signal.SIGINT, True),
        (signal.SIGTERM, True),
        (signal.SIGHUP, True),
    ],
)
def test_no_child_outlives_its_parent(tmp_path, eventually, number, clean):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        try:
            child = int(parent.stdout.readline())
            assert psutil.pid_exists(child)
            parent.send_signal(number)
            parent.wait(90)
        finally:
            parent.kill()
        eventually(lambda: _is_zombie(child))
        assert (parent.stdout.read() == "clean\n") is clean


_SIGNALLED_INSIDE_WAIT = """
import os, pathlib, signal, sys
from tsuji_platform.runtime.supervisor import Supervisor

with Supervisor(pathlib.Path(sys.argv[1]), print) as supervisor, supervisor.signals():
    with supervisor.stop_requested._cond:  # as wait() holds it for a moment
        os.kill(os.getpid(), signal.SIGINT)
    assert supervisor.stop_requested.wait(90)
print("stopped")
"""


def test_a_signal_that_meets_the_main_thread_inside_a_wait_is_no_deadlock(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _SIGNALLED_INSIDE_WAIT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("stopped\n", 0), done.stderr
