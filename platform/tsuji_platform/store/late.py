"""Which sums can still be made anew where observations are no longer kept: none may lose what it was made of.

Retention drops observations (and, later, rollups of five minutes and hours) once nothing in the log of
changes names them (see `history_retention`). What comes afterwards for that time is stored like all
else, and the log names its bucket; but to make a sum anew from what is there now would replace it by a
part of itself. The rules:

- A sum that exists, and of which something was dropped, is sealed: it stays as it is for ever.
- A sum that does not exist lacks nothing, since what was dropped had been rolled up: had there been an
  observation, there would be a sum. So it is made of what has come since, and says during which period
  between two drops that was (column `drops`).
- Until the next drop everything that it was made of is still there: it can be made anew. After it, it is
  sealed like all others.
- Where rollups of five minutes are dropped, too, their absence says nothing; the hour around them speaks
  for them, and where hours are dropped, the day.

So an import of years of history goes into all rollups although observations are kept for a month only:
what comes late is kept until nothing else has come late for a day, three days at the most
(`history_retention`), and only buckets that were split over two imports further apart are not added up.
Late observations of sealed sums are in no rollup; they are counted when they are dropped
(`horizon.too_late`), and until then `tsuji retention show` counts them.

All of this runs under the refresher's lock, which retention takes as well: between the look at what is
sealed and the new sums nothing is dropped.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tsuji_platform.store import queries
from tsuji_platform.store.changed import Run, bucket_of
from tsuji_platform.store.cover import FIVE_MINUTES, HOUR, RAW, moment
from tsuji_platform.store.database import Connection
from tsuji_platform.store.horizon import Horizons

_log = logging.getLogger(__name__)
_SQL = queries.load("horizon")
_SAY_EVERY_S = 60.0
_DAY_BUCKETS = 288
_TOKYO = 108
"""Buckets by which a day in Tokyo begins earlier than in Greenwich."""


class Sieve:
    """Keeps a refresher's hands off sealed sums; belongs to one refresher."""

    def __init__(self) -> None:
        self._say_due = 0.0

    def makeable(self, connection: Connection, runs: list[Run], kept: Horizons) -> list[Run]:
        """The buckets that can be made anew, of those that the log has named.

        Args:
            connection: of the refresher, under its lock.
            runs: of five-minute buckets, in order, none touching another.
            kept: the horizons, read under that lock.
        """
        if RAW not in kept:
            return runs
        last_gone = bucket_of(kept[RAW].since)
        early = [
            (key, first, min(last, last_gone)) for key, first, last in runs if first <= last_gone
        ]
        if not early:
            return runs
        late = _execute(connection, "late_observations", early)
        if late["n"]:
            connection.execute(_SQL["note_late"], {"earliest": late["earliest"]})
        sealed = [
            (row["datastream_id"], row["first_bucket"], row["last_bucket"])
            for row in connection.execute(_SQL["sealed"], _values(early) | _seals(kept))
        ]
        refused = _shared(early, sealed)
        if refused and late["n"]:
            self._say(_execute(connection, "late_observations", refused), kept[RAW].since)
        return without(runs, refused)

    def _say(self, late: dict[str, Any], since: datetime) -> None:
        if late["n"] and time.monotonic() >= self._say_due:
            self._say_due = time.monotonic() + _SAY_EVERY_S
            _log.warning(
                "%d observations, the oldest of %s, came when those of their time were no longer kept "
                "(before %s): they are in no rollup (docs/history.md, late observations)",
                late["n"],
                f"{late['earliest']:%Y-%m-%dT%H:%M:%SZ}",
                f"{since:%Y-%m-%dT%H:%M:%SZ}",
            )


def mark(
    connection: Connection,
    kept: Horizons,
    runs: Sequence[Run],
    hours: Sequence[Run],
    days: Sequence[Run],
) -> None:
    """Let sums that were just made of late observations say so.

    Args:
        connection: of the refresher, under its lock.
        kept: the horizons.
        runs: the five-minute buckets that were made anew.
        hours: the hours, numbered by their ends.
        days: the Tokyo days, numbered by their ends.
    """
    if not runs or RAW not in kept:
        return
    start = moment(min(first for _, first, _ in runs) - _DAY_BUCKETS)
    for source, query, made in (
        (RAW, "mark_5min", runs),
        (FIVE_MINUTES, "mark_hour", hours),
        (HOUR, "mark_day", days),
    ):
        if source in kept and start < kept[source].since:
            values = _columns(made) | {
                "start": start,
                "since": kept[source].since,
                "drops": kept[source].drops,
            }
            connection.execute(_SQL[query], values)


def days_kept(days: Sequence[Run], kept: Horizons) -> list[Run]:
    """Of some runs of Tokyo days those whose five minutes are kept, all of them."""
    if FIVE_MINUTES not in kept:
        return list(days)
    first_kept = -(-(bucket_of(kept[FIVE_MINUTES].since) + _TOKYO) // _DAY_BUCKETS) + 1
    return [(key, max(first, first_kept), last) for key, first, last in days if last >= first_kept]


def without(runs: Sequence[Run], refused: Sequence[Run]) -> list[Run]:
    """Some runs without the buckets of others, which lie within them."""
    left: list[Run] = []
    by_key = _by_datastream(refused)
    for key, first, last in runs:
        for _, out_first, out_last in by_key.get(key, ()):
            if out_last < first or out_first > last:
                continue
            if first < out_first:
                left.append((key, first, out_first - 1))
            first = out_last + 1
        if first <= last:
            left.append((key, first, last))
    return left


def _shared(runs: Sequence[Run], others: Sequence[Run]) -> list[Run]:
    """What others share with some runs."""
    by_key = _by_datastream(others)
    return [
        (key, max(first, other_first), min(last, other_last))
        for key, first, last in runs
        for _, other_first, other_last in by_key.get(key, ())
        if other_first <= last and other_last >= first
    ]


def _by_datastream(runs: Sequence[Run]) -> dict[int, list[Run]]:
    """In order; those that overlap are joined."""
    by_key: dict[int, list[Run]] = {}
    for key, first, last in sorted(runs):
        held = by_key.setdefault(key, [])
        if held and first <= held[-1][2] + 1:
            held[-1] = key, held[-1][1], max(last, held[-1][2])
        else:
            held.append((key, first, last))
    return by_key


def _seals(kept: Horizons) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, width in (("raw", RAW), ("five", FIVE_MINUTES), ("hour", HOUR)):
        values[f"{name}_since"] = kept[width].since if width in kept else None
        values[f"{name}_drops"] = kept[width].drops if width in kept else None
    return values


def _columns(runs: Sequence[Run]) -> dict[str, Any]:
    ids, firsts, lasts = (list(column) for column in zip(*runs, strict=True))
    return {"datastream_ids": ids, "firsts": firsts, "lasts": lasts}


def _values(runs: Sequence[Run]) -> dict[str, Any]:
    # the outer bounds are constants, so that chunks beyond them are not even planned for
    return _columns(runs) | {
        "start": moment(min(first for _, first, _ in runs)),
        "end": moment(max(last for _, _, last in runs)),
    }


def _execute(connection: Connection, query: str, runs: Sequence[Run]) -> dict[str, Any]:
    (row,) = connection.execute(_SQL[query], _values(runs)).fetchall()
    return row
