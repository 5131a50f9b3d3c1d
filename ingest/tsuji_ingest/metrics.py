"""Says over HTTP how this ingest fares: `/metrics` for Prometheus, `/health` for people and probes."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from tsuji_ingest.histogram import Histogram
from tsuji_ingest.ledger import Ledger
from tsuji_platform.insight.endpoint import Endpoint

_OUTCOMES = ("stored", "duplicate", "corrected", "rejected")


class BrokerState(Protocol):
    """How the connection to the broker fares."""

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the subscription."""

    @property
    def dropped(self) -> int | None:
        """Messages that it says to have dropped since its start; None where it does not say."""

    @property
    def sessions_lost(self) -> int:
        """How often the broker did not have the session any more."""

    @property
    def no_room(self) -> int:
        """Messages of QoS 0 that ingest has dropped, having no room for more."""


def endpoint(host: str, port: int, ingest_id: str, ledger: Ledger, broker: BrokerState) -> Endpoint:
    """Say so until it is closed.

    Args:
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        ingest_id: whose figures these are.
        ledger: the figures.
        broker: how the connection to the broker fares.

    Raises:
        ListenError: where it can't listen there.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(ledger, broker))
    ProcessCollector(registry=registry)
    return Endpoint(
        host,
        port,
        registry,
        ("TSUJI_INGEST_HOST", "TSUJI_INGEST_PORT"),
        {"/health": ("JSON", lambda: _health(ingest_id, ledger, broker))},
    )


def _health(ingest_id: str, ledger: Ledger, broker: BrokerState) -> dict[str, object]:
    account, state = ledger.account, ledger.state()
    connected = broker.connected
    away_since = account.away_since
    return {
        "status": "ok" if connected and away_since is None else "waiting",
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ingest_id": ingest_id,
        "broker": {
            "connected": connected,
            "dropped": broker.dropped,
            "sessions_lost": broker.sessions_lost,
            "no_room": broker.no_room,
        },
        "database": {
            "ok": away_since is None,
            "away_for_s": None if away_since is None else time.monotonic() - away_since,
            "cause": account.cause or None,
        },
        "messages": account.messages,
        "received": account.received,
        **{outcome: getattr(account.decided, outcome) for outcome in _OUTCOMES},
        "waiting": account.waiting,
        "lag_s": state.lag_s,
    }


class _Figures(Collector):
    def __init__(self, ledger: Ledger, broker: BrokerState) -> None:
        self._ledger = ledger
        self._broker = broker

    def collect(self) -> Iterator[Metric]:
        account = self._ledger.account
        yield CounterMetricFamily(
            "tsuji_ingest_messages", "MQTT messages read.", value=account.messages
        )
        yield CounterMetricFamily(
            "tsuji_ingest_values_received",
            "Values read from messages: always the sum of tsuji_ingest_values_total over its outcomes "
            "and tsuji_ingest_values_waiting.",
            value=account.received,
        )
        decided = CounterMetricFamily(
            "tsuji_ingest_values", "Values committed, by what became of them.", labels=["outcome"]
        )
        healed = GaugeMetricFamily(
            "tsuji_ingest_healed_values",
            "How values that had been rejected moved once their cause was gone.",
            labels=["outcome"],
        )
        for outcome in _OUTCOMES:
            decided.add_metric([outcome], getattr(account.decided, outcome))
            healed.add_metric([outcome], getattr(account.healed, outcome))
        yield decided
        yield healed
        yield GaugeMetricFamily(
            "tsuji_ingest_values_waiting",
            "Values read and not committed; the broker keeps their messages.",
            value=account.waiting,
        )
        yield GaugeMetricFamily(
            "tsuji_ingest_database_up",
            "Whether the database serves.",
            value=account.away_since is None,
        )
        yield GaugeMetricFamily(
            "tsuji_ingest_broker_connected",
            "Whether the broker has accepted the subscription.",
            value=self._broker.connected,
        )
        if self._broker.dropped is not None:
            yield GaugeMetricFamily(
                "tsuji_ingest_broker_dropped_messages",
                "Messages that the broker says to have dropped since its start, for any client.",
                value=self._broker.dropped,
            )
        yield CounterMetricFamily(
            "tsuji_ingest_broker_sessions_lost",
            "How often the broker did not have the session any more, and what it had kept was gone.",
            value=self._broker.sessions_lost,
        )
        yield CounterMetricFamily(
            "tsuji_ingest_no_room_messages",
            "Messages of QoS 0 that were dropped, since too much waited for the database already.",
            value=self._broker.no_room,
        )
        yield _histogram(
            "tsuji_ingest_commit_seconds",
            "From the arrival of a message to its commit.",
            self._ledger.lag,
        )
        yield _histogram(
            "tsuji_ingest_observation_age_seconds",
            "From the newest phenomenon time of a message to its commit: from publishing to commit "
            "where things publish at once and their clocks are right.",
            self._ledger.age,
        )


def _histogram(name: str, text: str, figures: Histogram) -> HistogramMetricFamily:
    return HistogramMetricFamily(
        name, text, buckets=figures.cumulative(), sum_value=figures.total_s
    )
