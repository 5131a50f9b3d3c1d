"""The clock that nobody sets: seconds since this machine's boot, and which boot that was.

The wall clock may be wrong and be set right later. What was received meanwhile is placed in time by this
one, which goes on through suspension and is the same for all processes of a machine.
"""

import time
import uuid
from functools import cache
from pathlib import Path

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SUSPENDED_S = 0.001
"""Further apart than this the two clocks have not drifted: the machine has slept in between."""


def uptime_s() -> float:
    """Seconds since the boot of this machine."""
    return time.clock_gettime(_CLOCK)


class _Distance:
    """How far this machine's clock since boot is ahead of the monotonic one: for how long it slept.

    Measured anew for each message, the time between looking at one and at the other would disorder
    what came at one moment. So it stays what it was until the two contradict it.
    """

    def __init__(self) -> None:
        self._kept_s = 0.0

    def now(self) -> float:
        before, boot, after = time.monotonic(), uptime_s(), time.monotonic()
        kept = self._kept_s
        if not before - _SUSPENDED_S <= boot - kept <= after + _SUSPENDED_S:
            self._kept_s = kept = min(_measured() for _ in range(5))[1]
        return kept


def _measured() -> tuple[float, float]:
    """The time that the measurement took, and what it gave."""
    before, boot, after = time.monotonic(), uptime_s(), time.monotonic()
    return after - before, boot - (before + after) / 2


_DISTANCE = _Distance()


def since_boot(monotonic_s: float) -> float:
    """When that was in seconds since the boot, for a moment of this process's monotonic clock.

    The order of moments is kept, and what was one moment remains one.
    """
    return monotonic_s + _DISTANCE.now()


@cache
def boot_id() -> str:
    """Which boot of which machine `uptime_s` counts from; where the system can't say, this process's."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return str(uuid.uuid4())
