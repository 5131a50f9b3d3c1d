"""`tsuji record`: what a broker carries, written to a file."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from tsuji import wiring
from tsuji.durations import duration_s
from tsuji.services import on_stop_signal
from tsuji.waiting import wait_for_broker

if TYPE_CHECKING:
    from tsuji_simulators.record import RecordProgress


def record(
    file: Annotated[
        Path, typer.Argument(help="The recording, such as monday.tsuji; never written over.")
    ],
    topic: Annotated[
        list[str] | None,
        typer.Option(metavar="FILTER", help="Topics to record, with + and #; may be repeated. [#]"),
    ] = None,
    for_s: Annotated[
        float | None,
        typer.Option(
            "--for", parser=duration_s, metavar="TIME", help="End after 90s, 15m, 1h or 7d."
        ),
    ] = None,
    rotate_s: Annotated[
        float | None,
        typer.Option(
            "--rotate", parser=duration_s, metavar="TIME", help="Begin another file after so long."
        ),
    ] = None,
    rotate_mb: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="MB", help="Begin another file after so many megabytes."),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Client id of a session that lasts: the broker keeps what comes while this command does "
            "not run, for a day where it speaks MQTT 5.",
        ),
    ] = None,
) -> None:
    """Record what the broker carries until stopped: topic, payload, QoS, retain and time of arrival."""
    from tsuji_simulators.record import Recorder
    from tsuji_simulators.tape.choice import check_filter
    from tsuji_simulators.tape.message import as_us
    from tsuji_simulators.tape.writer import TapeWriter

    filters = [check_filter(one) for one in topic or ["#"]]
    address = wiring.broker_address()
    stop = threading.Event()
    on_stop_signal(stop.set)
    try:
        mqtt5 = wait_for_broker(address, stop, for_s)
    except ConnectionError as error:
        typer.echo("tsuji: nothing is recorded: no broker came in the time of --for", err=True)
        raise typer.Exit(1) from error
    if stop.is_set():
        raise typer.Exit(1)
    if mqtt5 is None:
        typer.echo(
            "the broker does not speak MQTT 5: messages that come as they are published are recorded as "
            "not retained, whatever they were",
            err=True,
        )
    writer = TapeWriter(
        file,
        filters=filters,
        started_us=as_us(datetime.now(UTC)),
        rotate_bytes=None if rotate_mb is None else round(rotate_mb * 1e6),
        rotate_s=rotate_s,
    )
    if for_s is not None:
        timer = threading.Timer(for_s, stop.set)
        timer.daemon = True
        timer.start()
    with _Line() as line:
        recorder = Recorder(
            address, writer, filters, mqtt5=mqtt5, session=session, on_progress=line.show
        )
        final = recorder.run(stop)
    where = (
        final.path if final.files == 1 else f"{final.files} files, the last of them {final.path}"
    )
    typer.echo(
        f"{final.written:,} messages of {final.payload_bytes:,} bytes recorded in {final.bytes:,} bytes: "
        f"{where}"
    )
    for missed in _missed(final):
        typer.echo(f"missed: {missed}", err=True)
    if not final.was_connected:
        raise typer.Exit(1)


def _missed(progress: "RecordProgress") -> list[str]:
    """What may not have been recorded, in words."""
    missed = []
    if not progress.was_connected:
        missed.append("everything: the broker has not let this client subscribe")
    if progress.away_s > 0:
        missed.append(f"what came in {progress.away_s:.1f} s without the broker")
    if progress.dropped:
        missed.append(
            f"the broker had no room for {progress.dropped:,} messages, for this recording or for others"
        )
    if progress.left_out:
        missed.append(f"{progress.left_out:,} messages whose topic is empty or not UTF-8")
    return missed


class _Line(Live):
    """How a recording fares, in one line that stays in its place."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        super().__init__(console=console, auto_refresh=False, transient=True)
        self._is_terminal = console.is_terminal
        self._before = (time.monotonic(), 0)

    def show(self, progress: "RecordProgress") -> None:
        """Write the line anew; where there is no terminal, nothing."""
        if not self._is_terminal:
            return
        now = time.monotonic()
        then, messages = self._before
        rate = (progress.messages - messages) / max(now - then, 1e-3)
        self._before = (now, progress.messages)
        text = (
            f"{progress.messages:,} messages, {rate:,.0f}/s, {progress.bytes / 1e6:,.1f} MB in "
            f"{progress.path}"
        )
        if not progress.is_connected:
            text += "; no broker now"
        if progress.was_connected:
            text += "".join(f"; missed: {missed}" for missed in _missed(progress))
        self.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)
