"""Reads Parquet files in the long form, one batch of rows after the other."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tsuji_platform.contract.rejection import quote
from tsuji_platform.imports.rows import Cells, ImportFileError, Place, RawRows
from tsuji_platform.imports.tables import LONG

_ROWS = 40_000
_BUFFER_BYTES = 1 << 20
_OPTIONAL = {"period_s", "unit"}
_TEXTS = ("thing", "observed_property", "unit")


class ParquetRows:
    """An open Parquet file.

    Raises:
        ImportFileError: where it is none, or lacks a column.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
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

    @property
    def total(self) -> int:
        """How many rows it has."""
        return int(self._file.metadata.num_rows)

    def rows(self, start: Place) -> Iterator[RawRows]:
        """The rows from a place on.

        Raises:
            ImportFileError: where it can't be read on.
        """
        groups, done = list(range(self._file.num_row_groups)), 0
        while groups and done + self._file.metadata.row_group(groups[0]).num_rows <= start.rows:
            done += self._file.metadata.row_group(groups.pop(0)).num_rows
        try:
            batches = self._file.iter_batches(
                _ROWS, row_groups=groups, columns=list(self._columns.values()), use_threads=False
            )
            for batch in batches:
                skipped = min(max(start.rows - done, 0), len(batch))
                done += len(batch)
                if skipped < len(batch):
                    yield self._raw(batch.slice(skipped), done)
        except (OSError, pa.ArrowException) as error:
            raise ImportFileError(
                f"{self._path} can't be read on after row {done}: {error}"
            ) from error

    def _raw(self, batch: pa.RecordBatch, end: int) -> RawRows:
        columns: Mapping[str, pa.Array] = {
            part: _readable(part, batch.column(name)) for part, name in self._columns.items()
        }

        def cells(number: int) -> Cells:
            return Cells(**{part: _cell(columns, part, number) for part in LONG})

        def original(number: int) -> str:
            shown = {part: _cell(columns, part, number) for part in columns}
            return orjson.dumps(shown, default=str).decode()

        return RawRows(
            end=Place(rows=end, lines=end),
            lines=np.arange(end - len(batch) + 1, end + 1),
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
    kind = column.type
    if pa.types.is_dictionary(kind) and part not in _TEXTS:
        column = column.dictionary_decode()
    elif pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        column = column.cast(pa.string())
    elif part in _TEXTS and not (pa.types.is_string(kind) or pa.types.is_dictionary(kind)):
        column = pa.array([_shown(one) for one in column], pa.string())
    return column


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
