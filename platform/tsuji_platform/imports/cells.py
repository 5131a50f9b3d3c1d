"""Cells of files as numbers: whole columns of what is plainly one, single cells with all that may be one."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tsuji_platform.contract import Reason, RejectedError
from tsuji_platform.contract.messages import MAX_PERIOD_S
from tsuji_platform.contract.rejection import quote

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBER_RE2 = r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$"
_WHOLE_RE2 = r"^[0-9]{1,9}$"


def encoded(column: pa.Array) -> tuple[NDArray[np.int64], list[str]]:
    """Each cell's place among the texts that occur, and these; what is missing is empty."""
    coded = (
        column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column, "encode")
    )
    texts = [text_of(one) for one in coded.dictionary.to_pylist()]
    indices = coded.indices
    if indices.null_count:
        indices, texts = pc.fill_null(indices, len(texts)), [*texts, ""]
    return np.asarray(indices).astype(np.int64), texts


def numbers_of(column: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Results, and which of them are numbers (NaN and the infinite are, but are in no range)."""
    kind = column.type
    if pa.types.is_string(kind):
        try:
            numbers = column.cast(pa.float64())
        except pa.ArrowInvalid:
            plain = pc.match_substring_regex(column, _NUMBER_RE2)
            try:
                numbers = pc.if_else(plain, column, None).cast(pa.float64())
            except pa.ArrowInvalid:
                numbers = pa.nulls(len(column), pa.float64())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = column.cast(pa.float64(), safe=False)
    else:
        numbers = pa.nulls(len(column), pa.float64())
    return np.asarray(pc.fill_null(numbers, np.nan)), np.asarray(pc.is_valid(numbers))


def periods_of(column: pa.Array | None, count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Seconds, 0 for none, and which are plainly good."""
    if column is None or pa.types.is_null(column.type):
        return np.zeros(count, np.int64), np.ones(count, bool)
    empty = pc.is_null(column, nan_is_null=True)
    if pa.types.is_string(column.type):
        empty = pc.or_(empty, pc.equal(column, ""))
        column = pc.if_else(pc.match_substring_regex(column, _WHOLE_RE2), column, None)
    try:
        numbers = np.asarray(pc.fill_null(pc.if_else(empty, None, column).cast(pa.int64()), 0))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        numbers = np.zeros(count, np.int64)
    none = np.asarray(pc.fill_null(empty, True))
    return numbers, none | ((numbers > 0) & (numbers <= MAX_PERIOD_S))


def text_of(value: object) -> str:
    """A cell as text; what is missing is empty."""
    return "" if value is None else str(value)


def number_of(name: str, value: object) -> float:
    """The number that stands in a cell.

    Raises:
        RejectedError: `not_a_number`.
    """
    if isinstance(value, str):
        text = value.strip(" \t")
        if _NUMBER.fullmatch(text):
            return float(text)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise RejectedError(Reason.NOT_A_NUMBER, f"{quote(name)} is {quote(value)}, not a number")


def whole_of(value: object) -> object:
    """Whole seconds that stand as text or, as pandas writes them beside gaps, as 300.0."""
    if isinstance(value, str):
        text = value.strip(" \t")
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            return value
        number = float(text)
        return int(number) if number.is_integer() else value
    if isinstance(value, float):
        return None if value != value else int(value) if value.is_integer() else value
    return value
