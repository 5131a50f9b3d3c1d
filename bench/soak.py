"""Runs the whole hub under load for a settable time and says whether it stays as it is: `make soak`.

python -m bench.soak --minutes 30 --report docs/soak.md
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from bench.soak_report import Sample, write
from tsuji.area_sets import put_demonstration
from tsuji_platform.runtime.mqtt import free_port
from tsuji_platform.runtime.private import (
    private_broker,
    private_database,
    private_folder,
)
from tsuji_platform.store import Database, Reader, migrate
from tsuji_platform.store.checkup import Checkup

AREA_SET = "mesh500-central"
VIEWERS = 50
STREAMS = 10
ASKED_A_SECOND = 5
THINGS = 2_000
"""Of `soak.toml`."""
SAMPLES = 180
"""As many of a run: every ten seconds of half an hour."""
_SHORTEST_S = 3.0
_QUESTIONS = (
    "/v1/latest",
    f"/v1/area-sets/{AREA_SET}/snapshot",
    "/v1/things?limit=200",
    "/v1/things/pole-0001/series?observed_property=air_temperature",
    f"/v1/area-sets/{AREA_SET}/derived",
    "/v1/health",
    "/v1/things/pole-0002/observations?limit=200",
    "/v1/quality",
)
_LAG = "tsuji_ingest_commit_seconds_bucket"
_AGE = "tsuji_ingest_observation_age_seconds_bucket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """What runs, by the name under which it is reported.

    Attributes:
        processes: of each the first process; those that it started count with it.
        ports: of ingests, where they say how they fare.
        api: base address.
        dashboard: base address.
        database: PostgreSQL address.
        logs: what they print, as JSON lines.
    """

    processes: dict[str, psutil.Process]
    ports: tuple[int, ...]
    api: str
    dashboard: str
    database: str
    logs: Path


@contextlib.contextmanager
def running() -> Iterator[Hub]:
    """Database, broker, two ingests, two workers of the API, the dashboard and the simulated things."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(private_database())
        broker = stack.enter_context(private_broker())
        folder = stack.enter_context(private_folder())
        print(f"{database.description}; {broker.description}", flush=True)
        migrate(database.url)
        put_demonstration(database.url)
        api_port, dashboard_port, *ports = (free_port() for _ in range(4))
        hub = Hub(
            processes={
                "broker": psutil.Process(broker.pid),
                "database": psutil.Process(database.pid),
            },
            ports=tuple(ports),
            api=f"http://127.0.0.1:{api_port}",
            dashboard=f"http://127.0.0.1:{dashboard_port}",
            database=database.url,
            logs=folder,
        )
        environment = {
            **os.environ,
            "TSUJI_DATABASE_URL": database.url,
            "TSUJI_BROKER_URL": broker.url,
            "TSUJI_HOME": str(folder),
            "TSUJI_API_PORT": str(api_port),
            "TSUJI_API_URL": hub.api,
            "TSUJI_API_WORKERS": "2",
            "TSUJI_ANONYMOUS_RATE": "100000",
            "TSUJI_DASHBOARD_PORT": str(dashboard_port),
            "TSUJI_DASHBOARD_KEY": "of-this-soak-and-no-other",
            "TSUJI_TILES_URL": "",
            "TSUJI_ALERTS": "demonstration",
            "TSUJI_INGEST_GROUP": "soak",
            "TSUJI_HISTORY_DAYS": "0",
            "TSUJI_LOG_FORMAT": "json",
        }

        def start(name: str, *command: str, ready: Callable[[], bool], **more: str) -> None:
            hub.processes[name] = stack.enter_context(
                _process(name, command, environment | more, folder)
            )
            _until(ready, hub.processes[name], name)

        for number, port in enumerate(ports, 1):
            start(
                f"ingest {number}",
                "ingest",
                ready=lambda port=port: _connected(port),
                TSUJI_INGEST_ID=f"soak-{number}",
                TSUJI_INGEST_PORT=str(port),
            )
        start("api", "api", ready=lambda: _answers(f"{hub.api}/v1/figures"))
        start("dashboard", "dashboard", ready=lambda: _answers(hub.dashboard))
        scenario = str(Path(__file__).with_name("soak.toml"))
        start("simulate", "simulate", scenario, ready=lambda: _things(hub) >= THINGS)
        yield hub


