"""When an alert begins and ends, against another reading of the rules and all orders of data."""

from datetime import datetime, timedelta
from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from samples import after
from tsuji_platform.analytics.alerts import (
    Condition,
    Event,
    Phase,
    State,
    frontier,
    instants,
    listen,
    step,
    usual_interval,
)

MINUTE = timedelta(minutes=1)
Values = list[tuple[datetime, float | None]]
NOTHING = State()


def run(condition: Condition, values: Values, state: State = NOTHING) -> tuple[State, list[Event]]:
    events = []
    for time, value in values:
        state, event = step(condition, state, time, value)
        if event is not None:
            events.append(event)
    return state, events


def each_minute(*values: float | None) -> Values:
    return [(after(minutes=i), value) for i, value in enumerate(values)]


def heat(hold: int = 0, clear_hold: int = 0, gap: int = 60) -> Condition:
    return Condition(
        threshold=35,
        clear=33,
        hold=hold * MINUTE,
        clear_hold=clear_hold * MINUTE,
        gap=gap * MINUTE,
    )


def test_without_durations_it_begins_and_ends_with_single_values() -> None:
    _, events = run(heat(), each_minute(20, 35, 40, 34, 33, 32.9, 20))
    assert [(e.start, e.end, e.peak, e.peak_at) for e in events] == [
        (after(minutes=1), None, 35, after(minutes=1)),
        (after(minutes=1), after(minutes=5), 40, after(minutes=2)),
    ]


def test_downwards_everything_is_mirrored() -> None:
    cold = Condition(threshold=0, clear=2, above=False, hold=MINUTE)
    _, events = run(cold, each_minute(5, 0, -3, 2, 2.1))
    assert [(e.start, e.end, e.peak) for e in events] == [
        (after(minutes=1), None, -3),
        (after(minutes=1), after(minutes=4), -3),
    ]


def test_a_value_between_the_thresholds_ends_waiting_and_nothing_that_is_on() -> None:
    state, events = run(heat(hold=2), each_minute(36, 34, 36, 36))
    assert (events, state.phase, state.start) == ([], Phase.PENDING, after(minutes=2))
    state, events = run(heat(clear_hold=2), each_minute(36, 32, 34, 32, 32))
    assert (len(events), state.phase, state.clear_since) == (1, Phase.CLEARING, after(minutes=3))


def test_time_without_values_does_not_count() -> None:
    values = [(after(minutes=0), 36.0), (after(minutes=61), 36.0), (after(minutes=62), 36.0)]
    state, events = run(heat(hold=10), values)
    assert (events, state.phase, state.start) == ([], Phase.PENDING, after(minutes=61))
    state, events = run(heat(hold=2), each_minute(36, None, 36))
    assert (events, state.start) == ([], after(minutes=2))
    on, _ = run(heat(clear_hold=10), each_minute(36, 20))
    state, events = run(heat(clear_hold=10), [(after(minutes=90), 20.0)], on)
    assert (events, state.phase, state.clear_since) == ([], Phase.CLEARING, after(minutes=90))


def test_no_value_neither_begins_nor_ends() -> None:
    state, events = run(heat(), [*each_minute(36), (after(days=30), None)])
    assert (len(events), state.phase) == (1, Phase.ON)


def test_a_correction_of_the_newest_counts_at_the_same_time() -> None:
    _, events = run(heat(), [(after(minutes=1), 60.0), (after(minutes=1), 20.0)])
    assert [(e.start, e.end) for e in events] == [
        (after(minutes=1), None),
        (after(minutes=1), after(minutes=1)),
    ]


_CONDITIONS = st.builds(
    Condition,
    threshold=st.just(5),
    clear=st.integers(2, 5),
    hold=st.integers(0, 3).map(lambda n: n * MINUTE),
    clear_hold=st.integers(0, 3).map(lambda n: n * MINUTE),
    gap=st.just(3 * MINUTE),
)
_VALUES = st.lists(
    st.tuples(st.integers(0, 60), st.one_of(st.none(), st.integers(0, 8).map(float))),
    max_size=40,
    unique_by=lambda one: one[0],
).map(lambda found: [(after(minutes=minute), value) for minute, value in sorted(found)])


def reckoned(condition: Condition, values: Values) -> list[tuple[datetime, datetime | None]]:
    """Starts and ends by looking at whole stretches instead of at single steps."""
    stretches: list[Values] = []
    for time, value in values:  # a stretch ends where nothing is known
        if value is None:
            stretches.append([])
        elif stretches and stretches[-1] and time - stretches[-1][-1][0] <= condition.gap:
            stretches[-1].append((time, value))
        else:
            stretches.append([(time, value)])
    events: list[tuple[datetime, datetime | None]] = []
    on = False
    for stretch in stretches:
        index = 0
        while index < len(stretch):
            limit, hold = (
                (condition.clear, condition.clear_hold)
                if on
                else (condition.threshold, condition.hold)
            )
            met = [(value < limit) if on else (value >= limit) for _, value in stretch[index:]]
            place = index
            for is_met, group in groupby(met):
                length = len(list(group))
                times = [time for time, _ in stretch[place : place + length]]
                fulfilled = [i for i, time in enumerate(times) if time - times[0] >= hold]
                if is_met and fulfilled:
                    if on:
                        events[-1] = (events[-1][0], times[0])
                    else:
                        events.append((times[0], None))
                    on = not on
                    index = place + fulfilled[0] + 1
                    break
                place += length
            else:
                break
    return events


