"""One connection held for several statements of a thread."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tsuji_platform.store import Database
from tsuji_platform.store.errors import DatabaseAwayError


@pytest.fixture
def database(hub_url: str) -> Iterator[Database]:
    with Database(hub_url, size=2, timeout_s=20) as database:
        yield database


def process(database: Database) -> int:
    (row,) = database.rows("SELECT pg_backend_pid() AS pid")
    return int(row["pid"])


def test_a_thread_that_holds_a_connection_asks_it_everything(database: Database) -> None:
    with database.held(), ThreadPoolExecutor(1) as other:
        mine = process(database)
        with database.held(), database.transaction() as connection:
            assert connection.info.backend_pid == mine
        assert process(database) == mine
        assert other.submit(process, database).result() != mine


def test_whoever_asks_later_does_not_notice_that_a_held_connection_was_lost(
    database: Database, hub_url: str
) -> None:
    with database.held():
        lost = process(database)
        with psycopg.connect(hub_url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 20000)", [lost])
        with pytest.raises(DatabaseAwayError):
            process(database)
    assert process(database) != lost
