"""Reads series of any length at the cost of what they show, always equal to the observations.

Each part of a span is read from the coarsest rollup that steps can be made of; what the log of
changes names (see `changed`), and what is cut off at the ends, from finer ones and at last from the
observations. Log, rollups and observations are read as they are at one moment, so the answer is right
however far the refresher is behind, and if there is none.

Steps that would need what is no longer kept (see `horizon`) are left out, never made of a part.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.rows import DictRow

from tsuji_platform.analytics.gaps import Evidence, Span
from tsuji_platform.analytics.readings import Combined, Step
from tsuji_platform.analytics.suppression import COUNTS, OPEN, Gate
from tsuji_platform.store import queries
from tsuji_platform.store.changed import bucket_of
from tsuji_platform.store.cover import FIVE_MINUTES, HOUR, ORIGIN
from tsuji_platform.store.database import Connection, Database
from tsuji_platform.store.history_combined import combined_of, periods_of
from tsuji_platform.store.history_parts import steps_of_plan
from tsuji_platform.store.history_plan import plan
from tsuji_platform.store.horizon import Horizons, at_one_moment, horizons, kept_since
from tsuji_platform.store.quality import Wanted

_SQL = queries.load("history")
_MIN, _MAX = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class History:
    """Read access to what was, of one database.

    Args:
        database: which.
        gate: withholds small counts.
    """

    def __init__(self, database: Database, gate: Gate = OPEN) -> None:
        self._database = database
        self._gate = gate

    def steps(
        self,
        thing_ids: Sequence[str],
        observed_properties: Sequence[str],
        start: datetime,
        end: datetime,
        step: timedelta,
        quality: Wanted = "all",
    ) -> list[Step]:
        """Observations with start < phenomenon time ≤ end combined into steps, in order of time.

        Args:
            thing_ids: whose.
            observed_properties: of what.
            start: aware.
            end: aware.
            step: of any length; multiples of five minutes, of an hour and of a day are the cheaper,
                the longer. Steps are counted from midnight in Tokyo; empty ones are left out.
            quality: only of the observations that are flagged, or are not.
        """
        asked = thing_ids, observed_properties, start, end, step
        return at_one_moment(
            self._database, lambda connection: steps_of(connection, *asked, self._gate, quality)
        )

    def combined(
        self,
        thing_ids: Sequence[str],
        observed_properties: Sequence[str],
        start: datetime,
        end: datetime,
        step: timedelta,
    ) -> list[Combined]:
        """The same, all things together: one for each step in which any of them was observed.

        Takes the memory of so many steps, however many things there are.
        """
        asked = thing_ids, observed_properties, start, end, step
        return at_one_moment(
            self._database,
            lambda connection: combined_of(connection, plan(connection, *asked, self._gate)),
        )

    def usual_period_s(
        self,
        thing_ids: Sequence[str],
        observed_properties: Sequence[str],
        start: datetime,
        end: datetime,
    ) -> int | None:
        """The longest of the periods that datastreams counted over most often in start < time ≤ end.

        A single odd one, such as the hour that a clock change doubles, decides nothing.
        """

        def read(connection: Connection) -> int | None:
            asked = plan(connection, thing_ids, observed_properties, start, end, HOUR)
            found = periods_of(connection, asked)
            # of two that are as frequent the longer
            usual = [max(its, key=lambda one: (its[one], one)) for its in found.values()]
            return max(usual, default=None)

        return at_one_moment(self._database, read)

    def evidence(
        self,
        thing_ids: Sequence[str],
        observed_properties: Sequence[str],
        start: datetime,
        end: datetime,
        step: timedelta,
    ) -> Evidence:
        """What explains the gaps of a series.

        A datastream exists from its first observation, or the registration of its thing if that was
        earlier, until its last one if the thing no longer lists it. Refused messages are known by the
        time at which they arrived, and as long as they are kept.
        """
        asked = {
            "thing_ids": list(thing_ids),
            "observed_properties": list(observed_properties),
            "start": start,
            "end": end,
            "first_bucket": bucket_of(start),
            "step": step,
            "origin": ORIGIN,
        }

        def read(connection: Connection) -> tuple[list[DictRow], DictRow, Horizons]:
            presence = connection.execute(_SQL["presence"], asked).fetchall()
            (row,) = connection.execute(_SQL["refused"], asked).fetchall()
            return presence, row, horizons(connection)

        presence, row, kept = self._database.reading(read)
        existed = [
            Span(start=_began(it), end=_MAX if it["declared"] else it["last_time"] or _MIN)
            for it in presence
        ]
        refused = [Span(start=it.lower, end=it.upper) for it in row["steps"] or ()]
        made_of = step
        if (
            self._gate
            and not set(COUNTS).isdisjoint(observed_properties)
            and not step % FIVE_MINUTES
        ):
            made_of = FIVE_MINUTES  # longer sums don't tell which of their counts are small
        return Evidence(existed=existed, refused=refused, kept_since=kept_since(kept, made_of))


def _began(row: Mapping[str, Any]) -> datetime:
    if row["began_before"]:
        return _MIN
    registered: datetime = row["registered_at"]
    return min(registered, row["first_time"] or registered)


def steps_of(
    connection: Connection,
    thing_ids: Sequence[str],
    observed_properties: Sequence[str],
    start: datetime,
    end: datetime,
    step: timedelta,
    gate: Gate = OPEN,
    quality: Wanted = "all",
) -> list[Step]:
    """As `History.steps`, within a transaction that sees one moment."""
    asked = plan(connection, thing_ids, observed_properties, start, end, step, gate, quality)
    return steps_of_plan(connection, asked, asked.pieces)
