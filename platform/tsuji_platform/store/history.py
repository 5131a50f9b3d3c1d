"""Reads series of any length at the cost of what they show, always equal to the observations.

Each part of a span is read from the coarsest rollup that steps can be made of; what the log of
changes names (see `changed`), and what is cut off at the ends, from finer ones and at last from the
observations. Log, rollups and observations are read as they are at one moment, so the answer is right
however far the refresher is behind, and if there is none.

Steps that would need what is no longer kept (see `horizon`) are left out, never made of a part.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter, itemgetter
from typing import Any, LiteralString

from psycopg.rows import tuple_row

from tsuji_platform.analytics.gaps import Evidence, Span
from tsuji_platform.analytics.readings import Step
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation
from tsuji_platform.store import queries
from tsuji_platform.store.changed import bucket_of
from tsuji_platform.store.cover import (
    DAY,
    FIVE_MINUTES,
    HOUR,
    ORIGIN,
    RAW,
    Interval,
    Piece,
    cover,
    moment,
    widths,
)
from tsuji_platform.store.database import Connection, Database
from tsuji_platform.store.horizon import Horizons, divided, horizons, kept_since, known

_SQL = queries.load("history")
_DIRECTIONS = frozenset(
    p.id for p in OBSERVED_PROPERTIES.values() if p.aggregation is Aggregation.CIRCULAR_MEAN
)
_SOURCES: Mapping[timedelta, LiteralString] = {
    RAW: _SQL["pieces_raw"],
    FIVE_MINUTES: _SQL["pieces_5min"],
    HOUR: _SQL["pieces_hour"],
    DAY: _SQL["pieces_day"],
}
_end = attrgetter("end")
_MIN, _MAX = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

Part = tuple[datetime, int, float, float, float, float, int | None, int | None]
"""End of step, n, total, highest, sine, cosine, shortest and longest period, seconds."""


class History:
    """Read access to what was, of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def steps(
        self,
        thing_ids: Sequence[str],
        observed_properties: Sequence[str],
        start: datetime,
        end: datetime,
        step: timedelta,
    ) -> list[Step]:
        """Observations with start < phenomenon time ≤ end combined into steps, in order of time.

        Args:
            thing_ids: whose.
            observed_properties: of what.
            start: aware.
            end: aware.
            step: of any length; multiples of five minutes, of an hour and of a day are the cheaper,
                the longer. Steps are counted from midnight in Tokyo; empty ones are left out.
        """
        with self._database.transaction() as connection:
            connection.execute(_SQL["one_moment"])
            return steps_of(connection, thing_ids, observed_properties, start, end, step)

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
        values = {
            "thing_ids": list(thing_ids),
            "observed_properties": list(observed_properties),
            "start": start,
            "end": end,
        }
        with self._database.transaction() as connection:
            connection.execute(_SQL["one_moment"])
            found = _parts(connection, thing_ids, observed_properties, start, end, HOUR)
            if any(part[6] != part[7] for parts in found.values() for part in parts):
                # hours with counts over different periods don't tell how many there were of each
                (row,) = connection.execute(_SQL["usual_period"], values).fetchall()
                period: int | None = row["period_s"]
                return period
        return max(filter(None, map(_usual, found.values())), default=None)

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
        with self._database.transaction() as connection:
            existed = [
                Span(start=_began(row), end=_MAX if row["declared"] else row["last_time"] or _MIN)
                for row in connection.execute(_SQL["presence"], asked)
            ]
            (row,) = connection.execute(_SQL["refused"], asked).fetchall()
            kept = horizons(connection)
        refused = [Span(start=it.lower, end=it.upper) for it in row["steps"] or ()]
        return Evidence(existed=existed, refused=refused, kept_since=kept_since(kept, step))


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
) -> list[Step]:
    """As `History.steps`, within a transaction that sees one moment."""
    found = _parts(connection, thing_ids, observed_properties, start, end, step)
    steps = [
        Step(
            thing_id=thing_id,
            observed_property=observed_property,
            end=part[0],
            n=part[1],
            total=part[2],
            highest=part[3],
            sine=part[4],
            cosine=part[5],
        )
        for (thing_id, observed_property), parts in sorted(found.items())
        for part in parts
    ]
    steps.sort(key=_end)
    return steps


