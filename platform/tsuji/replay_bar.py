"""Shows how a feed fares: one line that stays in its place, and a sentence at the end."""

import time
from datetime import datetime
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from tsuji import exit_codes
from tsuji.terminal import printable

if TYPE_CHECKING:
    from tsuji_simulators.tape.player import PlayProgress

COMPLETE, STOPPED, UNHEARD = exit_codes.DONE, exit_codes.FAILED, exit_codes.IN_PART
"""Exit codes."""


class FlowLine(Live):
    """How messages flow, in one line that stays in its place; nothing where there is no terminal.

    Attributes:
        is_terminal: whether there is one.
    """

    def __init__(self) -> None:
        console = Console(stderr=True)
        super().__init__(console=console, auto_refresh=False, transient=True)
        self.is_terminal = console.is_terminal
        self._before = (time.monotonic(), 0)

    def show(
        self,
        at: datetime | None,
        messages: int,
        total: int | None,
        unacknowledged: int | None,
        unheard: int | None = None,
        more: str = "",
    ) -> None:
        """Write the line anew.

        Args:
            at: where in the recording, or in simulated time.
            messages: so far.
            total: that there will be, as far as that is known.
            unacknowledged: of these by the broker; None without one.
            unheard: of these that reached nobody, as far as the broker says.
            more: what else there is to say.
        """
        if not self.is_terminal:
            return
        now = time.monotonic()
        then, before = self._before
        rate = (messages - before) / max(now - then, 1e-3)
        self._before = (now, messages)
        when = "" if at is None else f"{at:%Y-%m-%d %H:%M:%SZ}, "
        of = "" if total is None else f" of {total:,}"
        text = f"{when}{messages:,}{of} messages, {rate:,.0f}/s"
        if unacknowledged is not None:
            text += f", {unacknowledged:,} unacknowledged"
        if unheard:
            text += f"; {unheard:,} reached no subscriber"
        self.update(Text(text + more, no_wrap=True, overflow="ellipsis"), refresh=True)

    def play(self, progress: "PlayProgress", total: int | None) -> None:
        """The same of a replay.

        Args:
            progress: how it fares.
            total: messages that there are, as far as that is known.
        """
        from tsuji_simulators.tape.message import as_time

        at = None if progress.time_us is None else as_time(progress.time_us)
        waiting = progress.sent - progress.acknowledged
        self.show(at, progress.sent, total, waiting, progress.unheard)


def sum_up(final: "PlayProgress", refusal: str, trouble: str, *, to_now: bool, paced: bool) -> int:
    """Say what has become of a replay; returns the exit code."""
    late = (
        f"; the latest went out {final.latest_s * 1000:,.1f} ms late"
        if paced and final.sent
        else ""
    )
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
        "messages for it) and send them again",
        err=True,
    )
