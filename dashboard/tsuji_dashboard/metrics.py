"""What the dashboard says of itself to Prometheus: who looks, and whether it hears from the data API."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tsuji_dashboard.relay import Relay
from tsuji_platform.insight.endpoint import beside
from tsuji_platform.insight.requests import RequestFigures
from tsuji_platform.settings_insight import InsightSettings

_STATES = ("connecting", "live", "away", "unknown")


class DashboardFigures:
    """The figures of one process.

    Args:
        relay: whose viewers and streams are counted.
    """

    def __init__(self, relay: Relay) -> None:
        self.registry = CollectorRegistry()
        self.requests = RequestFigures("dashboard", self.registry)
        self.registry.register(_OfRelay(relay))
        ProcessCollector(registry=self.registry)


class _OfRelay(Collector):
    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def collect(self) -> Iterator[Metric]:
        standings = self._relay.standings()
        yield GaugeMetricFamily(
            "tsuji_dashboard_viewers",
            "Browsers that follow live.",
            value=sum(one.viewers for one in standings),
        )
        states = Counter(one.api for one in standings)
        streams = GaugeMetricFamily(
            "tsuji_dashboard_upstreams",
            "Live streams from the data API, one for each area set that is looked at, by how they stand.",
            labels=["state"],
        )
        for state in _STATES:
            streams.add_metric([state], states[state])
        yield streams
        yield GaugeMetricFamily(
            "tsuji_dashboard_upstream_age_seconds",
            "For how long the quietest of them has sent nothing, not even its heartbeat of 10 s; 0 "
            "without any.",
            value=max((time.monotonic() - one.heard_s for one in standings), default=0.0),
        )


@contextmanager
def served(figures: DashboardFigures) -> Iterator[None]:
    """Serve them meanwhile, where that is asked for."""
    settings = InsightSettings()
    if settings.dashboard_metrics_port is None:
        yield
        return
    names = ("TSUJI_METRICS_HOST", "TSUJI_DASHBOARD_METRICS_PORT")
    with beside(settings.metrics_host, settings.dashboard_metrics_port, figures.registry, names):
        yield
