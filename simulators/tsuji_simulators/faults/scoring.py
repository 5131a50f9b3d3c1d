"""Scores whoever flags observations against the ground truth of a broken feed."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_Stream = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An observation as the hub keeps it, and what it makes of it.

    Attributes:
        thing_id: whose.
        observed_property: of what.
        time: phenomenon time.
        flags: what looks wrong with it, usually nothing.
    """

    thing_id: str
    observed_property: str
    time: datetime
    flags: Collection[str]


@dataclass(slots=True, kw_only=True)
class Score:
    """How the flags fare against one fault, or where there is none.

    Attributes:
        right: observations that came late or twice, with the right value.
        missing: that were never sent in a form that can be read.
        refused: that were sent with something wrong, and are not kept.
        kept: that were sent with something wrong, and are kept.
        flagged: of these.
        by_flag: how often by which flag.
        false: flagged ones in the same datastreams with which nothing was wrong.
        occurrences: times at which the fault was on, each for one datastream, with something wrong kept or
            refused.
        found: of these, with at least one observation flagged or refused.
    """

    right: int = 0
    missing: int = 0
    refused: int = 0
    kept: int = 0
    flagged: int = 0
    by_flag: Counter[str] = field(default_factory=Counter)
    false: int = 0
    occurrences: int = 0
    found: int = 0

    @property
    def recall(self) -> float | None:
        """Of the wrong observations that are kept the share that is flagged; None where there are none."""
        return self.flagged / self.kept if self.kept else None

    @property
    def precision(self) -> float | None:
        """Of the flagged observations the share with which something was wrong; None where there are none."""
        flagged = self.flagged + self.false
        return self.flagged / flagged if flagged else None


NO_FAULT = ""
"""What datastreams without any fault go by."""


def score(truth: Iterable[Mapping[str, Any]], kept: Iterable[Judged]) -> dict[str, Score]:
    """Compare flags with the truth.

    Args:
        truth: its lines.
        kept: every observation that the hub keeps of the things of the feed, in any order.

    Returns:
        By the faults' names (`drift`, not that of a single one), and `NO_FAULT`. What several faults have
        touched counts for each.
    """
    scores: defaultdict[str, Score] = defaultdict(Score)
    scores[NO_FAULT] = Score()
    kinds: dict[str, str] = {}
    begins: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    faulty: defaultdict[_Stream, set[str]] = defaultdict(set)
    wrong: dict[tuple[str, str, float], list[tuple[str, tuple[str, ...]]]] = {}
    for line in truth:
        stream = line["thing"], line["observed_property"]
        if line["type"] == "fault":
            kinds[line["name"]] = line["fault"]
            begins[line["name"], *stream].append(line["from"] or "")
            faulty[stream].add(line["fault"])
            _ = scores[line["fault"]]
            continue
        if line["sent"] is None:
            for name in line["faults"]:
                scores[kinds[name]].missing += 1
        elif line["sent"] == line["true"] and "sent_time" not in line:
            for name in line["faults"]:
                scores[kinds[name]].right += 1
        else:
            time = datetime.fromisoformat(line.get("sent_time", line["time"])).timestamp()
            wrong[*stream, time] = [
                (kinds[name], (name, *stream, _begin(begins[name, *stream], line["time"])))
                for name in line["faults"]
            ]
    occurrences: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    found: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for one in kept:
        stream = one.thing_id, one.observed_property
        causes = wrong.pop((*stream, one.time.timestamp()), None)
        for kind, occurrence in causes or ():
            it = scores[kind]
            it.kept += 1
            it.flagged += bool(one.flags)
            it.by_flag.update(one.flags)
            occurrences[kind].add(occurrence)
            if one.flags:
                found[kind].add(occurrence)
        if one.flags and causes is None:
            for kind in faulty.get(stream, {NO_FAULT}):
                scores[kind].false += 1
    for causes in wrong.values():
        for kind, occurrence in causes:
            scores[kind].refused += 1
            occurrences[kind].add(occurrence)
            found[kind].add(occurrence)
    for kind, it in scores.items():
        it.occurrences, it.found = len(occurrences[kind]), len(found[kind])
    return dict(scores)


def _begin(begins: list[str], time: str) -> str:
    """When the occurrence began that this time belongs to; all are UTC in the same form."""
    return begins[max(bisect_right(begins, time) - 1, 0)]
