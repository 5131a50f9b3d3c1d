"""Reads things, observations and counters; one method per query."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tsuji_platform.analytics.gaps import Evidence
from tsuji_platform.analytics.readings import Combined, Reading, Step
from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.contract import Thing
from tsuji_platform.store import queries
from tsuji_platform.store.counting import Way, count
from tsuji_platform.store.database import Database
from tsuji_platform.store.history import History
from tsuji_platform.store.history_moment import Moment, moment_of, reading_of
from tsuji_platform.store.horizon import Horizons, horizons
from tsuji_platform.store.quality import Wanted
from tsuji_platform.store.records import (
    Counters,
    IngestRow,
    IngestState,
    RejectedRow,
    Tally,
    ThingRow,
)
from tsuji_platform.store.rejected import Rejected

_SQL = queries.load("reading")

REMEMBERED = timedelta(days=1)
"""For how long an ingest that shows itself no more is still spoken of."""


class Reader:
    """Read access to one database.

    Args:
        database: which.
        gate: withholds small counts.
    """

    def __init__(self, database: Database, gate: Gate = OPEN) -> None:
        self._database = database
        self._gate = gate
        self._history = History(database, gate)

    def things(
        self,
        *,
        limit: int = 1000,
        after: str | None = None,
        thing_id: str | None = None,
        thing_ids: Sequence[str] | None = None,
    ) -> list[ThingRow]:
        """Things by id, beginning behind `after`; of `thing_ids` only, where these are given."""
        named = None if thing_ids is None else list(thing_ids)
        rows = self._database.rows(
            _SQL["things"],
            {"limit": limit, "after": after, "thing_id": thing_id, "thing_ids": named},
        )
        return [_thing_row(row) for row in rows]

    def count_things(self, way: Way) -> int:
        """How many things there are."""
        asked = dict.fromkeys(("after", "thing_id", "thing_ids"))
        return count(self._database, _SQL["things"], asked, way)

    def latest(
        self,
        *,
        thing_id: str | None = None,
        thing_ids: Sequence[str] | None = None,
        observed_properties: Sequence[str] = (),
    ) -> list[Reading]:
        """The newest observation of every declared datastream."""
        rows = self._database.rows(
            _SQL["latest"],
            {
                "thing_id": thing_id,
                "thing_ids": None if thing_ids is None else list(thing_ids),
                "observed_properties": list(observed_properties) or None,
                **self._gate.parameters(),
            },
        )
        return [reading_of(row) for row in rows]

    def moment(self, observed_properties: Sequence[str], at: datetime, window: timedelta) -> Moment:
        """What all things said in at - window < time ≤ at, see `moment_of`."""
        return moment_of(self._database, observed_properties, at, window, self._gate)

    def totals(
        self,
        observed_properties: Sequence[str],
        end: datetime,
        window: timedelta,
        *,
        ahead: timedelta = timedelta(0),
        declared: bool = False,
    ) -> list[Reading]:
        """Sum of each datastream of these properties over end - window < phenomenon time ≤ end.

        Args:
            observed_properties: which.
            end: end of the window, included.
            window: its length; counts over a longer period are left out.
            ahead: how far a thing's clock may run ahead; its window then ends with its newest.
            declared: whether to leave out what things no longer list.
        """
        rows = self._database.rows(
            _SQL["totals"],
            {
                "observed_properties": list(observed_properties),
                "end": end,
                "window": window,
                "ahead": ahead,
                "declared": declared,
                **self._gate.parameters(),
            },
        )
        return [reading_of(row) for row in rows]

    def steps(
        self,
        thing_ids: Sequence[str],
        observed_properties: Sequence[str],
        start: datetime,
        end: datetime,
        step: timedelta,
        quality: Wanted = "all",
    ) -> list[Step]:
        """Observations combined into steps, those without any left out, see `History.steps`."""
        return self._history.steps(thing_ids, observed_properties, start, end, step, quality)

    def combined(
        self,
        thing_ids: Sequence[str],
        observed_properties: Sequence[str],
        start: datetime,
        end: datetime,
        step: timedelta,
    ) -> list[Combined]:
        """What things say together in each step, see `History.combined`."""
        return self._history.combined(thing_ids, observed_properties, start, end, step)

    def usual_period_s(
        self,
        thing_ids: Sequence[str],
        observed_properties: Sequence[str],
        start: datetime,
        end: datetime,
    ) -> int | None:
        """The counting period, seconds, of the slowest of these datastreams in start < time ≤ end."""
        return self._history.usual_period_s(thing_ids, observed_properties, start, end)

    def evidence(
        self,
        thing_ids: Sequence[str],
        observed_properties: Sequence[str],
        start: datetime,
        end: datetime,
        step: timedelta,
    ) -> Evidence:
        """What explains the gaps of a series, see `History.evidence`."""
        return self._history.evidence(thing_ids, observed_properties, start, end, step)

    def horizons(self) -> Horizons:
        """What is kept no longer."""
        return self._database.reading(horizons)

    def counters(self) -> Counters:
        """What all ingests together have done, and what those of the last day hold."""
        (row,) = self._database.rows(_SQL["counters"], {"within": REMEMBERED})
        last_stored_at, waiting = row.pop("last_stored_at"), row.pop("waiting")
        return Counters(tally=Tally(**row), waiting=waiting, last_stored_at=last_stored_at)

    def freshness(self) -> list[tuple[datetime | None, int | None]]:
        """Of every thing the time of its newest observation and its longest period, seconds."""
        rows = self._database.rows(_SQL["freshness"])
        return [(row["last_observed_at"], row["period_s"]) for row in rows]

    def ingests(self) -> list[IngestRow]:
        """Every ingest that has written of itself in the last day, by id."""
        return [
            IngestRow(
                ingest_id=row.pop("ingest_id"),
                seen_at=row.pop("seen_at"),
                state=IngestState(waiting=row.pop("waiting"), lag_s=row.pop("lag_s")),
                tally=Tally(**row),
            )
            for row in self._database.rows(_SQL["ingests"], {"within": REMEMBERED})
        ]

    def rejected(self, limit: int = 100) -> list[RejectedRow]:
        """The newest rejected messages, payloads included."""
        return Rejected(self._database).find(limit=limit)

    def rejected_by_reason(self) -> dict[str, int]:
        """How many rejected messages are kept, by reason."""
        kept = Rejected(self._database).by_reason()
        return {reason: amount.messages for reason, amount in kept.items()}


def _thing_row(row: dict[str, Any]) -> ThingRow:
    return ThingRow(
        thing=Thing(
            thing_id=row["thing_id"],
            name=row["name"],
            name_en=row["name_en"],
            kind=row["kind"],
            longitude=row["longitude"],
            latitude=row["latitude"],
            datastreams=tuple(row["datastreams"]),
            effective_width_m=row["effective_width_m"],
            capacity=row["capacity"],
            owner=row["owner"],
        ),
        registered_at=row["registered_at"],
        last_observed_at=row["last_observed_at"],
        period_s=row["period_s"],
    )
