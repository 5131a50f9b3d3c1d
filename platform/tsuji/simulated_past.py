"""Imports the days before the simulated fleet's first start, so that what is usual is known at once."""

import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from tsuji import wiring
from tsuji.services import on_stop_signal
from tsuji_platform.analytics.quarters import TOKYO, midnight
from tsuji_platform.analytics.typical import day_kind
from tsuji_platform.contract import OBSERVED_PROPERTIES, Reason
from tsuji_platform.settings import RuntimeSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsuji_platform.imports.rows import JudgedRows, Place
    from tsuji_platform.store.imports import ImportProgress, ImportWriter
    from tsuji_simulators.scenario import Scenario
    from tsuji_simulators.state import Span

_log = logging.getLogger(__name__)
_MARK = "history: "
"""What stands in the log before what is for people's eyes."""
_DAY_S = 86_400
_MINUTE_S = 60
_PARTS = 4
"""Transactions in which a day goes in; each takes some tenths of a second."""
_REST_TIMES = 1.0
"""Rest so many times as long as a part took: the live map comes first."""
_STATE_AGE_S = 600
_SAY_EVERY_S = 10.0
_LOOK_EVERY_S = 0.5


def simulate_past() -> None:
    """Import what the simulated fleet would have published before it first ran, then end.

    `tsuji up` runs this at low priority once the map is live. Stopped or killed, it goes on where it
    was; what is in is not imported again (docs/demonstration.md).
    """
    from tsuji_platform.store.imports import ImportWriter
    from tsuji_simulators.run import SEED, state_file
    from tsuji_simulators.scenario_files import DEMONSTRATION, load_scenario

    wiring.set_up_logging("simulate-past")
    os.nice(19)
    with contextlib.suppress(psutil.Error):  # some containers forbid it
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    stop = threading.Event()
    on_stop_signal(stop.set)
    scenario = load_scenario(DEMONSTRATION)
    path = state_file(wiring.instance().home / "simulator", scenario, SEED)
    writer = ImportWriter(wiring.database_url())
    try:
        days = _days_left(path, RuntimeSettings().history_days, stop)
        Past(writer, scenario, SEED, path.with_name("past.rejected.csv"), stop).bring_in(days)
    finally:
        writer.close()


def told(lines: Iterable[str]) -> str:
    """What the log of `simulate-past` last had for people's eyes; empty where nothing yet."""
    found = [line.partition(_MARK)[2] for line in lines if _MARK in line]
    return found[-1] if found else ""


def _days_left(path: Path, history_days: float, stop: threading.Event) -> "list[Span]":
    """The days that the fleet leaves to an import, as soon as it says what it leaves."""
    from tsuji_simulators.state import left_to_others

    begun = int(time.time())
    _log.info("waiting for the fleet to say in %s since when it runs", path)
    while True:
        spans = left_to_others(
            path, now=int(time.time()), days=history_days, live_since=begun - _STATE_AGE_S
        )
        if spans is not None:
            days = [day for span in spans for day in days_of(span)]
            return soonest_of_use(days, datetime.now(TOKYO).date())
        if stop.wait(_LOOK_EVERY_S):
            return []


def days_of(span: "Span") -> "Iterator[Span]":
    """A span by Tokyo days, the newest first; a longer one has the same days, and more."""
    end = span.end
    while end > span.start:
        start = max(int(midnight(_last_day(end)).timestamp()), span.start)
        yield span.model_copy(update={"start": start, "end": end})
        end = start


def soonest_of_use(days: "Iterable[Span]", today: date) -> "list[Span]":
    """Days in an order that says soon what is usual today: those of its kind first, the newest first."""
    kind = day_kind(today)
    return sorted(days, key=lambda day: (day_kind(_last_day(day.end)) is not kind, -day.end))


def _last_day(end: int) -> date:
    """The Tokyo day that ends with, or holds, the end of a span."""
    return (datetime.fromtimestamp(end, TOKYO) - timedelta(seconds=1)).date()


