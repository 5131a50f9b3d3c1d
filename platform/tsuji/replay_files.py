"""`tsuji replay FILE…`: recorded messages, sent again."""

import math
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from tsuji import wiring
from tsuji.durations import moment_or_duration, pace
from tsuji.services import on_stop_signal
from tsuji.waiting import wait_for_broker

if TYPE_CHECKING:
    from tsuji_platform.imports.files import ReadingOptions
    from tsuji_simulators.tape.choice import Choice
    from tsuji_simulators.tape.message import Track
    from tsuji_simulators.tape.player import How
    from tsuji_simulators.tape.position import StateFile

_FORMATS = ("tsuji", "messages", "csv", "twinlink", "jsonl", "parquet")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise typer.BadParameter(f"{name!r} is no time zone, such as Asia/Tokyo") from error


def files(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Merged in the order of arrival.")
    ],
    speed: Annotated[
        float | None,
        typer.Option(
            parser=pace,
            metavar="NUMBER|max",
            help="Times the original; max is as fast as the broker takes it. [1]",
        ),
    ] = None,
    to_now: Annotated[
        bool,
        typer.Option(
            "--to-now",
            help="Move the times inside of payloads, so that the last message is sent at its own moment.",
        ),
    ] = False,
    loop: Annotated[
        int | None,
        typer.Option("--loop", min=0, metavar="TIMES", help="So often; 0: until stopped."),
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(metavar="FILTER", help="These topics only, with + and #; may be repeated."),
    ] = None,
    thing: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="These things only, * and ? allowed; may be repeated."),
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            parser=moment_or_duration,
            metavar="TIME",
            help="Begin there: 2026-04-01T09:00:00+09:00, or 10m behind the beginning. What was retained "
            "by then comes first.",
        ),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option(
            "--to", parser=moment_or_duration, metavar="TIME", help="End before it; as for --from."
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Remembers there how far it has come: the same command goes on after a stop or a kill.",
        ),
    ] = None,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Go on behind what is damaged in a file.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the messages as JSON lines, send nothing.")
    ] = False,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help=f"{', '.join(_FORMATS)}. [by the file]"),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--map", help="What a file's names mean (TOML), as for `tsuji import`."),
    ] = None,
    register: Annotated[
        Path | None,
        typer.Option(help="What the things of rows are (JSON), as for `tsuji import`."),
    ] = None,
    zone: Annotated[
        ZoneInfo | None,
        typer.Option("--time-zone", parser=_zone, metavar="ZONE", help="Of times without offset."),
    ] = None,
    period_s: Annotated[
        int | None,
        typer.Option("--period", min=1, max=31 * 86_400, help="Seconds that a count covers."),
    ] = None,
    encoding: Annotated[str, typer.Option(help="Of CSV files, such as cp932.")] = "utf-8",
) -> None:
    """Send recorded messages again.

    Reads recordings of `tsuji record`, messages as JSON lines or Parquet, and what `tsuji import` reads.

    Exit codes: 0 all is sent, 3 some of it reached no subscriber or was refused, 1 it was stopped or
    failed, 2 wrong use.
    """
    from tsuji_platform.imports.files import ReadingOptions
    from tsuji_platform.imports.names import Names, load_names
    from tsuji_simulators.tape.merge import Merged
    from tsuji_simulators.tape.player import How, Position
    from tsuji_simulators.tape.position import StateFile, fingerprint

    if form is not None and form not in _FORMATS:
        raise typer.BadParameter(f"--format is one of {', '.join(_FORMATS)}, got {form!r}")
    if dry_run and (speed is not None or to_now or loop is not None or state is not None):
        raise typer.BadParameter(
            "--speed, --to-now, --loop and --state are for a broker: leave them out, or --dry-run"
        )
    options = ReadingOptions(
        form=form,
        names=load_names(mapping) if mapping else Names(),
        zone=zone,
        period_s=period_s,
        encoding=encoding,
    )
    track = Merged([_open(path, options, register, skip_damaged) for path in paths])
    choice = _choice(track, topic or [], thing or [], start, end)
    if dry_run:
        _print(track, choice)
        return
    kept = None if state is None else StateFile(state, fingerprint(paths, choice.text))
    position = Position() if kept is None else kept.load()
    if position != Position():
        typer.echo(f"going on behind {position.messages:,} messages", err=True)
    how = How(
        choice=choice,
        speed=None if speed == math.inf else speed or 1.0,
        to_now=to_now,
        passes=1 if loop is None else loop or None,
        start=position,
    )
    raise typer.Exit(_send(track, how, kept))


