"""Whether a thing is heard from: the state that pages show beside every value."""

from datetime import datetime, timedelta
from enum import StrEnum

SILENT_AFTER = timedelta(minutes=15)
"""A thing that was not heard for this long, or for two periods of its newest counts, is silent."""


class State(StrEnum):
    """What is to be said of a thing at a moment."""

    LIVE = "live"
    SILENT = "silent"
    WAITING = "waiting"


def state(newest: datetime | None, period_s: int | None, now: datetime) -> State:
    """State of a thing.

    Args:
        newest: phenomenon time of its newest observation, None where there never was one.
        period_s: the longest period among its newest counts, seconds; None where it counts nothing.
        now: the moment in question.
    """
    if newest is None:
        return State.WAITING
    patience = max(SILENT_AFTER, timedelta(seconds=2 * (period_s or 0)))
    return State.LIVE if now - newest <= patience else State.SILENT
