"""The steps of each single datastream of a series, put together from the pieces that they are read from."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import LiteralString

from psycopg.rows import tuple_row

from tsuji_platform.analytics.readings import Step
from tsuji_platform.store import queries
from tsuji_platform.store.cover import DAY, FIVE_MINUTES, HOUR, RAW
from tsuji_platform.store.database import Connection
from tsuji_platform.store.history_pieces import Pieces, StreamPiece
from tsuji_platform.store.history_plan import Plan

_SQL = queries.load("history")
_SOURCES: Mapping[timedelta, LiteralString] = {
    RAW: _SQL["pieces_raw"],
    FIVE_MINUTES: _SQL["pieces_5min"],
    HOUR: _SQL["pieces_hour"],
    DAY: _SQL["pieces_day"],
}
_AS_THEY_ARE: Mapping[timedelta, LiteralString] = {
    FIVE_MINUTES: _SQL["buckets"],
    HOUR: _SQL["buckets"].replace("rollup_5min", "rollup_hour"),
    DAY: _SQL["buckets"].replace("rollup_5min", "rollup_day"),
}
"""For steps of that length."""
_TOLD: Mapping[timedelta, LiteralString] = {
    HOUR: _SQL["told_parts"],
    DAY: _SQL["told_parts"].replace("rollup_hour", "rollup_day"),
}
"""Of counts, small ones taken off."""
_end = attrgetter("end")

_Part = tuple[datetime, int, float, float, float, float, int]
"""End of step, n, total, highest, sine, cosine, how many small counts are left out."""


def steps_of_plan(connection: Connection, plan: Plan, pieces: Pieces) -> list[Step]:
    """The steps of some pieces of a plan, in order of time; those without observations are left out."""
    found: defaultdict[int, list[_Part]] = defaultdict(list)
    sources = [width for width, its in pieces.items() if its]
    read = [key for width in sources for key, _, _ in pieces[width]]
    are_cut = len(set(read)) < len(read)  # a step may then be in several of them
    for width in sources:
        for query, its in _questions(plan, width, pieces[width]):
            with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
                for key, *part in cursor.execute(query, plan.values(its)).fetchall():
                    if not plan.gone or not plan.lacks(part[0]):
                        found[key].append(tuple(part))
    steps = [
        Step(
            thing_id=plan.names[key][0],
            observed_property=plan.names[key][1],
            end=part[0],
            n=part[1],
            total=part[2],
            highest=part[3],
            sine=part[4],
            cosine=part[5],
            left_out=part[6],
        )
        for key in sorted(found, key=plan.names.__getitem__)
        for part in (_joined(found[key]) if are_cut else found[key])
    ]
    steps.sort(key=_end)
    return steps


def _questions(
    plan: Plan, width: timedelta, pieces: Sequence[StreamPiece]
) -> Iterator[tuple[LiteralString, Sequence[StreamPiece]]]:
    """What is asked of one source, of which pieces."""
    if plan.quality != "all":
        yield _SQL["pieces_judged"], pieces
        return
    counted, others = plan.counted(width, pieces)
    if counted:
        yield _TOLD[width], counted
    if others:
        yield (_AS_THEY_ARE if width == plan.step else _SOURCES)[width], others


def _joined(parts: Iterable[_Part]) -> Iterable[_Part]:
    """One part a step, of those that different sources gave for it."""
    steps: dict[datetime, _Part] = {}
    for part in parts:
        held = steps.get(part[0])
        steps[part[0]] = part if held is None else _added(held, part)
    return steps.values()


def _added(one: _Part, other: _Part) -> _Part:
    return (
        one[0],
        one[1] + other[1],
        one[2] + other[2],
        max(one[3], other[3]),
        one[4] + other[4],
        one[5] + other[5],
        one[6] + other[6],
    )
