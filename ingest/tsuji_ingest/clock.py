"""Notices that the hub's clock was set: pure, with clocks of the caller's."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

TOLERANCE = timedelta(seconds=1)
"""Smaller steps are none: the two clocks are not read at the same moment."""
_AT_ONCE_S = 0.2
"""Both clocks are read within that, or once more: a busy machine may let us wait between them."""
_READINGS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A wall clock that was set.

    Attributes:
        size: by how much; negative where it was set back.
        now: what it shows since.
    """

    size: timedelta
    now: datetime

    @property
    def forward(self) -> bool:
        """Whether it had been behind, or is ahead now."""
        return self.size > timedelta(0)


class ClockWatch:
    """Compares the wall clock with a clock that nobody sets, at every look with the look before.

    So a step shows, and slewing does not, however far it goes in the end: NTP slews both clocks alike, and
    what is left between two looks is far below the tolerance. A machine that slept shows nothing either,
    where the other clock goes on meanwhile (Linux' CLOCK_BOOTTIME does).

    Args:
        wall: aware time.
        steady: seconds.
    """

    def __init__(self, wall: Callable[[], datetime], steady: Callable[[], float]) -> None:
        self._wall = wall
        self._steady = steady
        self._seen, self._seen_s = self._read()
        self._believed_since_s = self._seen_s

    @property
    def believed_for_s(self) -> float:
        """For how long the clock has gone without a step, seconds."""
        return self._seen_s - self._believed_since_s

    def look(self) -> Step | None:
        """The step since the last look, None where there was none."""
        now, now_s = self._read()
        size = now - self._seen - timedelta(seconds=now_s - self._seen_s)
        self._seen, self._seen_s = now, now_s
        if abs(size) < TOLERANCE:
            return None
        self._believed_since_s = now_s
        return Step(size=size, now=now)

    def _read(self) -> tuple[datetime, float]:
        """Both clocks at one moment, as nearly as that can be had."""
        for _ in range(_READINGS):
            before_s, now, after_s = self._steady(), self._wall(), self._steady()
            if after_s - before_s <= _AT_ONCE_S:
                break
        return now, after_s