@contextlib.contextmanager
def _process(
    name: str, command: tuple[str, ...], environment: dict[str, str], folder: Path
) -> Iterator[psutil.Process]:
    log = (folder / f"{name}.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "tsuji", *command], env=environment, stdout=log, stderr=log
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _until(ready: Callable[[], bool], process: psutil.Process, what: str) -> None:
    deadline = time.monotonic() + 180
    while not ready():
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError(f"{what} has ended before it was ready")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} is not ready after three minutes")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, timeout=10).status_code == 200
    return False


def _connected(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        health = httpx.get(f"http://127.0.0.1:{port}/health", timeout=10).json()
        return bool(health["broker"]["connected"])
    return False


def _things(hub: Hub) -> int:
    with contextlib.suppress(httpx.HTTPError):
        return int(httpx.get(f"{hub.api}/v1/health", timeout=30).json()["things"]["total"])
    return 0


class Readers:
    """Who asks and follows meanwhile.

    Args:
        hub: whom they ask.
        seconds: for how long viewers look.
    """

    def __init__(self, hub: Hub, seconds: float) -> None:
        self._hub = hub
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._took_s: list[float] = []
        self.refused: dict[str, int] = {}
        self._threads = [threading.Thread(target=self._ask, daemon=True)]
        self._threads += [
            threading.Thread(target=self._follow, daemon=True) for _ in range(STREAMS)
        ]
        command = (hub.dashboard, AREA_SET, str(VIEWERS), f"{seconds:.0f}")
        self._viewers = subprocess.Popen(
            [sys.executable, "-m", "bench.viewers", *command], stdout=subprocess.DEVNULL
        )
        for one in self._threads:
            one.start()

    def taken(self) -> list[float]:
        """How long each answer took since the last call, seconds."""
        with self._lock:
            took, self._took_s = self._took_s, []
        return took

    def close(self) -> None:
        """Let them go."""
        self._stop.set()
        self._viewers.terminate()
        self._viewers.wait()

    def _ask(self) -> None:
        with httpx.Client(base_url=self._hub.api, timeout=60) as client:
            number = 0
            while not self._stop.wait(1 / ASKED_A_SECOND):
                begun, question = time.monotonic(), _QUESTIONS[number % len(_QUESTIONS)]
                try:
                    outcome = str(client.get(question).status_code)
                except httpx.HTTPError as error:
                    outcome = type(error).__name__
                number += 1
                with self._lock:
                    self._took_s.append(time.monotonic() - begun)
                    if outcome != "200":
                        known = f"{outcome} of {question}"
                        self.refused[known] = self.refused.get(known, 0) + 1

    def _follow(self) -> None:
        while not self._stop.is_set():
            with (
                contextlib.suppress(httpx.HTTPError),
                httpx.stream("GET", f"{self._hub.api}/v1/live", timeout=60) as answer,
            ):
                for _ in answer.iter_raw():
                    if self._stop.is_set():
                        return


class Watch:
    """Looks at everything now and then."""

    def __init__(self, hub: Hub, readers: Readers) -> None:
        self._hub = hub
        self._readers = readers
        self._database = Database(hub.database, size=1)
        self._begun = time.monotonic()
        self._before: dict[str, dict[str, float]] = {}

    def look(self) -> Sample:
        """How everything stands."""
        checkup, reader = Checkup(self._database), Reader(self._database)
        took = sorted(self._readers.taken()) or [0.0]
        memory, files, threads = {}, {}, {}
        for name, process in self._hub.processes.items():
            family = [process, *process.children(recursive=True)]
            memory[name] = sum(map(_memory_mib, family))
            files[name] = float(sum(_counted(one.num_fds) for one in family))
            threads[name] = float(sum(_counted(one.num_threads) for one in family))
        tally = reader.counters()
        log = checkup.rollup_log()
        ages, lags = self._delta(_AGE), self._delta(_LAG)
        return Sample(
            minute=(time.monotonic() - self._begun) / 60,
            memory_mib=memory,
            files=files,
            threads=threads,
            connections=float(checkup.role().connections),
            tables_mib={
                **{name: size / 2**20 for name, size in checkup.sizes().items()},
                "all": checkup.database_size() / 2**20,
            },
            stored=tally.tally.stored,
            rejected=tally.tally.rejected,
            waiting=tally.waiting,
            commit_p95_s=_quantile(lags, 0.95),
            publish_p95_s=_quantile(ages, 0.95),
            rollup_lag_s=log.lag_s,
            rollup_rows=float(log.new_rows + log.late_rows),
            answer_p50_s=took[len(took) // 2],
            answer_p95_s=took[int(0.95 * (len(took) - 1))],
            answers=len(took),
        )

    def _delta(self, name: str) -> dict[float, float]:
        """A histogram of all ingests since the last look: how many up to each bound."""
        now: dict[str, float] = {}
        for port in self._hub.ports:
            text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    if sample.name == name:
                        bound = sample.labels["le"]
                        now[bound] = now.get(bound, 0.0) + sample.value
        before, self._before[name] = self._before.get(name, {}), now
        return {float(bound): value - before.get(bound, 0.0) for bound, value in now.items()}

    def close(self) -> None:
        """Let the database go."""
        self._database.close()


def _memory_mib(process: psutil.Process) -> float:
    """What it holds, its part of what is shared included."""
    with contextlib.suppress(psutil.Error):
        return float(process.memory_full_info().pss) / 2**20
    return 0.0


def _counted(ask: Callable[[], int]) -> int:
    with contextlib.suppress(psutil.Error):
        return ask()
    return 0


def _quantile(cumulative: dict[float, float], share: float) -> float:
    """As PromQL's histogram_quantile: linear within its bin."""
    bounds = sorted(cumulative)
    wanted = share * cumulative[bounds[-1]]
    low, below = 0.0, 0.0
    for bound in bounds:
        if cumulative[bound] >= wanted > 0:
            if bound == float("inf"):
                return low
            return low + (bound - low) * (wanted - below) / max(1.0, cumulative[bound] - below)
        low, below = bound, cumulative[bound]
    return 0.0


def troubles(logs: Path) -> list[str]:
    """Warnings and worse that services have logged."""
    found = []
    for file in sorted(logs.glob("*.log")):
        for line in file.read_text(errors="replace").splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and said.get("level") in ("warning", "error", "critical"):
                found.append(f"{file.stem}: {said['message']}")
    return found


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--report", type=Path, help="page to write, with a picture beside it")
    parser.add_argument("--note", default="", help="a sentence on what else the machine did")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # all that was started ends with us
    every_s = max(_SHORTEST_S, asked.minutes * 60 / SAMPLES)
    with running() as hub:
        readers = Readers(hub, asked.minutes * 60 + 60)
        watch = Watch(hub, readers)
        samples: list[Sample] = []
        try:
            end = time.monotonic() + asked.minutes * 60
            watch.look()
            while time.monotonic() < end:
                time.sleep(every_s)
                samples.append(watch.look())
                print(samples[-1].line(), flush=True)
        finally:
            readers.close()
            watch.close()
        said = troubles(hub.logs)
        refused = readers.refused
    verdict = write(asked.report, samples, said, refused, asked.note)
    print(verdict.text())
    sys.exit(0 if verdict.good else 1)


if __name__ == "__main__":
    main()
