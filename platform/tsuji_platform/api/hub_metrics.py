"""What the hub holds and how it fares, for Prometheus, read from the database for every answer.

Every process of the API would say the same: take one of them, or the maximum.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tsuji_platform.analytics import freshness
from tsuji_platform.api.hub import Hub
from tsuji_platform.store import StoreError
from tsuji_platform.store.alert_outbox import Alerts
from tsuji_platform.store.checkup import Checkup

_OUTCOMES = ("stored", "duplicate", "corrected", "rejected")
_EVALUATOR_SILENT_AFTER = timedelta(seconds=30)


class HubFigures(Collector):
    """Read anew for every answer; with the database away only that it is."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """All families."""
        hub = self._hub
        try:
            found = [*_values(hub), *_ingests(hub), *_things(hub), *_alerts(hub), *_tables(hub)]
        except StoreError:
            found = []
        yield GaugeMetricFamily(
            "tsuji_database_up", "Whether the database serves.", value=bool(found)
        )
        yield from found


def _values(hub: Hub) -> Iterator[Metric]:
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
    if counters.last_stored_at is not None:
        yield GaugeMetricFamily(
            "tsuji_last_stored_timestamp_seconds",
            "When something new was last stored.",
            value=counters.last_stored_at.timestamp(),
        )
    kept = GaugeMetricFamily(
        "tsuji_rejected_messages", "Rejected messages that are kept.", labels=["reason"]
    )
    for reason, count in hub.reader.rejected_by_reason().items():
        kept.add_metric([reason], count)
    yield kept


def _ingests(hub: Hub) -> Iterator[Metric]:
    lag = GaugeMetricFamily(
        "tsuji_ingest_lag_seconds",
        "Arrival to commit, of the last minute the slowest 5 % left out, as each ingest of the last day "
        "last wrote.",
        labels=["ingest_id"],
    )
    seen = GaugeMetricFamily(
        "tsuji_ingest_seen_timestamp_seconds",
        "When each ingest of the last day last wrote of itself.",
        labels=["ingest_id"],
    )
    for one in hub.reader.ingests():
        seen.add_metric([one.ingest_id], one.seen_at.timestamp())
        if one.state.lag_s is not None:
            lag.add_metric([one.ingest_id], one.state.lag_s)
    yield lag
    yield seen


def _things(hub: Hub) -> Iterator[Metric]:
    now = hub.clock()
    states = Counter(
        freshness.state(observed_at, period_s, now)
        for observed_at, period_s in hub.reader.freshness()
    )
    things = GaugeMetricFamily("tsuji_things", "Registered things.", labels=["state"])
    for state in freshness.State:
        things.add_metric([state.value], states[state])
    yield things


def _alerts(hub: Hub) -> Iterator[Metric]:
    found, now = Alerts(hub.database), hub.clock()
    evaluator = found.evaluator(_EVALUATOR_SILENT_AFTER)
    if evaluator is not None:
        yield GaugeMetricFamily(
            "tsuji_alert_evaluator_up",
            "Whether an ingest evaluates the alert rules.",
            value=bool(evaluator["alive"]),
        )
    yield GaugeMetricFamily("tsuji_alerts_on", "Alerts that are on.", value=found.count_on())
    waiting = GaugeMetricFamily(
        "tsuji_alert_deliveries_waiting",
        "Messages about alerts that wait for a target.",
        labels=["target"],
    )
    given_up = GaugeMetricFamily(
        "tsuji_alert_deliveries_given_up",
        "Messages about alerts that a target did not take in time, of those that are kept.",
        labels=["target"],
    )
    oldest = GaugeMetricFamily(
        "tsuji_alert_delivery_oldest_seconds",
        "How old the oldest message is that waits for a target.",
        labels=["target"],
    )
    for one in found.targets():
        waiting.add_metric([one.target], one.waiting)
        given_up.add_metric([one.target], one.given_up)
        age = 0.0 if one.oldest_at is None else max(0.0, (now - one.oldest_at).total_seconds())
        oldest.add_metric([one.target], age)
    yield waiting
    yield given_up
    yield oldest


def _tables(hub: Hub) -> Iterator[Metric]:
    checkup = Checkup(hub.database)
    log = checkup.rollup_log()
    yield GaugeMetricFamily(
        "tsuji_rollup_lag_seconds",
        "For how long the oldest finished five minutes of what is new have waited to be rolled up.",
        value=log.lag_s,
    )
    rows = GaugeMetricFamily(
        "tsuji_rollup_log_rows",
        "Rows of the log of what is to be rolled up; no more than 100,000 are counted.",
        labels=["kind"],
    )
    rows.add_metric(["new"], log.new_rows)
    rows.add_metric(["late"], log.late_rows)
    yield rows
    sizes = GaugeMetricFamily(
        "tsuji_table_bytes", "Bytes of tables that grow, with their indexes.", labels=["table"]
    )
    for table, size in checkup.sizes().items():
        sizes.add_metric([table], size)
    yield sizes
    yield GaugeMetricFamily(
        "tsuji_database_bytes", "Bytes of the whole database.", value=checkup.database_size()
    )
    backup = checkup.last_backup()
    if backup is not None:
        yield GaugeMetricFamily(
            "tsuji_backup_timestamp_seconds",
            "When the last finished backup ended.",
            value=backup.ended.timestamp(),
        )
