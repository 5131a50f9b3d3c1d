"""Sums of counts, small ones withheld, are those of the observations, whichever sums they are made of."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollup_check import refresh_to_rest
from samples import T0, after, observations, packed, registration
from tsuji_platform.analytics.readings import Step
from tsuji_platform.analytics.suppression import Gate
from tsuji_platform.store import Database, Refresher
from tsuji_platform.store.cover import DAY, FIVE_MINUTES, HOUR, RAW, ceiling
from tsuji_platform.store.history import History
from tsuji_platform.store.history_plan import plan
from tsuji_platform.store.writer import Writer

GATE = Gate(5)
THINGS, NAMES = ("a", "b"), ("pedestrians", "pedestrians_in")
COUNTED = [("a", "pedestrians"), ("b", "pedestrians"), ("b", "pedestrians_in")]
"""What `b` counts each way is withheld, whatever it is."""
Counts = dict[tuple[str, str], dict[datetime, float]]

# long runs of the same kind, so that whole buckets, hours and days hold small counts only, or none
_runs = st.lists(
    st.tuples(
        st.sampled_from(COUNTED),
        st.sampled_from([1, 5, 60]),
        st.sampled_from([[0], [1, 4], [5, 90], [0, 4], [0, 90], [3, 5], [0, 1, 7]]),
        st.integers(1, 40),
    ),
    min_size=1,
    max_size=10,
)


@pytest.fixture
def writer(hub_url: str) -> Iterator[Writer]:
    writer = Writer(hub_url, "test")
    yield writer
    writer.close()


def limit(thing: str, name: str) -> float:
    return GATE.limit(name, told_whole=thing == "b")


def of_observations(counts: Counts, start: datetime, end: datetime, step: timedelta):
    """What steps are told, from each count by itself: n, total and how many are left out."""
    found: defaultdict[tuple[str, str, datetime], list[float]] = defaultdict(lambda: [0, 0.0, 0])
    for (thing, name), its in counts.items():
        for time, count in its.items():
            if start < time <= end:
                its_step = found[thing, name, ceiling(time, step)]
                hidden = 0 < count < limit(thing, name)
                its_step[0] += 1
                its_step[1] += 0 if hidden else count
                its_step[2] += hidden
    return {key: tuple(values) for key, values in found.items()}


def of_steps(steps: Sequence[Step]):
    return {
        (it.thing_id, it.observed_property, it.end): (it.n, it.total, it.left_out) for it in steps
    }


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(
    runs=_runs,
    late=st.lists(
        st.tuples(st.sampled_from(COUNTED), st.integers(0, 2_000), st.integers(0, 9)), max_size=3
    ),
    cut=st.integers(0, 1_500),
    step=st.sampled_from([FIVE_MINUTES, timedelta(minutes=20), HOUR, 5 * HOUR, DAY]),
)
def test_what_is_told_is_the_same_from_all_sources(
    hub_url: str, hub_database: Database, writer: Writer, runs, late, cut: int, step: timedelta
) -> None:
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE observation, latest, ingest_counter, changed, rollup_5min, rollup_hour, rollup_day"
        )
    writer.save([registration("a", NAMES[0]), registration("b", *NAMES)])
    counts: Counts = {key: {} for key in COUNTED}
    clock = dict.fromkeys(COUNTED, T0)

    def save(thing: str, name: str, counted: dict[datetime, float]) -> None:
        counts[thing, name] |= counted
        values = [
            one
            for time, count in counted.items()
            for one in observations(thing, time, 60, **{name: count})
        ]
        writer.save([packed(thing, values)])

    for (thing, name), minutes, cycle, length in runs:
        counted = {}
        for n in range(length):
            clock[thing, name] += timedelta(minutes=minutes)
            counted[clock[thing, name]] = float(cycle[n % len(cycle)])
        save(thing, name, counted)
    refresher = Refresher(hub_url)
    refresh_to_rest(refresher)
    refresher.close()
    for (thing, name), minute, count in late:  # what is not rolled up yet
        save(thing, name, {after(minutes=minute): float(count)})

    start = after(minutes=cut)
    end = max(clock.values()) + HOUR
    history = History(hub_database, GATE)
    asked = THINGS, NAMES, start, end, step
    expected = of_observations(counts, start, end, step)
    assert of_steps(history.steps(*asked)) == expected
    together: defaultdict[datetime, list[float]] = defaultdict(lambda: [0.0, 0])
    for thing in THINGS:
        for (one, name, step_end), (_, total, left_out) in expected.items():
            # of who counts both ways together that is what counts
            if one == thing and (name == NAMES[0] or (one, NAMES[0], step_end) not in expected):
                together[step_end][0] += total
                together[step_end][1] += left_out
    found = {it.end: [it.total, it.left_out] for it in history.combined(*asked)}
    assert found == together


def test_months_of_counts_are_read_from_long_sums(
    hub_url: str, hub_database: Database, writer: Writer
) -> None:
    midnight = ceiling(T0, DAY)
    writer.save([registration("a", NAMES[0])])
    ends = [midnight + n * HOUR for n in range(1, 73)]
    values = [one for end in ends for one in observations("a", end, 3600, pedestrians=end.hour)]
    writer.save([packed("a", values)])
    refresher = Refresher(hub_url)
    refresh_to_rest(refresher)
    refresher.close()
    with hub_database.transaction() as connection:
        for step, width in ((HOUR, HOUR), (DAY, DAY), (timedelta(minutes=20), RAW)):
            asked = ["a"], [NAMES[0]], midnight, midnight + 3 * DAY, step, GATE
            ((_, start, end),) = plan(connection, *asked).pieces[width]
            assert (start, end) == (midnight, midnight + 3 * DAY)
