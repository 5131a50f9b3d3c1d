"""`tsuji export`: observations or rollups as Parquet or CSV, for other programs and `tsuji import`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import ciso8601
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tsuji import exit_codes, wiring
from tsuji_platform.settings import LEAST_SMALL_COUNT

if TYPE_CHECKING:
    from pyarrow import Schema

    from tsuji_platform.exports.files import Sink
    from tsuji_platform.store.export import Export

NOTHING = exit_codes.IN_PART
"""Exit code where there is nothing to export."""


class Step(StrEnum):
    """What the rows are."""

    RAW = "raw"
    FIVE_MINUTES = "5min"
    HOUR = "1h"
    DAY = "1day"


class Format(StrEnum):
    """How they are written."""

    PARQUET = "parquet"
    CSV = "csv"


_WIDTHS = {
    Step.RAW: timedelta(0),
    Step.FIVE_MINUTES: timedelta(minutes=5),
    Step.HOUR: timedelta(hours=1),
    Step.DAY: timedelta(days=1),
}


def _moment(text: str | datetime) -> datetime:
    """Read RFC 3339 with an offset, or a day in Tokyo: its beginning."""
    if isinstance(text, datetime):
        return text
    try:
        if len(text) == len("2026-04-01"):
            day = date.fromisoformat(text)
            time = datetime.fromisoformat(f"{day:%Y-%m-%d}T00:00:00+09:00")
        else:
            time = ciso8601.parse_rfc3339(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is neither a time with an offset, such as 2026-04-01T09:00:00+09:00, nor a day "
            "in Tokyo, such as 2026-04-01"
        ) from error
    if not 1970 <= time.year <= 2200:
        raise typer.BadParameter(f"{text!r} is outside the years 1970 to 2200")
    return time.astimezone(UTC)


_From = Annotated[
    datetime | None,
    typer.Option(
        "--from",
        parser=_moment,
        metavar="TIME",
        help="Only what ended later: a time with offset, or a day in Tokyo.",
    ),
]
_To = Annotated[
    datetime | None,
    typer.Option(
        "--to",
        parser=_moment,
        metavar="TIME",
        help="Only what ended by then (a day: by its beginning); until now otherwise.",
    ),
]


def export(
    target: Annotated[
        str,
        typer.Argument(
            help="A folder for Parquet, a file for CSV (.csv), or - for standard output."
        ),
    ],
    step: Annotated[Step, typer.Option(help="Observations, or rollups of this width.")] = Step.RAW,
    start: _From = None,
    end: _To = None,
    area_set: Annotated[
        str | None, typer.Option(help="Only things in the areas of this set.")
    ] = None,
    area: Annotated[
        list[str] | None, typer.Option(help="Only things in this area of the set; may be repeated.")
    ] = None,
    thing: Annotated[
        list[str] | None, typer.Option(help="Only this thing; may be repeated.")
    ] = None,
    observed_property: Annotated[
        list[str] | None, typer.Option(help="Only this observed property; may be repeated.")
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Otherwise as the target's name says.")
    ] = None,
    bom: Annotated[
        bool,
        typer.Option("--bom", help="CSV: begin with a mark, by which spreadsheets know UTF-8."),
    ] = False,
    licence: Annotated[
        str,
        typer.Option(help="Under which licence the observations are passed on, for the metadata."),
    ] = "",
    suppress: Annotated[
        int,
        typer.Option(
            metavar="K",
            help="Withhold counts of people above 0 and below K (3 or more), as public answers do.",
        ),
    ] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
) -> None:
    """Write observations or rollups as Parquet (a folder by Tokyo day) or CSV, all as it is at one moment.

    What has its name is whole: until then it ends with .partial. Exit code 3 where there is nothing.
    """
    from tsuji_platform.analytics.suppression import Gate
    from tsuji_platform.exports.about import about as describe
    from tsuji_platform.store.export import exporting
    from tsuji_platform.store.export_choice import Choice

    chosen = format_ or _format_of(target)
    if chosen is Format.PARQUET and target == "-":
        raise typer.BadParameter("Parquet is a folder of files: name one")
    if suppress < 0 or 0 < suppress < LEAST_SMALL_COUNT:
        raise typer.BadParameter(
            f"--suppress {suppress}: {LEAST_SMALL_COUNT} or more, since below that a withheld count is "
            "known; 0 withholds none"
        )
    if bom and chosen is Format.PARQUET:
        raise typer.BadParameter("--bom is for CSV")
    if start is not None and end is not None and start >= end:
        raise typer.BadParameter(
            f"--from {_time(start)} must be before --to {_time(end)}; there is no time between them"
        )
    choice = Choice(
        width=_WIDTHS[step],
        start=start,
        end=end,
        area_set=area_set,
        areas=area or (),
        things=thing or (),
        observed_properties=observed_property or (),
        gate=Gate(suppress),
    )
    with exporting(wiring.database_url(), choice, lambda what: typer.echo(what, err=True)) as found:
        if found.kept_since is not None:
            coarser = "" if step is Step.DAY else "; longer steps (--step) may still be there"
            typer.echo(
                f"what ended by {_time(found.kept_since)} is no longer kept{coarser}", err=True
            )
        if not found.days:
            typer.echo(f"nothing to export: {_why_nothing(found)}", err=True)
            raise typer.Exit(NOTHING)
        about = describe(found, licence)
        rows = _write(found, target, chosen, about, bom=bom, force=force)
    if target != "-":
        typer.echo(f"{rows:,} rows of {len(found.streams)} datastreams in {target}")


def _format_of(target: str) -> Format:
    """What a target's name says: a file of CSV, or a folder of Parquet."""
    ending = Path(target).suffix
    if target == "-" or ending.lower() == ".csv":
        return Format.CSV
    if ending.lower() in ("", ".parquet") or not ending[1:].isalnum() or ending[1:].isdigit():
        return Format.PARQUET
    raise typer.BadParameter(
        f"{target!r}: files of {ending} can't be written. Name a file that ends with .csv, or a folder "
        "for Parquet without such an ending; --format parquet makes a folder of any name"
    )


