"""What the hub holds and how it fares, for Prometheus; ingest has figures of its own beside these."""

from collections import Counter
from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tsuji_platform.analytics import freshness
from tsuji_platform.api.hub import Hub, HubDep
from tsuji_platform.store import StoreError

router = APIRouter(tags=["health"])

_OUTCOMES = ("stored", "duplicate", "corrected", "rejected")


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
def metrics(hub: HubDep) -> Response:
    """Prometheus' text format; with the database away only that it is."""
    registry = CollectorRegistry()
    registry.register(_Figures(hub))
    return Response(
        generate_latest(registry),
        media_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )


class _Figures(Collector):
    """Read anew for every request."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        try:
            found = list(_figures(self._hub))
        except StoreError:
            found = []
        yield GaugeMetricFamily(
            "tsuji_database_up", "Whether the database serves.", value=bool(found)
        )
        yield from found


def _figures(hub: Hub) -> Iterator[Metric]:
    counters = hub.reader.counters()
    yield GaugeMetricFamily(
        "tsuji_values_received",
        "Values received by all ingests: the sum of tsuji_values over its outcomes and "
        "tsuji_values_waiting.",
        value=counters.tally.received + counters.waiting,
    )
    values = GaugeMetricFamily(
        "tsuji_values",
        "Values committed, by what has become of them; rejected ones may still move.",
        labels=["outcome"],
    )
    for outcome in _OUTCOMES:
        values.add_metric([outcome], getattr(counters.tally, outcome))
    yield values
    yield GaugeMetricFamily(
        "tsuji_values_waiting",
        "Values that ingests have received and not committed when they last wrote of it.",
        value=counters.waiting,
    )
    kept = GaugeMetricFamily(
        "tsuji_rejected_messages", "Rejected messages that are kept.", labels=["reason"]
    )
    for reason, count in hub.reader.rejected_by_reason().items():
        kept.add_metric([reason], count)
    yield kept
    now = hub.clock()
    states = Counter(
        freshness.state(observed_at, period_s, now)
        for observed_at, period_s in hub.reader.freshness()
    )
    things = GaugeMetricFamily("tsuji_things", "Registered things.", labels=["state"])
    for state in freshness.State:
        things.add_metric([state.value], states[state])
    yield things
