"""What all series share: which steps a span has, and gaps that stay gaps."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, repeat
from operator import add

from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.analytics.gaps import gaps
from tsuji_platform.analytics.readings import Combined, Step
from tsuji_platform.api import models
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.spans import Span
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.store import floor_to_step

_MOST_STEPS = 10_000
_STEPS = (timedelta(minutes=15), timedelta(hours=1), timedelta(days=1))
_GOOD_MANY = 1_000
"""Steps that a chart can show; a month then comes by the hour, a year by the day."""
_LENGTH = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A span whose ends are ends of steps."""

    start: datetime
    end: datetime
    step: timedelta


def resolve(
    hub: Hub, span: Span, thing_ids: Sequence[str], observed_properties: Sequence[str]
) -> Resolved:
    """Fill in what the caller left out: complete steps of the last 24 hours."""
    step = span.step
    if step is None:
        step = _usual_step(hub, span, thing_ids, observed_properties)
    return _whole_steps(hub, span, step)


def _whole_steps(hub: Hub, span: Span, step: timedelta) -> Resolved:
    end = floor_to_step(span.end or hub.clock(), step)
    start = floor_to_step(span.start or end - _LENGTH, step)
    if start >= end:
        raise BadParameterError(
            f"start {start:%Y-%m-%dT%H:%M:%SZ} must be at least one step of {step} before end "
            f"{end:%Y-%m-%dT%H:%M:%SZ}"
        )
    if (end - start) / step > _MOST_STEPS:
        raise BadParameterError(
            f"{(end - start) // step} steps of {step} are more than {_MOST_STEPS}: "
            "ask for a longer step or a shorter time",
            parameter="step",
        )
    return Resolved(start=start, end=end, step=step)


def _usual_step(
    hub: Hub, span: Span, thing_ids: Sequence[str], observed_properties: Sequence[str]
) -> timedelta:
    """The shortest that gives no more than some steps, or as long as counts of that time cover."""
    end = span.end or hub.clock()
    start = span.start or end - _LENGTH
    step = next((one for one in _STEPS if (end - start) / one <= _GOOD_MANY), _STEPS[-1])
    counts = [name for name in observed_properties if OBSERVED_PROPERTIES[name].is_count]
    if not counts:
        return step
    _whole_steps(hub, span, step)  # longer ones would be fewer
    period_s = hub.reader.usual_period_s(thing_ids, counts, start, end)
    return max(step, timedelta(seconds=period_s or 0))


def fill(
    span: Resolved, values: Mapping[datetime, float | None]
) -> tuple[list[datetime], list[float | None]]:
    """The end of every step, and its value or None."""
    count = (span.end - span.start) // span.step
    times = list(accumulate(repeat(span.step, count - 1), add, initial=span.start + span.step))
    return times, [values.get(time) for time in times]


def left_out(times: Sequence[datetime], steps: Iterable[Step | Combined]) -> list[int] | None:
    """How many small counts each step leaves out; None where none does."""
    withheld = {step.end: step.left_out for step in steps if step.left_out}
    return [withheld.get(time, 0) for time in times] if withheld else None


def explained(
    hub: Hub,
    span: Resolved,
    thing_ids: Sequence[str],
    observed_properties: Sequence[str],
    times: Sequence[datetime],
    observed: Container[datetime],
    suppressed: Collection[datetime] = (),
    unwanted: Container[datetime] = (),
) -> list[models.Gap]:
    """The steps without observations, or with withheld or unwanted ones only, with the reason of each."""
    if not suppressed and all(time in observed for time in times):
        return []
    evidence = hub.reader.evidence(thing_ids, observed_properties, span.start, span.end, span.step)
    return [
        models.Gap(start=it.start, end=it.end, reason=it.reason)
        for it in gaps(times, span.step, observed, evidence, suppressed, unwanted)
    ]


def per_step(figure: str, unit_label: str, step: timedelta) -> str:
    """Totals of a series are totals of its steps, whatever the figure's own window is."""
    if FIGURES[figure].over_time is None:
        return unit_label
    seconds = int(step / timedelta(seconds=1))
    if seconds % 60:
        length = f"{seconds} s"
    elif seconds % 3600:
        length = f"{seconds // 60} min"
    else:
        length = f"{seconds // 3600} h"
    return f"{unit_label.split('/')[0]} / {length}"
