"""Adds many datastreams up in the database: an answer takes the memory of its steps, however many they are.

Pieces and sources are those of `history_plan`. A piece that holds whole steps is added up where it lies.
Of what is cut off at its ends, and of things that say the same by several datastreams, the steps of each
datastream are read and put together here, so many at a time. Both give one `Combined` for a step, and
these add up.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, LiteralString

from psycopg.rows import tuple_row

from tsuji_platform.analytics.combine import added, is_told_twice, over_things
from tsuji_platform.analytics.readings import Combined
from tsuji_platform.store import queries
from tsuji_platform.store.cover import DAY, FIVE_MINUTES, HOUR, RAW, ceiling, floor_to_step
from tsuji_platform.store.database import Connection
from tsuji_platform.store.history_parts import steps_of_plan
from tsuji_platform.store.history_pieces import StreamPiece
from tsuji_platform.store.history_plan import DIRECTIONS, Plan

_SQL = queries.load("history_combined")
_TABLES: dict[timedelta, LiteralString] = {
    FIVE_MINUTES: "rollup_5min",
    HOUR: "rollup_hour",
    DAY: "rollup_day",
}
_AT_ONCE = 50_000
"""Steps of single datastreams in memory at the most."""


def combined_of(connection: Connection, plan: Plan) -> list[Combined]:
    """What all datastreams of a plan say together in each step, in order of time."""
    told_twice = _told_twice(plan)
    whole: defaultdict[timedelta, list[StreamPiece]] = defaultdict(list)
    apart: defaultdict[timedelta, list[StreamPiece]] = defaultdict(list)
    for width, pieces in plan.pieces.items():
        for key, start, end in pieces:
            first, last = ceiling(start, plan.step), floor_to_step(end, plan.step)
            if key in told_twice or first >= last:
                apart[width].append((key, start, end))
                continue
            whole[width].append((key, first, last))
            apart[width] += [it for it in ((key, start, first), (key, last, end)) if it[1] < it[2]]
    found: dict[datetime, Combined] = {}
    for one in chain(_whole(connection, plan, whole), _apart(connection, plan, apart)):
        held = found.get(one.end)
        found[one.end] = one if held is None else added(held, one)
    return [found[end] for end in sorted(found) if not (plan.gone and plan.lacks(end))]


def _told_twice(plan: Plan) -> set[int]:
    """The datastreams of things of which not all count in each step."""
    things: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for key, (thing_id, observed_property) in plan.names.items():
        things[thing_id][observed_property] = key
    return {key for names in things.values() if is_told_twice(names) for key in names.values()}


def _whole(
    connection: Connection, plan: Plan, by_width: dict[timedelta, list[StreamPiece]]
) -> Iterator[Combined]:
    """What is added up in the database: pieces of whole steps."""
    for width, pieces in by_width.items():
        counted, others = plan.counted(width, pieces)
        query = _SQL["steps_raw"]
        if width != RAW and width != plan.step:
            query = _SQL["longer_steps"]
        elif width != RAW:
            query = _SQL["plain_steps" if _are_plain(plan, others) else "whole_steps"]
        query = _of_width(query, width)
        told = _SQL["told_steps"].replace("rollup_hour", _TABLES.get(width, ""))
        for asked, its in ((query, others), (told, counted)):
            for row in _rows(connection, asked, plan, its) if its else ():
                yield Combined(*row)


def _are_plain(plan: Plan, pieces: Sequence[StreamPiece]) -> bool:
    """Whether these are no directions, and nothing of them is withheld."""
    keys = {key for key, _, _ in pieces}
    return not any(plan.small_below[key] or plan.names[key][1] in DIRECTIONS for key in keys)


def _apart(
    connection: Connection, plan: Plan, by_width: dict[timedelta, list[StreamPiece]]
) -> Iterator[Combined]:
    """What is put together here, from windows of time that are no larger than memory wants."""
    everything = [piece for pieces in by_width.values() for piece in pieces]
    if not everything:
        return
    length = plan.step * max(1, _AT_ONCE // len({key for key, _, _ in everything}))
    start = floor_to_step(min(start for _, start, _ in everything), plan.step)
    last = max(end for _, _, end in everything)
    while start < last:
        end = start + length
        clipped = {
            width: [
                (key, max(a, start), min(b, end)) for key, a, b in pieces if a < end and b > start
            ]
            for width, pieces in by_width.items()
        }
        yield from over_things(steps_of_plan(connection, plan, clipped)).values()
        start = end


def periods_of(connection: Connection, plan: Plan) -> dict[int, Counter[int]]:
    """How many counts each datastream has of which period, seconds.

    Buckets with counts over several periods don't tell how many there are of each: they are read from the
    observations, as far as these are kept.
    """
    counted: defaultdict[int, Counter[int]] = defaultdict(Counter)
    several: list[StreamPiece] = []
    for width, pieces in plan.pieces.items():
        query = _of_width(_SQL["periods_raw" if width == RAW else "periods"], width)
        for key, period, n, of_several in _rows(connection, query, plan, pieces):
            if of_several is None:
                counted[key][period] += n
            else:
                several.append((key, of_several - width, of_several))
    if several:
        for key, period, n, _ in _rows(connection, _SQL["periods_raw"], plan, several):
            counted[key][period] += n
    return counted


def _of_width(query: LiteralString, width: timedelta) -> LiteralString:
    return query if width == RAW else query.replace("rollup_5min", _TABLES[width])


def _rows(
    connection: Connection, query: LiteralString, plan: Plan, pieces: Sequence[StreamPiece]
) -> Iterator[tuple[Any, ...]]:
    with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        yield from cursor.execute(query, plan.values(pieces)).fetchall()
