"""Writes an export so that what has its name is whole: under another name until it is.

The draft stands in a folder beside the target, with `.partial` behind its name. Whoever writes it holds a
lock on that, which ends with the process; what a killed export left is cleared away by the next one. What
has this name and was made by somebody else is refused, and stays as it is.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

_BOM = b"\xef\xbb\xbf"
_CSV_BEGINS = b"thing,observed_property,time,result,unit,period_s"
_ABOUT = "_tsuji.json"
_MADE_BY = "made-by-tsuji-export"
"""By this file a draft's folder is known."""
_ROWS_IN_GROUP = 500_000


class ExportFileError(Exception):
    """The files can't be written; the message says why and what to do."""


class Sink(Protocol):
    """Where an export goes to."""

    def write(self, day: date, batch: pa.RecordBatch) -> None:
        """Write some rows of one Tokyo day; days come in order."""

    def close(self, about: dict[str, Any]) -> None:
        """All is written."""


class CsvSink:
    """One CSV file: UTF-8, comma, a header, RFC 3339 times; numbers as short as they are exact."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, *, bom: bool = False) -> None:
        self._file = file
        file.write((_BOM if bom else b"") + ",".join(schema.names).encode() + b"\n")
        self._options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")

    def write(self, day: date, batch: pa.RecordBatch) -> None:  # noqa: ARG002 - see `Sink`
        """See `Sink`."""
        columns = [as_text(batch.column(name)) for name in batch.schema.names]
        plain = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
        pyarrow.csv.write_csv(plain, self._file, self._options)

    def close(self, about: dict[str, Any]) -> None:  # noqa: ARG002 - see `Sink`
        """See `Sink`."""
        self._file.flush()


class ParquetSink:
    """A folder with one file for each day, `date=2026-04-01/part-0.parquet`, and what they are."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._folder = folder
        self._schema = schema
        self._day: date | None = None
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.RecordBatch] = []

    def write(self, day: date, batch: pa.RecordBatch) -> None:
        """See `Sink`."""
        if day != self._day:
            self._end_day()
            place = self._folder / f"date={day:%Y-%m-%d}"
            place.mkdir()
            self._day = day
            self._writer = pq.ParquetWriter(
                place / "part-0.parquet", self._schema, compression="zstd"
            )
        self._waiting.append(batch)
        if sum(map(len, self._waiting)) >= _ROWS_IN_GROUP:
            self._end_group()

    def close(self, about: dict[str, Any]) -> None:
        """See `Sink`."""
        self._end_day()
        (self._folder / _ABOUT).write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2) + b"\n")

    def _end_group(self) -> None:
        if self._writer is not None and self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema))
        self._waiting.clear()

    def _end_day(self) -> None:
        self._end_group()
        if self._writer is not None:
            self._writer.close()
        self._writer = None


def as_text(column: pa.Array) -> pa.Array:
    """What CSV can't say by itself: names, and times as RFC 3339."""
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    if not pa.types.is_timestamp(column.type):
        return column
    # times repeat: each is written once
    times, places = np.unique(np.asarray(column.cast(pa.int64())), return_inverse=True)
    whole = np.datetime_as_string(times.astype("M8[us]").astype("M8[s]"))
    exact = np.datetime_as_string(times.astype("M8[us]"))
    texts = np.char.add(np.where(times % 1_000_000 == 0, whole, exact), "Z")
    return pa.DictionaryArray.from_arrays(pa.array(places), pa.array(texts)).dictionary_decode()


