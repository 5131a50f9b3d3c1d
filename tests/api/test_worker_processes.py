"""Worker processes that end at the worst moment."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import uvicorn
from uvicorn import Server
from uvicorn.supervisors.multiprocess import SIGNALS

from tsuji_platform.api.worker_processes import Workers
from tsuji_platform.connections import run
from tsuji_platform.listening import take


def stands(pid: int | None) -> bool:
    """Whether a process is stopped, which its threads are one after the other."""
    try:
        states = [it.read_text() for it in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # a thread has ended since it was listed
        return False
    return all(it.rpartition(")")[2].split()[0] == "T" for it in states)


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Uvicorn's supervisor takes all signals for itself."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_worker_that_is_killed_while_its_sign_of_life_is_waited_for_is_replaced(
    eventually: Callable[..., None],
) -> None:
    sockets = take("127.0.0.1", 0, ("TSUJI_API_HOST", "TSUJI_API_PORT"))
    config = uvicorn.Config(
        "fastapi:FastAPI", factory=True, workers=1, log_config=None, timeout_worker_healthcheck=600
    )
    workers = Workers(config, sockets)
    try:
        workers.init_processes()
        (first,) = workers.processes
        eventually(lambda: first.is_ready(), within=120, what="a worker")
        assert first.pid is not None
        os.kill(first.pid, signal.SIGSTOP)
        eventually(lambda: stands(first.pid), what="all its threads stand")
        asking = threading.Thread(target=workers.keep_subprocess_alive)
        asking.start()
        asking.join(1)
        assert asking.is_alive(), "it waits for the sign of life"
        os.kill(first.pid, signal.SIGKILL)
        eventually(lambda: not asking.is_alive(), within=120, what="another worker in its place")
        (second,) = workers.processes
        eventually(lambda: second.is_ready(), within=120, what="the other worker")
        assert second.pid != first.pid
    finally:
        for one in workers.processes:
            one.kill()
            one.join()
        for taken in sockets:
            taken.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_of_two_that_begin_at_one_moment_one_is_told(
    workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Both may take an address that nobody listens on yet."""
    names = ("TSUJI_API_HOST", "TSUJI_API_PORT")
    (ours,) = take("127.0.0.1", 0, names)
    port = ours.getsockname()[1]
    (theirs,) = take("127.0.0.1", port, names)
    config = uvicorn.Config("fastapi:FastAPI", factory=True, workers=workers, log_config=None)
    with ours, theirs:
        theirs.listen()
        serve = Workers(config, [ours]).run if workers > 1 else partial(run, Server(config), [ours])
        with pytest.raises(SystemExit) as ended:
            serve()
    assert ended.value.code == 3
    assert f"can't listen on 127.0.0.1:{port} (Address already in use)" in caplog.text
