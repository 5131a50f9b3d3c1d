"""A scenario as a stream of messages in the order of time: what is published, recorded, printed and broken.

Everything that leaves a simulation goes through here: `tsuji simulate` publishes it, records it or
prints it. Between `messages` and `carried` stands whoever wants to break something on purpose: he takes
the iterator and gives another one.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import numpy as np

from tsuji_platform.contract import OBSERVED_PROPERTIES, encode_thing
from tsuji_platform.contract.topics import observations_topic, thing_topic
from tsuji_simulators.ahead import ahead
from tsuji_simulators.crew import Crew, crews
from tsuji_simulators.faults import read
from tsuji_simulators.randomness import Floats, Integers
from tsuji_simulators.scenario import Scenario
from tsuji_simulators.signals import results_of
from tsuji_simulators.simulated import Report, Simulated, carried
from tsuji_simulators.tape.message import Carried, Span

_ROWS = 10_000
"""Reports that are made together: so many that a call costs little, so few that memory does not matter."""
_LONGEST_WINDOW_S = 3_600
_COUNTS = frozenset(one.id for one in OBSERVED_PROPERTIES.values() if one.is_count)


class SimulatedTrack:
    """A scenario as a track, for whoever sends, prints or writes tracks.

    Args:
        scenario: the city.
        seed: same seed, same bytes.
        start_s: seconds since 1970 UTC.
        end_s: likewise, included.
        truth: is told what the scenario breaks on purpose.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        start_s: int,
        end_s: int,
        truth: Callable[[Any], None] | None = None,
    ) -> None:
        self.name = scenario.name
        self._scenario, self._seed, self._truth = scenario, seed, truth
        self._start_s, self._end_s = start_s, end_s

    def span(self) -> Span:
        """How much there is; of a scenario with faults, how much there would be without them."""
        members = self._scenario.members
        reports, last_s = 0, self._start_s
        for one in members:
            latest = self._end_s - (self._end_s - one.offset_s) % one.interval_s
            number = max(-(-(latest - self._start_s) // one.interval_s), 0)
            reports += number
            last_s = max(last_s, latest if number else last_s)
        return Span(
            first_us=self._start_s * 1_000_000,
            last_us=last_s * 1_000_000,
            messages=len(members) + reports,
        )

    def messages(self) -> Iterator[Carried]:
        """All of it, encoded, and made ahead by a thread, which is also the one that tells the truth."""
        scene = (self._scenario, self._seed, self._start_s, self._end_s)
        return ahead(map(carried, stream(*scene, self._truth)))


def messages(scenario: Scenario, seed: int, start_s: int, end_s: int) -> Iterator[Simulated]:
    """Everything that a scenario's things say: what they are, then their reports.

    Args:
        scenario: the city.
        seed: same seed, same bytes.
        start_s: seconds since 1970 UTC; registrations are due then.
        end_s: reports are due after `start_s` and not after this.

    Yields:
        Messages by `due_us`; those of the same second in the order of the scenario's things.
    """
    for member in scenario.members:
        yield Simulated(
            due_us=start_s * 1_000_000,
            thing_id=member.id,
            topic=thing_topic(member.id),
            payload=encode_thing(member.thing),
            retain=True,
        )
    found = crews(scenario.members)
    places = {one.id: place for place, one in enumerate(scenario.members)}
    per_s = sum(len(crew) / crew.interval_s for crew in found)
    window_s = min(max(round(_ROWS / per_s / 60) * 60, 60), _LONGEST_WINDOW_S)
    for begin in range(start_s, end_s, window_s):
        span = (begin, min(begin + window_s, end_s))
        rows = [row for crew in found for row in _rows(scenario, seed, crew, places, span)]
        rows.sort(key=itemgetter(0, 1))
        for due_s, place, reports in rows:
            thing_id = scenario.members[place].id
            yield Simulated(
                due_us=due_s * 1_000_000,
                thing_id=thing_id,
                topic=observations_topic(thing_id),
                payload=reports,
            )


def stream(
    scenario: Scenario,
    seed: int,
    start_s: int,
    end_s: int,
    truth: Callable[[Any], None] | None = None,
) -> Iterator[Simulated]:
    """The same with what the scenario breaks on purpose.

    Args:
        scenario: the city.
        seed: same seed, same bytes.
        start_s: as for `messages`.
        end_s: likewise.
        truth: is told what was broken.
    """
    clean = messages(scenario, seed, start_s, end_s)
    if not scenario.faults:
        return clean
    faults = read(scenario.faults_aware, scenario.utc_offset_h)
    return faults.broken(clean, scenario, seed, truth)


def reports_of(
    scenario: Scenario, seed: int, crew: Crew, end: Integers, period_s: int
) -> list[list[Report]]:
    """What things say at times of their own, in the order of things and then of times.

    Args:
        scenario: the city.
        seed: same seed, same values.
        crew: the things.
        end: seconds since 1970 UTC, a row for each thing.
        period_s: that a count covers.
    """
    found = results_of(scenario, seed, crew, end, period_s)
    counted = [name for name in found if name in _COUNTS]
    measured = [name for name in found if name not in _COUNTS]
    times = [datetime.fromtimestamp(one, UTC) for one in end.ravel().tolist()]
    reports: list[list[Report]] = [[] for _ in times]
    for report, time, values in zip(reports, times, _table(found, measured), strict=False):
        report.append({"time": time, "results": dict(zip(measured, values, strict=True))})
    for report, time, values in zip(reports, times, _table(found, counted), strict=False):
        results = dict(zip(counted, map(int, values), strict=True))
        report.append({"time": time, "results": results, "period_s": period_s})
    return reports


def _rows(
    scenario: Scenario, seed: int, crew: Crew, places: dict[str, int], span: tuple[int, int]
) -> Iterator[tuple[int, int, list[Report]]]:
    """What a crew says in a span: when, whose it is in the scenario's order, and what."""
    start_s, end_s = span
    interval_s = crew.interval_s
    first = start_s + 1 + (crew.offset_s - start_s - 1) % interval_s
    if interval_s > end_s - start_s:
        due = np.flatnonzero(first <= end_s)
        if len(due) == 0:
            return
        crew, first = crew.some(due), first[due]
    ends = first[:, None] + np.arange(0, end_s - start_s, interval_s)
    order = [places[one.id] for one in crew.members for _ in range(ends.shape[1])]
    reports = reports_of(scenario, seed, crew, ends, interval_s)
    for due_s, place, report in zip(ends.ravel().tolist(), order, reports, strict=True):
        if due_s <= end_s:
            yield due_s, place, report


def _table(found: dict[str, Floats], names: list[str]) -> list[list[float]]:
    """The values of some properties, a row for each report."""
    if not names:
        return []
    table: list[list[float]] = np.stack([found[name].ravel() for name in names], axis=1).tolist()
    return table
