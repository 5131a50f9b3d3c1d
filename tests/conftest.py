"""Real servers for all tests: they are fetched where they are missing, and never skipped."""

import gc
import itertools
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright
from psycopg.conninfo import make_conninfo
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from dropped import drop
from hub_processes import HubProcesses
from one_browser import launch
from own_ports import own_port
from tsuji_platform.runtime import mqtt
from tsuji_platform.runtime.private import PrivateServer, private_broker, private_database
from tsuji_platform.store import Database, migrate

_ROOT = Path(__file__).resolve().parents[1]
_SHARED_HUBS = {"tests/dashboard": 2, "tests/faults": 1}
"""Folders whose tests share a hub, and in how many workers one is made."""
_numbers = itertools.count()
_TABLES = """
SELECT array_agg(relname::text), bool_or(pg_relation_size(oid) > 1000000),
    array_agg(relname::text) FILTER (WHERE EXISTS (SELECT FROM pg_inherits WHERE inhparent = oid))
FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND relname <> 'migration'
"""
"""All tables, whether one takes room, and those in parts."""

# Servers that are stopped and started again find their port as they left it.
mqtt.free_port = lambda host="127.0.0.1": own_port()

settings.register_profile("tsuji", deadline=None)  # the machine may be busy
settings.load_profile("tsuji")


class ByServers(LoadFileScheduling):
    """Gives each file to one worker, and those that share a hub to as few as let them end in time."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        at = {hub: [n for n in self.nodes if self._began(n, hub)] for hub in _SHARED_HUBS}

        def worth(file: str) -> int:
            hub = file.rpartition("/")[0]
            if node in at.get(hub, ()):
                return 0  # its hub runs here already
            return 2 if len(at.get(hub, ())) >= _SHARED_HUBS.get(hub, 1) else 1

        self.workqueue.move_to_end(min(self.workqueue, key=worth), last=False)
        super()._assign_work_unit(node)

    def _began(self, node: WorkerController, hub: str) -> bool:
        return any(file.rpartition("/")[0] == hub for file in self.assigned_work[node])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByServers:
    """Let files of tests run side by side."""
    return ByServers(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are read, and leave all that they import out of later looks."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The published open data that tests read."""
    folder = _ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.fail(f"the test data is missing: expected it at {folder}")
    return folder


def _hasty(server: PrivateServer) -> PrivateServer:
    """Let it leave the writing of its files to the system: nobody pulls this machine's plug.

    Whatever is killed, nothing is lost by it. Databases under faults, and those that are made by
    what people run, keep to the usual.
    """
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return server


@pytest.fixture(scope="session")
def timescaledb_server() -> Iterator[PrivateServer]:
    """PostgreSQL with TimescaleDB's Apache edition."""
    with private_database(kind="timescaledb") as server:
        yield _hasty(server)


@pytest.fixture(scope="session")
def plain_server() -> Iterator[PrivateServer]:
    """PostgreSQL without TimescaleDB."""
    with private_database(kind="plain") as server:
        yield _hasty(server)


def _fresh(server: PrivateServer) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield make_conninfo(server.url, dbname=name)
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            drop(connection, name)


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
    """Make a database that earlier tests have used as good as new, much faster than a new one.

    To truncate all of it takes a tenth of a second: few rows are deleted, where they are.
    """
    with psycopg.connect(url, autocommit=True) as connection, connection.transaction():
        connection.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND backend_type = 'client backend'"
        )
        tables, large, in_parts = connection.execute(_TABLES).fetchone()
        if large:
            connection.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY")
            return url
        if in_parts:
            connection.execute(f"TRUNCATE {', '.join(in_parts)}")
        asked = (f"SELECT '{it}' WHERE EXISTS (SELECT FROM {it})" for it in tables)
        connection.execute("SET LOCAL session_replication_role = replica")  # in any order
        for (table,) in connection.execute(" UNION ALL ".join(asked)).fetchall():
            connection.execute(f"DELETE FROM {table}")
        used = (
            "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value > 0"
        )
        for (sequence,) in connection.execute(used).fetchall():
            connection.execute(f"ALTER SEQUENCE {sequence} RESTART")
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
    with Database(hub_url, size=4, timeout_s=60) as database:
        yield database


@pytest.fixture
def broker() -> Iterator[PrivateServer]:
    """A Mosquitto of the test's own that keeps every message."""
    with private_broker() as server:
        yield server


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait for something that another process does: `eventually(lambda: …)`."""

    def wait(condition: Callable[[], object], within: float = 120, what: str = "") -> None:
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
        browser = launch(playwright)
        try:
            yield browser
        finally:
            browser.close()
