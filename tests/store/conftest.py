"""A writer and the rows that it leaves."""

from collections.abc import Callable, Iterator
from datetime import datetime

import psycopg
import pytest

from tsuji_platform.store import Database, Reader, Writer

Rows = dict[tuple[str, str, datetime], float]


@pytest.fixture
def writer(store_url: str) -> Iterator[Writer]:
    writer = Writer(store_url, "test")
    yield writer
    writer.close()


@pytest.fixture
def reader(store_url: str) -> Iterator[Reader]:
    with Database(store_url, size=2) as database:
        yield Reader(database)


@pytest.fixture
def rows(store_url: str) -> Callable[[], Rows]:
    """All observations by thing, observed property and time."""

    def read() -> Rows:
        with psycopg.connect(store_url, options="-c timezone=UTC") as connection:
            return {
                (thing, name, time): result
                for thing, name, time, result in connection.execute(
                    "SELECT thing_id, observed_property, phenomenon_time, result"
                    " FROM observation JOIN datastream USING (datastream_id)"
                )
            }

    return read