@given(_CONDITIONS, _VALUES)
def test_steps_find_what_looking_at_whole_stretches_finds(condition, values) -> None:
    _, events = run(condition, values)
    found: list[tuple[datetime, datetime | None]] = []
    for event in events:
        if event.end is None:
            found.append((event.start, None))
        else:
            assert found[-1] == (event.start, None)
            found[-1] = (event.start, event.end)
    assert found == reckoned(condition, values)
    known = dict(values)
    for event in events:
        assert event.start <= event.peak_at
        assert known[event.peak_at] == event.peak >= condition.threshold


@given(_CONDITIONS, _VALUES, st.data())
def test_repetitions_and_late_values_change_nothing(condition, values, data) -> None:
    with_more: Values = []
    newest = None
    for time, value in values:
        with_more.append((time, value))
        if value is not None:
            newest = time, value
        if newest is not None and data.draw(st.booleans()):
            with_more.append(newest)
            with_more.append((newest[0] - MINUTE / 2, data.draw(st.sampled_from([0.0, 8.0, None]))))
    assert run(condition, with_more) == run(condition, values)


@given(_CONDITIONS, _VALUES, st.integers(0, 40), st.integers(0, 40))
def test_who_goes_on_from_a_kept_state_comes_to_the_same(condition, values, kept, begun) -> None:
    """Values since a kept state may be looked at again, as long as nothing began or ended in between."""
    state, before = run(condition, values[:kept])
    further, between = run(condition, values[kept : kept + begun], state)
    _, after_all = run(condition, values[kept + begun :], further)
    _, again = run(condition, values[kept:], state)
    assert before + between + after_all == before + again


def test_silence_begins_when_patience_ends_and_ends_when_the_thing_is_heard() -> None:
    state, event = listen(State(), after(minutes=0), 5 * MINUTE, after(minutes=4))
    assert event is None
    state, event = listen(state, after(minutes=0), 5 * MINUTE, after(minutes=7))
    assert event == Event(start=after(minutes=5), end=None, peak=420.0, peak_at=after(minutes=7))
    state, event = listen(state, after(minutes=0), 5 * MINUTE, after(minutes=9))
    assert event is None
    state, event = listen(state, after(minutes=10), 5 * MINUTE, after(minutes=10))
    assert event == Event(
        start=after(minutes=5), end=after(minutes=10), peak=600.0, peak_at=after(minutes=10)
    )
    assert state == State(seen=after(minutes=10))


def test_patience_begins_with_the_listening() -> None:
    for minutes, begun in ((64, False), (65, True)):
        at, since = after(minutes=minutes), after(minutes=60)
        _, event = listen(State(), after(minutes=0), 5 * MINUTE, at, since)
        assert (event is not None) == begun
    assert event is not None
    assert (event.start, event.peak) == (after(minutes=65), 65 * 60)


def test_the_usual_interval_is_the_median_and_needs_three_times() -> None:
    times = [after(minutes=m) for m in (0, 5, 10, 15, 300)]
    assert usual_interval(times[::-1]) == 5 * MINUTE
    assert usual_interval(times[:2]) is None


def test_figures_are_judged_up_to_what_was_measured_and_the_clock_goes_on_in_quiet() -> None:
    now, heard = after(hours=5), after(hours=3)
    patience = MINUTE
    assert frontier(now, heard, timedelta(0), patience) == heard
    assert frontier(now, heard, patience, patience) == now
    assert frontier(now, after(hours=6), timedelta(0), patience) == now
    assert frontier(now, None, timedelta(0), patience) == now


def test_missed_minutes_are_judged_in_order_and_those_of_a_longer_time_spread() -> None:
    end = after(minutes=5, seconds=30)
    assert instants(None, end, 3) == [end]
    assert instants(end, end, 3) == [end]
    assert instants(after(minutes=6), end, 3) == []
    assert instants(after(minutes=4), end, 3) == [after(minutes=5), end]
    assert instants(after(minutes=3, seconds=30), end, 3) == [after(minutes=4, seconds=30), end]
    assert instants(after(minutes=0), end, 3) == [after(minutes=2), after(minutes=4), end]
    whole = instants(after(minutes=0), after(days=1), 120)
    assert len(whole) == 120
    assert {b - a for a, b in pairwise(whole)} == {12 * MINUTE}
