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


def note_changed(
    cursor: psycopg.Cursor[Any], datastream_ids: Iterable[int], times: Iterable[datetime]
) -> None:
    """Say which observations this transaction has added, altered or deleted.

    To be called by whatever writes to `observation`, before it commits.

    Args:
        cursor: of the connection that writes them, within its transaction.
        datastream_ids: of each observation.
        times: their phenomenon times, in the same order; quickest where equal ones stand together.
    """
    touched: dict[int, set[int]] = {}
    before: datetime | None = None
    add = set[int]().add
    for datastream_id, moment in zip(datastream_ids, times, strict=True):
        if moment is not before:
            before = moment
            add = touched.setdefault(bucket_of(moment), set()).add
        add(datastream_id)
    if len(touched) == 1:  # nearly all batches of a live stream
        ((bucket, datastream_ids),) = touched.items()
        note_runs(cursor, ((one, bucket, bucket) for one in datastream_ids))
    else:
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


def _runs(touched: dict[int, set[int]]) -> Iterator[Run]:
    """Join buckets of one datastream that lie near each other."""
    held: dict[int, tuple[int, int]] = {}
    for bucket in sorted(touched):
        for datastream_id in touched[bucket]:
            first, last = held.get(datastream_id, (bucket, bucket))
            if bucket - last > SAME_RUN:
                yield datastream_id, first, last
                first = bucket
            held[datastream_id] = first, bucket
    for datastream_id, (first, last) in held.items():
        yield datastream_id, first, last


def members_of(block: int, bits: int) -> Iterator[int]:
    """The datastreams that a row of the log speaks of."""
    while bits:
        lowest = bits & -bits
        yield block << 5 | lowest.bit_length() - 1
        bits ^= lowest
