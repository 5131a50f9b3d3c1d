"""Rows as columns say in every form what the same rows say one by one."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tsuji_platform.store.changed import _runs, bucket_of
from tsuji_platform.store.columns import Columns, settle

Row = tuple[int, int | None, datetime, float, datetime]
"""Datastream, period, phenomenon time, result, and when it came."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOW = datetime(2026, 4, 1, 12, 34, 56, 789012, tzinfo=UTC)
_ROWS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from([None, 60, 3600]),
        st.one_of(st.integers(0, 3), st.integers(0, 2_000_000_000_000_000)).map(
            lambda us: _EPOCH + timedelta(microseconds=us * 150_000_000 if us < 4 else us)
        ),
        st.sampled_from([0.0, 1.5, -3.25]),
    ).map(lambda row: (*row, _NOW)),
    max_size=40,
)


def _settled(rows: list[Row], *, keep: bool = False) -> tuple[Columns, int, int]:
    settled = settle(
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] or 0 for row in rows], np.int32),
        np.array([(row[2] - _EPOCH) // timedelta(microseconds=1) for row in rows], np.int64),
        np.array([row[3] for row in rows], np.float64),
        np.full(len(rows), (_NOW - _EPOCH) // timedelta(microseconds=1), np.int64),
        keep=keep,
    )
    return settled.columns, settled.repeated, settled.replaced


def _model(rows: list[Row], *, keep: bool) -> tuple[list[Row], int, int]:
    held: dict[tuple[int, datetime], Row] = {}
    last: dict[tuple[int, datetime], Row] = {}
    repeated = replaced = 0
    for row in rows:
        key = row[0], row[2]
        before = last.get(key)
        last[key] = row
        if before is None or not keep:
            held[key] = row
        if before is not None:
            repeated += before == row
            replaced += before != row
    return sorted(held.values(), key=lambda row: (row[0], row[2])), repeated, replaced


@given(rows=_ROWS, keep=st.booleans())
def test_columns_say_what_the_rows_say(rows: list[Row], keep: bool) -> None:
    columns, repeated, replaced = _settled(rows, keep=keep)
    expected, *counts = _model(rows, keep=keep)
    assert [repeated, replaced] == counts
    assert columns.newest() == _newest(expected)
    touched: dict[int, set[int]] = {}
    for row in expected:
        touched.setdefault(bucket_of(row[2]), set()).add(row[0])
    assert sorted(columns.runs()) == sorted(_runs(touched))
    some = {(row[0], row[2]) for row in expected[::2]}
    assert columns.only(some).newest() == _newest(expected[::2])


def _newest(rows: list[Row]) -> dict[str, str]:
    newest = list({row[0]: row for row in rows}.values())  # they stand in the order of their time
    columns = {
        "datastream_ids": [str(row[0]) for row in newest],
        "periods": ["null" if row[1] is None else str(row[1]) for row in newest],
        "times_us": [str((row[2] - _EPOCH) // timedelta(microseconds=1)) for row in newest],
        "results": [repr(row[3]) for row in newest],
        "received_us": [str((row[4] - _EPOCH) // timedelta(microseconds=1)) for row in newest],
    }
    return {name: "{" + ",".join(column) + "}" for name, column in columns.items()}
