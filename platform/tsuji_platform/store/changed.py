"""The log of what has changed: every way in writes to it, in the transaction of the rows themselves.

A row says that some datastreams' observations in a run of five-minute buckets are not what they
were. It may say too much (a bucket that is as it was), never too little. Nobody waits for anybody
here: rows are only added, under no unique key, and `rollups` takes them off.
"""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from tsuji_platform.store import queries

_SQL = queries.load("rollups")
_TYPES = ("int8", "int4", "int4", "int4", "bool")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BUCKET_S = 300
_BUCKET = timedelta(seconds=BUCKET_S)
SAME_RUN = 12
"""Buckets that are no further apart than this are one run: to do some more is cheaper than to say less."""
_NEW = 12
"""What lies no further back than so many buckets is not late."""

Run = tuple[int, int, int]
"""A datastream and its first and last bucket, both included."""


def bucket_of(moment: datetime) -> int:
    """The number of the bucket that a moment belongs to: the first that ends then or later.

    Bucket n ends n * 300 s after 1970-01-01T00:00Z and includes its end.
    """
    return -((_EPOCH - moment) // _BUCKET)


class _Buckets(dict[datetime, int]):
    """Numbers of buckets by moment; few moments stand in many rows."""

    def __missing__(self, moment: datetime) -> int:
        number = self[moment] = bucket_of(moment)
        return number


def note_changed(
    cursor: psycopg.Cursor[Any], datastream_ids: Iterable[int], times: Iterable[datetime]
) -> None:
    """Say which observations this transaction has added, altered or deleted.

    To be called by whatever writes to `observation`, before it commits.

    Args:
        cursor: of the connection that writes them, within its transaction.
        datastream_ids: of each observation.
        times: their phenomenon times, in the same order.
    """
    touched = set(zip(datastream_ids, map(_Buckets().__getitem__, times), strict=True))
    note_runs(cursor, _runs(touched))


def note_runs(cursor: psycopg.Cursor[Any], runs: Iterable[Run]) -> None:
    """Say the same of whole runs of buckets."""
    members: dict[tuple[int, int, int], int] = {}
    for datastream_id, first, last in runs:
        key = datastream_id >> 5, first, last
        members[key] = members.get(key, 0) | 1 << (datastream_id & 31)
    if not members:
        return
    new = int(time.time()) // BUCKET_S - _NEW
    with cursor.copy(_SQL["copy_changed"]) as copy:
        copy.set_types(_TYPES)
        for (block, first, last), bits in members.items():
            copy.write_row((bits, block, first, last, last < new))


def _runs(touched: set[tuple[int, int]]) -> Iterator[Run]:
    """Join buckets of one datastream that lie near each other."""
    held: Run | None = None
    for datastream_id, bucket in sorted(touched):
        if held is not None and held[0] == datastream_id and bucket - held[2] <= SAME_RUN:
            held = datastream_id, held[1], bucket
            continue
        if held is not None:
            yield held
        held = datastream_id, bucket, bucket
    if held is not None:
        yield held


def members_of(block: int, bits: int) -> Iterator[int]:
    """The datastreams that a row of the log speaks of."""
    while bits:
        lowest = bits & -bits
        yield block << 5 | lowest.bit_length() - 1
        bits ^= lowest
