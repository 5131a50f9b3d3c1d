"""Shows how a replay fares: one line that stays in its place, and a sentence at the end."""

import time
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from tsuji.terminal import printable

if TYPE_CHECKING:
    from tsuji_simulators.tape.player import PlayProgress

COMPLETE, STOPPED, UNHEARD = 0, 1, 3
"""Exit codes."""


class ReplayLine(Live):
    """One line: where in the recording, how many messages, how fast.

    Args:
        total: messages that there are, as far as that is known.
    """

    def __init__(self, total: int | None) -> None:
        console = Console(stderr=True)
        super().__init__(console=console, auto_refresh=False, transient=True)
        self._is_terminal = console.is_terminal
        self._total = total
        self._before = (time.monotonic(), 0)

    def show(self, progress: "PlayProgress") -> None:
        """Write the line anew; where there is no terminal, nothing."""
        from tsuji_simulators.tape.message import as_time

        if not self._is_terminal:
            return
        now = time.monotonic()
        then, sent = self._before
        rate = (progress.sent - sent) / max(now - then, 1e-3)
        self._before = (now, progress.sent)
        at = "" if progress.time_us is None else f"{as_time(progress.time_us):%Y-%m-%d %H:%M:%S}, "
        of = "" if self._total is None else f" of {self._total:,}"
        text = (
            f"{at}{progress.sent:,}{of} messages, {rate:,.0f}/s, "
            f"{progress.sent - progress.acknowledged:,} unacknowledged"
        )
        if progress.unheard:
            text += f"; {progress.unheard:,} reached no subscriber"
        self.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)


def sum_up(final: "PlayProgress", refusal: str, trouble: str, *, to_now: bool, paced: bool) -> int:
    """Say what has become of a replay; returns the exit code."""
    late = f"; the latest went out {final.latest_s * 1000:,.1f} ms late" if paced else ""
    typer.echo(
        f"{final.sent:,} messages sent, {final.acknowledged:,} of them acknowledged by the broker{late}"
    )
    if to_now and final.timeless:
        typer.echo(
            f"{final.timeless:,} of them hold no time that could be moved, and went out as they were",
            err=True,
        )
    if to_now and final.unknown:
        typer.echo(
            f"{final.unknown:,} of them are of formats of which it is not known where their times stand, "
            "and went out as they were",
            err=True,
        )
    if final.refused:
        typer.echo(f"tsuji: the broker refused {final.refused:,} of them: {refusal}", err=True)
    if final.unsendable:
        typer.echo(
            f"tsuji: {final.unsendable:,} more could not be sent: {printable(trouble)}", err=True
        )
    if final.unheard:
        say_unheard(final.unheard)
    elif final.unheard is None and final.is_complete:
        typer.echo("whether anybody has subscribed to them the broker doesn't say", err=True)
    if not final.is_complete:
        return STOPPED
    return UNHEARD if final.unheard or final.refused or final.unsendable else COMPLETE


def say_unheard(count: int) -> None:
    """Say that nobody has received so many messages."""
    typer.echo(
        f"tsuji: {count:,} messages reached no subscriber and are lost: nobody has subscribed to their "
        "topics. Start what is to receive them (`tsuji ingest`: once it has run, the broker keeps "
        "messages for it) and replay again",
        err=True,
    )
