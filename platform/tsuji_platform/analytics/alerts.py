"""When an alert begins and ends: one step at a time, pure, so that it can be held against all orders of data.

The rules, for a condition such as "at least 31, clears below 30, for 5 minutes":

- A value that meets the threshold makes the alert *pending*; once values have met it for the given time
  it is *on*. It began when the first of them was measured.
- A value on the other side of the clearing threshold makes it *clearing*; once values have stayed there
  for the given time it has ended. It ended when the first of them was measured. Values between the two
  thresholds change nothing that is on, and let nothing begin.
- No value neither begins nor ends anything. Nor does the time without values count: what was pending
  or clearing begins to wait anew with the next value, if that is more than `gap` after the one before.
- Values come in order of their times. One that is older than another that was looked at changes
  nothing, and neither does the same one again. A correction of the newest counts like a value that
  follows it at the same time: what only a mistake had raised ends with the start that it had.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

_MINUTE = timedelta(minutes=1)


class Phase(StrEnum):
    """Where an alert is."""

    CLEAR = "clear"
    PENDING = "pending"
    ON = "on"
    CLEARING = "clearing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What raises an alert and what ends it.

    Attributes:
        threshold: met by this value and what lies beyond it.
        clear: cleared by what lies on the near side of it, itself excluded; never beyond the threshold.
        above: whether beyond means higher.
        hold: how long values must meet the threshold.
        clear_hold: how long values must stay cleared.
        gap: between values that are further apart nothing is known.
    """

    threshold: float
    clear: float
    above: bool = True
    hold: timedelta = timedelta(0)
    clear_hold: timedelta = timedelta(0)
    gap: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        if self.beyond(self.clear, self.threshold) and self.clear != self.threshold:
            raise ValueError(
                f"the clearing threshold {self.clear:g} lies beyond the threshold {self.threshold:g}"
            )

    def beyond(self, value: float, limit: float) -> bool:
        """Whether a value is at a limit or beyond it."""
        return value >= limit if self.above else value <= limit

    def worse(self, value: float, peak: float) -> bool:
        """Whether a value lies further out than a peak."""
        return value > peak if self.above else value < peak


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What has to be remembered of one rule for one subject.

    Attributes:
        phase: where it is.
        seen: time of the newest value that was looked at, None before the first.
        value: that value.
        start: while pending, on or clearing: when the threshold was first met.
        peak: since then the value furthest out.
        peak_at: its time.
        clear_since: while clearing: time of the first value that was cleared.
    """

    phase: Phase = Phase.CLEAR
    seen: datetime | None = None
    value: float | None = None
    start: datetime | None = None
    peak: float | None = None
    peak_at: datetime | None = None
    clear_since: datetime | None = None

    @property
    def is_on(self) -> bool:
        """Whether there is an alert that has not ended."""
        return self.phase in (Phase.ON, Phase.CLEARING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An alert that began, or one that ended.

    Attributes:
        start: when its condition was first met.
        end: when it was first cleared; None for one that began.
        peak: the value furthest out.
        peak_at: its time.
    """

    start: datetime
    end: datetime | None
    peak: float
    peak_at: datetime


def step(
    condition: Condition, state: State, time: datetime, value: float | None
) -> tuple[State, Event | None]:
    """Look at one value, or at there being none.

    Args:
        condition: what counts.
        state: as of the value before.
        time: when it was measured.
        value: None where there is none.

    Returns:
        What to remember now, and what has begun or ended by it.
    """
    if state.seen is not None and time < state.seen:
        return state, None
    if value is None:
        return _waiting_dropped(state), None
    if time == state.seen and value == state.value:
        return state, None
    if state.seen is not None and time - state.seen > condition.gap:
        state = _waiting_dropped(state)
    state = replace(state, seen=time, value=value)
    if state.is_on:
        return _on(condition, state, time, value)
    if not condition.beyond(value, condition.threshold):
        return State(seen=time, value=value), None
    if state.phase is Phase.CLEAR:
        state = replace(state, phase=Phase.PENDING, start=time, peak=value, peak_at=time)
    state = _with_peak(condition, state, time, value)
    if state.start is None or time - state.start < condition.hold:
        return state, None
    state = replace(state, phase=Phase.ON)
    return state, _event(state, None)


