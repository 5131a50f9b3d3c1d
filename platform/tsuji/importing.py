"""`tsuji import`: files with years of observations straight into the database, with their original times."""

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol
from zoneinfo import ZoneInfo

import typer

from tsuji import wiring
from tsuji.import_bar import ImportBar
from tsuji.services import on_stop_signal
from tsuji.terminal import printable

if TYPE_CHECKING:
    from tsuji_platform.contract import Thing
    from tsuji_platform.imports.names import Names
    from tsuji_platform.imports.rehearsal import Rehearsed
    from tsuji_platform.imports.rows import JudgedRows, Place
    from tsuji_platform.store.imports import ImportProgress, ImportWriter, RefusedRows

_ALL_IN, _FAILED, _SOME_APART = 0, 1, 3
_WORST = (_ALL_IN, _SOME_APART, _FAILED)
_FORMATS = ("csv", "twinlink", "jsonl", "parquet", "melbourne", "amedas")
_MAX_ERRORS = 100_000


class _Rows(Protocol):
    """An open file of any format."""

    name: str
    path: Path
    form: str

    def rows(self, start: "Place") -> "Iterator[JudgedRows]": ...
    def share(self) -> float | None: ...
    def identity(self, keep: bool) -> str | None: ...


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        raise typer.BadParameter(
            f"{text!r} is no time zone; write one such as Asia/Tokyo"
        ) from error


def _form(text: str) -> str:
    if text not in _FORMATS:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(_FORMATS)}")
    return text


def _encoding(text: str) -> str:
    try:
        "".encode(text)
    except LookupError as error:
        raise typer.BadParameter(f"{text!r} is no encoding; write one such as cp932") from error
    return text


def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files; - is standard input.")
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            parser=_form,
            metavar="NAME",
            help=f"One of {', '.join(_FORMATS)}; otherwise the file's name and header say it.",
        ),
    ] = None,
    places: Annotated[
        Path | None,
        typer.Option(
            "--locations",
            "--stations",
            help="For melbourne and amedas: the publisher's file that says where the things are.",
        ),
    ] = None,
    rain: Annotated[
        str,
        typer.Option(
            help="For amedas in JSON: rain of the last 10m, or 1h where only full hours are imported."
        ),
    ] = "10m",
    register: Annotated[
        Path | None,
        typer.Option(
            help="JSON that describes things; they are registered when values of them come."
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--map", help="TOML that says what names in the file mean (docs/import.md)."),
    ] = None,
    zone: Annotated[
        ZoneInfo | None,
        typer.Option(
            "--time-zone",
            parser=_zone,
            metavar="NAME",
            help="Of times without an offset, such as Asia/Tokyo; otherwise they are refused.",
        ),
    ] = None,
    period_s: Annotated[
        int | None,
        typer.Option(
            "--period",
            min=1,
            max=31 * 86_400,
            help="Seconds that a count covers where it doesn't say.",
        ),
    ] = None,
    encoding: Annotated[
        str, typer.Option(parser=_encoding, metavar="NAME", help="Of CSV files, such as cp932.")
    ] = "utf-8",
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Leave what is in the database where the file says something else."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Judge everything, write nothing, say what would happen."),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="From the beginning, even if the file is in already.")
    ] = False,
    max_errors: Annotated[
        int, typer.Option(min=0, help="Stop once so many rows are kept apart; 0 is without end.")
    ] = _MAX_ERRORS,
    rejected: Annotated[
        Path | None,
        typer.Option(
            help="Where rows are kept apart (default: FILE.rejected.csv beside each file)."
        ),
    ] = None,
) -> None:
    """Import history with its original times, by the rules of live ingest.

    What is in already changes nothing; another value for the same thing, property and time replaces
    (--keep leaves it). An import that was stopped or killed goes on where it was when the same
    command is given again. Exit codes: 0 all rows are in, 3 some are kept apart, 1 it failed.
    """
    from tsuji_platform.imports.names import Names, load_names
    from tsuji_platform.imports.things import load_things
    from tsuji_platform.store.imports import ImportWriter

    if rain not in ("10m", "1h"):
        raise typer.BadParameter(f"--rain is 10m or 1h, got {rain!r}")
    job = _Job(
        form=form,
        places=places,
        rain=rain,
        names=load_names(mapping) if mapping else Names(),
        zone=zone,
        period_s=period_s,
        encoding=encoding,
        keep=keep,
        again=again,
        max_errors=max_errors or None,
        rejected=rejected,
        described=load_things(register) if register else {},
    )
    writer, stop = ImportWriter(wiring.database_url()), threading.Event()
    on_stop_signal(stop.set)
    worst = _ALL_IN
    try:
        for path in files:
            code = _rehearse(writer, path, job) if dry_run else _bring_in(writer, path, job, stop)
            worst = max(worst, code, key=_WORST.index)
            if stop.is_set():
                break
    finally:
        writer.close()
    raise typer.Exit(worst)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
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
        from tsuji.recorded_rows import FORMATS, RecordedRows
        from tsuji_platform.imports.files import FileRows, ReadingOptions

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
        from tsuji.recorded_rows import RecordedRows

        return {**(rows.things if isinstance(rows, RecordedRows) else {}), **self.described}


