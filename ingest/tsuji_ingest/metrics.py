"""Says over HTTP how this ingest fares: `/metrics` for Prometheus, `/health` for people and probes."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from socketserver import ThreadingMixIn
from typing import Any, Protocol
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from tsuji_ingest.histogram import Histogram
from tsuji_ingest.ledger import Ledger

_log = logging.getLogger(__name__)
_OUTCOMES = ("stored", "duplicate", "corrected", "rejected")
_REQUEST_TIMEOUT_S = 10


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


class EndpointError(Exception):
    """Ingest can't say how it fares on the address that was asked for."""


class Endpoint:
    """Serves in threads of its own until closed.

    Args:
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        ingest_id: whose figures these are.
        ledger: the figures.
        broker: how the connection to the broker fares.

    Raises:
        EndpointError: where it can't listen there.
    """

    def __init__(
        self, host: str, port: int, ingest_id: str, ledger: Ledger, broker: BrokerState
    ) -> None:
        self._ingest_id = ingest_id
        self._ledger = ledger
        self._broker = broker
        registry = CollectorRegistry()
        registry.register(_Figures(ledger, broker))
        ProcessCollector(registry=registry)
        self._metrics: Callable[..., Iterable[bytes]] = make_wsgi_app(registry)
        try:
            self._server = make_server(
                host, port, self._answer, server_class=_Server, handler_class=_Handler
            )
        except OSError as error:
            raise EndpointError(
                f"can't listen on {host}:{port} ({error.strerror}); set TSUJI_INGEST_HOST and "
                "TSUJI_INGEST_PORT to an address of this machine and a free port"
            ) from error
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            return self._metrics(environ, start_response)
        if path == "/health":
            status, body = "200 OK", self._health()
        else:
            status = "404 Not Found"
            body = {"detail": "there are /metrics (Prometheus) and /health (JSON)"}
        start_response(
            status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        )
        return [json.dumps(body, ensure_ascii=False).encode()]

    def _health(self) -> dict[str, object]:
        account, state = self._ledger.account, self._ledger.state()
        connected = self._broker.connected
        away_since = account.away_since
        return {
            "status": "ok" if connected and away_since is None else "waiting",
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "ingest_id": self._ingest_id,
            "broker": {
                "connected": connected,
                "dropped": self._broker.dropped,
                "sessions_lost": self._broker.sessions_lost,
                "no_room": self._broker.no_room,
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


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - its names
        _log.debug("a request for metrics from %s came to nothing", client_address, exc_info=True)


class _Handler(WSGIRequestHandler):
    timeout = _REQUEST_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        _log.debug(format, *args)
