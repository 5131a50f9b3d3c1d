"""What the data API answers in a second and how fast, beside bare FastAPI and beside bare SQL."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import httpx
import psycopg
from fastapi.testclient import TestClient
from psycopg.rows import dict_row

from bench.history_city import AREA_SET, CROWDED, DAY, PERIOD, City, load, roll_up, settle
from bench.ingest import _until_ready
from bench.loads import Load, together
from bench.loads import load as put_load
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.runtime.mqtt import free_port
from tsuji_platform.runtime.private import private_database, private_folder
from tsuji_platform.store import Database, migrate

SECONDS = 1.0
_LOAD_TURNS = 3
"""So often each load is put on the bare endpoint and on the API, in turns: the machine has its moods."""
_CLIENTS = (1, 50)
_HOURS = 30
_TURNS = 50
_RATE = 1_000_000_000
"""Requests a minute that are open to the load: more than come, but they are counted like anybody's."""
_CSV = "a day as CSV"

Statements = Sequence[tuple[Any, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One resource.

    Attributes:
        path: its address.
        alone: asks the database for the same, one statement after the other on one connection.
        size: bytes of its answer.
    """

    path: str
    alone: Callable[[psycopg.Connection[Any]], None]
    size: int


def run(seconds: float = SECONDS) -> None:
    """Print the tables of this part.

    Args:
        seconds: that each of several turns of a load lasts.
    """
    city = City.of(0)
    with private_database() as database, private_folder() as folder:
        print(database.description, flush=True)
        migrate(database.url)
        city.register(database.url)
        steps = timedelta(hours=_HOURS) // PERIOD
        rows = load(
            database.url, "api", city.rows_since(city.end - PERIOD * steps, steps, timedelta())
        )
        roll_up(database.url)
        settle(database.url)
        print(
            f"{len(city.things)} things, {rows.rows:,} observations of {_HOURS} hours", flush=True
        )
        api, bare = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        with _api(database.url, api, folder):
            questions = _ask(city, database.url, api, folder)
            with _bare(bare, folder):
                _compare(questions, api, bare, seconds)
                _beside_sql(questions, database.url, api)
                _half_of_the_peak(questions["snapshot"], api, seconds)


def _paths(city: City) -> dict[str, str]:
    end = city.end - PERIOD
    span = {"start": (end - DAY).isoformat(), "end": end.isoformat()}
    series = {"figure": "footfall", "step": 900, **span}
    return {
        "latest": "/v1/latest",
        "snapshot": f"/v1/area-sets/{AREA_SET}/snapshot",
        "series": f"/v1/area-sets/{AREA_SET}/areas/{CROWDED}/series?{urlencode(series)}",
        "series of a thing": f"/v1/things/{city.things[0].thing_id}/series?"
        + urlencode({"observed_property": "air_temperature", "step": 900, **span}),
        "health": "/v1/health",
        _CSV: f"/v1/observations?{urlencode({'format': 'csv', **span})}",
    }


def _ask(city: City, url: str, api: str, folder: Path) -> dict[str, _Question]:
    """Ask each question once, keep the answer for the bare endpoints, and time its statements."""
    questions, index = {}, []
    for number, (name, path) in enumerate(_paths(city).items()):
        answer = httpx.get(api + path, timeout=60, headers={"Accept-Encoding": "identity"})
        answer.raise_for_status()
        (folder / f"{number}").write_bytes(answer.content)
        index.append((f"/{number}", f"{number}", answer.headers["content-type"]))
        alone = partial(_copy, city) if name == _CSV else partial(_repeat, _statements(url, path))
        questions[name] = _Question(path=path, alone=alone, size=len(answer.content))
    (folder / "index.json").write_text(json.dumps(index))
    return questions


def _statements(url: str, path: str) -> Statements:
    """The statements that answer a request once whatever is looked up seldom is known."""
    said: list[tuple[Any, Any]] = []
    execute = psycopg.Cursor.execute

    def noted(cursor: Any, query: Any, params: Any = None, **more: Any) -> Any:
        if query:  # the pool tries its connections with an empty one
            said.append((query, params))
        return execute(cursor, query, params, **more)

    with Database(url) as database, TestClient(create_app(Hub(database))) as client:
        client.get(path).raise_for_status()
        with mock.patch.object(psycopg.Cursor, "execute", noted):
            client.get(path).raise_for_status()
    return said


def _repeat(statements: Statements, connection: psycopg.Connection[Any]) -> None:
    for query, values in statements:
        found = connection.execute(query, values)
        if found.description is not None:
            found.fetchall()


def _copy(city: City, connection: psycopg.Connection[Any]) -> None:
    """The same rows as CSV of the database's own making."""
    end: datetime = city.end - PERIOD
    query = (
        "COPY (SELECT thing_id, observed_property, phenomenon_time, result, period_s"
        " FROM observation JOIN datastream USING (datastream_id)"
        f" WHERE phenomenon_time > '{end - DAY}' AND phenomenon_time <= '{end}') TO STDOUT (FORMAT csv)"
    )
    with connection.cursor().copy(query.encode()) as copy:
        for _ in copy:
            pass


def _beside_sql(questions: Mapping[str, _Question], url: str, api: str) -> None:
    """Ask API and database in turns, so that both meet the same machine."""
    print(f"\n{'milliseconds, in turns':24}{'bare SQL':>10}{'API':>10}{'ratio':>8}")
    options = "-c timezone=UTC -c plan_cache_mode=force_custom_plan"
    with (
        psycopg.connect(url, autocommit=True, row_factory=dict_row, options=options) as connection,
        closing(HTTPConnection("127.0.0.1", int(api.rpartition(":")[2]), timeout=60)) as client,
    ):

        def ask(path: str) -> None:
            client.request("GET", path, headers={"Accept-Encoding": "identity"})
            client.getresponse().read()

        for name, it in questions.items():
            took: dict[str, list[float]] = {"sql": [], "api": []}
            for number in range(5 if name == _CSV else _TURNS):
                for kind, one in (
                    ("sql", lambda it=it: it.alone(connection)),
                    ("api", lambda it=it: ask(it.path)),
                ):
                    begun = time.perf_counter()
                    one()
                    if number:  # the first time is for warming up
                        took[kind].append((time.perf_counter() - begun) * 1_000)
            sql, whole = (statistics.median(took[kind]) for kind in ("sql", "api"))
            print(f"{name:24}{sql:10.1f}{whole:10.1f}{whole / sql:8.2f}", flush=True)


def _compare(questions: Mapping[str, _Question], api: str, bare: str, seconds: float) -> None:
    heads = "".join(f"{name:>9}" for name in ("req/s", "p50 ms", "p95 ms", "p99 ms", "refused"))
    print(f"\n{'':20}{'KiB':>7}{'clients':>8}{heads}{'bare req/s':>12}{'of bare':>9}")
    for number, (name, it) in enumerate(questions.items()):
        for clients in _CLIENTS:
            turns = [
                (
                    put_load(f"{bare}/{number}", clients, seconds),
                    put_load(api + it.path, clients, seconds),
                )
                for _ in range(_LOAD_TURNS)
            ]
            best, got = (together(its) for its in zip(*turns, strict=True))
            print(
                f"{name:20}{it.size / 1024:7,.0f}{clients:8}{_row(got)}{best.rate:12,.0f}"
                f"{got.rate / best.rate:9.0%}",
                flush=True,
            )


def _half_of_the_peak(question: _Question, api: str, seconds: float) -> None:
    peak = put_load(api + question.path, _CLIENTS[-1], 2 * seconds)
    half = put_load(api + question.path, _CLIENTS[-1], 4 * seconds, peak.rate / 2)
    print(
        f"\nsnapshot at half of its peak ({half.rate:,.0f} of {peak.rate:,.0f} requests/s, "
        f"{_CLIENTS[-1]} clients): half within {half.at(0.5):.1f} ms, 95 % within {half.at(0.95):.1f} ms, "
        f"99 % within {half.at(0.99):.1f} ms"
    )


def _row(one: Load) -> str:
    times = "".join(f"{one.at(share):9.1f}" for share in (0.5, 0.95, 0.99))
    return f"{one.rate:9,.1f}{times}{one.refused:9,}"


@contextmanager
def _api(url: str, address: str, folder: Path) -> Iterator[None]:
    environment = {
        "TSUJI_DATABASE_URL": url,
        "TSUJI_API_PORT": address.rpartition(":")[2],
        "TSUJI_ANONYMOUS_RATE": str(_RATE),
        "TSUJI_CALLER_DOWNLOADS": "4",  # as many as all callers together
        "TSUJI_HOME": str(folder),
    }
    with _served(["tsuji", "api"], environment, address, "/v1/health"):
        yield


@contextmanager
def _bare(address: str, folder: Path) -> Iterator[None]:
    with _served(["bench.bare", address.rpartition(":")[2], str(folder)], {}, address, "/0"):
        yield


@contextmanager
def _served(
    module: Sequence[str], environment: Mapping[str, str], address: str, path: str
) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[1],
    )
    try:
        _until_ready(int(address.rpartition(":")[2]), path)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
