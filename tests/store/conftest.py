"""A writer and the rows that it leaves."""

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

import warm_tsuji
from export_city import Run, build
from retention_steps import MONTH, Retain
from rollup_check import refresh_to_rest
from samples import T0, message, registration
from tsuji_platform.store import Database, Reader, Refresher
from tsuji_platform.store.history_retention import Ages, HistoryRetention
from tsuji_platform.store.writer import Writer

Rows = dict[tuple[str, str, datetime], float]


@pytest.fixture
def writer(store_url: str) -> Iterator[Writer]:
    writer = Writer(store_url, "test")
    yield writer
    writer.close()


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with Database(store_url, size=2, timeout_s=60) as database:
        yield database


@pytest.fixture
def reader(store_url: str) -> Iterator[Reader]:
    with Database(store_url, size=2, timeout_s=60) as database:
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


@pytest.fixture
def connection(store_url: str) -> Iterator[psycopg.Connection]:
    """A connection of the test's own."""
    with psycopg.connect(store_url, autocommit=True, options="-c timezone=UTC") as connection:
        yield connection


@pytest.fixture
def refresher(store_url: str) -> Iterator[Refresher]:
    """Makes sums, when it is told to."""
    refresher = Refresher(store_url)
    yield refresher
    refresher.close()


@pytest.fixture
def retain(store_url: str) -> Iterator[Retain]:
    """Makes retentions; of observations for a month, unless told otherwise."""
    opened = []

    def make(ages: Ages = MONTH, **more: int) -> HistoryRetention:
        opened.append(HistoryRetention(store_url, ages, **more))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def rest(refresher: Refresher) -> Callable[[], None]:
    """Make all sums, and all days by their quarter hours."""

    def make() -> None:
        refresh_to_rest(refresher)
        while refresher.profile():
            pass

    return make


@pytest.fixture
def gate(writer: Writer) -> Writer:
    """A counter with one count an hour from 90 days ago until now, and a thermometer."""
    writer.save([registration("gate", "pedestrians", "air_temperature", "wind_from_direction")])
    writer.save(
        [
            message(
                "gate",
                T0 - timedelta(hours=hours),
                300,
                pedestrians=hours % 7,
                air_temperature=hours % 11 / 4,
            )
            for hours in range(90 * 24)
        ]
    )
    return writer


@pytest.fixture
def environment(store_url: str, tmp_path: Path) -> dict[str, str]:
    """Of commands that use this database."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TSUJI_")}
    return {**inherited, "TSUJI_DATABASE_URL": store_url, "TSUJI_HOME": str(tmp_path / "home")}


@pytest.fixture
def tsuji(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run the command in an empty folder."""

    def run(*arguments: object) -> subprocess.CompletedProcess[bytes]:
        return warm_tsuji.run(*map(str, arguments), env=environment, cwd=tmp_path)

    return run


@pytest.fixture
def city(writer: Writer, store_url: str) -> None:
    """See `export_city.build`."""
    build(writer, store_url)
