"""What the evaluator of alerts reads and writes within one turn, which is one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from psycopg.rows import args_row, scalar_row, tuple_row
from psycopg.types.json import Jsonb

from tsuji_platform.analytics.alert_rules import AreaScope, Rule, ThingScope
from tsuji_platform.analytics.alerts import Event, Phase, State
from tsuji_platform.analytics.readings import Reading
from tsuji_platform.analytics.suppression import OPEN, Gate, counts_people, without_peak
from tsuji_platform.contract.alert_messages import alert_document, encode_message
from tsuji_platform.store import queries
from tsuji_platform.store.alert_past import AlertPast
from tsuji_platform.store.alert_records import Counting, Heard, Kept, Key, Newest, Subject
from tsuji_platform.store.database import Connection
from tsuji_platform.store.day_inputs import BOTH_WAYS, PM2_5

_SQL = queries.load("alerts")
_ANNOUNCE = queries.load("writing")["announce"]
_AREAS = queries.load("areas")
_READING = queries.load("reading")


class Turn:
    """What can be read and written within one turn.

    Attributes:
        fresh: whether another evaluator may have worked since our last turn.
        broken: whether nobody had a turn for a while.
        judged_until: up to which moment figures were judged, None where never.
        listening_since: since when there has been no such break, None where that is not known.
        past: what is known of more than the last hour.
    """

    def __init__(
        self,
        connection: Connection,
        targets: list[str],
        past: AlertPast,
        *,
        fresh: bool,
        broken: bool,
        judged_until: datetime | None,
        listening_since: datetime | None,
        gate: Gate = OPEN,
    ) -> None:
        self._gate = gate
        self._connection = connection
        self._targets = targets
        self.past = past
        self.fresh = fresh
        self.broken = broken
        self.judged_until = judged_until
        self.listening_since = listening_since

    def states(self) -> dict[Key, Kept]:
        """All states that are kept."""
        return {
            (row["rule_id"], row["subject"]): Kept(
                state=State(
                    phase=Phase(row["phase"]),
                    seen=row["seen"],
                    value=row["value"],
                    start=row["start"],
                    peak=row["peak"],
                    peak_at=row["peak_at"],
                    clear_since=row["clear_since"],
                ),
                alert_id=row["alert_id"],
                document=row["document"],
            )
            for row in self._connection.execute(_SQL["states"])
        }

    def rules(self) -> dict[str, str]:
        """Digests of the rules in force, by id."""
        rows = self._connection.execute(_SQL["rules_in_force"])
        return {row["rule_id"]: row["digest"] for row in rows}

    def put_rules(self, rules: Sequence[Rule], dropped: Sequence[str]) -> None:
        """Put rules into force, and take others out of it with what is remembered of them."""
        values = {"rule_ids": list(dropped)}
        self._connection.execute(_SQL["drop_states_of_rules"], values)
        self._connection.execute(_SQL["drop_rules"], values)
        for place, rule in enumerate(rules):
            self._connection.execute(
                _SQL["put_rule"],
                {
                    "rule_id": rule.id,
                    "place": place,
                    "digest": rule.digest(),
                    "document": Jsonb(rule.document()),
                },
            )

    def note_problem(self, rule_id: str, problem: str) -> None:
        """Keep why a rule looks at nothing, empty where it does."""
        values = {"rule_id": rule_id, "problem": problem}
        self._connection.execute(_SQL["note_rule_problem"], values)

    def heard(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Up to when anything was measured (no later than now), and when anything was last stored."""
        (row,) = self._connection.execute(_SQL["heard"], {"now": now}).fetchall()
        return row["heard"], row["stored_at"]

    def newest(self, observed_property: str, scope: ThingScope) -> list[Newest]:
        """The newest observation of a property by each thing of a scope that has one."""
        values = {"observed_property": observed_property, **_things(scope)}
        with self._connection.cursor(row_factory=args_row(Newest), binary=True) as cursor:
            return cursor.execute(_SQL["scoped_newest"], values).fetchall()

    def met_since(
        self, datastream_ids: Sequence[int], since: datetime, threshold: float, *, above: bool
    ) -> set[int]:
        """Those of some datastreams of which any observation since a time, it included, met a threshold.

        Args:
            datastream_ids: which.
            since: of all of them.
            threshold: met by it.
            above: whether by higher values, too; else by lower ones.
        """
        values = {
            "datastream_ids": _array(datastream_ids),
            "since": since,
            "threshold": threshold,
            "above": above,
        }
        with self._connection.cursor(row_factory=scalar_row, binary=True) as cursor:
            return set(cursor.execute(_SQL["met_since"], values))

    def observed_since(
        self, sinces: Mapping[int, datetime], oldest: datetime, limit: int
    ) -> dict[int, list[tuple[datetime, float]]]:
        """Times and results since a time of each datastream's own, it included, oldest first.

        Args:
            sinces: the times by datastream.
            oldest: what is older is passed over.
            limit: so many of each datastream at the most.
        """
        found: dict[int, list[tuple[datetime, float]]] = {}
        values = {
            "datastream_ids": _array(sinces),
            "sinces": _array(f'"{one.isoformat()}"' for one in sinces.values()),
            "oldest": oldest,
            "limit": limit,
        }
        with self._connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            for number, at, result in cursor.execute(_SQL["observed_since"], values):
                found.setdefault(number, []).append((at, result))
        return found

    def when_heard(self, scope: ThingScope, before: datetime, also: Sequence[str]) -> list[Heard]:
        """When each thing of a scope was last heard.

        Args:
            scope: the things.
            before: only those that were heard then, and not since.
            also: and these, whenever they were.
        """
        values = {**_things(scope), "before": before, "also": list(also)}
        return [
            Heard(
                thing_id=row["thing_id"],
                datastream_id=row["datastream_id"],
                time=row["heard"],
                period_s=row["period_s"],
            )
            for row in self._connection.execute(_SQL["scoped_heard"], values)
        ]

    def recent_times(
        self, datastream_ids: Sequence[int], limit: int = 21
    ) -> dict[int, list[datetime]]:
        """The newest times of some datastreams."""
        values = {"datastream_ids": list(datastream_ids), "limit": limit}
        rows = self._connection.execute(_SQL["recent_times"], values)
        return {row["datastream_id"]: row["times"] for row in rows}

    def things(self, scope: ThingScope) -> list[str]:
        """Ids of the things of a scope."""
        rows = self._connection.execute(_SQL["scoped_things"], _things(scope))
        return [row["thing_id"] for row in rows]

    def areas(self, scope: AreaScope) -> list[str]:
        """Codes of the areas of a scope."""
        values = {"area_set_id": scope.set, "codes": scope.codes}
        return [row["code"] for row in self._connection.execute(_SQL["scoped_areas"], values)]

    def membership(self, area_set_id: str) -> dict[str, list[str]]:
        """Ids of the things in each area of a set that has any."""
        members: dict[str, list[str]] = {}
        values = {"area_set_id": area_set_id, "code": None}
        for row in self._connection.execute(_AREAS["membership"], values):
            members.setdefault(row["code"], []).append(row["thing_id"])
        return members

    def counters(self) -> list[Counting]:
        """The things of which more is known than the hour's readings: widths, capacities, PM2.5."""
        values = {"both_ways": list(BOTH_WAYS), "pm2_5": PM2_5}
        return [Counting(**row) for row in self._connection.execute(_SQL["counting"], values)]

    def newest_until(
        self, observed_properties: Sequence[str], start: datetime, end: datetime
    ) -> list[Reading]:
        """The newest observation of each declared datastream with start < time ≤ end."""
        values = {"observed_properties": list(observed_properties), "start": start, "end": end}
        return [_reading(row) for row in self._connection.execute(_SQL["newest_until"], values)]

    def totals(
        self, observed_properties: Sequence[str], window: timedelta, end: datetime
    ) -> list[Reading]:
        """Sums over the window that ends at a moment, as snapshots of the past have them."""
        values = {
            "observed_properties": list(observed_properties),
            "end": end,
            "window": window,
            "ahead": timedelta(0),
            "declared": True,
            **OPEN.parameters(),
        }
        return [_reading(row) for row in self._connection.execute(_READING["totals"], values)]

    def begin(self, rule: Rule, subject: Subject, event: Event, now: datetime) -> Kept:
        """Keep that an alert has begun, and what is to be said of it."""
        alert_id, document = uuid4().hex, rule.document()
        self._connection.execute(
            _SQL["begin_alert"],
            {
                "alert_id": alert_id,
                "rule_id": rule.id,
                "subject": subject.key,
                "thing_id": subject.thing_id,
                "area_set_id": subject.area_set_id,
                "area_code": subject.area_code,
                "start": event.start,
                "peak": event.peak,
                "peak_at": event.peak_at,
                "document": Jsonb(document),
            },
        )
        self._say(alert_id, document, subject, event, None, now)
        return Kept(state=State(), alert_id=alert_id, document=document)

    def end(self, kept: Kept, subject: Subject, event: Event, reason: str, now: datetime) -> None:
        """Keep that an alert has ended, and what is to be said of it."""
        if kept.alert_id is None or kept.document is None:
            raise ValueError(f"there is no alert to end for {subject.key}")
        values = {
            "alert_id": kept.alert_id,
            "end": event.end,
            "reason": reason,
            "peak": event.peak,
            "peak_at": event.peak_at,
        }
        if self._connection.execute(_SQL["end_alert"], values).fetchone() is not None:
            self._say(kept.alert_id, kept.document, subject, event, reason, now)

    def _say(
        self,
        alert_id: str,
        rule: dict[str, Any],
        subject: Subject,
        event: Event,
        reason: str | None,
        now: datetime,
    ) -> None:
        message_id = uuid4().hex
        document = alert_document(
            alert_id=alert_id,
            rule=rule,
            thing_id=subject.thing_id,
            area_set_id=subject.area_set_id,
            area_code=subject.area_code,
            start=event.start,
            end=event.end,
            end_reason=reason,
            peak=event.peak,
            peak_at=event.peak_at,
        )
        if self._gate and counts_people(rule.get("observed_property"), rule.get("figure")):
            document = without_peak(document)
        self._connection.execute(
            _SQL["put_message"],
            {
                "message_id": message_id,
                "alert_id": alert_id,
                "ends": event.end is not None,
                "body": encode_message(message_id, now, document),
                "targets": self._targets,
            },
        )

    def put_states(self, states: Iterable[tuple[Key, Kept]]) -> None:
        """Keep states."""
        items = list(states)
        if not items:
            return
        self._connection.execute(
            _SQL["put_states"],
            {
                "rule_ids": [rule_id for (rule_id, _), _ in items],
                "subjects": [subject for (_, subject), _ in items],
                "alert_ids": [kept.alert_id for _, kept in items],
                "phases": [kept.state.phase.value for _, kept in items],
                "seens": [kept.state.seen for _, kept in items],
                "vals": [kept.state.value for _, kept in items],
                "starts": [kept.state.start for _, kept in items],
                "peaks": [kept.state.peak for _, kept in items],
                "peak_ats": [kept.state.peak_at for _, kept in items],
                "clear_sinces": [kept.state.clear_since for _, kept in items],
            },
        )

    def note_judged(self, until: datetime) -> None:
        """Keep up to which moment figures were judged."""
        self._connection.execute(_SQL["note_judged"], {"until": until})

    def note_listening(self, since: datetime) -> None:
        """Keep since when there has been no break."""
        self._connection.execute(_SQL["note_listening"], {"since": since})

    def announce(self) -> None:
        """Tell listeners, once this is committed, that there is something new."""
        self._connection.execute(_ANNOUNCE)

    def forget_messages(self, age: timedelta) -> None:
        """Forget what everybody has been told, or was given up, and is older than so long."""
        self._connection.execute(_SQL["forget_messages"], {"age": age})


def _array(items: Iterable[object]) -> str:
    """An array as PostgreSQL reads it: of thousands far cheaper than one by one."""
    return "{" + ",".join(map(str, items)) + "}"


def _things(scope: ThingScope) -> dict[str, Any]:
    return {"thing_ids": scope.ids, "kind": scope.kind}


def _reading(row: dict[str, Any]) -> Reading:
    return Reading(
        thing_id=row["thing_id"],
        observed_property=row["observed_property"],
        time=row["phenomenon_time"],
        result=row["result"],
        covered_s=row.get("covered_s"),
    )
