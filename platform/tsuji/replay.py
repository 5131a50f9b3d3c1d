"""`tsuji replay`: recorded feeds, published as their devices would have done."""

import math
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import ciso8601
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tsuji import wiring
from tsuji.services import on_stop_signal

if TYPE_CHECKING:
    from tsuji_simulators.recorded.recording import Recording
    from tsuji_simulators.replay import ReplayProgress

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Publish a recorded feed over MQTT, with its original times.",
)


def _moment(text: str) -> datetime:
    try:
        return ciso8601.parse_rfc3339(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not RFC 3339 with an offset, such as 2014-06-01T00:00:00+10:00"
        ) from error


def _pace(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise typer.BadParameter(f"{text!r} is not a number above 0, such as 60")
    return speed


_From = Annotated[
    datetime | None,
    typer.Option("--from", parser=_moment, metavar="TIME", help="Leave out what ended by then."),
]
_To = Annotated[
    datetime | None,
    typer.Option("--to", parser=_moment, metavar="TIME", help="Leave out what ended later."),
]
_Speed = Annotated[
    float | None,
    typer.Option(
        parser=_pace,
        metavar="NUMBER",
        help="Times the original speed; as fast as the broker takes it otherwise.",
    ),
]


@app.command()
def melbourne(
    counts: Annotated[Path, typer.Argument(help="Hourly counts, CSV of the City of Melbourne.")],
    locations: Annotated[Path, typer.Option(help="Sensor locations, CSV of the same publisher.")],
    start: _From = None,
    end: _To = None,
    speed: _Speed = None,
) -> None:
    """Publish Melbourne's pedestrian counts: one footfall counter for each sensor."""
    from tsuji_simulators.recorded.melbourne import read

    _publish(lambda: read(counts, locations), start, end, speed)


@app.command()
def amedas(
    observations: Annotated[Path, typer.Argument(help="Hourly observations, CSV of AMeDAS.")],
    stations: Annotated[Path, typer.Option(help="Stations with coordinates, CSV.")],
    start: _From = None,
    end: _To = None,
    speed: _Speed = None,
) -> None:
    """Publish JMA's AMeDAS observations: one weather station for each station."""
    from tsuji_simulators.recorded.amedas import read

    _publish(lambda: read(observations, stations), start, end, speed)


def _publish(
    read: Callable[[], "Recording"],
    start: datetime | None,
    end: datetime | None,
    speed: float | None,
) -> None:
    from tsuji_simulators.replay import replay

    address = wiring.broker_address()
    recording = read()
    for line in (*recording.problem_summary(), *recording.notes):
        typer.echo(line)
    stop = threading.Event()
    on_stop_signal(stop.set)
    with _Bar() as bar:
        final = replay(
            recording, address, speed=speed, start=start, end=end, stop=stop, on_progress=bar.show
        )
    typer.echo(
        f"{final.observations} of {final.total} observations of {final.things} things published in "
        f"{final.messages} messages, {final.acknowledged} of them acknowledged by the broker"
    )
    if not final.is_complete:
        raise typer.Exit(1)


class _Bar(Progress):
    """How much of a recording is published."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._row = self.add_task("connecting to the broker", total=None)

    def show(self, progress: "ReplayProgress") -> None:
        """Move the bar."""
        shown = "" if progress.time is None else f"{progress.time:%Y-%m-%d %H:%M%z}"
        self.update(
            self._row, description=shown, completed=progress.observations, total=progress.total
        )
