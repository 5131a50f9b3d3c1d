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


def uptime_s() -> float:
    """Seconds since the boot of this machine."""
    return time.clock_gettime(_CLOCK)


@cache
def boot_id() -> str:
    """Which boot of which machine `uptime_s` counts from; where the system can't say, this process's."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return str(uuid.uuid4())