def _on(
    condition: Condition, state: State, time: datetime, value: float
) -> tuple[State, Event | None]:
    if condition.beyond(value, condition.clear):
        state = replace(state, phase=Phase.ON, clear_since=None)
        return _with_peak(condition, state, time, value), None
    since = state.clear_since or time
    if time - since < condition.clear_hold:
        return replace(state, phase=Phase.CLEARING, clear_since=since), None
    return State(seen=time, value=value), _event(state, since)


def _with_peak(condition: Condition, state: State, time: datetime, value: float) -> State:
    if state.peak is not None and not condition.worse(value, state.peak):
        return state
    return replace(state, peak=value, peak_at=time)


def _waiting_dropped(state: State) -> State:
    """What waited begins anew; what is on stays on."""
    match state.phase:
        case Phase.PENDING:
            return State(seen=state.seen, value=state.value)
        case Phase.CLEARING:
            return replace(state, phase=Phase.ON, clear_since=None)
        case _:
            return state


def _event(state: State, end: datetime | None) -> Event:
    if state.start is None or state.peak is None or state.peak_at is None:
        raise ValueError(f"an alert without a start: {state}")
    return Event(start=state.start, end=end, peak=state.peak, peak_at=state.peak_at)


def listen(
    state: State,
    heard: datetime,
    patience: timedelta,
    now: datetime,
    listening_since: datetime | None = None,
) -> tuple[State, Event | None]:
    """Look at when a thing was last heard.

    The alert begins when the patience ends and ends when the thing is heard again; its peak is the
    silence so far, in seconds.

    Args:
        state: as of the look before; `seen` is when the thing was heard last.
        heard: time of its newest observation.
        patience: how long it may be silent.
        now: the moment of the look.
        listening_since: since when it would have been heard; no patience is spent before.
    """
    if state.is_on:
        if state.seen is not None and heard <= state.seen:
            return state, None
        silence = heard - (state.seen or heard)
        begun = replace(state, peak=silence.total_seconds(), peak_at=heard)
        return State(seen=heard), _event(begun, heard)
    counted = heard if listening_since is None else max(heard, listening_since)
    if now - counted < patience:
        return State(seen=heard), None
    state = State(
        phase=Phase.ON,
        seen=heard,
        start=counted + patience,
        peak=(now - heard).total_seconds(),
        peak_at=now,
    )
    return state, _event(state, None)


def usual_interval(times: list[datetime]) -> timedelta | None:
    """How far apart a thing's observations usually are: the median; None for fewer than three.

    Args:
        times: of its newest observations, in any order.
    """
    ordered = sorted(set(times))
    if len(ordered) < 3:
        return None
    between = sorted(b - a for a, b in pairwise(ordered))
    return between[len(between) // 2]


def frontier(
    now: datetime, heard: datetime | None, quiet: timedelta, patience: timedelta
) -> datetime:
    """Up to which moment figures can be judged.

    While data flows, that is the newest measured time: of a backlog that is being stored only
    the past is known yet, and things that are still in it are not silent. Where nothing comes, time
    passes nevertheless.

    Args:
        now: the hub's clock.
        heard: newest phenomenon time of all things, None where there is none.
        quiet: for how long nothing has been stored, as far as we have watched.
        patience: from which quiet on nothing more is expected to come.
    """
    if heard is None or quiet >= patience:
        return now
    return min(heard, now)


def instants(since: datetime | None, until: datetime, most: int) -> list[datetime]:
    """Moments to judge figures at: full minutes that were missed, and the end.

    Args:
        since: the last moment that was judged, None for the first time.
        until: the end.
        most: so many at the most; of a longer time they are further apart.
    """
    if since is None or until == since:
        return [until]
    minutes = max(1, math.ceil((until - since) / (_MINUTE * most)))
    count = math.ceil((until - since) / (minutes * _MINUTE)) - 1
    return [since + (i + 1) * minutes * _MINUTE for i in range(count)] + (
        [until] if until > since else []
    )
