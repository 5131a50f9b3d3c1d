"""Reads CSV files, however they are quoted: quickly where a block of lines is plain, with care where not.

A block is plain where all quotes of each line are in order and PyArrow finds one row in it. Every other
is taken apart record by record; there a field may hold line ends, and a line that can't be taken apart is
refused alone (see `records`).
"""

import csv
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from tsuji_platform.contract import Reason
from tsuji_platform.contract.rejection import quote
from tsuji_platform.imports.blocks import Lines
from tsuji_platform.imports.records import MAX_RECORD_BYTES, Record, fields_of, in_order, records
from tsuji_platform.imports.rows import Cells, ImportFileError, Place, RawRows, Refused

_SHOWN = 2_000

LONG = {
    "thing": "thing", "observed_property": "observed_property", "time": "time", "result": "result",
    "period_s": "period_s", "unit": "unit",
}  # fmt: skip
"""The long form: which column holds what."""
TWINLINK = {
    "thing": "device_name", "observed_property": "fragment.series", "time": "time", "result": "value",
    "unit": "unit",
}  # fmt: skip
"""The form that MLIT's PLATEAU TwinLink reads, and that Cumulocity writes."""
FORMS: Mapping[str, Mapping[str, str]] = {"csv": LONG, "twinlink": TWINLINK}
_OPTIONAL = {"period_s", "unit"}
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the header says.

    Attributes:
        delimiter: between fields.
        width: how many fields a row has.
        columns: for each part of an observation the number of its field.
        encoding: of the text.
    """

    delimiter: str
    width: int
    columns: Mapping[str, int]
    encoding: str = "utf-8"


def layout_of(header: bytes, form: str, name: str, encoding: str = "utf-8") -> Layout:
    """Read a header.

    Args:
        header: the first line.
        form: `csv` or `twinlink`.
        name: of the file, for messages.
        encoding: of the text.

    Raises:
        ImportFileError: where a column is missing, or there twice.
    """
    try:
        text = header.decode(encoding)
    except UnicodeDecodeError as error:
        raise ImportFileError(
            f"{name}: the header is not {encoding}: {error}; name what it is, for instance "
            "--encoding cp932"
        ) from error
    wanted = FORMS[form]
    best: list[str] = []
    for delimiter in _DELIMITERS:
        try:
            fields = [_plain(field) for field in next(csv.reader([text], delimiter=delimiter), [])]
        except csv.Error as error:
            if "\r" in text:
                raise ImportFileError(
                    f"{name}: a carriage return stands in the header: where lines end with that alone, as "
                    "on old Macs, save the file with line feeds"
                ) from error
            continue  # a field of 128 KiB: another delimiter divides it
        found = {part: fields.index(column) for part, column in wanted.items() if column in fields}
        if found.keys() >= wanted.keys() - _OPTIONAL:
            twice = sorted({wanted[part] for part in found if fields.count(wanted[part]) > 1})
            if twice:
                raise ImportFileError(f"{name} has more than one column {', '.join(twice)}")
            return Layout(delimiter=delimiter, width=len(fields), columns=found, encoding=encoding)
        best = max(best, fields, key=len)
    missing = [
        wanted[part] for part in wanted if part not in _OPTIONAL and wanted[part] not in best
    ]
    raise ImportFileError(
        f"{name} has no column {', '.join(missing)}; it begins with {quote(', '.join(best), 160)}. "
        "--format names another format, --map renames nothing but names in cells"
    )


def _plain(field: str) -> str:
    return unicodedata.normalize("NFKC", field).strip().lower()


def tables(lines: Lines, layout: Layout, start: Place) -> Iterator[RawRows]:
    """The rows of a file from a place on.

    Args:
        lines: at that place.
        layout: of the header.
        start: the place.
    """
    carried = b""
    place = start
    while data := lines.block(carried):
        raw = _fast(data, layout, place) or _slow(data, layout, place, final=lines.ended)
        carried = data[raw.end.bytes - place.bytes :]
        place = raw.end
        if raw.end.lines or raw.refused:
            yield raw
        if lines.ended and not carried:
            return


def _fast(data: bytes, layout: Layout, start: Place) -> RawRows | None:
    """Rows of a block that has one in each line; None where it is not so."""
    if layout.encoding != "utf-8":
        try:
            text = data.decode(layout.encoding).encode()
        except UnicodeDecodeError:
            return None
    else:
        text = data
    if text.startswith((b"\n", b"\r\n")) or b"\n\n" in text or b"\n\r\n" in text:
        return None  # PyArrow takes an empty line for a row
    quotes = text.count(b'"')
    if quotes and not in_order(text, layout.delimiter.encode()):
        return None
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
    longest = int(np.diff(ends, prepend=-1, append=len(text)).max())
    if longest > MAX_RECORD_BYTES:
        return None
    names = [str(number) for number in range(layout.width)]
    wanted = [str(number) for number in layout.columns.values()]
    try:
        table = pacsv.read_csv(
            pa.BufferReader(text),
            read_options=pacsv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(text) + 1
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=layout.delimiter,
                quote_char='"' if quotes else False,
                newlines_in_values=bool(quotes),
                ignore_empty_lines=False,
            ),
            convert_options=pacsv.ConvertOptions(
                include_columns=wanted,
                column_types=dict.fromkeys(wanted, pa.string()),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    count = len(ends) + (not text.endswith(b"\n"))
    if table.num_rows != count or table.num_rows == 0:
        return None
    columns = {
        part: table.column(str(number)).combine_chunks() for part, number in layout.columns.items()
    }
    return _raw(
        columns,
        np.arange(start.lines + 1, start.lines + 1 + count),
        _LinesOf(data, layout),
        Place(rows=start.rows + count, lines=start.lines + count, bytes=start.bytes + len(data)),
        lambda line: _behind_line(data, start, line),
    )


def _behind_line(data: bytes, start: Place, line: int) -> Place:
    """Behind a row of a block with one in each line."""
    count = line - start.lines
    used = sum(len(text) + 1 for text in data.split(b"\n", count)[:count])
    return Place(rows=start.rows + count, lines=line, bytes=start.bytes + min(used, len(data)))


class _LinesOf:
    """The lines of a block, taken apart only where one is asked for."""

    def __init__(self, data: bytes, layout: Layout) -> None:
        self._data = data
        self._layout = layout
        self._lines: list[bytes] | None = None

    def __call__(self, number: int) -> str:
        if self._lines is None:
            self._lines = self._data.split(b"\n")
        return _shown(self._lines[number], self._layout)


def _slow(data: bytes, layout: Layout, start: Place, *, final: bool) -> RawRows:
    """Rows of a block, line by line."""
    refused: list[Refused] = []
    split: list[list[str]] = []
    numbers: list[int] = []
    texts: list[bytes] = []
    end = start
    for first, record, place in _placed(data, layout, start, final=final):
        end, text = place, record.text
        if not text.strip():
            continue
        try:
            fields = _fields(record, layout)
        except _RecordError as error:
            refused.append(
                Refused(
                    line=first, reason=error.reason, detail=str(error), row=_shown(text, layout)
                )
            )
            continue
        split.append(fields)
        numbers.append(first)
        texts.append(text)
    columns = {
        part: pa.array([fields[number] for fields in split], pa.string())
        for part, number in layout.columns.items()
    }
    return _raw(
        columns,
        np.array(numbers, dtype=np.int64),
        lambda number: _shown(texts[number], layout),
        end,
        lambda line: _behind_record(data, layout, start, line, final=final),
        refused,
    )


def _placed(
    data: bytes, layout: Layout, start: Place, *, final: bool
) -> Iterator[tuple[int, Record, Place]]:
    """The records of a block, in which line each begins, and where the next one does."""
    place = start
    for record in records(data, layout.delimiter.encode(), layout.width, final=final):
        first = place.lines + 1
        place = Place(
            rows=place.rows + bool(record.text.strip()),
            lines=place.lines + record.lines,
            bytes=place.bytes + len(record.text),
        )
        yield first, record, place


def _behind_record(data: bytes, layout: Layout, start: Place, line: int, *, final: bool) -> Place:
    return next(
        place for first, _, place in _placed(data, layout, start, final=final) if first == line
    )


class _RecordError(ValueError):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def _fields(record: Record, layout: Layout) -> list[str]:
    if record.problem:
        raise _RecordError(Reason.WRONG_SHAPE, record.problem)
    if len(record.text) > MAX_RECORD_BYTES:
        raise _RecordError(
            Reason.OVERSIZE, f"a row of {len(record.text)} bytes is over {MAX_RECORD_BYTES}"
        )
    try:
        decoded = record.text.decode(layout.encoding)
    except UnicodeDecodeError as error:
        raise _RecordError(
            Reason.WRONG_SHAPE,
            f"not {layout.encoding}: {error.reason} at byte {error.start + 1}; --encoding names another",
        ) from error
    fields = fields_of(decoded.removesuffix("\n").removesuffix("\r"), layout.delimiter)
    if len(fields) != layout.width:
        raise _RecordError(
            Reason.WRONG_SHAPE, f"{len(fields)} fields, and the header has {layout.width}"
        )
    return fields


def _raw(
    columns: Mapping[str, pa.Array],
    lines: NDArray[np.int64],
    original: Callable[[int], str],
    end: Place,
    behind: Callable[[int], Place],
    refused: Sequence[Refused] = (),
) -> RawRows:
    unit, period_s = columns.get("unit"), columns.get("period_s")

    def cells(number: int) -> Cells:
        return Cells(
            thing=columns["thing"][number].as_py(),
            observed_property=columns["observed_property"][number].as_py(),
            unit=None if unit is None else unit[number].as_py(),
            time=columns["time"][number].as_py(),
            result=columns["result"][number].as_py(),
            period_s=None if period_s is None else period_s[number].as_py(),
        )

    return RawRows(
        end=end,
        lines=lines,
        thing=columns["thing"],
        observed_property=columns["observed_property"],
        unit=unit,
        time=columns["time"],
        result=columns["result"],
        period_s=period_s,
        cells=cells,
        original=original,
        behind=behind,
        refused=refused,
    )


def _shown(text: bytes, layout: Layout) -> str:
    """A row as it stands in the file, bytes that are no text escaped, cut where it is very long."""
    return text[:_SHOWN].rstrip(b"\r\n").decode(layout.encoding, "backslashreplace")
