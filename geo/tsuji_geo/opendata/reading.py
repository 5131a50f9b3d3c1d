"""Opens a file of administrative open data and gives its features, with a report that grows on the way."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from tsuji_geo.opendata import metadata
from tsuji_geo.opendata.codes import has_six_digits, read_code
from tsuji_geo.opendata.encoding import check_encoding, encoding_of
from tsuji_geo.opendata.errors import DatasetError
from tsuji_geo.opendata.forms import Columns, Form, columns_of, form_of, forms, plain
from tsuji_geo.opendata.geojson import read_geojson
from tsuji_geo.opendata.metadata import Metadata
from tsuji_geo.opendata.population import PopulationTable
from tsuji_geo.opendata.report import Report
from tsuji_geo.opendata.rows import RowReader
from tsuji_geo.opendata.tables import Row, check_file, opened
from tsuji_platform.contract.features import Feature
from tsuji_platform.contract.rejection import quote

GEOJSON = (".geojson", ".json")
_LOOKED_AT = 1_000
"""Rows whose codes say of which form the codes of the table are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What somebody says of a file.

    Attributes:
        metadata: goes before what the file's name and the file beside it say.
        metadata_file: instead of the one beside it.
        encoding: instead of finding it out.
        code: five or six digits, of all rows in a table without codes.
        columns: the file's name of a column by ours.
    """

    metadata: Metadata = field(default_factory=Metadata)
    metadata_file: Path | None = None
    encoding: str | None = None
    code: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


class DatasetFile:
    """One file that is open; to be closed.

    Args:
        path: CSV (also with tabs or semicolons) or GeoJSON.
        options: what is said of it.

    Attributes:
        metadata: complete but for what only the rows tell; see `features`.
        encoding: of the file.
        form: of the table.
        columns: that were recognised.
        above: title lines and remarks above the header.
        hints: what could be said to have more of the file.
        report: grows while features are read.

    Raises:
        DatasetError: nothing can be made of the file.
    """

    def __init__(self, path: Path, options: Options | None = None) -> None:
        self.path = path
        self._options = options or Options()
        self.size = check_file(path)
        self.report = Report()
        self.hints: list[str] = []
        self.above: tuple[str, ...] = ()
        self._stack = ExitStack()
        self._file: BinaryIO | None = None
        self.metadata = self._options.metadata.over(
            metadata.beside(path, self._options.metadata_file)
        ).over(metadata.by_name(path))
        try:
            if path.suffix.lower() in GEOJSON:
                self.encoding = "utf-8"
                header, self._spots = read_geojson(path)
                self._rows: Iterator[Row] | None = None
            else:
                self.encoding = self._encoding()
                header = self._open_table()
            self.form, self.columns = self._recognised(header)
            self._reader = self._row_reader()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> "DatasetFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def share(self) -> float | None:
        """How much of the file has been read, from 0 to 1; None where that is not known."""
        return None if self._file is None else min(self._file.tell() / self.size, 1.0)

    def features(self) -> Iterator[Feature]:
        """The rows that are taken; may be gone through once.

        At the end the metadata name the publisher, where all rows are of one municipality.

        Raises:
            DatasetError: the file can't be read on, or none of its rows is taken.
        """
        rows = self._of_table(self._rows) if self._rows is not None else self._of_geojson()
        for feature in rows:
            if feature is not None:
                yield feature
        if not self.report.rows:
            raise DatasetError(f"{self.path} holds a header and no row")
        if not self.report.taken:
            first = self.report.notes[0] if self.report.notes else None
            said = f"; line {first.line}: {first.detail}" if first else ""
            raise DatasetError(
                f"{self.path}: none of its {self.report.rows:,} rows can be taken{said}"
            )
        self._name_publisher()

    def _encoding(self) -> str:
        if self._options.encoding is None:
            return encoding_of(self.path)
        check_encoding(self.path, self._options.encoding)
        return self._options.encoding

    def _open_table(self) -> list[str]:
        self._file = self._stack.enter_context(self.path.open("rb"))
        given = frozenset(plain(name) for name in self._options.columns.values())
        table = self._stack.enter_context(opened(self._file, self.encoding, str(self.path), given))
        self.above = table.above
        self._rows = table.rows
        return table.header

    def _recognised(self, header: list[str]) -> tuple[Form, Columns]:
        kind = self.metadata.kind
        if kind and kind not in forms():
            raise DatasetError(f"kind {kind!r} is none of {', '.join(forms())}")
        form = forms()[kind] if kind else form_of(header, self.path.name)
        try:
            columns = columns_of(header, form, self._options.columns)
        except ValueError as error:
            raise DatasetError(f"{self.path}: {error}") from error
        has_codes = "code" in columns or "place_code" in columns
        has_places = self._rows is None or ("latitude" in columns and "longitude" in columns)
        if not (has_codes or has_places or self._options.code):
            raise DatasetError(
                f"{self.path} has neither coordinates nor a municipality code among its columns "
                f"({', '.join(quote(name, 24) for name in columns.names[:12])}); name them with "
                "--column, such as --column latitude=Y --column longitude=X, or give --code for all rows"
            )
        in_name = metadata.code_in_name(self.path)
        if not has_codes and in_name and not self._options.code:
            self.hints.append(
                f"there is no column of codes, so the rows belong to areas by position only; --code "
                f"{in_name} gives them all the code in the file's name"
            )
        self.metadata = replace(
            self.metadata,
            kind=form.id,
            id=self.metadata.id or form.id.replace("_", "-"),
            title=self.metadata.title or form.title,
            title_en=self.metadata.title_en or form.title_en,
        )
        return form, columns

    def _row_reader(self) -> RowReader:
        population = None
        if self.form.id == "population":
            try:
                population = PopulationTable.of(self.columns, self.metadata.date)
            except ValueError as error:
                raise DatasetError(f"{self.path}: {error}") from error
        code = None
        if self._options.code:
            try:
                code = read_code(self._options.code).code
            except ValueError as error:
                raise DatasetError(f"--code: {error}") from error
        return RowReader(
            self.columns,
            self.form,
            self.report,
            population=population,
            default_code=code,
            six_digits=self._has_six_digits(),
        )

    def _has_six_digits(self) -> bool:
        if self._rows is None:
            return False
        first = list(islice(self._rows, _LOOKED_AT))
        self._rows = chain(first, self._rows)
        places = [*self.columns.places.get("place_code", ()), *self.columns.places.get("code", ())]
        if not places:
            return False
        return has_six_digits(row.cells[places[0]] for row in first if len(row.cells) > places[0])

    def _of_table(self, rows: Iterator[Row]) -> Iterator[Feature | None]:
        width = len(self.columns.names)
        for row in rows:
            if row.is_empty:
                continue
            cells = row.cells
            trouble = row.trouble
            if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
                cells = cells[:width]
            if len(cells) > width:
                trouble = f"it has {len(cells)} cells, the header {width}: is a comma not in quotation marks?"
            if trouble:
                self.report.rows += 1
                self.report.refuse(row.line, trouble)
                continue
            cells = cells + [""] * (width - len(cells))
            self._reader.see_publisher(cells)
            yield self._reader.read(row.line, cells)

    def _of_geojson(self) -> Iterator[Feature | None]:
        for spot in self._spots:
            self._reader.see_publisher(spot.cells)
            yield self._reader.read(spot.number, spot.cells, spot)

    def _name_publisher(self) -> None:
        if not self.metadata.publisher and len(self._reader.publishers) == 1:
            ((prefecture, municipality),) = self._reader.publishers
            name = municipality or prefecture
            self.metadata = replace(self.metadata, publisher=metadata.one_line(name))
