"""Opens files of any of the formats and gives their rows judged; says which file it is, whatever its name."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tsuji_platform.imports.blocks import STDIN, Lines, Source, opened
from tsuji_platform.imports.json_lines import json_lines
from tsuji_platform.imports.judge import Judge
from tsuji_platform.imports.names import Names
from tsuji_platform.imports.parquet import ParquetRows
from tsuji_platform.imports.rows import ImportFileError, JudgedRows, Place, RawRows
from tsuji_platform.imports.tables import FORMS, TWINLINK, layout_of, tables

_VERSION = "2"
"""Of the way in which files are cut into rows: a number of rows done by another means something else."""

FORMATS = ("csv", "twinlink", "jsonl", "parquet")
_PACKED = {".gz", ".zst"}
_BY_SUFFIX = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".json": "jsonl", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


ENDINGS = tuple(_BY_SUFFIX)
"""By which names say the format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How files are read; another way to read a file makes another import of it.

    Attributes:
        form: one of `FORMATS`; None finds it out.
        names: what names in cells mean.
        zone: of times without an offset.
        period_s: of counts that don't say what they cover.
        encoding: of text.
    """

    form: str | None = None
    names: Names = field(default_factory=Names)
    zone: ZoneInfo | None = None
    period_s: int | None = None
    encoding: str = "utf-8"

    def text(self) -> str:
        """All of it in words, the same for the same options."""
        return f"{self.names.model_dump_json()} {self.zone} {self.period_s} {self.encoding}"


class FileRows:
    """One file that is open; to be closed.

    Args:
        path: `-` is standard input.
        options: how to read it.

    Attributes:
        name: as it is called in messages.
        form: the format.

    Raises:
        ImportFileError: where it can't be opened, or its format can't be told.
    """

    def __init__(self, path: Path, options: ReadingOptions) -> None:
        self.path = path
        self.name = "standard input" if str(path) == STDIN else str(path)
        self._options = options
        self._stack = ExitStack()
        self._source: Source | None = None
        self._parquet: ParquetRows | None = None
        self._done = 0
        try:
            self.form = self._open(options.form or format_of(path))
        except BaseException:
            self._stack.close()
            raise

    def _open(self, form: str) -> str:
        if form == "parquet":
            if str(self.path) == STDIN:
                raise ImportFileError("Parquet can't be read from standard input; name a file")
            self._parquet = ParquetRows(self.path)
            return form
        if "\n".encode(self._options.encoding) != b"\n":
            raise ImportFileError(f"files in {self._options.encoding} can't be read; save as UTF-8")
        self._source = self._stack.enter_context(opened(self.path))
        self._lines = Lines(self._source)
        self._header, self._begin = b"", Place()
        if form in FORMS:
            self._header, self._begin = self._lines.header()
            if form == "csv" and self._options.form is None and _is_twinlink(self._header):
                form = "twinlink"
            self._layout = layout_of(self._header, form, self.name, self._options.encoding)
        return form

    def __enter__(self) -> "FileRows":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def identity(self, keep: bool) -> str | None:
        """Stands for the content and for how it is read; None for standard input."""
        if str(self.path) == STDIN:
            return None
        return identity([self.path], f"{self.form} {self._options.text()} {keep}")

    def share(self) -> float | None:
        """How much of the file has been read, from 0 to 1; None where that is not known."""
        if self._parquet is not None:
            return self._done / max(self._parquet.total, 1)
        if self._source is None or self._source.size is None:
            return None
        return min(self._source.position / max(self._source.size, 1), 1.0)

    def rows(self, start: Place) -> Iterator[JudgedRows]:
        """The rows from a place on, judged; may be called once.

        Raises:
            ImportFileError: where the file can't be read on.
        """
        judge = Judge(self._options.names, self._options.zone, self._options.period_s)
        for raw in self._raw(start):
            self._done = raw.end.rows
            yield judge.judge(raw, datetime.now(UTC))

    def _raw(self, start: Place) -> Iterator[RawRows]:
        if self._parquet is not None:
            return self._parquet.rows(start)
        if start.bytes > self._begin.bytes:
            self._lines.skip(start.bytes - self._begin.bytes)
        else:
            start = self._begin
        if self.form == "jsonl":
            return json_lines(self._lines, start)
        return tables(self._lines, self._layout, start)


def identity(paths: Sequence[Path], how: str) -> str:
    """SHA-256 of files and of how they are read, in hex.

    Raises:
        ImportFileError: where one can't be read.
    """
    whole = hashlib.sha256(f"{_VERSION} {how}".encode())
    for path in paths:
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise ImportFileError(f"{path} can't be read: {error.strerror or error}") from error
    return whole.hexdigest()


def is_named(path: Path) -> bool:
    """Whether a file's name says its format."""
    return _named(path) is not None


def _named(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return _BY_SUFFIX.get(suffixes[-1]) if suffixes else None


def format_of(path: Path) -> str:
    """The format by the file's name; `-` is CSV.

    Raises:
        ImportFileError: where it can't be told.
    """
    if str(path) == STDIN:
        return "csv"
    form = _named(path)
    if form is None:
        raise ImportFileError(
            f"{path}: its name doesn't say what it is; name it with --format "
            f"({', '.join(FORMATS)}, melbourne or amedas)"
        )
    return form


def _is_twinlink(header: bytes) -> bool:
    text = header.decode("utf-8", "replace").lower()
    return all(column in text for column in TWINLINK.values())
