"""What is packed by hand is what psycopg would write, value by value."""

from datetime import UTC, datetime, timedelta, timezone

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.store import copy_format

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
def test_the_database_reads_what_was_packed(
    plain_server: PrivateServer, rows: list[copy_format.Row]
) -> None:
    with psycopg.connect(plain_server.url) as connection:
        connection.execute("SET timezone = 'UTC'")
        for columns, packed in ((4, copy_format.observations(rows)), (5, copy_format.staged(rows))):
            connection.execute(
                "CREATE TEMPORARY TABLE landing (line int4 GENERATED ALWAYS AS IDENTITY, key int4,"
                " period int4, time timestamptz, result float8, received timestamptz) ON COMMIT DROP"
            )
            names = ["key", "period", "time", "result", "received"][:columns]
            into = f"COPY landing ({', '.join(names)}) FROM STDIN (FORMAT binary)"
            with connection.cursor().copy(into) as copy:
                copy.write(packed)
            stored = connection.execute(
                f"SELECT {', '.join(names)} FROM landing ORDER BY line"
            ).fetchall()
            connection.rollback()
            assert stored == [row[:columns] for row in rows]
