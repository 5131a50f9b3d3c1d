"""Columns of Parquet as the importer takes them: text that repeats is held once, and what is too long is cut.

A file of some kilobytes may say that a text of megabytes stands in every row: to write it out once for each
row would take all the memory there is. So texts stay coded (a number for each row, and each text once), and
those that are longer than any name, time or number are replaced by their beginning and a remark, which
nothing is called; so the row is refused like any other that can't be believed.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MAX_CELL_BYTES = 10_000
"""No name is longer."""
_MAX_NUMBER_BYTES = 100
"""No time is longer, and no number."""
_SHOWN_BYTES = 200


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text, coded or not, marked as such or not."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        test(kind)
        for test in (
            pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
            pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view,
        )
    )  # fmt: skip


def is_value(kind: pa.DataType) -> bool:
    """Whether each cell of a column is one short value, or text."""
    return is_text(kind) or pa.types.is_null(kind) or pa.types.is_primitive(kind) or (
        pa.types.is_decimal(kind)
    )  # fmt: skip


def names_of(column: pa.Array) -> pa.DictionaryArray:
    """Names, coded."""
    return _coded(column, MAX_CELL_BYTES)


def values_of(column: pa.Array) -> pa.Array:
    """Times or numbers that are written as text."""
    return _coded(column, _MAX_NUMBER_BYTES).dictionary_decode()


def octets_of(column: pa.Array) -> NDArray[np.int64]:
    """How long the text in each row is."""
    if pa.types.is_dictionary(column.type):
        lengths = pc.take(pc.binary_length(column.dictionary), column.indices)
    else:
        lengths = pc.binary_length(column)
    return np.asarray(pc.fill_null(lengths, 0)).astype(np.int64)


def _coded(column: pa.DictionaryArray, longest: int) -> pa.DictionaryArray:
    """Only what these rows use, as text, cut where it is too long."""
    used = pc.unique(column.indices.drop_null())
    indices = pc.index_in(column.indices, used)
    octets = column.dictionary.cast(pa.binary()).take(used)
    long = np.flatnonzero(np.asarray(pc.binary_length(octets)) > longest)
    if len(long):
        mask = np.zeros(len(octets), bool)
        mask[long] = True
        begun = [
            f"{pc.binary_slice(octets[place], 0, _SHOWN_BYTES).as_py().decode('utf-8', 'replace')}"
            f"… ({len(octets[place].as_buffer()):,} bytes)".encode()
            for place in long.tolist()
        ]
        octets = pc.replace_with_mask(octets, mask, pa.array(begun, pa.binary()))
    try:
        texts = octets.cast(pa.string())
    except pa.ArrowInvalid:  # some of it is no UTF-8
        texts = pa.array(
            [one.decode("utf-8", "backslashreplace") for one in octets.to_pylist()], pa.string()
        )
    return pa.DictionaryArray.from_arrays(indices, texts)
