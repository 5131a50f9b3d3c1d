"""Rows of a CSV that somebody else made, with the line each begins in, within limits."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from tsuji_geo.given_file import size_of
from tsuji_geo.opendata.errors import DatasetError
from tsuji_geo.opendata.forms import common, forms, plain
from tsuji_platform.contract.rejection import quote

MAX_BYTES = 1 << 28
MAX_ROWS = 2_000_000
MAX_COLUMNS = 1_000
MAX_CELL = 65_536
MAX_LINE = 1 << 22
HEADER_WITHIN = 50
"""How many lines of titles and remarks may stand above the header."""

_DELIMITERS = ",\t;"
_LONGEST_START = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table."""

    line: int
    cells: list[str]
    trouble: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in it."""
        return not any(cell.strip() for cell in self.cells) and not self.trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that is open.

    Attributes:
        header: its cells.
        header_line: where it stands.
        above: lines of titles and remarks above it.
        rows: what is below; may be gone through once.
    """

    header: list[str]
    header_line: int
    above: tuple[str, ...]
    rows: Iterator[Row]


def check_file(path: Path, most: int = MAX_BYTES) -> int:
    """The file's size.

    Raises:
        DatasetError: missing, a folder, a pipe, another's, empty or too large.
    """
    size = size_of(path, "a CSV or GeoJSON file", DatasetError)
    if size > most:
        raise DatasetError(f"{path} has {size:,} bytes, over {most:,}: import it in parts")
    return size


@contextmanager
def opened(file: BinaryIO, encoding: str, shown: str, known: frozenset[str]) -> Iterator[Table]:
    """Open a table whose header is the first line that has the most names that are recognised.

    Args:
        file: at its beginning.
        encoding: of it.
        shown: its name in messages.
        known: further names of columns, plain.

    Raises:
        DatasetError: no line looks like a header; or, while rows are read, the table can't go on.
    """
    text = TextIOWrapper(file, encoding=encoding, errors="strict", newline="")
    limit = csv.field_size_limit(MAX_CELL)  # of the whole process, hence given back below
    try:
        names = recognised_names() | known
        delimiter = _delimiter(text, shown, names)
        text.seek(0)
        rows = _rows(text, delimiter, shown)
        first = _first(rows)
        header = _header(first, shown, names)
        place = first.index(header)
        yield Table(
            header=_checked(header, shown),
            header_line=header.line,
            above=tuple(
                " ".join(cell for cell in row.cells if cell) for row in first[:place] if row.cells
            ),
            rows=_chained(first[place + 1 :], rows, shown),
        )
    finally:
        csv.field_size_limit(limit)
        text.detach()


def recognised_names() -> frozenset[str]:
    """All names of columns that any form has, plain."""
    names = [name for names in common().values() for name in names]
    for form in forms().values():
        names += [name for one in form.fields.values() for name in one.names]
        names += form.signs
    return frozenset(plain(name) for name in names)


def _delimiter(text: TextIOWrapper, shown: str, names: frozenset[str]) -> str:
    """The one by which some line falls into the most names that are recognised."""
    start = text.read(_LONGEST_START)
    if "\x00" in start:
        raise DatasetError(f"{shown} holds zero characters: it is no table")
    lines = start.splitlines(keepends=True)
    most = dict.fromkeys(_DELIMITERS, 0)
    for one in _DELIMITERS:
        with suppress(csv.Error):
            for cells in islice(csv.reader(lines, delimiter=one), HEADER_WITHIN):
                most[one] = max(most[one], sum(_named(cell, names) for cell in cells))
    return max(most, key=lambda one: most[one])


def _rows(text: TextIOWrapper, delimiter: str, shown: str) -> Iterator[Row]:
    reader = csv.reader(_lines(text, shown), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            said = str(error)
            if "field larger" in said:
                raise DatasetError(
                    f"{shown}: a cell in the row from line {line} on is longer than {MAX_CELL:,} "
                    "characters: is a quotation mark not closed?"
                ) from error
            if "unexpected end" in said:
                raise DatasetError(
                    f"{shown}: the row from line {line} on opens a quotation mark that is never closed"
                ) from error
            yield Row(line=line, cells=[], trouble=f"not CSV: {said}")
            continue
        except UnicodeDecodeError as error:
            raise DatasetError(f"{shown}: the row from line {line} on can't be decoded") from error
        if any("\x00" in cell for cell in cells):
            raise DatasetError(f"{shown}: line {line} holds a zero character: it is no table")
        yield Row(line=line, cells=cells)


def _lines(text: TextIOWrapper, shown: str) -> Iterator[str]:
    number = 0
    while line := text.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE:
            raise DatasetError(f"{shown}: line {number} is longer than {MAX_LINE:,} characters")
        yield line


def _first(rows: Iterator[Row]) -> list[Row]:
    """The rows among which the header is looked for."""
    first = []
    for row in rows:
        first.append(row)
        if len(first) >= HEADER_WITHIN:
            break
    return first


def _header(rows: list[Row], shown: str, names: frozenset[str]) -> Row:
    found = [sum(1 for cell in row.cells if _named(cell, names)) for row in rows]
    most = max(found, default=0)
    if most == 0:
        begun = next((row for row in rows if not row.is_empty), None)
        said = ", ".join(quote(cell, 20) for cell in begun.cells[:8]) if begun else ""
        raise DatasetError(
            f"{shown}: none of its first {HEADER_WITHIN} lines has a column that is recognised "
            f"(it begins with {said or 'nothing'}); name them with --column, such as --column latitude=Y"
        )
    return rows[found.index(most)]


def _named(cell: str, names: frozenset[str]) -> bool:
    name = plain(cell)
    return bool(name) and (name in names or name.split("(")[0] in names)


def _checked(header: Row, shown: str) -> list[str]:
    cells = list(header.cells)
    # Excel may write a comma for every column that it has
    while len(cells) > MAX_COLUMNS and not cells[-1].strip():
        cells.pop()
    if len(cells) > MAX_COLUMNS:
        raise DatasetError(
            f"{shown}: {len(cells):,} columns are more than {MAX_COLUMNS:,}: leave out what "
            "is not needed"
        )
    return cells


def _chained(first: list[Row], rest: Iterator[Row], shown: str) -> Iterator[Row]:
    count = 0
    for source in (iter(first), rest):
        for row in source:
            count += 1
            if count > MAX_ROWS:
                raise DatasetError(f"{shown} has more than {MAX_ROWS:,} rows: import it in parts")
            yield row
