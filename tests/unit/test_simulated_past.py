"""What is imported of the simulated past is what the live fleet would have published, day by day."""

import itertools
from datetime import UTC, date, datetime

import numpy as np
import pytest

from tsuji.simulated_past import days_of, rows_of, soonest_of_use, told
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation
from tsuji_platform.imports.rows import JudgedRows, Place
from tsuji_simulators.scenario import Scenario
from tsuji_simulators.scenario_files import load_scenario
from tsuji_simulators.signals import results
from tsuji_simulators.state import Span

DAY = 86_400
MIDNIGHT = int(datetime(2026, 5, 6, 15, tzinfo=UTC).timestamp())
"""With which 7 May begins in Tokyo."""


@pytest.fixture(scope="module")
def city() -> Scenario:
    whole = load_scenario("ordinary-day")
    fleets = tuple(fleet.model_copy(update={"things": fleet.things[:2]}) for fleet in whole.fleets)
    return whole.model_copy(update={"fleets": fleets})


def values_of(parts: list[JudgedRows]) -> dict[tuple[str, str, int], tuple[float, int]]:
    found: dict[tuple[str, str, int], tuple[float, int]] = {}
    for part in parts:
        for code, time_us, result, period in zip(
            part.codes, part.times_us, part.results, part.periods, strict=True
        ):
            key = (*part.names[code], int(time_us) // 1_000_000)
            assert key not in found
            found[key] = float(result), int(period)
    return found


def test_five_minutes_hold_what_minutes_of_the_same_time_add_up_to(city: Scenario) -> None:
    span = Span(start=MIDNIGHT, end=MIDNIGHT + DAY // 4, step_s=300)
    found = values_of(list(rows_of(city, 7, span, Place())))
    minutes = np.arange(span.start + 60, span.end + 1, 60)
    looked_at = set()
    for member in city.members:
        for name, values in results(city, 7, member, minutes, 60).items():
            added = OBSERVED_PROPERTIES[name].aggregation is Aggregation.SUM
            expected = values.reshape(-1, 5).sum(axis=1) if added else values[4::5]
            got = [found.pop((member.id, name, int(end))) for end in minutes[4::5]]
            assert [result for result, _ in got] == pytest.approx(expected.tolist(), abs=1e-9), name
            covered = 300 if OBSERVED_PROPERTIES[name].is_count else 0
            assert {period for _, period in got} == {covered}
            looked_at.add(name)
    assert found == {}
    assert {"pedestrians_in", "rainfall", "air_temperature", "pm2_5"} <= looked_at


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 3_600), (0, 3_720), (120, 3_600), (60, 3_540), (240, 3_660), (60, 180), (120, 420)],
)
def test_no_step_of_a_chart_holds_more_than_its_time_beside_live_minutes(
    city: Scenario, start: int, end: int
) -> None:
    """Live minutes stand beside what is imported: five at most in five minutes, in all."""
    span = Span(start=MIDNIGHT + start, end=MIDNIGHT + end, step_s=300)
    found = values_of(list(rows_of(city, 1, span, Place())))
    for member in city.members:
        covered: dict[int, int] = {}
        before = (
            start + 1 if start % 300 else start
        )  # with a step of its own it follows another day
        live = [*range(-3_600, before, 60), *range(end + 60, 7_200, 60)]
        ends = [(MIDNIGHT + minute + member.offset_s, 60) for minute in live]
        ends += [
            (time, period)
            for (thing, name, time), (_, period) in found.items()
            if thing == member.id and name == "pedestrians_in"
        ]
        if "pedestrians_in" not in member.datastreams:
            continue
        for time, period in ends:
            step = -(-time // 300)
            covered[step] = covered.get(step, 0) + period
        inner = sorted(covered)[1:-1]
        assert max(covered[step] for step in inner) <= 300
        assert min(covered[step] for step in inner) >= 180


def test_an_import_goes_on_behind_the_parts_that_are_in(city: Scenario) -> None:
    span = Span(start=MIDNIGHT + 7_200, end=MIDNIGHT + DAY, step_s=300)
    parts = list(rows_of(city, 1, span, Place()))
    for number in range(len(parts)):
        rest = list(rows_of(city, 1, span, parts[number].end))
        assert values_of(rest) == values_of(parts[number + 1 :])
    assert len(parts) > 1
    assert parts[-1].end.rows == len(values_of(parts))


def test_days_are_those_of_tokyo_and_a_longer_past_has_the_same_and_more() -> None:
    end = MIDNIGHT + 3_900
    short = list(days_of(Span(start=end - 2 * DAY, end=end, step_s=300)))
    long = list(days_of(Span(start=end - 9 * DAY, end=end, step_s=300)))
    assert [(day.start, day.end) for day in short] == [
        (MIDNIGHT, end),
        (MIDNIGHT - DAY, MIDNIGHT),
        (end - 2 * DAY, MIDNIGHT - DAY),
    ]
    assert long[:2] == short[:2]
    assert all(newer.start == older.end for newer, older in itertools.pairwise(long))
    assert long[-1].start == end - 9 * DAY


def test_days_of_todays_kind_come_first() -> None:
    days = list(days_of(Span(start=MIDNIGHT - 8 * DAY, end=MIDNIGHT, step_s=300)))
    # 29 April and 3 to 6 May are holidays, 2 May is a Saturday
    order = soonest_of_use(days, date(2026, 5, 7))
    assert [(MIDNIGHT - day.end) // DAY for day in order] == [5, 6, 0, 1, 2, 3, 4, 7]
    order = soonest_of_use(days, date(2026, 5, 9))
    assert [(MIDNIGHT - day.end) // DAY for day in order] == [4, 0, 1, 2, 3, 5, 6, 7]


def test_the_last_thing_said_is_shown() -> None:
    assert told([]) == ""
    assert told(["… INFO tsuji: starting"]) == ""
    assert told(["… history: 1 of 2 days", "… history: 2 days are in", "… bye"]) == "2 days are in"
