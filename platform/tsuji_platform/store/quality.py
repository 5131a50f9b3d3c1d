"""Reads what looks wrong: raw observations with their flags, and the flags of the newest ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.types.json import Jsonb

from tsuji_platform.analytics.suppression import OPEN, Gate, withholds
from tsuji_platform.contract.quality import COMPARED, QUALITY_RULES, Flag, QualityRule
from tsuji_platform.store import queries
from tsuji_platform.store.database import Database

_SQL = queries.load("quality")

FURTHEST = timedelta(days=7)
"""How far back the beginning of a stuck value is looked for."""
MOST_READ = 20_000
"""Readings looked at for one page: where few fit a filter, the page ends before it is full."""

Wanted = Literal["all", "flagged", "good"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """One raw observation and what looks wrong with it, mostly nothing; of a withheld one neither."""

    observed_property: str
    time: datetime
    result: float | None
    period_s: int | None
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Observations by time and observed property; `after` is where the next page goes on, if any does."""

    items: tuple[Flagged, ...]
    after: tuple[datetime, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestFlag:
    """A datastream whose newest observation looks wrong.

    Attributes:
        thing_id: whose.
        observed_property: of what.
        time: phenomenon time of the newest observation.
        result: in the property's unit.
        flags: at least one.
    """

    thing_id: str
    observed_property: str
    time: datetime
    result: float
    flags: tuple[Flag, ...]


class Quality:
    """Access to the flags of one database.

    Args:
        database: where the observations are.
        rules: the table of thresholds.
        gate: withholds small counts.
    """

    def __init__(
        self,
        database: Database,
        rules: Mapping[str, QualityRule] = QUALITY_RULES,
        gate: Gate = OPEN,
    ) -> None:
        self._database = database
        self._gate = gate
        self._rules = _table(rules)

    def observations(
        self,
        thing_id: str,
        start: datetime,
        end: datetime,
        *,
        limit: int,
        observed_property: str | None = None,
        after: tuple[datetime, str] | None = None,
        wanted: Wanted = "all",
    ) -> Page:
        """Raw observations of a thing with start < phenomenon time ≤ end, oldest first.

        Args:
            thing_id: whose.
            start: excluded.
            end: included.
            limit: of items on the page, 1 or more.
            observed_property: only of this.
            after: goes on behind the observation of this time and observed property.
            wanted: all, those with flags, or those without.
        """
        items: list[Flagged] = []
        behind, step = after if after is not None else (start, None), limit + 1
        looked_at = 0
        while True:
            rows = self._database.rows(
                _SQL["observations"],
                {
                    "rules": self._rules,
                    "compared": COMPARED,
                    "thing_id": thing_id,
                    "observed_property": observed_property,
                    "after": behind[0],
                    "after_property": behind[1],
                    "end": end,
                    "limit": step,
                    **self._gate.parameters(),
                },
            )
            looked_at += len(rows)
            for row in rows:
                one = _flagged(row)
                if wanted == "all" or bool(one.flags) == (wanted == "flagged"):
                    if len(items) == limit:
                        return Page(items=tuple(items), after=_place(items[-1]))
                    items.append(one)
            if len(rows) < step:
                return Page(items=tuple(items), after=None)
            behind = _place(_flagged(rows[-1]))
            if looked_at >= MOST_READ:
                return Page(items=tuple(items), after=behind)
            step = MOST_READ // 4

    def newest(self, thing_id: str | None = None) -> list[NewestFlag]:
        """The declared datastreams whose newest observation is flagged, of one thing or of all."""
        rows = self._database.rows(
            _SQL["newest_flags"],
            {
                "rules": self._rules,
                "compared": COMPARED,
                "thing_id": thing_id,
                **self._gate.parameters(),
            },
        )
        return [
            NewestFlag(
                thing_id=row["thing_id"],
                observed_property=row["observed_property"],
                time=row["phenomenon_time"],
                result=row["result"],
                flags=_flags(row),
            )
            for row in rows
            if not withholds(row["result"], row["small_below"])
        ]

    def since(self, stuck: Sequence[NewestFlag]) -> dict[tuple[str, str], datetime]:
        """The first reading of each stuck value, at most `FURTHEST` back, by thing and property."""
        rows = self._database.rows(
            _SQL["same_since"],
            {
                "thing_ids": [it.thing_id for it in stuck],
                "observed_properties": [it.observed_property for it in stuck],
                "times": [it.time for it in stuck],
                "results": [it.result for it in stuck],
                "furthest": FURTHEST,
            },
        )
        return {(row["thing_id"], row["observed_property"]): row["since"] for row in rows}


def _table(rules: Mapping[str, QualityRule]) -> Jsonb:
    return Jsonb([_columns(rule) for rule in rules.values()])


def judging(wanted: Wanted, rules: Mapping[str, QualityRule] = QUALITY_RULES) -> dict[str, Any]:
    """For queries that pick observations by their flags."""
    return {"rules": _table(rules), "compared": COMPARED, "flagged": wanted == "flagged"}


def _columns(rule: QualityRule) -> dict[str, Any]:
    """A rule as the queries take it: what is not asked is left out and becomes null."""
    columns: dict[str, Any] = {"observed_property": rule.observed_property}
    if rule.step is not None:
        columns |= {
            "at_once": rule.step.at_once,
            "per_minute": rule.step.per_minute,
            "longest_gap": f"{rule.step.longest_gap.total_seconds()} s",
        }
    if rule.stuck is not None:
        columns |= {
            "stuck_after": f"{rule.stuck.after.total_seconds()} s",
            "stuck_readings": rule.stuck.readings,
            "steady_up_to": rule.stuck.steady_up_to,
            "steady_from": rule.stuck.steady_from,
        }
    return columns


def _flags(row: Mapping[str, Any]) -> tuple[Flag, ...]:
    return tuple(flag for flag in Flag if row[flag.value])


def _flagged(row: Mapping[str, Any]) -> Flagged:
    hidden = withholds(row["result"], row["small_below"])
    return Flagged(
        observed_property=row["observed_property"],
        time=row["phenomenon_time"],
        result=None if hidden else row["result"],
        period_s=row["period_s"],
        flags=() if hidden else _flags(row),
    )


def _place(one: Flagged) -> tuple[datetime, str]:
    return one.time, one.observed_property
