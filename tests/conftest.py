"""Real servers for all tests: they are fetched where they are missing, and never skipped."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

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
    import time

    def wait(condition: Callable[[], object], within: float = 10, what: str = "") -> None:
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {within} s: {what or 'the condition'}")
            time.sleep(0.02)

    return wait
