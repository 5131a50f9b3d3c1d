"""What all things said at a past moment: from the observations, or from sums where these are gone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tsuji_platform.analytics.combine import step_value
from tsuji_platform.analytics.readings import Reading, Step
from tsuji_platform.analytics.suppression import OPEN, Gate, withholds, withholds_sum
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.store import queries
from tsuji_platform.store.cover import FIVE_MINUTES, HOUR, RAW, floor_to_step
from tsuji_platform.store.database import Connection, Database
from tsuji_platform.store.horizon import Horizons, at_one_moment, horizons

_SQL = queries.load("reading")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The state of all things at a past moment.

    Attributes:
        newest: of each datastream that was observed in the window before it.
        totals: of each datastream over that window.
        made_of: `RAW`, or the length of the sums that stand in for observations that are gone: readings
            then are the sums' means (of directions circular, of maxima the highest), and the moment is
            the end of the last sum that was over by then. None where these are gone, too.
        kept_since: from when on there are observations; None where the window is not affected.
    """

    newest: list[Reading]
    totals: list[Reading]
    made_of: timedelta | None = RAW
    kept_since: datetime | None = None


def moment_of(
    database: Database,
    observed_properties: Sequence[str],
    at: datetime,
    window: timedelta,
    gate: Gate = OPEN,
) -> Moment:
    """What all things said in at - window < time ≤ at.

    Args:
        database: where.
        observed_properties: which of them are added up over the window.
        at: aware.
        window: what covers a longer time by itself is in no total.
        gate: withholds small counts.
    """

    def read(connection: Connection) -> Moment:
        kept = horizons(connection)
        if RAW not in kept or at - window >= kept[RAW].since:
            asked = _asked(observed_properties, at, window) | gate.parameters()
            newest, totals = (
                connection.execute(_SQL[name], asked).fetchall()
                for name in ("newest_at", "totals_at")
            )
            return Moment(
                newest=[reading_of(row) for row in newest],
                totals=[reading_of(row) for row in totals],
            )
        return _of_sums(connection, observed_properties, at, window, kept, gate)

    return at_one_moment(database, read)


def _of_sums(
    connection: Connection,
    observed_properties: Sequence[str],
    at: datetime,
    window: timedelta,
    kept: Horizons,
    gate: Gate,
) -> Moment:
    for width, table in ((FIVE_MINUTES, "rollup_5min"), (HOUR, "rollup_hour")):
        end = floor_to_step(at, width)
        if width in kept and end - window < kept[width].since:
            continue
        asked = _asked(observed_properties, end, window) | gate.parameters()
        newest, sums = (
            connection.execute(_SQL[name].replace("rollup_5min", table), asked).fetchall()
            for name in ("newest_sums", "sums")
        )
        return Moment(
            newest=[one for row in newest if (one := _mean(row)) is not None],
            totals=[reading_of(row) for row in sums],
            made_of=width,
            kept_since=kept[RAW].since,
        )
    return Moment(newest=[], totals=[], made_of=None, kept_since=kept[RAW].since)


def _asked(observed_properties: Sequence[str], end: datetime, window: timedelta) -> dict[str, Any]:
    return {
        "observed_properties": list(observed_properties),
        "start": end - window,
        "end": end,
        "window_s": window // timedelta(seconds=1),
    }


def _mean(row: Mapping[str, Any]) -> Reading | None:
    """What the observations of a sum come to; None for directions that cancel out."""
    known = OBSERVED_PROPERTIES.get(row["observed_property"])
    own = {"bucket_end", "lowest", "small_below"}
    step = Step(end=row["bucket_end"], **{k: v for k, v in row.items() if k not in own})
    value = None if known is None else step_value(step, known.aggregation)
    if value is None:
        return None
    hidden = withholds_sum(row["lowest"], row["highest"], row["small_below"])
    return Reading(
        thing_id=step.thing_id,
        observed_property=step.observed_property,
        time=step.end,
        result=0.0 if hidden else value,
        left_out=step.n if hidden else 0,
    )


def reading_of(row: Mapping[str, Any]) -> Reading:
    """An observation, or a total, from its row; a withheld count is taken out of it here."""
    hidden = withholds(row["result"], row.get("small_below", 0.0))
    return Reading(
        thing_id=row["thing_id"],
        observed_property=row["observed_property"],
        time=row["phenomenon_time"],
        result=0.0 if hidden else row["result"],
        covered_s=row.get("covered_s"),
        left_out=1 if hidden else row.get("left_out", 0),
    )
