"""`tsuji simulate SCENARIO`: a simulated city, live or at any time, to a broker, a file or the terminal."""

import json
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsuji import wiring
from tsuji.durations import moment_or_duration, pace
from tsuji.replay_bar import FlowLine, sum_up
from tsuji.services import on_stop_signal
from tsuji_platform.settings import RuntimeSettings

if TYPE_CHECKING:
    from tsuji_simulators.faults.truth import Tell
    from tsuji_simulators.feed import SimulatedTrack
    from tsuji_simulators.run import FleetProgress
    from tsuji_simulators.scenario import Scenario

_log = logging.getLogger(__name__)
_SAY_EVERY_S = 30
_DAY_S = 86_400
_MINUTE_S = 60
_BATCH = 5_000
_END_OF_TIME_S = 4_102_444_800
"""2100: a stream that is to go on until it is stopped."""


def simulate(
    scenario: Annotated[
        str,
        typer.Argument(
            help="A shipped scenario (ordinary-day, fireworks, typhoon, heat-wave, load), or the path "
            "of a scenario file."
        ),
    ] = "ordinary-day",
    speed: Annotated[
        float | None,
        typer.Option(
            parser=pace,
            metavar="NUMBER|max",
            help="Times real time; max is as fast as the broker takes it. [1]",
        ),
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            parser=moment_or_duration,
            metavar="TIME",
            help="Begin there: 2026-04-01T09:00:00+09:00, or 10m behind the scenario's own beginning.",
        ),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option(
            "--to",
            parser=moment_or_duration,
            metavar="TIME",
            help="End there: a time, or so long after the beginning.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 1,
    to_now: Annotated[
        bool,
        typer.Option(
            "--to-now", help="Move the times, so that the last message is sent at its own moment."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Record it without a broker, for `tsuji replay`."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write what the scenario's faults have broken, as JSON lines."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the messages as JSON lines, send nothing.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of scenario files, for editors.")
    ] = False,
) -> None:
    """Publish a simulated city.

    A scenario without a date runs live until stopped, with its past behind it, unless a time, a speed or
    another output is asked for; one with a date runs from its beginning to its end.

    Exit codes: 0 all is sent, 3 some of it reached no subscriber or was refused, 1 it was stopped or
    failed, 2 wrong use.
    """
    from tsuji_simulators.feed import SimulatedTrack
    from tsuji_simulators.scenario_files import load_scenario
    from tsuji_simulators.scenario_files import schema as generated

    if schema:
        typer.echo(json.dumps(generated(), indent=2, ensure_ascii=False))
        return
    if out is not None and dry_run:
        raise typer.BadParameter("--out and --dry-run are two outputs: leave out one of them")
    if (out is not None or dry_run) and (speed is not None or to_now):
        raise typer.BadParameter("--speed and --to-now are for a broker: leave them out")
    city = load_scenario(scenario)
    if truth is not None and not city.faults:
        raise typer.BadParameter(f"--truth: scenario {scenario} has no faults, so there is none")
    asked = any(one is not None for one in (speed, start, end, out)) or to_now or dry_run
    if city.start is None and not city.faults and not asked:
        _live(city, seed)
        return
    start_s, end_s = _span(city, start, end, live=not asked)
    with _truth(truth) as tell:
        track = SimulatedTrack(city, seed, start_s, end_s, tell)
        if dry_run:
            _print(track)
        elif out is not None:
            raise typer.Exit(_record(track, out, start_s))
        else:
            raise typer.Exit(_send(track, speed or 1.0, to_now=to_now, total=not city.faults))


@contextmanager
def _truth(path: Path | None) -> Iterator["Tell | None"]:
    """Where the ground truth goes."""
    from tsuji_simulators.faults.truth import lines_to

    if path is None:
        yield None
        return
    try:
        file = path.open("xb")
    except OSError as error:
        raise typer.BadParameter(f"--truth {path}: {error.strerror}; name a new file") from error
    with file:
        yield lines_to(file)


def _span(
    city: "Scenario",
    start: datetime | float | None,
    end: datetime | float | None,
    *,
    live: bool,
) -> tuple[int, int]:
    """From where to where, seconds since 1970 UTC."""
    if city.start is not None:
        first, last = city.start_s, city.end_s
    else:
        now = int(time.time()) // _MINUTE_S * _MINUTE_S
        first, last = (now, _END_OF_TIME_S) if live else (now - _DAY_S, now)
    if isinstance(start, datetime):
        start_s = int(start.timestamp())
        last = last if city.start is not None and start_s < last else start_s + _DAY_S
    else:
        start_s = first + round(start or 0)
    if isinstance(end, datetime):
        last = int(end.timestamp())
        if start is None and last <= start_s and city.start is None:
            start_s = last - _DAY_S
    elif end is not None:
        last = start_s + round(end)
    if not start_s < last:
        raise typer.BadParameter(
            f"--from {_shown(start_s)} must be before --to {_shown(last)}; the scenario's own time is "
            f"from {_shown(first)}"
        )
    if not (start_s >= 0 and last <= _END_OF_TIME_S):
        raise typer.BadParameter(f"{_shown(start_s)} to {_shown(last)}: must lie in 1970 to 2099")
    return start_s, last


def _shown(moment_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment_s))


def _print(track: "SimulatedTrack") -> None:
    from tsuji_simulators.tape.lists import line_of

    try:
        for message in track.messages():
            sys.stdout.buffer.write(line_of(message) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # `| head`; what is left in the buffer goes nowhere, at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _record(track: "SimulatedTrack", out: Path, start_s: int) -> int:
    """Write it to a file as `tsuji record` would."""
    from itertools import islice

    from tsuji_platform.contract.topics import OBSERVATIONS_FILTER, THINGS_FILTER
    from tsuji_simulators.tape.message import TapeError
    from tsuji_simulators.tape.writer import TapeWriter

    stop = threading.Event()
    on_stop_signal(stop.set)
    total = track.span().messages
    writer = TapeWriter(
        out, filters=(THINGS_FILTER, OBSERVATIONS_FILTER), started_us=start_s * 1_000_000
    )
    line = FlowLine()
    try:
        with line:
            messages = track.messages()
            while not stop.is_set() and (some := list(islice(messages, _BATCH))):
                writer.write(some)
                line.show(some[-1].time, writer.messages, total, None)
        writer.close()
    except TapeError:
        writer.abandon()
        raise
    typer.echo(f"{writer.messages:,} messages recorded in {writer.bytes:,} bytes: {writer.path}")
    if stop.is_set():
        typer.echo("stopped; what is in the file can be replayed", err=True)
    return int(stop.is_set())


def _send(track: "SimulatedTrack", speed: float, *, to_now: bool, total: bool) -> int:
    """Publish it."""
    from tsuji.waiting import wait_for_broker
    from tsuji_simulators.publish import Publisher
    from tsuji_simulators.tape.player import How, Player

    address = wiring.broker_address()
    stop = threading.Event()
    on_stop_signal(stop.set)
    how = How(speed=None if speed == math.inf else speed, to_now=to_now)
    of = track.span().messages if total else None
    line = FlowLine()

    with line:
        mqtt5 = wait_for_broker(address, stop)
        with Publisher(address, client_id="tsuji-simulate", mqtt5=mqtt5, stop=stop) as publisher:
            player = Player(
                track, publisher, how, stop=stop, on_progress=lambda one: line.play(one, of)
            )
            final = player.play()
            refusal = publisher.refusal
    return sum_up(final, refusal, player.trouble, to_now=to_now, paced=how.speed is not None)


def _live(city: "Scenario", seed: int) -> None:
    """Until stopped, with the past behind it."""
    from tsuji_simulators.run import run

    wiring.set_up_logging("simulate")
    stop = threading.Event()
    on_stop_signal(stop.set)
    sayer = _Sayer()
    with sayer.line:
        run(
            wiring.broker_address(),
            city,
            seed,
            wiring.instance().home / "simulator",
            RuntimeSettings().history_days,
            stop,
            sayer.say,
        )


class _Sayer:
    """Says how the live fleet fares: on a terminal at once, in the log now and then."""

    def __init__(self) -> None:
        self.line = FlowLine()
        self._due = 0.0
        self._unheard = 0

    def say(self, progress: "FleetProgress") -> None:
        """Note where the fleet stands."""
        waiting = progress.published - progress.acknowledged
        hours = progress.backlog_s / 3600
        past = f"; {hours:.1f} h of the past still to come" if progress.backlog_s else ""
        self.line.show(
            progress.time, progress.published, None, waiting, progress.unheard, more=past
        )
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _SAY_EVERY_S
        if not self.line.is_terminal:
            _log.info(
                "%d messages published, %d unacknowledged, %.1f h of the past still to come",
                progress.published,
                waiting,
                hours,
            )
        if progress.unheard and progress.unheard > self._unheard:
            _log.warning(
                "%d messages so far reached no subscriber and are lost: start `tsuji ingest`, or whatever "
                "is to receive them",
                progress.unheard,
            )
            self._unheard = progress.unheard
