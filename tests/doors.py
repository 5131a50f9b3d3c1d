"""HAProxy as deploy/proxy has it, fetched where it is not installed."""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tsuji_platform.runtime import debian
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.runtime.debian import Recipe
from tsuji_platform.runtime.home import programs_folder

CONFIGURATION = Path(__file__).resolve().parents[1] / "deploy" / "proxy" / "haproxy.cfg"
_RECIPE = Recipe(
    name="haproxy",
    label="HAProxy",
    suite="trixie",
    packages=("haproxy",),
    programs=("usr/sbin/haproxy",),
    check=("usr/sbin/haproxy", "-v"),
)


def program() -> Path:
    """Where HAProxy is."""
    installed = shutil.which("haproxy")
    if installed is not None:
        return Path(installed)
    try:
        return debian.fetch(_RECIPE, programs_folder()) / "usr" / "sbin" / "haproxy"
    except SetupError as error:
        pytest.fail(f"tests of the proxy need HAProxy; install it. Here: {error}")


class Doors:
    """One HAProxy; begins with `start`.

    Args:
        log: file that takes what it says.
        addresses: what its configuration asks for, such as API_DOOR.
    """

    def __init__(self, log: Path, **addresses: str) -> None:
        self._log = log
        self._environment = {**os.environ, **addresses}
        self._program = program()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-db", "-f", CONFIGURATION],
                env=self._environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None