class Past:
    """Brings days of the simulated past in, each as an import of its own.

    Args:
        writer: the way into the database.
        scenario: the city.
        seed: the same as that of the fleet that runs.
        rejected: where refused rows would be kept apart; there are none.
        stop: ends it after the part at hand.
        rest_times: rest so many times as long as a part took.
    """

    def __init__(
        self,
        writer: "ImportWriter",
        scenario: "Scenario",
        seed: int,
        rejected: Path,
        stop: threading.Event,
        rest_times: float = _REST_TIMES,
    ) -> None:
        self._writer = writer
        self._scenario = scenario
        self._seed = seed
        self._rejected = rejected
        self._stop = stop
        self._rest_times = rest_times

    def bring_in(self, days: "Sequence[Span]") -> int:
        """Import those days that are not in yet; returns how many observations went in.

        Raises:
            StoreError: the database does not answer for a minute, or refuses.
        """
        missing = [day for day in days if not self._is_in(day)]
        if not missing:
            _log.info("nothing is missing of the past")
        if not missing or not self._things_are_known():
            return 0
        begun, stored, said = time.monotonic(), 0, 0.0
        in_all = sum(day.end - day.start for day in missing) / _DAY_S
        done = 0.0
        for day in missing:
            if time.monotonic() - said > _SAY_EVERY_S:
                said = time.monotonic()
                _log.info("%s%.0f of %.0f days", _MARK, done, in_all)
            stored += self._bring_in(day)
            if self._stop.is_set():
                _log.info("stopped; the next start goes on here")
                return stored
            done += (day.end - day.start) / _DAY_S
        _log.info(
            "%s%.3g days of simulated history are in: %s observations in %.0f s; what is usual is "
            "known as soon as they are rolled up",
            _MARK,
            in_all,
            f"{stored:,}",
            time.monotonic() - begun,
        )
        return stored

    def _identity(self, day: "Span") -> str:
        return (
            f"simulated {self._scenario.name} {self._seed} {day.start}-{day.end} every {day.step_s}"
        )

    def _is_in(self, day: "Span") -> bool:
        found = self._writer.find(self._identity(day))
        return found is not None and found.finished_at is not None

    def _things_are_known(self) -> bool:
        """Wait until the fleet's own messages have registered its things; False where stopped."""
        names = [
            (member.id, name) for member in self._scenario.members for name in member.datastreams
        ]
        said = False
        while unknown := sum(isinstance(key, Reason) for key in self._writer.keys(names)):
            if not said:
                said = True
                _log.info("waiting for ingest to register the fleet: %d datastreams lack", unknown)
            if self._stop.wait(_LOOK_EVERY_S):
                return False
        return True

    def _bring_in(self, day: "Span") -> int:
        from tsuji_platform.imports.run import Importer, Rules

        progress = self._writer.begin(
            self._identity(day), "the simulated past", str(self._rejected)
        )
        before = progress.stored
        began = time.monotonic()

        def rest(_progress: "ImportProgress") -> None:
            nonlocal began
            self._stop.wait(self._rest_times * (time.monotonic() - began))
            began = time.monotonic()

        importer = Importer(self._writer, Rules(keep=True), self._stop)
        after = importer.run(
            lambda place: rows_of(self._scenario, self._seed, day, place),
            progress,
            self._rejected,
            rest,
        )
        return after.stored - before


def rows_of(
    scenario: "Scenario", seed: int, span: "Span", start: "Place"
) -> "Iterator[JudgedRows]":
    """What a fleet reports in a span, in some parts, the newest first: it is what the map lacks most.

    Args:
        scenario: the city.
        seed: same seed, same values.
        span: its reports.
        start: `lines` is the number of parts that are done.
    """
    from tsuji_platform.imports.rows import JudgedRows, Place
    from tsuji_simulators.crew import crews
    from tsuji_simulators.signals import results_of

    together = crews(scenario.members)
    rows = 0
    for part, (ends, step_s, by_the_second) in enumerate(_parts(span), start=1):
        names, periods, times, values = [], [], [], []
        for crew in together:
            end = ends + crew.offset_s[:, None] * by_the_second
            reported = results_of(scenario, seed, crew, end, step_s)
            for row, member in enumerate(crew.members):
                for name, found in reported.items():
                    names.append((member.id, name))
                    periods.append(step_s if OBSERVED_PROPERTIES[name].is_count else 0)
                    times.append(end[row] * 1_000_000)
                    values.append(found[row])
        width = len(ends)
        rows += width * len(names)
        if part <= start.lines:
            continue
        yield JudgedRows(
            end=Place(rows=rows, lines=part),
            names=names,
            codes=np.repeat(np.arange(len(names), dtype=np.int32), width),
            periods=np.repeat(np.array(periods, np.int32), width),
            times_us=np.array(times, np.int64).ravel(),
            results=np.array(values, np.float64).ravel(),
            lines=np.full(width * len(names), part, np.int64),
            original=_nowhere,
        )


def _parts(span: "Span") -> "Iterator[tuple[NDArray[np.int64], int, bool]]":
    """Ends of reports, the seconds that each covers, and whether each thing reports at its own second.

    Steps end with the clock's own, so that each lies in one step of the charts; only beside live reports
    are there minutes, as those are. Otherwise a chart's step would hold four live minutes and the whole
    of a count that ends in it, and leap.
    """
    first = -(-span.start // span.step_s) * span.step_s
    last = span.end // span.step_s * span.step_s
    if first >= last:
        yield _steps(span.start, span.end, _MINUTE_S), _MINUTE_S, True
        return
    if last < span.end:
        yield _steps(last, span.end, _MINUTE_S), _MINUTE_S, True
    steps = _steps(first, last, span.step_s)
    edges = [len(steps) * part // _PARTS for part in range(_PARTS, -1, -1)]
    for high, low in itertools.pairwise(edges):
        if low < high:
            yield steps[low:high], span.step_s, False
    if (
        span.start + _MINUTE_S < first
    ):  # what ends at its own second after `first` is in the next step
        yield _steps(span.start, first - _MINUTE_S, _MINUTE_S), _MINUTE_S, True


def _steps(start: int, end: int, step_s: int) -> "NDArray[np.int64]":
    return np.arange(start + step_s, end + 1, step_s)


def _nowhere(_value: int) -> str:
    return ""
