"""From messages waiting in the broker to committed rows, beside the database's own ceiling."""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import psutil
import psycopg
from prometheus_client.parser import text_string_to_metric_families

from tsuji_ingest.histogram import BOUNDS_S
from tsuji_platform.contract import Observation, Thing
from tsuji_platform.runtime.mqtt import free_port
from tsuji_platform.runtime.private import (
    PrivateServer,
    private_broker,
    private_database,
    private_folder,
)
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import migrate
from tsuji_platform.store.columns import Columns
from tsuji_simulators.publish import Publisher

_PROPERTIES = (
    "air_temperature",
    "relative_humidity",
    "sound_level",
    "wind_speed",
    "wind_from_direction",
    "solar_irradiance",
    "pm2_5",
    "illuminance",
)
_THINGS = 100
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_CEILING_ROWS = 600_000
_ROUNDS = 3
"""The machine's pace changes within minutes: what is compared is run in turns, and medians are compared."""
_COPY_ROWS = 10_000
_TWICE = 20
"""One message in so many is published twice, where some are: 5 %."""
_LIGHT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    results: int
    messages: int
    processes: int
    twice: bool = False

    @property
    def label(self) -> str:
        return (
            f"{self.processes} process{'es' if self.processes > 1 else ''}, "
            f"{self.results} result{'s' if self.results > 1 else ''}"
            + (", 5 % twice" if self.twice else "")
        )

    @property
    def numbers(self) -> list[int]:
        """Of the messages, in the order in which they are published."""
        return [
            number
            for number in range(self.messages)
            for _ in range(2 if self.twice and number % _TWICE == 0 else 1)
        ]


