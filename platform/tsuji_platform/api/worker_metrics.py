"""What one process of the data API says of itself, and how the figures of all of them are told."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import Scope

from tsuji_platform.api.hub import Hub
from tsuji_platform.api.hub_metrics import HubFigures
from tsuji_platform.insight import workers
from tsuji_platform.insight.requests import RequestFigures
from tsuji_platform.store.replica import ReplicaState, ReplicatedDatabase

if TYPE_CHECKING:
    from tsuji_platform.api.live import LiveFeed

_LOOK_EVERY_S = 2.0


class WorkerFigures:
    """Of one process; added up over all that share a folder (see `insight.workers`).

    Args:
        hub: whose pool and downloads are counted.
        feeds: whose streams are.
    """

    def __init__(self, hub: Hub, feeds: set["LiveFeed"]) -> None:
        self.registry = CollectorRegistry()
        self._hub = hub
        self._feeds = feeds
        self.requests = RequestFigures("api", self.registry)
        self._refusals = Counter(
            "tsuji_api_rate_refusals",
            "Requests beyond what a caller may make in a minute, by the name of its limit.",
            ["policy"],
            registry=self.registry,
        )
        for policy in ("anonymous", "key"):  # there from the beginning, with 0
            self._refusals.labels(policy)
        self._streams = self._gauge("tsuji_api_live_streams", "Live streams that are open.")
        self._downloads = self._gauge("tsuji_api_downloads", "Downloads that are under way.")
        self._pool = self._gauge(
            "tsuji_api_pool_connections", "Connections to the database for readers.", "state"
        )
        self._queue = self._gauge(
            "tsuji_api_pool_waiting", "Requests that wait for a connection to the database."
        )
        self._replica = hub.database if isinstance(hub.database, ReplicatedDatabase) else None
        if self._replica is not None:
            self._reading = self._gauge(
                "tsuji_api_replica_readers", "Processes that read from the replica at the moment."
            )
            self._lag = Gauge(
                "tsuji_api_replica_lag_seconds",
                "How old is what the replica has not got yet; NaN where that can't be told.",
                registry=self.registry,
                multiprocess_mode="livemax",
            )
        self._workers = self._gauge("tsuji_api_workers", "Processes that answer.")
        self._started = Counter(
            "tsuji_api_workers_started",
            "Processes that have begun to answer, those in place of others included.",
            registry=self.registry,
        )
        self._stop = threading.Event()

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry, multiprocess_mode="livesum")

    def note(self, scope: Scope) -> None:
        """A request has been answered."""
        policy = scope.get("state", {}).get("refused")
        if policy is not None:
            self._refusals.labels(policy).inc()

    def look(self) -> None:
        """Note how things stand."""
        self._workers.set(1)
        self._streams.set(sum(one.listeners for one in self._feeds))
        self._downloads.set(self._hub.room.held)
        pool = self._hub.database.pool()
        self._pool.labels("idle").set(pool.idle)
        self._pool.labels("busy").set(pool.busy)
        self._queue.set(pool.waiting)
        if self._replica is not None:
            self._reading.set(self._replica.state is ReplicaState.USED)
            lag_s = self._replica.lag_s
            self._lag.set(float("nan") if lag_s is None else lag_s)

    def start(self) -> None:
        """Note it every two seconds, in a thread of its own."""
        self._started.inc()
        threading.Thread(target=self._run, name="figures", daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(_LOOK_EVERY_S)


class _Processes(Collector):
    """Memory, files and processor time of all processes of the API, under the names that Prometheus uses."""

    def collect(self) -> Iterator[Metric]:
        folder = workers.shared()
        known = {} if folder is None else {one.pid: one for one in workers.alive(folder)}
        known.setdefault(os.getpid(), psutil.Process())
        memory, files, seconds, started = 0, 0, 0.0, float("inf")
        for process in known.values():
            with suppress(psutil.Error), process.oneshot():
                memory += process.memory_info().rss
                files += process.num_fds()
                times = process.cpu_times()
                seconds += times.user + times.system
                started = min(started, process.create_time())
        yield GaugeMetricFamily(
            "process_resident_memory_bytes", "Resident memory, of all processes.", value=memory
        )
        yield GaugeMetricFamily(
            "process_open_fds", "Open file descriptors, of all processes.", value=files
        )
        yield CounterMetricFamily(
            "process_cpu_seconds", "Processor time, of all processes that run.", value=seconds
        )
        yield GaugeMetricFamily(
            "process_start_time_seconds", "When the oldest process began.", value=started
        )


class _Of(Collector):
    """The families of another registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        yield from self._registry.collect()


class Anew(Collector):
    """All of it, put together for every answer: processes come and go.

    Args:
        hub: whose database is read.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield from all_figures(self._hub).collect()


def all_figures(hub: Hub, own: CollectorRegistry | None = None) -> CollectorRegistry:
    """What `/metrics` holds: of all processes, and of the hub.

    Args:
        hub: whose database is read.
        own: the figures of this process, which stand for all where it keeps them to itself.
    """
    registry = CollectorRegistry()
    folder = workers.shared()
    if folder is not None:
        workers.bury(folder)
        MultiProcessCollector(registry, str(folder))
        registry.register(_Processes())
    else:
        if own is not None:
            registry.register(_Of(own))
        ProcessCollector(registry=registry)
    registry.register(HubFigures(hub))
    return registry
