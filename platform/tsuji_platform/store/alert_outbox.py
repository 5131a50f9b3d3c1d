"""What is still to be said of alerts, target by target, and what alerts there are, for readers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tsuji_platform.analytics.alert_rules import AreaScope, ThingScope
from tsuji_platform.store import queries
from tsuji_platform.store.counting import Way, count
from tsuji_platform.store.database import Connection, Database
from tsuji_platform.store.session import Session

_SQL = queries.load("alert_outbox")
_ALERTS = queries.load("alerts")
_LATELY = timedelta(seconds=10)
"""A broker that is killed may forget what it has acknowledged so shortly before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message that a target has not got yet.

    Attributes:
        message_no: its place in the order.
        message_id: what the receiver tells repetitions by.
        alert_id: what it is about.
        ends: whether it says that the alert has ended.
        body: JSON.
        attempts: how often it was tried in vain.
        created_at: when it was written.
        is_due: whether it is time to try (again).
    """

    message_no: int
    message_id: str
    alert_id: str
    ends: bool
    body: str
    attempts: int
    created_at: datetime
    is_due: bool


class Outbox:
    """The messages for one target; used by one thread at a time.

    Args:
        url: PostgreSQL address.
        target: its name.
    """

    def __init__(self, url: str, target: str) -> None:
        self._session = Session(url, f"tsuji alerts to {target}"[:60])
        self._target = target

    def close(self) -> None:
        """Let the connection go; the next call opens another."""
        self._session.close()

    @contextmanager
    def due(self, limit: int) -> Iterator["Due | None"]:
        """The oldest messages, in order; None while another process speaks to this target.

        Nobody else speaks to it until this is left.

        Raises:
            StoreError: what was delivered meanwhile is delivered again.
        """
        with self._session.transaction() as connection:
            connection.execute(_SQL["limit_courier_idleness"])
            values = {"target": self._target, "limit": limit}
            (row,) = connection.execute(_SQL["lock_target"], values).fetchall()
            if not row["mine"]:
                yield None
                return
            letters = [Letter(**one) for one in connection.execute(_SQL["due"], values)]
            yield Due(connection, self._target, letters)

    def say_again(self) -> None:
        """Deliver anew what a broker may have forgotten while it was away."""
        with self._session.transaction() as connection:
            values = {"target": self._target, "lately": _LATELY}
            connection.execute(_SQL["say_again"], values)

    def forget_others(self, targets: Sequence[str]) -> None:
        """Give up what was to go to other targets than these."""
        with self._session.transaction() as connection:
            connection.execute(_SQL["forget_targets"], {"targets": list(targets)})


class Due:
    """Messages in hand, and what became of them."""

    def __init__(self, connection: Connection, target: str, letters: list[Letter]) -> None:
        self._connection = connection
        self._target = target
        self.letters = letters

    def delivered(self, letters: Sequence[Letter]) -> None:
        """These have been taken."""
        numbers = [one.message_no for one in letters]
        values = {"target": self._target, "message_nos": numbers}
        self._connection.execute(_SQL["delivered"], values)

    def postponed(self, letter: Letter, problem: str, after_s: float, *, give_up: bool) -> None:
        """This one has not been taken: try again later, or never."""
        values = {
            "target": self._target,
            "message_no": letter.message_no,
            "problem": problem,
            "after_s": after_s,
            "give_up": give_up,
        }
        self._connection.execute(_SQL["postponed"], values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How one target's deliveries stand."""

    target: str
    waiting: int
    given_up: int
    oldest_at: datetime | None
    delivered_at: datetime | None
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts; what is None does not matter."""

    alert_id: str | None = None
    on: bool | None = None
    rule_id: str | None = None
    thing_id: str | None = None
    area_set_id: str | None = None
    area_code: str | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert; `rule` is as it was when the alert began, `value` and `value_at` of one that is on."""

    alert_no: int
    alert_id: str
    rule_id: str
    thing_id: str | None
    area_set_id: str | None
    area_code: str | None
    start: datetime
    end: datetime | None
    end_reason: str | None
    peak: float
    peak_at: datetime
    rule: dict[str, Any]
    value: float | None
    value_at: datetime | None
    phase: str | None


