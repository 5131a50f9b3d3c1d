"""Rows of observations in PostgreSQL's binary COPY format, packed at once rather than field by field.

psycopg's `write_row` looks up how to write each value of each row; here the columns are always the same
and a message's values share one time: a third of the work. The format is that of
https://www.postgresql.org/docs/current/sql-copy.html (file formats, binary format).
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from struct import Struct

from tsuji_platform.contract.rejection import quote
from tsuji_platform.store.errors import RowRefusedError

Row = tuple[int, int | None, datetime, float, datetime]
"""datastream_id, period_s, phenomenon_time (aware), result, received_at (aware)."""

_MISFITS = (struct.error, TypeError, OverflowError)
_BEGIN = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_NULL = -1
_COUNT = Struct("!hiiiiiqid").pack
_PLAIN = Struct("!hiiiiqid").pack
_STAGED_COUNT = Struct("!hiiiiiqidiq").pack
_STAGED_PLAIN = Struct("!hiiiiqidiq").pack


def observations(rows: Sequence[Row]) -> bytes:
    """The first four columns: int4, int4 or null, timestamptz, float8.

    Raises:
        RowRefusedError: where a value does not fit its column.
    """
    return _packed(_observations, rows)


def staged(rows: Sequence[Row]) -> bytes:
    """All five columns: int4, int4 or null, timestamptz, float8, timestamptz.

    Raises:
        RowRefusedError: where a value does not fit its column.
    """
    return _packed(_staged, rows)


def _packed(pack: Callable[[Iterable[Row]], Iterator[bytes]], rows: Sequence[Row]) -> bytes:
    try:
        return b"".join((_BEGIN, *pack(rows), _END))
    except _MISFITS:
        for row in rows:
            try:
                list(pack([row]))
            except _MISFITS as error:
                raise RowRefusedError(
                    f"result {quote(row[3])} over {quote(row[1])} s at {quote(row[2])} does not fit "
                    f"its columns: {error}"
                ) from error
        raise


def _microseconds(time: datetime) -> int:
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _observations(rows: Iterable[Row]) -> Iterator[bytes]:
    before, time_us = _EPOCH, 0
    for datastream_id, period_s, time, result, _ in rows:
        if time is not before:
            before, time_us = time, _microseconds(time)
        if period_s is None:
            yield _PLAIN(4, 4, datastream_id, _NULL, 8, time_us, 8, result)
        else:
            yield _COUNT(4, 4, datastream_id, 4, period_s, 8, time_us, 8, result)


def _staged(rows: Iterable[Row]) -> Iterator[bytes]:
    for datastream_id, period_s, time, result, received_at in rows:
        times = 8, _microseconds(time), 8, result, 8, _microseconds(received_at)
        if period_s is None:
            yield _STAGED_PLAIN(5, 4, datastream_id, _NULL, *times)
        else:
            yield _STAGED_COUNT(5, 4, datastream_id, 4, period_s, *times)
