"""`tsuji import`: files with years of observations straight into the database, with their original times."""

import threading
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from tsuji import wiring
from tsuji.import_files import ALL_IN, FAILED, SOME_APART, Job, bring_in, rehearse_file
from tsuji.services import on_stop_signal
from tsuji.terminal import in_a_line

_WORST = (ALL_IN, SOME_APART, FAILED)
_FORMATS = ("csv", "twinlink", "jsonl", "parquet", "melbourne", "amedas")
_MAX_ERRORS = 100_000


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
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Files, and folders of files such as `tsuji export` makes; - is standard input.",
        ),
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
        int,
        typer.Option(min=0, help="Stop at the row with which so many are kept apart; 0: never."),
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
    from tsuji_platform.imports.folders import files_of
    from tsuji_platform.imports.names import Names, load_names
    from tsuji_platform.imports.rows import ImportFileError
    from tsuji_platform.imports.things import load_things
    from tsuji_platform.store.imports import ImportWriter
    from tsuji_simulators.recorded.recording import RecordingError

    if rain not in ("10m", "1h"):
        raise typer.BadParameter(f"--rain is 10m or 1h, got {rain!r}")
    job = Job(
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
    paths: list[Path] = []
    worst = ALL_IN
    for path in files:
        try:
            paths += files_of(path, by_name=form is None)
        except ImportFileError as error:  # the others may be well
            typer.echo(f"tsuji: {in_a_line(error)}", err=True)
            worst = FAILED
    writer, stop = ImportWriter(wiring.database_url()), threading.Event()
    on_stop_signal(stop.set)
    try:
        for number, path in enumerate(paths, 1):
            try:
                code = (
                    rehearse_file(writer, path, job)
                    if dry_run
                    else bring_in(writer, path, job, stop)
                )
            except (ImportFileError, RecordingError) as error:  # the others may be well
                typer.echo(f"tsuji: {in_a_line(error)}", err=True)
                code = FAILED
            worst = max(worst, code, key=_WORST.index)
            if stop.is_set() and number < len(paths):
                typer.echo(f"tsuji: stopped, {len(paths) - number} files were not begun", err=True)
                worst = FAILED
                break
    finally:
        writer.close()
        if not dry_run and (places is not None or register is not None):
            _assign()
    raise typer.Exit(worst)


def _assign() -> None:
    """Things may have been registered: say in which areas they stand."""
    from tsuji.area_sets import assign_all
    from tsuji_platform.store import Areas, StoreError

    try:
        with wiring.database() as database:
            assign_all(Areas(database))
    except StoreError as error:
        typer.echo(
            f"tsuji: things are not assigned to areas yet, ingest will do it: {error}", err=True
        )