def _usual(parts: Iterable[Part]) -> int | None:
    """The most frequent period of a datastream; of two the longer."""
    counted: Counter[int] = Counter()
    for part in parts:
        if part[7] is not None:
            counted[part[7]] += part[1]
    return max(counted, key=lambda period: (counted[period], period), default=None)


def _parts(
    connection: Connection,
    thing_ids: Sequence[str],
    observed_properties: Sequence[str],
    start: datetime,
    end: datetime,
    step: timedelta,
) -> dict[tuple[str, str], list[Part]]:
    """The steps of each datastream, in order of time; in a transaction that sees one moment."""
    asked = {
        "thing_ids": list(thing_ids),
        "observed_properties": list(observed_properties),
        "first_bucket": bucket_of(start),
        "last_bucket": bucket_of(end),
    }
    streams = connection.execute(_SQL["stale"], asked).fetchall()
    names = {row["datastream_id"]: (row["thing_id"], row["observed_property"]) for row in streams}
    pieces, gone = _pieces(streams, start, end, widths(step), horizons(connection))
    found: dict[int, list[Part]] = defaultdict(list)
    for width, (ids, starts, ends) in pieces.items():
        values = {
            "datastream_ids": ids,
            "starts": starts,
            "ends": ends,
            "start": min(starts),
            "end": max(ends),
            "directions": [key for key in names if names[key][1] in _DIRECTIONS],
            "step": step,
            "origin": ORIGIN,
        }
        with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
            for datastream_id, *part in cursor.execute(_SOURCES[width], values):
                if not gone or not any(part[0] > a and part[0] - step < b for a, b in gone):
                    found[datastream_id].append(tuple(part))
    mixed = len(pieces) > 1
    return {names[key]: _joined(parts) if mixed else parts for key, parts in found.items()}


def _pieces(
    streams: Iterable[Mapping[str, Any]],
    start: datetime,
    end: datetime,
    sources: Sequence[timedelta],
    kept: Horizons,
) -> tuple[dict[timedelta, tuple[list[int], list[datetime], list[datetime]]], set[Interval]]:
    """What to read from where, and the times of which something that would be needed is gone.

    The first are datastreams, starts and ends by the width of the rollup's buckets.
    """
    pieces: dict[timedelta, tuple[list[int], list[datetime], list[datetime]]] = {}
    covers: dict[tuple[Interval, ...], list[Piece]] = {}
    lost: set[Interval] = set()
    for row in streams:
        stale = known(
            [(moment(run.lower - 1), moment(run.upper - 1)) for run in row["buckets"] or ()], kept
        )
        if stale not in covers:
            covers[stale], gone = divided(list(cover(start, end, stale, sources)), kept)
            lost.update(gone)
        for width, piece_start, piece_end in covers[stale]:
            ids, starts, ends = pieces.setdefault(width, ([], [], []))
            ids.append(row["datastream_id"])
            starts.append(piece_start)
            ends.append(piece_end)
    return pieces, lost


def _joined(parts: Iterable[Part]) -> list[Part]:
    """One part a step, of those that different sources gave for it."""
    steps: dict[datetime, Part] = {}
    for part in parts:
        held = steps.get(part[0])
        steps[part[0]] = part if held is None else _added(held, part)
    return sorted(steps.values(), key=itemgetter(0))


def _added(one: Part, other: Part) -> Part:
    return (
        one[0],
        one[1] + other[1],
        one[2] + other[2],
        max(one[3], other[3]),
        one[4] + other[4],
        one[5] + other[5],
        _shorter(one[6], other[6]),
        max(filter(None, (one[7], other[7])), default=None),
    )


def _shorter(one: int | None, other: int | None) -> int | None:
    """The shorter period, 0 where only one of both has any."""
    return one if one == other else min(one or 0, other or 0)
