"""What every module of the runtime shares: its error, and how it reports progress."""

from collections.abc import Callable

Progress = Callable[[str], None]
"""Receives short lines for people, such as "fetching PostgreSQL 17 with TimescaleDB"."""


class SetupError(Exception):
    """Something that Tsuji needs is missing or in the way; the message says what to do."""


def quiet(_line: str) -> None:
    """Progress for those who do not want to hear of it."""


def tail(lines: list[str], count: int = 12) -> str:
    """Indent the last lines of a log for an error message."""
    shown = [line for line in lines if line.strip()][-count:]
    return "\n".join(f"    {line}" for line in shown) or "    (it printed nothing)"