def _bring_in(writer: "ImportWriter", path: Path, job: _Job, stop: threading.Event) -> int:
    from tsuji_platform.imports.rejected_file import free_path
    from tsuji_platform.imports.rows import ImportFileError
    from tsuji_platform.imports.run import Importer, Rules
    from tsuji_platform.store import StoreError
    from tsuji_simulators.recorded.recording import RecordingError

    with job.open(path) as opened:
        known = opened.identity(job.keep)
        identity = known or f"standard input {uuid.uuid4()}"
        beside = Path("standard-input") if known is None else path
        if job.again:
            writer.forget(identity)
        progress = writer.begin(identity, opened.name, str(job.rejected or free_path(beside)))
        if progress.finished_at is not None:
            typer.echo(
                f"{opened.name} is in already, since {progress.finished_at:%Y-%m-%d %H:%M} UTC; "
                "--again repeats it"
            )
            return _report(progress)
        if progress.rows_done:
            typer.echo(f"{opened.name}: going on after row {progress.rows_done:,}")
        rules = Rules(keep=job.keep, max_errors=job.max_errors, things=job.things(opened))
        importer = Importer(writer, rules, stop)
        with ImportBar(opened.name, progress.rows_done) as bar:

            def show(now: "ImportProgress") -> None:
                bar.show(now.rows_done, now.rejected, opened.share())

            try:
                progress = importer.run(opened.rows, progress, beside, show)
            except (ImportFileError, RecordingError, StoreError) as error:
                failure: str | None = str(error)
            else:
                failure = None
        progress = progress if failure is None else writer.find(identity) or progress
    code = _report(progress)
    if known is None and progress.finished_at is not None:
        writer.forget(identity)
    if failure is not None:
        typer.echo(f"tsuji: {failure}", err=True)
    elif progress.finished_at is None and importer.has_too_many(progress):
        failure = f"stopped: {progress.rejected:,} rows are kept apart (--max-errors)"
        typer.echo(f"tsuji: {opened.name}: {failure}", err=True)
    if progress.finished_at is None:
        after = f"after row {progress.rows_done:,}"
        typer.echo(
            f"tsuji: {opened.name} is in part only: it ended {after}; "
            + (
                "the same command goes on there"
                if known is not None
                else "give it once more, what is in changes nothing"
            ),
            err=True,
        )
        return _FAILED
    return code


def _report(progress: "ImportProgress") -> int:
    """Say what has become of the rows so far."""
    values = progress.stored + progress.duplicate + progress.corrected
    typer.echo(
        f"{progress.source}: {progress.rows_done:,} rows: {progress.stored:,} values stored, "
        f"{progress.corrected:,} corrected, {progress.duplicate:,} there already, "
        f"{progress.rejected:,} kept apart"
    )
    if progress.kept:
        typer.echo(f"  {progress.kept:,} of those there already differ, and were left (--keep)")
    if values and progress.first_time and progress.last_time:
        typer.echo(f"  from {progress.first_time.isoformat()} to {progress.last_time.isoformat()}")
    _say_reasons(progress.reasons)
    if progress.rejected:
        typer.echo(f"  kept apart in {progress.rejected_file}")
        return _SOME_APART
    return _ALL_IN


def _say_reasons(reasons: "Mapping[str, RefusedRows]") -> None:
    for reason, held in sorted(reasons.items(), key=lambda item: -item[1].count):
        typer.echo(
            f"  {held.count:,} {reason} (first in line {held.first_line}: {printable(held.detail)})"
        )


def _rehearse(writer: "ImportWriter", path: Path, job: _Job) -> int:
    from tsuji_platform.imports.rehearsal import rehearse
    from tsuji_platform.imports.rows import Place

    with job.open(path) as opened, ImportBar(opened.name) as bar:

        def show(now: "Rehearsed") -> None:
            bar.show(now.rows, now.rejected, opened.share())

        found = rehearse(writer, opened.rows(Place()), job.things(opened), show, keep=job.keep)
    typer.echo(
        f"{opened.name}: {found.rows:,} rows; nothing was written. {found.stored:,} values would be "
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
    return _SOME_APART if found.rejected else _ALL_IN