_CASES = tuple(
    _Case(results=results, messages=messages, processes=processes, twice=twice)
    for processes in (1, 2)
    for results, messages, twice in ((8, 60_000, False), (8, 60_000, True), (1, 150_000, False))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drained:
    """One case once: messages a second, CPU seconds per 100,000 rows, peak MiB of each process."""

    rate: float
    cpu_s: float
    peak: float


def run() -> None:
    """Print the tables of this part: medians of several rounds, in each of which everything is run once."""
    plain, ready = [], []
    drained: dict[_Case, list[_Drained]] = {case: [] for case in _CASES}
    for round_ in range(_ROUNDS):
        for number, case in enumerate(_CASES):
            print(f"round {round_ + 1} of {_ROUNDS}: {case.label}", file=sys.stderr, flush=True)
            with private_database() as database:
                if number % 2:
                    ready.append(_ceiling(database, packed=True))
                else:
                    plain.append(_ceiling(database, packed=False))
            drained[case].append(_drain(case))
    ceiling = statistics.median(plain)
    print(
        f"{'':28}{'messages/s':>12}{'rows/s':>12}{'of ceiling':>12}{'CPU s/100k':>12}{'MiB each':>10}"
        f"{'rows/s of the rounds':>26}"
    )
    _print_ceiling("ceiling: binary COPY", plain, ceiling)
    _print_ceiling("  of rows packed before", ready, ceiling)
    for case, found in drained.items():
        rate = statistics.median(one.rate for one in found)
        print(
            f"{case.label:28}{rate:12,.0f}{rate * case.results:12,.0f}{rate * case.results / ceiling:12.0%}"
            f"{statistics.median(one.cpu_s for one in found):12.2f}{max(one.peak for one in found):10.0f}"
            f"{_span([one.rate * case.results for one in found]):>26}"
        )
    full = statistics.median(one.rate for one in drained[_CASES[0]])
    case = _Case(results=8, messages=round(full / 10 * _LIGHT_S), processes=1)
    with _Stage(case) as stage:
        median, p95 = stage.follow(full / 10)
    print(
        f"\npublish to commit at a tenth of that ({full / 10:,.0f} messages/s of 8 results): "
        f"half within {median}, 95 % within {p95}"
    )


def _drain(case: _Case) -> _Drained:
    with _Stage(case) as stage:
        took, cpu_s, peak = stage.drain()
    sent = len(case.numbers)
    return _Drained(rate=sent / took, cpu_s=cpu_s / (sent * case.results) * 100_000, peak=peak)


def _print_ceiling(label: str, found: Sequence[float], ceiling: float) -> None:
    median = statistics.median(found)
    print(f"{label:28}{'':12}{median:12,.0f}{median / ceiling:12.0%}{'':22}{_span(found):>26}")


def _span(found: Sequence[float]) -> str:
    return f"{min(found):,.0f} to {max(found):,.0f}"


def _ceiling(database: PrivateServer, *, packed: bool) -> float:
    """Rows per second of binary COPY in batches of 10,000 into the very table of Tsuji.

    Args:
        database: an empty one.
        packed: whether the rows stand ready in the format of COPY; otherwise psycopg writes them one
            by one, as a program would that has nothing else to do.
    """
    migrate(database.url)
    rows = [
        (n % 800, None, _BEGIN + timedelta(seconds=n // 800), 1.5) for n in range(_CEILING_ROWS)
    ]
    batches = [rows[start : start + _COPY_ROWS] for start in range(0, len(rows), _COPY_ROWS)]
    ready = [_packed(batch) if packed else b"" for batch in batches]
    with psycopg.connect(database.url) as connection:
        begun = time.perf_counter()
        for batch, bytes_ in zip(batches, ready, strict=True):
            with connection.cursor().copy(
                "COPY observation (datastream_id, period_s, phenomenon_time, result)"
                " FROM STDIN (FORMAT binary)"
            ) as copy:
                if packed:
                    copy.write(bytes_)
                else:
                    copy.set_types(["int4", "int4", "timestamptz", "float8"])
                    for row in batch:
                        copy.write_row(row)
            connection.commit()
        return _CEILING_ROWS / (time.perf_counter() - begun)


def _packed(rows: Sequence[tuple[int, None, datetime, float]]) -> bytes:
    times = [int(row[2].timestamp()) * 1_000_000 for row in rows]
    return Columns(
        datastream_ids=np.array([row[0] for row in rows], np.int32),
        periods=np.zeros(len(rows), np.int32),
        times_us=np.array(times, np.int64),
        results=np.array([row[3] for row in rows], np.float64),
        received_us=np.array(times, np.int64),
    ).observations()


class _Stage:
    """A database, a broker and ingests that know the things of one case."""

    def __init__(self, case: _Case) -> None:
        self._case = case
        self._properties = _PROPERTIES[: case.results]
        self._ports = [free_port() for _ in range(case.processes)]

    def __enter__(self) -> "_Stage":
        self._open = _servers()
        self._database, broker, home = next(self._open)
        migrate(self._database.url)
        self._environment = {
            **os.environ,
            "TSUJI_DATABASE_URL": self._database.url,
            "TSUJI_BROKER_URL": broker.url,
            "TSUJI_HOME": str(home),
            "TSUJI_LOG_LEVEL": "warning",
        }
        self._publisher = Publisher(BrokerAddress.parse(broker.url)).__enter__()
        self._publisher.publish_things(
            Thing(
                thing_id=f"t{number}",
                name="",
                longitude=139.7,
                latitude=35.7,
                datastreams=self._properties,
            )
            for number in range(_THINGS)
        )
        with self._ingests():  # makes the sessions, so that the broker collects
            self._wait("SELECT count(*) FROM datastream", _THINGS * len(self._properties))
        return self

    def __exit__(self, *_: object) -> None:
        self._publisher.close()
        next(self._open, None)

    def drain(self) -> tuple[float, float, float]:
        """Seconds, CPU seconds of all, and peak MiB of each ingest, where all messages wait already."""
        for number in self._case.numbers:
            self._publish(number, _BEGIN + timedelta(seconds=number // _THINGS))
        self._publisher.flush()
        total = len(self._case.numbers) * self._case.results
        with self._ingests() as processes:
            first = self._wait("SELECT sum(received)::bigint FROM ingest_counter", 1)
            begun, cpu_begun = time.perf_counter(), _cpu_s(processes)
            memory = _Memory(processes)
            self._wait("SELECT sum(received)::bigint FROM ingest_counter", total)
            took, cpu_s = time.perf_counter() - begun, _cpu_s(processes) - cpu_begun
            share = total / (total - first)  # what the first batches brought was not timed
            return took * share, cpu_s * share, memory.peak()

    def follow(self, rate: float) -> tuple[str, str]:
        """Bounds of the median and of 95 % of the times from publishing to commit, at so many a second."""
        with self._ingests():
            time.sleep(1)
            begun = time.perf_counter()
            for number in range(self._case.messages):
                ahead = begun + number / rate - time.perf_counter()
                if ahead > 0.002:
                    time.sleep(ahead)
                self._publish(number, datetime.now(UTC))
            self._publisher.flush()
            total = self._case.messages * self._case.results
            self._wait("SELECT sum(received)::bigint FROM ingest_counter", total)
            text = httpx.get(f"http://127.0.0.1:{self._ports[0]}/metrics").text
        bins = [
            (sample.labels["le"], sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "tsuji_ingest_observation_age_seconds_bucket"
        ]
        return _bound(bins, 0.5), _bound(bins, 0.95)

    def _publish(self, number: int, time_: datetime) -> None:
        thing_id = f"t{number % _THINGS}"
        self._publisher.publish_observations(
            thing_id,
            [
                Observation(
                    thing_id=thing_id, observed_property=name, phenomenon_time=time_, result=1.5
                )
                for name in self._properties
            ],
        )

    @contextmanager
    def _ingests(self) -> Iterator[Sequence[psutil.Process]]:
        grouped = {"TSUJI_INGEST_GROUP": "bench"} if self._case.processes > 1 else {}
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "tsuji", "ingest"],
                env={
                    **self._environment,
                    **grouped,
                    "TSUJI_INGEST_ID": f"ingest-{number}",
                    "TSUJI_INGEST_PORT": str(port),
                },
            )
            for number, port in enumerate(self._ports)
        ]
        self._running = running
        try:
            for port in self._ports:
                _until_ready(port)
            yield [psutil.Process(process.pid) for process in running]
        finally:
            for process in running:
                process.send_signal(signal.SIGINT)
            for process in running:
                process.wait()

    def _wait(self, query: str, wanted: int) -> int:
        with psycopg.connect(self._database.url, autocommit=True) as connection:
            while True:
                (reached,) = connection.execute(query.encode()).fetchone() or (None,)
                if (reached or 0) >= wanted:
                    return int(reached or 0)
                for process in self._running:
                    if process.poll() is not None:
                        raise RuntimeError(f"an ingest ended with {process.returncode}")
                time.sleep(0.01)


def _servers() -> Iterator[tuple[PrivateServer, PrivateServer, Path]]:
    with private_database() as database, private_broker() as broker, private_folder() as home:
        yield database, broker, home


def _until_ready(port: int, path: str = "/health") -> None:
    for _ in range(1_000):
        try:
            httpx.get(f"http://127.0.0.1:{port}{path}")
        except httpx.TransportError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"nothing answers on port {port}")


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


class _Memory:
    """The largest resident set of any of some processes, MiB, sampled from now on."""

    def __init__(self, processes: Sequence[psutil.Process]) -> None:
        self._processes = processes
        self._peak = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._stop.wait(0.05):
            sizes = [process.memory_info().rss / 2**20 for process in self._processes]
            self._peak = max(self._peak, *sizes)

    def peak(self) -> float:
        self._stop.set()
        self._thread.join()
        return self._peak


def _bound(bins: Sequence[tuple[str, float]], share: float) -> str:
    total = bins[-1][1]
    for bound, (_, reached) in zip(BOUNDS_S, bins, strict=False):
        if reached >= share * total:
            return f"{bound * 1000:,.0f} ms"
    return f"more than {BOUNDS_S[-1]} s"
