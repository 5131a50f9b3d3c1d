"""`tsuji replay`: recorded feeds, published as their devices would have done."""

import math
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from typer.core import TyperGroup

from tsuji import replay_files, wiring
from tsuji.durations import moment, pace
from tsuji.replay_bar import STOPPED, UNHEARD, say_unheard
from tsuji.services import on_stop_signal

if TYPE_CHECKING:
    from tsuji_simulators.recorded.recording import Recording
    from tsuji_simulators.replay import ReplayProgress


class _Files(TyperGroup):
    """Takes what is not the name of a feed for files."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in front that files are for."""
        if args and args[0] not in (*self.commands, "--help"):
            args = ["files", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    cls=_Files,
    subcommand_metavar="FILE... | files | melbourne | amedas",
    help="Publish over MQTT what was recorded: `tsuji replay FILE...` (all options: `tsuji replay files "
    "--help`), or a published recording by its name.",
)
app.command()(replay_files.files)


_From = Annotated[
    datetime | None,
    typer.Option("--from", parser=moment, metavar="TIME", help="Leave out what ended by then."),
]
_To = Annotated[
    datetime | None,
    typer.Option("--to", parser=moment, metavar="TIME", help="Leave out what ended later."),
]
_Speed = Annotated[
    float | None,
    typer.Option(
        parser=pace,
        metavar="NUMBER|max",
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
            recording,
            address,
            speed=None if speed == math.inf else speed,
            start=start,
            end=end,
            stop=stop,
            on_progress=bar.show,
        )
    typer.echo(
        f"{final.observations} of {final.total} observations of {final.things} things published in "
        f"{final.messages} messages, {final.acknowledged} of them acknowledged by the broker"
    )
    if not final.is_complete:
        raise typer.Exit(STOPPED)
    if final.unheard:
        say_unheard(final.unheard)
        raise typer.Exit(UNHEARD)


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
