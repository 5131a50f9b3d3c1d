"""Reads Parquet files in the long form, one batch of rows after the other, in bounded memory."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tsuji_platform.contract.rejection import quote
from tsuji_platform.imports.parquet_columns import (
    is_text,
    is_value,
    names_of,
    octets_of,
    values_of,
)
from tsuji_platform.imports.rows import Cells, ImportFileError, Place, RawRows
from tsuji_platform.imports.tables import LONG

_ROWS = 40_000
_BUFFER_BYTES = 1 << 20
_BATCH_BYTES = 16 << 20
"""Of a row group at once, where its rows are long."""
_PIECE_BYTES = 4 << 20
"""Of text judged at once, each row's written out."""
_MAX_GROUP_BYTES = 256 << 20
"""Of text in one column of a row group: Arrow holds all that are different at once."""
_SHOWN = 2_000
_OPTIONAL = {"period_s", "unit"}
_TEXTS = ("thing", "observed_property", "unit")


class ParquetRows:
    """An open Parquet file.

    Raises:
        ImportFileError: where it is none, or lacks a column.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():  # a pipe would be waited for
            raise ImportFileError(f"{path} is not a file")
        try:
            schema = pq.read_schema(path)
            texts = [field.name for field in schema if is_text(field.type)]
            self._file = pq.ParquetFile(
                path, buffer_size=_BUFFER_BYTES, pre_buffer=False, read_dictionary=texts
            )
        except (OSError, pa.ArrowException) as error:
            raise ImportFileError(f"{path} can't be read as Parquet: {error}") from error
        names: dict[str, str] = {}
        for name in self._file.schema_arrow.names:
            part = name.strip().lower()
            if part in LONG and part in names:
                raise ImportFileError(
                    f"{path} has more than one column {part}: {quote(names[part])} and "
                    f"{quote(name)}; leave one"
                )
            names[part] = name
        self._columns = {part: names[part] for part in LONG if part in names}
        missing = LONG.keys() - _OPTIONAL - self._columns.keys()
        if missing:
            raise ImportFileError(
                f"{path} has no column {', '.join(sorted(missing))}; it has "
                f"{quote(', '.join(self._file.schema_arrow.names), 160)}"
            )

        for part, name in self._columns.items():
            kind = schema.field(name).type
            if not is_value(kind):
                raise ImportFileError(
                    f"{path}: column {part} holds {quote(str(kind))}, not one value in each row"
                )
        self._rows_at_once = [self._bounded(group) for group in range(self._file.num_row_groups)]

    def _bounded(self, number: int) -> int:
        """How many rows of a row group to read at once.

        Raises:
            ImportFileError: where it holds too much for any number.
        """
        group = self._file.metadata.row_group(number)
        whole = 0
        for place in range(group.num_columns):
            column = group.column(place)
            if column.path_in_schema in self._columns.values():
                whole += column.total_uncompressed_size
                if column.physical_type == "BYTE_ARRAY" and (
                    column.total_uncompressed_size > _MAX_GROUP_BYTES
                ):
                    raise ImportFileError(
                        f"{self._path}: row group {number + 1} holds "
                        f"{column.total_uncompressed_size >> 20:,} MiB in column "
                        f"{column.path_in_schema}, over {_MAX_GROUP_BYTES >> 20:,}: write it with "
                        "smaller row groups"
                    )
        rows: int = _BATCH_BYTES * group.num_rows // max(whole, 1)
        return max(1, min(_ROWS, rows))

    @property
    def total(self) -> int:
        """How many rows it has."""
        return int(self._file.metadata.num_rows)

    def rows(self, start: Place) -> Iterator[RawRows]:
        """The rows from a place on.

        Raises:
            ImportFileError: where it can't be read on.
        """
        done = 0
        try:
            for group, rows_at_once in enumerate(self._rows_at_once):
                if done + self._file.metadata.row_group(group).num_rows <= start.rows:
                    done += self._file.metadata.row_group(group).num_rows
                    continue
                for batch in self._file.iter_batches(
                    rows_at_once,
                    row_groups=[group],
                    columns=list(self._columns.values()),
                    use_threads=False,
                ):
                    skipped = min(max(start.rows - done, 0), len(batch))
                    if skipped < len(batch):
                        yield from self._pieces(batch.slice(skipped), done + skipped)
                    done += len(batch)
        except (OSError, pa.ArrowException) as error:
            raise ImportFileError(
                f"{self._path} can't be read on after row {done}: {error}"
            ) from error

    def _pieces(self, batch: pa.RecordBatch, done: int) -> Iterator[RawRows]:
        """A batch, parted where its texts would be long if each row's were written out."""
        columns = {
            part: _readable(part, batch.column(name)) for part, name in self._columns.items()
        }
        octets = np.zeros(len(batch), np.int64)
        for column in columns.values():
            if is_text(column.type):
                octets += np.minimum(octets_of(column), _SHOWN)
        numbers = np.cumsum(octets) // _PIECE_BYTES
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(batch)]
        for first, last in pairwise(edges):
            yield _raw(
                {part: column.slice(first, last - first) for part, column in columns.items()},
                done + first,
                done + last,
            )


def _raw(columns: Mapping[str, pa.Array], begin: int, end: int) -> RawRows:
    def cells(number: int) -> Cells:
        return Cells(**{part: _cell(columns, part, number) for part in LONG})

    def original(number: int) -> str:
        shown = {part: _cell(columns, part, number) for part in columns}
        return orjson.dumps(shown, default=str).decode()[:_SHOWN]

    return RawRows(
        end=Place(rows=end, lines=end),
        lines=np.arange(begin + 1, end + 1),
        thing=columns["thing"],
        observed_property=columns["observed_property"],
        unit=columns.get("unit"),
        time=columns["time"],
        result=columns["result"],
        period_s=columns.get("period_s"),
        cells=cells,
        original=original,
        behind=lambda line: Place(rows=line, lines=line),
    )


def _readable(part: str, column: pa.Array) -> pa.Array:
    if part not in _TEXTS:
        return values_of(column) if is_text(column.type) else column
    if is_text(column.type):
        return names_of(column)
    return pc.dictionary_encode(pa.array([_shown(one) for one in column], pa.string()))


def _cell(columns: Mapping[str, pa.Array], part: str, number: int) -> object:
    column = columns.get(part)
    return None if column is None else _shown(column[number], plain=part not in _TEXTS)


def _shown(value: pa.Scalar, *, plain: bool = False) -> object:
    """A cell as Python knows it; as text where Python has no such value, a year 12000 for instance."""
    try:
        shown = value.as_py()
    except (ValueError, OverflowError, pa.ArrowException):
        return str(value.cast(pa.int64())) if pa.types.is_temporal(value.type) else str(value)
    if isinstance(shown, Decimal):
        shown = float(shown)
    return shown if plain or shown is None else str(shown)