class Alerts:
    """Read access to alerts and their rules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self,
        which: AlertFilter,
        *,
        limit: int,
        after: tuple[datetime, int] | None = None,
    ) -> list[AlertRow]:
        """Alerts, the newest first, beginning behind the start and number `after`."""
        values = _asked(which) | {"limit": limit}
        if after is not None:
            values |= {"after_time": after[0], "after_no": after[1]}
        return [_alert_row(row) for row in self._database.rows(_SQL["alerts"], values)]

    def count(self, which: AlertFilter, way: Way) -> int:
        """How many alerts there are of these."""
        return count(self._database, _SQL["alerts"], _asked(which), way)

    def rules(self) -> list[dict[str, Any]]:
        """The rules in force in the order of their file, each as `document` and `problem`."""
        rows = self._database.rows(_ALERTS["rules_in_force"])
        return [{"document": row["document"], "problem": row["problem"]} for row in rows]

    def areas_of(self, scope: AreaScope) -> list[str]:
        """Codes of the areas that a rule names, of those that there are."""
        values = {"area_set_id": scope.set, "codes": scope.codes}
        return [row["code"] for row in self._database.rows(_ALERTS["scoped_areas"], values)]

    def things_of(self, scope: ThingScope) -> list[str]:
        """Ids of the things that a rule names, of those that are registered."""
        values = {"thing_ids": scope.ids, "kind": scope.kind}
        return [row["thing_id"] for row in self._database.rows(_ALERTS["scoped_things"], values)]

    def evaluator(self, alive_within: timedelta) -> dict[str, Any] | None:
        """Who evaluates, since when it was last seen, and up to when figures are judged."""
        rows = self._database.rows(_ALERTS["evaluator"], {"lease": alive_within})
        return rows[0] if rows else None

    def count_on(self) -> int:
        """How many alerts are on."""
        (row,) = self._database.rows(_SQL["alerts_on"])
        return int(row["alerts"])

    def targets(self) -> list[Target]:
        """How the deliveries stand."""
        return [Target(**row) for row in self._database.rows(_SQL["outbox"])]

    def newest_message(self) -> int:
        """The number of the newest message."""
        (row,) = self._database.rows(_SQL["newest_message"])
        return int(row["message_no"])

    def messages_after(self, number: int) -> list[tuple[int, str]]:
        """Numbers and bodies of the messages behind a number, in order."""
        rows = self._database.rows(_SQL["messages_after"], {"after": number})
        return [(row["message_no"], row["body"]) for row in rows]

    def messages_on(self) -> list[str]:
        """What was said when the alerts began that are on."""
        return [row["body"] for row in self._database.rows(_SQL["messages_on"])]


def _asked(which: AlertFilter) -> dict[str, Any]:
    return {
        "alert_id": which.alert_id,
        "on": which.on,
        "rule_id": which.rule_id,
        "thing_id": which.thing_id,
        "area_set_id": which.area_set_id,
        "area_code": which.area_code,
        "start": which.start,
        "end": which.end,
        "after_time": None,
        "after_no": None,
    }


def _alert_row(row: dict[str, Any]) -> AlertRow:
    return AlertRow(
        alert_no=row["alert_no"],
        alert_id=row["alert_id"],
        rule_id=row["rule_id"],
        thing_id=row["thing_id"],
        area_set_id=row["area_set_id"],
        area_code=row["area_code"],
        start=row["started_at"],
        end=row["ended_at"],
        end_reason=row["end_reason"],
        peak=row["peak_now"],
        peak_at=row["peak_at_now"],
        rule=row["document"],
        value=row["value"],
        value_at=row["seen"],
        phase=row["phase"],
    )
