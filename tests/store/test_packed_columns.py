"""What columns pack is what psycopg would write, value by value."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.store.columns import Columns

_Row = tuple[int, int | None, datetime, float, datetime]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSETS = st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(-timedelta(minutes=210))])
_TIMES = st.datetimes(
    datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("9999-12-01"), timezones=_OFFSETS
)
_ROWS = st.lists(
    st.tuples(
        st.integers(1, 2**31 - 1),
        st.none() | st.integers(1, 2**31 - 1),
        _TIMES,
        st.floats(allow_nan=False),
        _TIMES,
    ),
    max_size=20,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=_ROWS)
def test_the_database_reads_what_was_packed(plain_server: PrivateServer, rows: list[_Row]) -> None:
    columns = _columns(rows)
    expected = sorted(rows, key=lambda row: row[1] is not None)  # without a period first
    with psycopg.connect(plain_server.url) as connection:
        connection.execute("SET timezone = 'UTC'")
        for count, packed in ((4, columns.observations()), (5, columns.staged())):
            connection.execute(
                "CREATE TEMPORARY TABLE landing (line int4 GENERATED ALWAYS AS IDENTITY, key int4,"
                " period int4, time timestamptz, result float8, received timestamptz) ON COMMIT DROP"
            )
            names = ["key", "period", "time", "result", "received"][:count]
            into = f"COPY landing ({', '.join(names)}) FROM STDIN (FORMAT binary)"
            with connection.cursor().copy(into) as copy:
                copy.write(packed)
            stored = connection.execute(
                f"SELECT {', '.join(names)} FROM landing ORDER BY line"
            ).fetchall()
            connection.rollback()
            assert stored == [row[:count] for row in expected]


def _columns(rows: list[_Row]) -> Columns:
    return Columns(
        datastream_ids=np.array([row[0] for row in rows], np.int32),
        periods=np.array([row[1] or 0 for row in rows], np.int32),
        times_us=np.array([_us(row[2]) for row in rows], np.int64),
        results=np.array([row[3] for row in rows], np.float64),
        received_us=np.array([_us(row[4]) for row in rows], np.int64),
    )


def _us(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)
