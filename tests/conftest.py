"""Real servers for all tests: they are fetched where they are missing, and never skipped."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright
from psycopg.conninfo import make_conninfo
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from hub_processes import HubProcesses
from tsuji_platform.runtime.browser import ensure
from tsuji_platform.runtime.private import PrivateServer, private_broker, private_database
from tsuji_platform.store import Database, migrate

_ROOT = Path(__file__).resolve().parents[1]
_SHARED_HUBS = ("tests/dashboard", "tests/faults")
_numbers = itertools.count()

settings.register_profile("tsuji", deadline=None)  # the machine may be busy
settings.load_profile("tsuji")


class ByServers(LoadFileScheduling):
    """Gives each file to one worker, and the files that share a hub to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        folder, _, _ = file.rpartition("/")
        return folder if folder in _SHARED_HUBS else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByServers:
    """Let files of tests run side by side."""
    return ByServers(config, log)


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


@pytest.fixture(scope="session")
def _timescaledb_store(timescaledb_server: PrivateServer) -> Iterator[str]:
    for url in _fresh(timescaledb_server):
        migrate(url)
        yield url


@pytest.fixture(scope="session")
def _plain_store(plain_server: PrivateServer) -> Iterator[str]:
    for url in _fresh(plain_server):
        migrate(url)
        yield url


def _emptied(url: str) -> str:
    """Make a database that earlier tests have used as good as new, much faster than a new one."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND backend_type = 'client backend'"
        )
        tables = connection.execute(
            "SELECT string_agg(tablename, ', ') FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'migration'"
        ).fetchone()
        connection.execute(f"TRUNCATE {tables[0]} RESTART IDENTITY")
    return url


@pytest.fixture(params=["timescaledb", "plain"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A database of each kind with Tsuji's schema and nothing in it."""
    return _emptied(request.getfixturevalue(f"_{request.param}_store"))


@pytest.fixture
def hub_url(_timescaledb_store: str) -> str:
    """A database with TimescaleDB and Tsuji's schema and nothing in it."""
    return _emptied(_timescaledb_store)


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
    """Wait for something that another process does: `eventually(lambda: …, within=60)`."""

    def wait(condition: Callable[[], object], within: float = 60, what: str = "") -> None:
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {within} s: {what or 'the condition'}")
            time.sleep(0.02)

    return wait


@pytest.fixture
def hub(hub_url: str, broker: PrivateServer, tmp_path: Path) -> Iterator[HubProcesses]:
    """Processes of a hub that nothing else uses; none is started yet."""
    processes = HubProcesses(hub_url, broker.url, tmp_path)
    try:
        yield processes
    finally:
        processes.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium; of one module, since nothing else can have an event loop beside it."""
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
