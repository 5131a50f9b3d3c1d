"""A hub for tests: Tsuji's own commands as real processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import warm_tsuji
from own_ports import own_port


class HubProcesses:
    """Tsuji's own commands as real processes over one database and one broker.

    Attributes:
        environment: settings that all of them get; change it before the start.
        api_url: where the API will be.
        dashboard_url: where the dashboard will be.
    """

    def __init__(self, database_url: str, broker_url: str, home: Path) -> None:
        api_port, dashboard_port = own_port(), own_port()
        self.api_url = f"http://127.0.0.1:{api_port}"
        self.dashboard_url = f"http://127.0.0.1:{dashboard_port}"
        self.broker_url = broker_url
        self.environment = {
            "TSUJI_DATABASE_URL": database_url,
            "TSUJI_BROKER_URL": broker_url,
            "TSUJI_API_PORT": str(api_port),
            "TSUJI_API_URL": self.api_url,
            "TSUJI_DASHBOARD_PORT": str(dashboard_port),
            "TSUJI_HOME": str(home),
            "TSUJI_ANONYMOUS_RATE": "0",  # tests ask as often as they like
            "TSUJI_KEPT_SECONDS": "0",  # and see at once what they have written
        }
        self._home = home
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return warm_tsuji.run_text(*arguments, env={**os.environ, **self.environment})

    def start(self, name: str, command: str | None = None, **environment: str) -> None:
        """Start a long-running command; for API and dashboard wait until they answer.

        Args:
            name: under which it is known here.
            command: what it is, where several of a kind run under names of their own.
            environment: settings of its own.
        """
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "tsuji", command or name],
                env={**os.environ, **self.environment, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        address = {"api": f"{self.api_url}/v1/figures", "dashboard": self.dashboard_url}.get(name)
        deadline = time.monotonic() + 180
        while address is not None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(address, timeout=30).status_code == 200:
                    return
            if time.monotonic() > deadline or self._running[name].poll() is not None:
                pytest.fail(f"{name} does not start:\n{self.log(name).read_text()}")
            time.sleep(0.05)

    def pid(self, name: str) -> int:
        """The process's number."""
        return self._running[name].pid

    def log(self, name: str) -> Path:
        """What the process printed."""
        return self._home / f"{name}.log"

    def end(
        self,
        name: str,
        number: signal.Signals = signal.SIGTERM,
        *,
        kill_after_s: float | None = None,
    ) -> int:
        """Signal a process and wait for its end; returns its exit code.

        Args:
            name: which.
            number: the signal.
            kill_after_s: it is killed then, as supervisors do; None takes it for a defect not to end.
        """
        process = self._running.pop(name)
        process.send_signal(number)
        try:
            return process.wait(120 if kill_after_s is None else kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            if kill_after_s is None:
                raise
            return process.wait(60)

    def close(self) -> None:
        """End all that still run."""
        for name in list(self._running):
            self.end(name, signal.SIGKILL)
