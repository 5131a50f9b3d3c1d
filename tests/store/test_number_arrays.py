"""Arrays of the database as numpy arrays."""

import numpy as np
import psycopg
import pytest

from tsuji_platform.store.number_arrays import as_numpy


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("'{1,-2,3}'::int4[]", np.array([1, -2, 3], dtype=np.int32)),
        ("'{1.5,NaN,-Infinity}'::float8[]", np.array([1.5, np.nan, -np.inf])),
        ("'{{1,2,3},{4,5,6}}'::float8[]", np.array([[1.0, 2, 3], [4, 5, 6]])),
        ("'[7:8]={1,2}'::int4[]", np.array([1, 2], dtype=np.int32)),
        ("'{}'::float8[]", np.array([])),
        # may hold a NULL as far as its head tells, and doesn't
        ("array_replace('{1,NULL}'::float8[], NULL, 0)", np.array([1.0, 0])),
        (
            "(SELECT array_agg(array_replace(it, NULL, 0)) FROM (VALUES ('{1,NULL}'::float8[]),"
            " ('{2,3}')) AS one (it))",
            np.array([[1.0, 0], [2, 3]]),
        ),
    ],
)
def test_numbers_come_in_the_shape_of_their_array(
    hub_url: str, said: str, expected: np.ndarray
) -> None:
    with psycopg.connect(hub_url) as connection, connection.cursor(binary=True) as cursor:
        as_numpy(cursor)
        (found,) = cursor.execute(f"SELECT {said}".encode()).fetchone() or (None,)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_a_null_is_refused_and_none_at_all_is_none(hub_url: str) -> None:
    with psycopg.connect(hub_url) as connection, connection.cursor(binary=True) as cursor:
        as_numpy(cursor)
        assert cursor.execute("SELECT NULL::int4[]").fetchone() == (None,)
        with pytest.raises(ValueError, match="has a NULL"):
            cursor.execute("SELECT '{1,NULL,3}'::float8[]").fetchone()
        plain = connection.cursor(binary=True)
        assert plain.execute("SELECT '{1,NULL}'::int4[]").fetchone() == ([1, None],)
