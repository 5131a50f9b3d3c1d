"""What `tsuji import` does with each file: brings it in or rehearses that, and says what has become of it."""

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

import typer

from tsuji import exit_codes
from tsuji.import_bar import ImportBar
from tsuji.terminal import in_a_line, printable

if TYPE_CHECKING:
    from tsuji_platform.contract import Thing
    from tsuji_platform.imports.names import Names
    from tsuji_platform.imports.rehearsal import Rehearsed
    from tsuji_platform.imports.rows import JudgedRows, Place
    from tsuji_platform.store.imports import ImportProgress, ImportWriter, RefusedRows

ALL_IN, FAILED, SOME_APART = exit_codes.DONE, exit_codes.FAILED, exit_codes.IN_PART
"""Exit codes."""
_STDIN = "-"


class _Rows(Protocol):
    """An open file of any format."""

    name: str
    path: Path
    form: str

    def rows(self, start: "Place") -> "Iterator[JudgedRows]": ...
    def share(self) -> float | None: ...
    def identity(self, keep: bool) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the options of the command say."""

    form: str | None
    places: Path | None
    rain: str
    names: "Names"
    zone: ZoneInfo | None
    period_s: int | None
    encoding: str
    keep: bool
    again: bool
    max_errors: int | None
    rejected: Path | None
    described: "Mapping[str, Thing]"

    def open(self, path: Path) -> "AbstractContextManager[_Rows]":
        """A file, to be read in its format."""
        from tsuji.recorded_rows import FORMATS, RecordedRows
        from tsuji_platform.imports.files import FileRows, ReadingOptions
        from tsuji_platform.imports.rows import ImportFileError

        for one in (path, self.rejected):
            try:
                str(one and one.absolute()).encode()
            except UnicodeEncodeError:  # the database keeps them, and they are printed
                raise ImportFileError(
                    f"{printable(str(one))}: the name of the file, or of a folder above it, is no UTF-8: "
                    "rename it"
                ) from None
        if self.form in FORMATS:
            return RecordedRows(path, self.form, self.places, self.rain)
        return FileRows(
            path,
            ReadingOptions(
                form=self.form,
                names=self.names,
                zone=self.zone,
                period_s=self.period_s,
                encoding=self.encoding,
            ),
        )

    def things(self, rows: _Rows) -> "Mapping[str, Thing]":
        """What the file's things are, where that is known."""
        from tsuji.recorded_rows import RecordedRows

        return {**(rows.things if isinstance(rows, RecordedRows) else {}), **self.described}


def bring_in(writer: "ImportWriter", path: Path, job: Job, stop: threading.Event) -> int:
    """Import one file, or go on with it, and report; returns the exit code."""
    with job.open(path) as opened:
        identity = opened.identity(job.keep) or f"standard input {uuid.uuid4()}"
        with writer.claimed(identity, opened.name):
            return _bring_in(writer, opened, identity, job, stop)


