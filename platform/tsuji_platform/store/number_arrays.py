"""Arrays of the database as numpy arrays, without a Python object for each number in between."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Cursor
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

_WORD = np.dtype(">i4")
_HEAD = 12
"""Bytes: how many dimensions there are, whether there may be a NULL, and the type."""


class _Numbers(Loader):
    """An array without NULL in its binary form (PostgreSQL's `array_send`).

    Behind its head stand length and lower bound of each dimension, then the numbers, each behind its own
    length: where none is NULL they lie at equal distances.
    """

    format = Format.BINARY
    number: np.dtype[Any]

    def load(self, data: Buffer) -> NDArray[Any]:
        """The numbers, in the array's own shape."""
        (dimensions,) = np.frombuffer(data, _WORD, 1)
        shape = np.frombuffer(data, _WORD, 2 * dimensions, offset=_HEAD)[::2]
        pairs = np.dtype([("length", _WORD), ("number", self.number)])
        count, begin = int(shape.prod()) if dimensions else 0, _HEAD + 8 * int(dimensions)
        if len(memoryview(data)) != begin + count * pairs.itemsize:
            raise ValueError("an array of numbers has a NULL")
        numbers = np.frombuffer(data, pairs, count, offset=begin)["number"]
        # a copy: what lies in a result goes with it
        return numbers.astype(self.number.newbyteorder("=")).reshape(shape if dimensions else 0)


class _Int4s(_Numbers):
    number = np.dtype(">i4")


class _Float8s(_Numbers):
    number = np.dtype(">f8")


def as_numpy(cursor: Cursor[Any]) -> None:
    """Let a cursor with binary results return `int4[]` and `float8[]` as numpy arrays.

    Args:
        cursor: which; others of its connection go on as they did. Its arrays must have no NULL.
    """
    types = cursor.adapters.types
    cursor.adapters.register_loader(types["int4"].array_oid, _Int4s)
    cursor.adapters.register_loader(types["float8"].array_oid, _Float8s)