def _open(
    path: Path, options: "ReadingOptions", register: Path | None, skip_damaged: bool
) -> "Track":
    from dataclasses import replace

    from tsuji.replay_rows import RowsTrack
    from tsuji_platform.imports.files import format_of
    from tsuji_platform.imports.things import load_things
    from tsuji_simulators.tape.lists import JsonLines, ParquetMessages, holds_messages
    from tsuji_simulators.tape.reader import Tape, is_tape

    if options.form == "tsuji" or (options.form is None and is_tape(path)):
        return Tape(path, skip_damaged=skip_damaged, tell=_tell)
    wanted = None if options.form == "messages" else options.form
    form = wanted or format_of(path)
    if form in ("jsonl", "parquet") and (
        options.form == "messages" or (wanted is None and holds_messages(path, form))
    ):
        kind = JsonLines if form == "jsonl" else ParquetMessages
        return kind(path, skip_damaged=skip_damaged, tell=_tell)
    described = load_things(register) if register else {}
    return RowsTrack(path, replace(options, form=wanted), described, _tell)


def _choice(
    track: "Track",
    topics: list[str],
    things: list[str],
    start: datetime | float | None,
    end: datetime | float | None,
) -> "Choice":
    from tsuji_simulators.tape.choice import Choice
    from tsuji_simulators.tape.message import as_us

    span = track.span() if isinstance(start, float) or isinstance(end, float) else None
    first_us = 0 if span is None else span.first_us

    def place(one: datetime | float | None) -> int | None:
        if one is None:
            return None
        return first_us + round(one * 1e6) if isinstance(one, float) else as_us(one)

    return Choice(topics=topics, things=things, start_us=place(start), end_us=place(end))


def _print(track: "Track", choice: "Choice") -> None:
    from tsuji_simulators.tape.lists import line_of

    for message in choice.of(track):
        sys.stdout.buffer.write(line_of(message) + b"\n")
    sys.stdout.buffer.flush()


def _send(track: "Track", how: "How", kept: "StateFile | None") -> int:
    from tsuji.replay_bar import FlowLine, sum_up
    from tsuji_simulators.publish import Publisher
    from tsuji_simulators.tape.player import Player, PlayProgress

    address = wiring.broker_address()
    stop = threading.Event()
    on_stop_signal(stop.set)
    whole = how.choice.is_all and how.passes == 1
    span = track.span() if whole else None
    total = None if span is None else span.messages
    with FlowLine() as line:
        mqtt5 = wait_for_broker(address, stop)

        def show(progress: PlayProgress) -> None:
            line.play(progress, total)
            if kept is not None and progress.position != how.start:
                kept.save(progress.position)

        with Publisher(address, client_id="tsuji-replay", mqtt5=mqtt5, stop=stop) as publisher:
            player = Player(track, publisher, how, stop=stop, on_progress=show)
            final = player.play()
            refusal = publisher.refusal
    if kept is not None and final.is_complete:
        kept.forget()
    went = final.sent or final.unsendable or how.start.messages or how.start.passes
    if final.is_complete and not went and not how.choice.is_all:
        _tell("nothing fits: --topic, --thing, --from or --to leave out every message")
    return sum_up(final, refusal, player.trouble, to_now=how.to_now, paced=how.speed is not None)


def _tell(text: str) -> None:
    from tsuji.terminal import printable

    typer.echo(printable(text), err=True)
