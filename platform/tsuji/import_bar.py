"""Shows how far an import has come: a bar on a terminal, now and then a line elsewhere."""

import time
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

_LINE_EVERY_S = 10.0


class ImportBar:
    """The progress of one file.

    Args:
        name: of the file.
        rows: that were done before.
    """

    def __init__(self, name: str, rows: int = 0) -> None:
        self._name = name
        self._before = rows
        self._begun = self._said = time.monotonic()
        console = Console(stderr=True)
        self._bar = (
            Progress(
                TextColumn("{task.fields[name]}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[rows]}"),
                TimeRemainingColumn(),
                console=console,
            )
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._row = self._bar.add_task("", total=None, name=self._name, rows="")
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, rows: int, rejected: int, share: float | None) -> None:
        """Say where it is.

        Args:
            rows: done, from the file's beginning.
            rejected: of them, or of their values.
            share: of the file that is read, from 0 to 1; None where that is not known.
        """
        now = time.monotonic()
        rate = (rows - self._before) / max(now - self._begun, 1e-9)
        text = f"{rows:,} rows, {rate:,.0f}/s"
        if rejected:
            text += f", {rejected:,} kept apart"
        if self._bar is not None:
            total = None if share is None else 1.0
            self._bar.update(self._row, completed=share or 0.0, total=total, rows=text)
        elif now - self._said > _LINE_EVERY_S:
            self._said = now
            left = "" if share is None else f" ({share:.0%} of the file)"
            typer.echo(f"{self._name}: {text}{left}", err=True)