def _bring_in(
    writer: "ImportWriter", opened: _Rows, identity: str, job: Job, stop: threading.Event
) -> int:
    from tsuji_platform.imports.rejected_file import copy_kept, free_path
    from tsuji_platform.imports.rows import ImportFileError
    from tsuji_platform.imports.run import Importer, Rules
    from tsuji_platform.store import StoreError
    from tsuji_simulators.recorded.recording import RecordingError

    name = printable(opened.name)
    is_file = str(opened.path) != _STDIN
    beside = opened.path if is_file else Path("standard-input")
    if job.again:
        writer.forget(identity)
    # What is there already is of another import, or of somebody else.
    apart = job.rejected if job.rejected and not job.rejected.exists() else None
    apart = apart or free_path(job.rejected or beside)
    progress = writer.begin(identity, opened.name, str(apart.absolute()))
    if progress.finished_at is not None:
        typer.echo(
            f"{name} is in already, since {progress.finished_at:%Y-%m-%d %H:%M} UTC; "
            "--again repeats it"
        )
        return _report(progress)
    if apart == job.rejected:  # named anew, where the first place has no room for instance
        kept_before = Path(progress.rejected_file), progress.rejected_bytes
        copy_kept(*kept_before, apart.absolute())
        progress = replace(progress, rejected_file=str(apart.absolute()))
    if progress.rows_done:
        typer.echo(f"{name}: going on after row {progress.rows_done:,}")
    rules = Rules(keep=job.keep, max_errors=job.max_errors, things=job.things(opened))
    importer, failure, more_patience = Importer(writer, rules, stop), "", ""
    with ImportBar(name, progress.rows_done) as bar:

        def show(now: "ImportProgress") -> None:
            nonlocal progress
            progress = now
            bar.show(now.rows_done, now.rejected, opened.share())

        try:
            progress = importer.run(opened.rows, progress, job.rejected or beside, show)
        except (ImportFileError, RecordingError, StoreError) as error:
            failure = f"tsuji: {in_a_line(error)}"
            with suppress(StoreError):
                progress = writer.find(identity) or progress
    code = _report(progress)
    if progress.finished_at is not None:
        if not is_file:
            writer.forget(identity)
    elif not failure and importer.has_too_many(progress):
        failure = f"tsuji: {name}: stopped: {progress.rejected:,} are kept apart (--max-errors)"
        more_patience = " with a larger --max-errors"
    if failure:
        typer.echo(failure, err=True)
    if progress.finished_at is None:
        again = f"the same command{more_patience} goes on there"
        if not is_file:
            again = f"give it once more{more_patience}, what is in changes nothing"
        typer.echo(
            f"tsuji: {name} is in part only: row {progress.rows_done:,} is the last that was "
            f"dealt with; {again}",
            err=True,
        )
        return FAILED
    return code


def _report(progress: "ImportProgress") -> int:
    """Say what has become of the rows so far."""
    values = progress.stored + progress.duplicate + progress.corrected
    typer.echo(
        f"{printable(progress.source)}: {progress.rows_done:,} rows: {progress.stored:,} values stored, "
        f"{progress.corrected:,} corrected, {progress.duplicate:,} there already, "
        f"{progress.rejected:,} kept apart"
    )
    if progress.kept:
        typer.echo(f"  {progress.kept:,} of those there already differ, and were left (--keep)")
    if values and progress.first_time and progress.last_time:
        typer.echo(f"  from {progress.first_time.isoformat()} to {progress.last_time.isoformat()}")
    _say_reasons(progress.reasons)
    if progress.rejected:
        typer.echo(f"  kept apart in {printable(progress.rejected_file)}")
        return SOME_APART
    return ALL_IN


def _say_reasons(reasons: "Mapping[str, RefusedRows]") -> None:
    for reason, held in sorted(reasons.items(), key=lambda item: -item[1].count):
        typer.echo(
            f"  {held.count:,} {reason} (first in line {held.first_line}: {printable(held.detail)})"
        )


def rehearse_file(writer: "ImportWriter", path: Path, job: Job) -> int:
    """Say what an import of one file would do; returns the exit code."""
    from tsuji_platform.imports.rehearsal import rehearse
    from tsuji_platform.imports.rows import Place

    with job.open(path) as opened, ImportBar(printable(opened.name)) as bar:
        name = printable(opened.name)

        def show(now: "Rehearsed") -> None:
            bar.show(now.rows, now.rejected, opened.share())

        found = rehearse(writer, opened.rows(Place()), job.things(opened), show, keep=job.keep)
    typer.echo(
        f"{name}: {found.rows:,} rows; nothing was written. {found.stored:,} values would be "
        f"stored, {found.corrected:,} corrected, {found.duplicate:,} are there already, "
        f"{found.rejected:,} would be kept apart"
    )
    if found.first_time and found.last_time:
        typer.echo(
            f"  of {len(found.things):,} things ({', '.join(sorted(found.properties))}), from "
            f"{found.first_time.isoformat()} to {found.last_time.isoformat()}"
        )
    if found.registers:
        typer.echo(f"  {len(found.registers):,} things would be registered, or get datastreams")
    _say_reasons(found.reasons)
    return SOME_APART if found.rejected else ALL_IN
