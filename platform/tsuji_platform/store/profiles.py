"""Keeps finished days by their quarter hours: typical values are taken from them at one row a day.

A day's profile is wanted only once the day is over, so nothing is made while observations come in: the
refresher of the rollups notes which days have changed, in the transaction that changes them, and makes
the finished ones later (`finished_days`), under the same lock and from its own five-minute buckets. What
it has not made yet is read from those buckets, and what the log of changes names from the observations,
so answers are right at any moment (why that is so, `rollups` says).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from psycopg import Cursor
from psycopg.rows import tuple_row

from tsuji_platform.analytics.quarters import PROFILED, QUARTER, QUARTERS, midnight
from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.analytics.typical import Floats
from tsuji_platform.store import queries
from tsuji_platform.store.changed import bucket_of
from tsuji_platform.store.cover import FIVE_MINUTES, RAW, moment
from tsuji_platform.store.database import Connection, Database
from tsuji_platform.store.finished_days import DAY, Key, asked
from tsuji_platform.store.horizon import Horizons, at_one_moment, horizons
from tsuji_platform.store.number_arrays import as_numpy

_SQL = queries.load("profiles")
_HISTORY = queries.load("history")

Stream = tuple[str, str]
"""A thing's id and an observed property."""


class Profiles:
    """Read access to days by their quarter hours.

    Args:
        database: which.
        gate: withholds small counts: a stretch that holds any has the total infinity.
    """

    def __init__(self, database: Database, gate: Gate = OPEN) -> None:
        self._database = database
        self._gate = gate

    def of(
        self,
        thing_ids: Sequence[str],
        observed_properties: Sequence[str],
        days: Sequence[date],
        *,
        first: int = 1,
        last: int = QUARTERS,
    ) -> dict[Stream, Floats]:
        """Quarter hours `first` to `last` of some days, of each datastream that has any observation then.

        Args:
            thing_ids: whose.
            observed_properties: of what; others than `PROFILED` have none.
            days: Tokyo days.
            first: number of the first quarter hour, from 1.
            last: number of the last.

        Returns:
            Arrays of shape (2, days, quarter hours): totals, NaN where there is no observation, and
            weights, as `analytics.typical.values_of` takes them.
        """
        if not days or not thing_ids:
            return {}
        places = {day: place for place, day in enumerate(days)}

        def read(connection: Connection) -> dict[Stream, Floats]:
            found: dict[int, Floats] = defaultdict(lambda: _nothing(len(days), last - first + 1))
            known = _known(connection, thing_ids, observed_properties, days, self._gate)
            asked = {**known.asked, "first": first, "last": last}
            with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
                for datastream_id, day, totals, weights in cursor.execute(_SQL["profiles"], asked):
                    found[datastream_id][:, places[day]] = totals, weights
                for datastream_id, day, totals, weights in known.anew(cursor, first, last):
                    found[datastream_id][:, places[day]] = totals, weights
                for key, day, number in _withheld(cursor, known, days, first, last):
                    found[key][0, places[day], number - first] = np.inf
            return {known.names[key]: values for key, values in found.items() if values[1].any()}

        return at_one_moment(self._database, read)

    def sums(
        self,
        thing_ids: Sequence[str],
        observed_properties: Sequence[str],
        days: Sequence[date],
        lasts: range,
        width: int,
    ) -> dict[Stream, Floats]:
        """Sums of some quarter hours of some days, of datastreams that count; made for many of them.

        Args:
            thing_ids: whose.
            observed_properties: of what.
            days: Tokyo days.
            lasts: the number of the last quarter hour of each sum, one after the other.
            width: how many each sum is of; the first may lie on the day before.

        Returns:
            Arrays of shape (2, sums, days): totals, and the seconds that they cover.
        """
        if not days or not thing_ids:
            return {}
        first, last = lasts[0] - width + 1, lasts[-1]
        pieces = [(list(days), max(first, 1), last)]
        if first < 1:
            before = [day - DAY for day in days]
            pieces.insert(0, (before, QUARTERS + first, QUARTERS))

        def read(connection: Connection) -> dict[Stream, Floats]:
            found: dict[Stream, Floats] = defaultdict(
                lambda: np.zeros((2, last - first + 1, len(days)))
            )
            place = 0
            for its_days, start, end in pieces:
                known = _known(connection, thing_ids, observed_properties, its_days, self._gate)
                quarters = _quarters(connection, known, its_days, start, end)
                for key, values in quarters.items():
                    found[known.names[key]][:, place : place + end - start + 1] = values
                place += end - start + 1
            if not found:
                return {}
            sums = sliding_window_view(np.array(list(found.values())), width, axis=2).sum(axis=-1)
            return dict(zip(found, sums, strict=True))

        return at_one_moment(self._database, read)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is asked, and which of it is not kept as it is.

    Attributes:
        names: thing and observed property of each datastream.
        asked: for queries of what is kept.
        buckets: days that are made anew from buckets of five minutes instead.
        changed: days that are made from the observations.
        small_below: of each datastream below which a count above 0 is withheld, of those that count.
        kept: what is kept no longer.
    """

    names: Mapping[int, Stream]
    asked: Mapping[str, Any]
    buckets: Set[Key]
    changed: Set[Key]
    small_below: Mapping[int, float]
    kept: Horizons

    def anew(
        self, cursor: Cursor[tuple[Any, ...]], first: int, last: int
    ) -> Iterator[tuple[Any, ...]]:
        """Those days, each of them even if nothing is left of it: datastream, day, totals, weights."""
        for query, keys in (("profiles_5min", self.buckets), ("profiles_raw", self.changed)):
            if keys:
                values = asked(sorted(keys)) | {"first": first, "last": last}
                yield from cursor.execute(_SQL[query], values)


def _known(
    connection: Connection,
    thing_ids: Sequence[str],
    observed_properties: Sequence[str],
    days: Sequence[date],
    gate: Gate,
) -> _Known:
    streams = connection.execute(
        _HISTORY["stale"],
        {
            "thing_ids": list(thing_ids),
            "observed_properties": [name for name in observed_properties if name in PROFILED],
            "first_bucket": bucket_of(midnight(min(days))),
            "last_bucket": bucket_of(midnight(max(days)) + DAY),
            **gate.parameters(),
        },
    ).fetchall()
    names = {row["datastream_id"]: (row["thing_id"], row["observed_property"]) for row in streams}
    asked = {"datastream_ids": list(names), "days": list(days)}
    kept = horizons(connection)
    named = {key for row in streams for key in _changed(row, days)}
    changed = _whole(named, RAW, kept)
    noted = {
        (row["datastream_id"], row["day"])
        for row in connection.execute(_SQL["stale_profiles"], asked)
    }
    buckets = _whole((noted | named) - changed, FIVE_MINUTES, kept)
    small_below = {
        row["datastream_id"]: row["small_below"] for row in streams if row["small_below"]
    }
    return _Known(
        names=names,
        asked=asked,
        buckets=buckets,
        changed=changed,
        small_below=small_below,
        kept=kept,
    )


def _quarters(
    connection: Connection, known: _Known, days: Sequence[date], first: int, last: int
) -> dict[int, Floats]:
    """Quarter hours `first` to `last` of some days, by datastream: totals and weights, 0 where there is none.

    Returns:
        Arrays of shape (2, quarter hours, days).
    """
    places = {day: place for place, day in enumerate(days)}
    first_day, length = min(days), last - first + 1
    place_of = np.zeros((max(days) - first_day).days + 1, dtype=np.intp)
    place_of[[(day - first_day).days for day in days]] = range(len(days))
    asked = {**known.asked, "first_day": first_day, "first": first, "last": last}
    found: dict[int, Floats] = defaultdict(lambda: np.zeros((2, length, len(days))))
    with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        as_numpy(cursor)
        row = cursor.execute(_SQL["profile_columns"], asked).fetchone()
        if row is not None and row[0] is not None:
            ids, its_days, *both = row
            keys, rows = np.unique(ids, return_inverse=True)
            kept = np.zeros((len(keys), 2, length, len(days)))
            for column, values in enumerate(both):
                kept[rows, column, :, place_of[its_days]] = values
            found.update(zip(keys.tolist(), kept, strict=True))
    with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        for datastream_id, day, totals, weights in known.anew(cursor, first, last):
            quarters = np.array([totals, weights], dtype=np.float64)
            found[datastream_id][:, :, places[day]] = np.nan_to_num(quarters)
        for key, day, number in _withheld(cursor, known, days, first, last):
            found[key][0, number - first, places[day]] = np.inf
    return found


def _withheld(
    cursor: Cursor[tuple[Any, ...]], known: _Known, days: Sequence[date], first: int, last: int
) -> Iterator[tuple[int, date, int]]:
    """Datastream, day and number of each quarter hour in which a small count is withheld, or may be.

    It is seen by the observations; where these are no longer kept by the buckets of five minutes, of
    which the extremes tell; where these are gone, too, nothing can be told.
    """
    if not known.small_below:
        return
    raw_since, buckets_since = (
        known.kept[width].since if width in known.kept else None for width in (RAW, FIVE_MINUTES)
    )
    keys = list(known.small_below)
    for day in days:
        begin = midnight(day)
        if raw_since is None or begin >= raw_since:
            query = _SQL["withheld_raw"]
        elif buckets_since is None or begin >= buckets_since:
            query = _SQL["withheld_5min"]
        else:
            yield from ((key, day, one) for key in keys for one in range(first, last + 1))
            continue
        values = {
            "datastream_ids": keys,
            "small_below": list(known.small_below.values()),
            "midnight": begin,
            "start": begin + (first - 1) * QUARTER,
            "end": begin + last * QUARTER,
        }
        for key, number in cursor.execute(query, values).fetchall():
            yield key, day, number


def _whole(keys: Set[Key], width: timedelta, kept: Horizons) -> set[Key]:
    """Those days of which everything of one width is kept; of others what was made of them stays right."""
    if width not in kept:
        return set(keys)
    since = kept[width].since
    return {(datastream_id, day) for datastream_id, day in keys if midnight(day) >= since}


def _nothing(days: int, quarters: int) -> Floats:
    return np.stack([np.full((days, quarters), np.nan), np.zeros((days, quarters))])


def _changed(row: Mapping[str, Any], days: Sequence[date]) -> list[Key]:
    """The days of a datastream that the log of changes names."""
    return [
        (row["datastream_id"], day)
        for run in row["buckets"] or ()
        for day in days
        # moments between the ends of two buckets belong to the second
        if moment(run.lower - 1) < midnight(day) + DAY and moment(run.upper - 1) > midnight(day)
    ]
