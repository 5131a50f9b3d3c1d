"""Load on a web server by `hey`, Debian's own, which is fetched where the machine hasn't got it."""

import csv
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tsuji_platform.runtime import debian
from tsuji_platform.runtime.home import programs_folder

_HEY = debian.Recipe(
    name="hey",
    label="the load generator hey",
    suite="trixie",
    packages=("hey",),
    programs=("usr/bin/hey",),
    check=("usr/bin/hey", "-n", "1", "-c", "1", "http://127.0.0.1:9/"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of some seconds of requests.

    Attributes:
        rate: good answers a second.
        times: milliseconds from request to whole answer of the good ones, in ascending order.
        refused: other answers.
    """

    rate: float
    times: Sequence[float]
    refused: int

    def at(self, share: float) -> float:
        """Milliseconds within which this share was answered."""
        return self.times[min(len(self.times) - 1, int(share * len(self.times)))]


def together(loads: Sequence[Load]) -> Load:
    """Several turns of the same load: the median of their rates, and all of their times."""
    return Load(
        rate=statistics.median(one.rate for one in loads),
        times=sorted(time for one in loads for time in one.times),
        refused=sum(one.refused for one in loads),
    )


@cache
def _program() -> Path:
    found = shutil.which("hey")
    if found:
        return Path(found)
    tree = debian.fetch(_HEY, programs_folder(), print)
    return tree / _HEY.programs[0]


def load(address: str, clients: int, seconds: float, rate: float | None = None) -> Load:
    """Ask for an address again and again.

    Args:
        address: to ask for.
        clients: connections that are kept open; each asks again once it has its answer.
        seconds: how long.
        rate: requests a second of all clients together; None for as many as are answered.
    """
    paced = [] if rate is None else ["-q", f"{rate / clients:.3f}"]
    done = subprocess.run(
        [
            *(_program(), "-z", f"{seconds}s", "-c", str(clients), *paced),
            *("-t", "60", "-disable-compression", "-o", "csv", address),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = list(csv.DictReader(done.stdout.splitlines()))
    good = [row for row in rows if row["status-code"] == "200"]
    if not good:
        raise RuntimeError(f"no good answer of {len(rows)} from {address}: {done.stderr[:300]}")
    took = max(float(row["offset"]) + float(row["response-time"]) for row in rows)
    return Load(
        rate=len(good) / took,
        times=sorted(float(row["response-time"]) * 1_000 for row in good),
        refused=len(rows) - len(good),
    )