@contextmanager
def csv_draft(target: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file that gets its name when the block ends well, and is removed otherwise.

    With `force` an earlier export of that name, or an empty file, is replaced; any other is refused.

    Raises:
        ExportFileError: it exists already (without `force`), is written by another export, or can't be;
            or the draft's name is that of something else.
    """
    _check_file(target, force)
    with _draft(target) as draft, (draft / "rows").open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
        _check_file(target, force)
        (draft / "rows").replace(target)
        _sync(target.parent)


@contextmanager
def folder_draft(target: Path, *, force: bool) -> Iterator[Path]:
    """A folder that gets its name when the block ends well, and is removed otherwise.

    With `force` an earlier export of that name is replaced; any other folder is refused.

    Raises:
        ExportFileError: as `csv_draft`.
    """
    _check_folder(target, force)
    old = target.with_name(f".{target.name}.tsuji-replaced")
    with _draft(target) as draft:
        with told(target):
            _finish_replacing(target, old)
        _check_folder(target, force)
        folder = draft / "days"
        folder.mkdir()
        yield folder
        _check_folder(target, force)
        _on_disk(folder, target.parent)
        if target.exists():
            target.rename(old)
        folder.rename(target)
        _sync(target.parent)
    with suppress(OSError):  # the next export of that name does it
        _remove(old)


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A locked folder beside the target, for the time of the block.

    Only what is empty, or says that an export made it, is taken for one that was left.
    """
    draft = target.with_name(target.name + ".partial")
    with told(draft):
        try:
            draft.mkdir()
        except FileExistsError:
            if draft.is_symlink() or not draft.is_dir():
                raise _strange(draft) from None
        handle = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _lock(handle, draft, target)
        with told(draft):
            names = [entry.name for entry in draft.iterdir()]
            if names and _MADE_BY not in names:
                raise _strange(draft)
        try:
            with told(draft):
                (draft / _MADE_BY).touch()
                for name in names:
                    if name != _MADE_BY:
                        _remove_entry(draft / name)
                yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    finally:
        os.close(handle)


def _strange(draft: Path) -> ExportFileError:
    return ExportFileError(
        f"{draft} is in the way: an export stands there until it is whole, and this is none. Move it "
        "elsewhere, or name another target"
    )


def _check_file(target: Path, force: bool) -> None:
    _check(target, force)
    if target.is_dir():
        raise ExportFileError(f"{target} is a folder: CSV goes into a file")
    if not target.exists():
        return
    begin = b""
    if target.is_file():
        with told(target), target.open("rb") as file:
            begin = file.read(len(_BOM + _CSV_BEGINS))
        if not begin or begin.removeprefix(_BOM).startswith(_CSV_BEGINS):
            return
    raise ExportFileError(
        f"{target} is there and is no export of Tsuji (it does not begin with "
        f"{_CSV_BEGINS.decode()}): --force does not replace it; name another file"
    )


def _check_folder(target: Path, force: bool) -> None:
    _check(target, force)
    if target.exists() and not (target / _ABOUT).is_file():
        raise ExportFileError(
            f"{target} is there and is no export of Tsuji ({_ABOUT} is missing): --force does not "
            "replace it; name another folder"
        )


def _finish_replacing(target: Path, old: Path) -> None:
    """Do what an export that was killed while it replaced an earlier one has left."""
    if (old / _ABOUT).is_file():
        if target.exists():
            _remove(old)
        else:  # killed between the two renames
            old.rename(target)
    elif old.is_symlink() or (old.exists() and not (old.is_dir() and not any(old.iterdir()))):
        raise ExportFileError(f"{old} is in the way and is no export of Tsuji: move it elsewhere")


def _on_disk(draft: Path, parent: Path) -> None:
    """See that all of it is on disk, so that a power cut does not leave a whole name with less."""
    for path in (*draft.rglob("*"), draft, parent):
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(export: Path) -> None:
    """Remove an earlier export; what says that it is one goes last."""
    if not export.exists():
        return
    for entry in export.iterdir():
        if entry.name != _ABOUT:
            _remove_entry(entry)
    shutil.rmtree(export)


def _check(target: Path, force: bool) -> None:
    if target.name in ("", ".."):
        raise ExportFileError(f"{str(target)!r} is no name for a new file or folder: write one")
    if target.exists() and not force:
        raise ExportFileError(f"{target} is there already: --force replaces it")
    if not target.parent.is_dir():
        raise ExportFileError(f"there is no folder {target.parent}: make it first")


def _lock(handle: int, draft: Path, target: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = draft.exists() and os.path.samestat(os.fstat(handle), draft.stat())
    except BlockingIOError:
        ours = False
    if not ours:  # or it was finished, and has its name, between our opening and locking it
        raise ExportFileError(f"another export writes {target} at this moment")


def _remove_entry(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()


@contextmanager
def told(path: Path | str) -> Iterator[None]:
    """Say that something can't be written, and why; who reads from us and goes is no such trouble."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise ExportFileError(f"{path} can't be written: {error.strerror or error}") from error
