"""How much of a download, or of another stream of bytes, has come."""

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn


class ByteBar(Progress):
    """A bar on standard error, which goes away at the end; nothing where that is no terminal.

    Args:
        name: what is downloaded.
    """

    def __init__(self, name: str) -> None:
        console = Console(stderr=True)
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._row = self.add_task(name, total=None)

    def show(self, size: int, total: int | None, name: str | None = None) -> None:
        """Move the bar; `name` says what it has come to."""
        self.update(self._row, completed=size, total=total, description=name)