def _write(
    found: "Export", target: str, chosen: Format, about: dict[str, Any], *, bom: bool, force: bool
) -> int:
    from tsuji_platform.exports.rows import Columns

    columns = Columns(found.streams, found.width, about, found.gate)
    rows = 0
    try:
        with (
            _sink(target, chosen, columns.schema, bom=bom, force=force) as sink,
            _Bar(len(found.days)) as bar,
        ):
            for number, day in enumerate(found.days):
                for part in found.rows(day):
                    sink.write(day, columns.batch(part))
                    rows += len(part)
                    bar.show(day, number, rows)
            bar.show(found.days[-1], len(found.days), rows)
            sink.close(about | {"rows": rows})
    except BrokenPipeError:  # who reads has enough
        _give_up_output()
        raise typer.Exit(exit_codes.READER_GONE) from None
    return rows


def _give_up_output() -> None:
    """Let what is still to be written there go, so that nothing complains at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _sink(
    target: str, chosen: Format, schema: "Schema", *, bom: bool, force: bool
) -> "Iterator[Sink]":
    from tsuji_platform.exports.files import (
        CsvSink,
        ExportFileError,
        ParquetSink,
        csv_draft,
        folder_draft,
        told,
    )

    if target == "-":
        try:
            with told("standard output"):
                yield CsvSink(sys.stdout.buffer, schema, bom=bom)
        except ExportFileError:
            _give_up_output()
            raise
    elif chosen is Format.CSV:
        with csv_draft(Path(target), force=force) as file:
            yield CsvSink(file, schema, bom=bom)
    else:
        with folder_draft(Path(target), force=force) as folder:
            yield ParquetSink(folder, schema)


def _why_nothing(found: "Export") -> str:
    if not found.streams:
        return "no thing that was asked for has such a datastream"
    if found.start >= found.end:
        return f"no complete step lies between {_time(found.start)} and {_time(found.end)}"
    return (
        f"{len(found.streams)} datastreams have no observation between {_time(found.start)} and "
        f"{_time(found.end)}"
    )


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


class _Bar(Progress):
    """How many of the days are written; on a terminal only."""

    def __init__(self, days: int) -> None:
        console = Console(stderr=True)
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._begun = monotonic()
        self._row = self.add_task("", total=days, rows="")

    def show(self, day: date, done: int, rows: int) -> None:
        """Move the bar."""
        rate = rows / max(monotonic() - self._begun, 1e-9)
        self.update(
            self._row,
            description=f"{day:%Y-%m-%d}",
            completed=done,
            rows=f"{rows:,} rows, {rate:,.0f}/s",
        )
