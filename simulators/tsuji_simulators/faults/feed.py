"""Puts faults on a stream of messages: what none is put on passes by as it is."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import orjson

from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_simulators.faults.base import Fault, Surroundings
from tsuji_simulators.faults.report import Draft, Measured
from tsuji_simulators.faults.truth import Tell, Truth
from tsuji_simulators.fleet import Member
from tsuji_simulators.scenario import Scenario
from tsuji_simulators.simulated import Simulated


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults in the order in which they happen; `registry.read` makes them.

    Attributes:
        all: each of them.
    """

    all: tuple[Fault, ...]

    def check(self, scenario: Scenario) -> None:
        """Make sure that each is put on something.

        Raises:
            ValueError: with the fault that isn't, most often for a mistyped id.
        """
        for one in self.all:
            if not any(
                one.is_on(member.id, member.thing.kind)
                and (
                    not one.observed_properties
                    or set(one.observed_properties) & set(member.datastreams)
                )
                for member in scenario.members
            ):
                raise ValueError(
                    f"fault {one.id!r} is put on nothing: no thing of the scenario fits things "
                    f"{', '.join(one.things)}, kinds {', '.join(one.kinds)} and observed_properties "
                    f"{', '.join(one.observed_properties) or '*'}"
                )

    def broken(
        self,
        messages: Iterator[Simulated],
        scenario: Scenario,
        seed: int,
        truth: Tell | None = None,
    ) -> Iterator[Simulated]:
        """The same messages with these faults, sorted by when they are sent.

        What becomes of a message hangs on the seed, the fault, the thing and the time alone: a stream
        that begins later has the same messages, but for those that an outage has held back from before
        its beginning.

        Args:
            messages: sorted by `due_us`.
            scenario: whose they are.
            seed: the scenario's.
            truth: is told what was broken.

        Raises:
            ValueError: a fault is put on nothing.
        """
        self.check(scenario)
        by_thing = {
            member.id: (member, found)
            for member in scenario.members
            if (found := [one for one in self.all if one.is_on(member.id, member.thing.kind)])
        }
        around = _surroundings(scenario, seed)
        told = Truth(truth)
        held: list[tuple[int, int, Simulated]] = []
        number = 0
        for message in messages:
            while held and held[0][0] <= message.due_us:
                yield heapq.heappop(held)[2]
            concerned = by_thing.get(message.thing_id)
            if concerned is None or isinstance(message.payload, bytes):
                yield message
                continue
            for one in _changed(message, *concerned, around, told):
                if one.due_us <= message.due_us and not held:
                    yield one
                else:
                    number += 1
                    heapq.heappush(held, (one.due_us, number, one))
            while held and held[0][0] <= message.due_us:
                yield heapq.heappop(held)[2]
        while held:
            yield heapq.heappop(held)[2]


def _surroundings(scenario: Scenario, seed: int) -> Surroundings:
    from tsuji_simulators.signals import results

    members = {one.id: one for one in scenario.members}

    @lru_cache(maxsize=10_000)
    def true_at(thing_id: str, moment: float) -> Mapping[str, float]:
        member, end = members[thing_id], np.array([round(moment)])
        found = results(scenario, seed, member, end, member.interval_s)
        return {name: float(values[0]) for name, values in found.items()}

    return Surroundings(seed=seed, true_at=true_at, encoded=_encoded)


def _changed(
    message: Simulated,
    member: Member,
    faults: list[Fault],
    around: Surroundings,
    truth: Truth,
) -> Iterator[Simulated]:
    """What is sent in place of one message: as many as it takes."""
    for measured in _measured(message, member):
        drafts = [Draft.of(measured)]
        for fault in faults:
            drafts = [one for draft in drafts for one in _touched(fault, draft, around, truth)]
        for draft in drafts:
            truth.sent(draft)
            for at in draft.sends:
                payload = draft.payload if draft.payload is not None else _reports(draft)
                yield msgspec.structs.replace(message, due_us=round(at * 1e6), payload=payload)


def _touched(fault: Fault, draft: Draft, around: Surroundings, truth: Truth) -> list[Draft]:
    """A message after one fault: itself, or the part that the fault is put on beside the rest."""
    names = fault.chosen(draft)
    if not names or not draft.sends or (draft.payload is not None and not fault.is_of_delivery):
        return [draft]
    span = fault.span(draft)
    if span is None:
        return [draft]
    drafts = [draft]
    if fault.is_of_messages and len(names) < len(draft.results):
        drafts = draft.split(names)
    hit = fault.touch(drafts[0], names, span, around)
    if not hit:
        return [draft]
    for name in hit:
        drafts[0].faults.setdefault(name, []).append(fault.id)
    truth.began(fault, draft.report.thing_id, hit, span)
    return drafts


def _measured(message: Simulated, member: Member) -> Iterator[Measured]:
    """The reports of one message, those of one time together."""
    by_time: dict[datetime, dict[str, Any]] = {}
    payload = message.payload
    for report in payload if isinstance(payload, list) else ():
        by_time.setdefault(report["time"], {}).update(report["results"])
    for time, results in by_time.items():
        yield Measured(
            thing_id=member.id,
            time=time.timestamp(),
            due=message.due_us / 1e6,
            period_s=member.interval_s,
            results=results,
        )


def _reports(draft: Draft) -> list[dict[str, Any]]:
    """As the feed has them: what counts apart from the rest, since it says over how long."""
    time = datetime.fromtimestamp(draft.time, UTC)
    counts = {n: v for n, v in draft.results.items() if OBSERVED_PROPERTIES[n].is_count}
    others = {n: v for n, v in draft.results.items() if n not in counts}
    reports: list[dict[str, Any]] = []
    if others:
        reports.append({"time": time, "results": others})
    if counts:
        whole = {n: int(v) if v == int(v) else v for n, v in counts.items()}
        reports.append({"time": time, "results": whole, "period_s": draft.report.period_s})
    return reports


def _encoded(draft: Draft) -> bytes:
    reports = _reports(draft)
    return orjson.dumps(reports[0] if len(reports) == 1 else reports)
