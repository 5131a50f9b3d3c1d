"""The gate for small counts: what it withholds, and that nothing that is made behind it depends on that."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tsuji_platform.analytics import combine, gathering, merged
from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.analytics.readings import Reading, Step
from tsuji_platform.analytics.suppression import (
    COUNTS,
    OPEN,
    PARTS,
    WHOLE,
    Gate,
    counts_people,
    is_suppressed,
    withholds,
    withholds_sum,
)
from tsuji_platform.analytics.typical import told_band
from tsuji_platform.analytics.usual import hourly_rates
from tsuji_platform.contract import Aggregation
from tsuji_platform.settings import SmallCountSettings

K = 10
GATE = Gate(K)
NOON = datetime(2026, 4, 1, 3, tzinfo=UTC)
STEP = timedelta(minutes=5)
THINGS = {"a": COUNTS, "b": PARTS, "c": (WHOLE,), "d": PARTS[:1]}
AREAS = [{"all": "abcd"}, {"west": "ab", "east": "cd"}, {"one": "a", "rest": "bcd"}]

Counts = dict[tuple[str, str], list[int]]
"""Twelve counts of five minutes of each datastream."""


def limit_of(thing_id: str, name: str) -> float:
    return GATE.limit(name, told_whole=WHOLE in THINGS[thing_id])


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Counts, Counts]:
    """Two cities that differ in withheld counts only, each by another withheld one."""
    one: Counts = {}
    other: Counts = {}
    for thing_id, names in THINGS.items():
        for name in names:
            limit = limit_of(thing_id, name)
            few = st.integers(1, int(min(limit, 60)) - 1)
            counts = draw(st.lists(st.sampled_from([0, 1, 5, 9, 10, 30]), min_size=12, max_size=12))
            one[thing_id, name] = counts
            other[thing_id, name] = [draw(few) if withholds(it, limit) else it for it in counts]
    return one, other


def told(counts: Sequence[int], limit: float) -> tuple[float, int]:
    """The sum of what is told, and how many are left out: what the queries make of observations."""
    left_out = [it for it in counts if withholds(it, limit)]
    return float(sum(counts) - sum(left_out)), len(left_out)


def totals_of(world: Counts, first: int, last: int) -> list[Reading]:
    totals = []
    for (thing_id, name), counts in world.items():
        total, left_out = told(counts[first:last], limit_of(thing_id, name))
        totals.append(
            Reading(
                thing_id=thing_id,
                observed_property=name,
                time=NOON + last * STEP,
                result=total,
                covered_s=300 * (last - first),
                left_out=left_out,
            )
        )
    return totals


def steps_of(world: Counts, width: int) -> list[Step]:
    steps = []
    for (thing_id, name), counts in world.items():
        for first in range(0, 12, width):
            part, limit = counts[first : first + width], limit_of(thing_id, name)
            total, left_out = told(part, limit)
            highest = max((it for it in part if not withholds(it, limit)), default=0)
            steps.append(
                Step(
                    thing_id=thing_id,
                    observed_property=name,
                    end=NOON + (first + width) * STEP,
                    n=width,
                    total=total,
                    highest=highest,
                    sine=0,
                    cosine=0,
                    left_out=left_out,
                )
            )
    return steps


def published(world: Counts) -> list[Any]:
    """Everything that is made of counts: of any window and step, of areas that overlap, and quotients."""
    said: list[Any] = []
    for first in range(12):
        for last in range(first + 1, 13):
            totals = totals_of(world, first, last)
            things = combine.of_things([], totals)
            said += [
                (thing_id, asdict(its["footfall"]), its["footfall"].told)
                for thing_id, its in things.items()
            ]
            for areas in AREAS:
                for code, its in combine.of_areas(things, areas).items():
                    people = its["footfall"]
                    rate = merged.counted_per_resident(
                        people.value, 100, suppressed=people.suppressed
                    )
                    said.append((code, asdict(people), people.told, rate))
            said += [gathering.flows(totals, {"a": 2.0, "b": 3.0}), hourly_rates(totals)]
    for width in (1, 2, 3, 4, 6, 12):
        steps = steps_of(world, width)
        said += [combine.step_value(it, Aggregation.SUM) for it in steps]
        for members in ("abcd", "ab", "cd", "a"):
            there = combine.over_things([it for it in steps if it.thing_id in members])
            said.append(combine.series(FIGURES["footfall"], there.values()))
    return said


@settings(max_examples=25)
@given(worlds())
def test_nothing_that_is_published_depends_on_a_withheld_count(
    both: tuple[Counts, Counts],
) -> None:
    """What no difference, quotient or system of equations can tell: the answers are the same."""
    one, other = both
    assert published(one) == published(other)


@given(st.integers(3, 1_000), st.sampled_from(COUNTS), st.booleans())
def test_some_people_are_withheld_and_nobody_and_many_are_not(
    small: int, name: str, told_whole: bool
) -> None:
    limit = Gate(small).limit(name, told_whole=told_whole)
    assert not withholds(0, limit)
    assert all(withholds(it, limit) for it in (1, small - 1))
    assert withholds(small, limit) == (told_whole and name in PARTS)
    assert withholds(1_000_000, limit) == (limit == math.inf)


def test_what_is_no_count_and_an_open_gate_withhold_nothing() -> None:
    assert GATE.limit("air_temperature", told_whole=True) == 0
    assert GATE.limit("pedestrian_density", told_whole=True) == 0
    assert not OPEN
    for name in COUNTS:
        assert not withholds(1, OPEN.limit(name, told_whole=True))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.sampled_from([10.0, math.inf]))
def test_a_stored_sum_that_holds_a_small_count_is_never_told(
    counts: list[int], limit: float
) -> None:
    hides = any(withholds(it, limit) for it in counts)
    judged = withholds_sum(min(counts), max(counts), limit)
    assert judged or not hides
    assert not withholds_sum(min(counts), max(counts), 0)
    if 0 not in counts or not any(counts):  # otherwise zeros stand before what else there is
        assert judged == hides


def test_a_total_of_small_counts_only_is_suppressed_and_one_without_any_is_not() -> None:
    assert is_suppressed(0, 3)
    assert not is_suppressed(0, 0)
    assert not is_suppressed(30, 3)


def test_quartiles_are_told_only_where_all_days_are() -> None:
    days = np.array([[1.0, 5, 9], [2, 6, np.inf], [3, 7, 11]])
    whole = np.array([[1.0, 1, 1], [1, 1, 1], [1, 1, 1]])
    found = told_band([days, whole], Aggregation.SUM)
    assert found.median.tolist()[:2] == [3, 7]
    assert np.isnan([found.q1[2], found.median[2], found.q3[2]]).all()
    assert found.days.tolist() == [3, 3, 3]
    assert found.withheld is not None
    assert found.withheld.tolist() == [False, False, True]
    assert told_band([whole], Aggregation.SUM).withheld is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("pedestrians", None), True),
        (("pedestrian_density", None), False),
        ((None, "footfall"), True),
        ((None, "pedestrian_flow"), True),
        ((None, "percent_of_capacity"), True),
        ((None, "congestion"), True),
        ((None, "wbgt"), False),
        ((None, "air_temperature"), False),
        ((None, None), False),
    ],
)
def test_which_alerts_are_about_people(
    asked: tuple[str | None, str | None], expected: bool
) -> None:
    assert counts_people(*asked) is expected
    assert set(DERIVED) > {"pedestrian_flow", "percent_of_capacity", "congestion", "wbgt"}


@pytest.mark.parametrize("small", ["1", "2", "-3", "few"])
def test_a_limit_that_would_hide_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, small: str
) -> None:
    monkeypatch.setenv("TSUJI_SMALL_COUNT", small)
    with pytest.raises(ValidationError, match="small_count"):
        SmallCountSettings()


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("3", 3), ("50", 50)])
def test_a_limit_is_read(monkeypatch: pytest.MonkeyPatch, text: str, expected: int) -> None:
    monkeypatch.setenv("TSUJI_SMALL_COUNT", text)
    assert SmallCountSettings().small_count == expected
