"""Real servers for all tests: they are fetched where they are missing, and never skipped."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, sync_playwright
from psycopg.conninfo import make_conninfo

from tsuji_platform.runtime.browser import ensure
from tsuji_platform.runtime.mqtt import free_port
from tsuji_platform.runtime.private import PrivateServer, private_broker, private_database
from tsuji_platform.store import Database, migrate

_ROOT = Path(__file__).resolve().parents[1]
_numbers = itertools.count()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The published open data that tests read."""
    folder = _ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.fail(f"the test data is missing: expected it at {folder}")
    return folder


@pytest.fixture(scope="session")
def timescaledb_server() -> Iterator[PrivateServer]:
    """PostgreSQL with TimescaleDB's Apache edition."""
    with private_database(kind="timescaledb") as server:
        yield server


@pytest.fixture(scope="session")
def plain_server() -> Iterator[PrivateServer]:
    """PostgreSQL without TimescaleDB."""
    with private_database(kind="plain") as server:
        yield server


def _fresh(server: PrivateServer) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield make_conninfo(server.url, dbname=name)
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["timescaledb", "plain"])
def empty_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of each kind."""
    yield from _fresh(request.getfixturevalue(f"{request.param}_server"))


@pytest.fixture
def store_url(empty_url: str) -> str:
    """A database of each kind with Tsuji's schema."""
    migrate(empty_url)
    return empty_url


@pytest.fixture
def hub_url(timescaledb_server: PrivateServer) -> Iterator[str]:
    """A database with TimescaleDB and Tsuji's schema."""
    for url in _fresh(timescaledb_server):
        migrate(url)
        yield url


@pytest.fixture
def hub_database(hub_url: str) -> Iterator[Database]:
    """Readers' access to `hub_url`."""
    with Database(hub_url, size=4) as database:
        yield database


@pytest.fixture
def broker() -> Iterator[PrivateServer]:
    """A Mosquitto of the test's own that keeps every message."""
    with private_broker() as server:
        yield server


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait for something that another process does: `eventually(lambda: …, within=10)`."""

    def wait(condition: Callable[[], object], within: float = 10, what: str = "") -> None:
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {within} s: {what or 'the condition'}")
            time.sleep(0.02)

    return wait


class HubProcesses:
    """Tsuji's own commands as real processes over one database and one broker.

    Attributes:
        environment: settings that all of them get; change it before the start.
        api_url: where the API will be.
        dashboard_url: where the dashboard will be.
    """

    def __init__(self, database_url: str, broker_url: str, home: Path) -> None:
        api_port, dashboard_port = free_port(), free_port()
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
        }
        self._home = home
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "tsuji", *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, name: str) -> None:
        """Start a long-running command; for API and dashboard wait until they answer."""
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "tsuji", name],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        address = {"api": f"{self.api_url}/v1/figures", "dashboard": self.dashboard_url}.get(name)
        deadline = time.monotonic() + 30
        while address is not None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(address, timeout=5).status_code == 200:
                    return
            if time.monotonic() > deadline or self._running[name].poll() is not None:
                pytest.fail(f"{name} does not start:\n{self.log(name).read_text()}")
            time.sleep(0.05)

    def log(self, name: str) -> Path:
        """What the process printed."""
        return self._home / f"{name}.log"

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal a process and wait for its end; returns its exit code."""
        process = self._running.pop(name)
        process.send_signal(number)
        return process.wait(20)

    def close(self) -> None:
        """End all that still run."""
        for name in list(self._running):
            self.end(name, signal.SIGKILL)


@pytest.fixture
def hub(hub_url: str, broker: PrivateServer, tmp_path: Path) -> Iterator[HubProcesses]:
    """Processes of a hub that nothing else uses; none is started yet."""
    processes = HubProcesses(hub_url, broker.url, tmp_path)
    try:
        yield processes
    finally:
        processes.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(ensure()),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        try:
            yield browser
        finally:
            browser.close()
