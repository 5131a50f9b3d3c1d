"""From readings of things to figures of areas: pure, and the same for now, the past and series."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce

from tsuji_platform.analytics.figures import FIGURES, Figure
from tsuji_platform.analytics.readings import Combined, FigureValue, Reading, Step
from tsuji_platform.contract import Aggregation

_CANCELLED = 1e-9
"""A sum of unit vectors that is no longer than this has no direction."""

ThingFigures = dict[str, dict[str, FigureValue]]
"""Figures by thing id, then by figure id."""


def mean_direction(degrees: Iterable[float]) -> float | None:
    """Direction of the sum of unit vectors, degrees in [0, 360); None where they cancel out."""
    radians = [math.radians(d) for d in degrees]
    return _direction(sum(map(math.sin, radians)), sum(map(math.cos, radians)))


def _direction(sine: float, cosine: float) -> float | None:
    if math.hypot(sine, cosine) < _CANCELLED:
        return None
    # rounding can lift a tiny negative angle to 360 itself, hence the second modulo
    return math.degrees(math.atan2(sine, cosine)) % 360 % 360


def combine(values: Sequence[float], aggregation: Aggregation) -> float | None:
    """Combine at least one value; None where directions cancel out."""
    match aggregation:
        case Aggregation.SUM:
            return math.fsum(values)
        case Aggregation.MAXIMUM:
            return max(values)
        case Aggregation.CIRCULAR_MEAN:
            return mean_direction(values)
        case Aggregation.MEAN:
            return math.fsum(values) / len(values)


def of_things(newest: Iterable[Reading], totals: Iterable[Reading]) -> ThingFigures:
    """The figures of each thing.

    Args:
        newest: the newest observation of each datastream, none too old to speak for now.
        totals: sums over the window, of the properties that figures add up.
    """
    things: defaultdict[str, dict[str, FigureValue]] = defaultdict(dict)
    added: defaultdict[str, dict[str, Reading]] = defaultdict(dict)
    for reading in newest:
        figure = FIGURES.get(reading.observed_property)
        if figure is not None and figure.over_time is None:
            things[reading.thing_id][figure.id] = FigureValue(
                value=reading.result, n=1, time=reading.time, left_out=reading.left_out
            )
    for reading in totals:
        added[reading.thing_id][reading.observed_property] = reading
    for thing_id, readings in added.items():
        for figure in FIGURES.values():
            if figure.over_time is None:
                continue
            parts = [
                readings[name] for name in _counted(figure.properties, readings) if name in readings
            ]
            if parts:
                things[thing_id][figure.id] = FigureValue(
                    value=math.fsum(part.result for part in parts),
                    n=1,
                    time=max(part.time for part in parts),
                    left_out=sum(part.left_out for part in parts),
                )
    return dict(things)


def _counted(properties: Sequence[str], present: Mapping[str, object]) -> Sequence[str]:
    """A counter that reports both ways together is not counted again by its directions."""
    return (
        ("pedestrians",) if "pedestrians" in properties and "pedestrians" in present else properties
    )


def of_areas(
    things: ThingFigures, membership: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, FigureValue]]:
    """The figures of each area that has any, by area code and figure id.

    Args:
        things: figures of things.
        membership: ids of the things in each area, by area code.
    """
    areas = {}
    for code, members in membership.items():
        said: defaultdict[str, list[FigureValue]] = defaultdict(list)
        for member in members:
            for figure_id, figure_value in things.get(member, {}).items():
                said[figure_id].append(figure_value)
        figures = {}
        for figure in FIGURES.values():
            parts = said.get(figure.id)
            if parts is None:
                continue
            value = combine([part.value for part in parts], figure.over_things)
            if value is not None:
                figures[figure.id] = FigureValue(
                    value=value,
                    n=len(parts),
                    time=max(part.time for part in parts),
                    left_out=sum(part.left_out for part in parts),
                )
        if figures:
            areas[code] = figures
    return areas


def series(figure: Figure, steps: Iterable[Combined]) -> dict[datetime, float | None]:
    """A figure over time.

    Args:
        figure: which.
        steps: what the things in question say of the figure's properties, each step once.

    Returns:
        Value by end of step, None where directions cancel out or all counts are withheld.
    """
    return {step.end: None if step.suppressed else _value(figure, step) for step in steps}


def _value(figure: Figure, step: Combined) -> float | None:
    match figure.over_things:
        case Aggregation.SUM:
            return step.total
        case Aggregation.MAXIMUM:
            return step.highest
        case Aggregation.CIRCULAR_MEAN:
            return _direction(step.sine, step.cosine)
        case Aggregation.MEAN:
            summed = figure.over_time is Aggregation.SUM
            return (step.total if summed else step.means) / step.n


def is_told_twice(observed_properties: Collection[str]) -> bool:
    """Whether a thing with these says of the same people by several of them, so that not all count."""
    return "pedestrians" in observed_properties and len(observed_properties) > 1


def over_things(steps: Iterable[Step]) -> dict[datetime, Combined]:
    """Several things' observations of each step put together, in order of time."""
    grouped: defaultdict[datetime, defaultdict[str, dict[str, Step]]]
    grouped = defaultdict(lambda: defaultdict(dict))
    for step in steps:
        grouped[step.end][step.thing_id][step.observed_property] = step
    return {
        end: reduce(added, [_of_thing(list(present.values())) for present in things.values()])
        for end, things in sorted(grouped.items())
    }


def _of_thing(steps: Sequence[Step]) -> Combined:
    """What one thing says within one step."""
    present = {step.observed_property: step for step in steps}
    counted = [present[name] for name in _counted(list(present), present)]
    total, n = math.fsum(step.total for step in counted), sum(step.n for step in counted)
    sine, cosine = (
        math.fsum(getattr(step, name) for step in counted) for name in ("sine", "cosine")
    )
    length = math.hypot(sine, cosine)
    if length < _CANCELLED:
        sine, cosine, length = 0.0, 0.0, 1.0
    return Combined(
        end=counted[0].end,
        n=1,
        total=total,
        means=total / n,
        highest=max(step.highest for step in counted),
        sine=sine / length,
        cosine=cosine / length,
        left_out=sum(step.left_out for step in counted),
    )


def added(one: Combined, other: Combined) -> Combined:
    """What some things say, and what others say within the same step."""
    return Combined(
        end=one.end,
        n=one.n + other.n,
        total=one.total + other.total,
        means=one.means + other.means,
        highest=max(one.highest, other.highest),
        sine=one.sine + other.sine,
        cosine=one.cosine + other.cosine,
        left_out=one.left_out + other.left_out,
    )


def step_value(step: Step, aggregation: Aggregation) -> float | None:
    """The observations of one step combined; None where directions cancel out or all is withheld."""
    if step.suppressed:
        return None
    match aggregation:
        case Aggregation.SUM:
            return step.total
        case Aggregation.MAXIMUM:
            return step.highest
        case Aggregation.CIRCULAR_MEAN:
            return _direction(step.sine, step.cosine)
        case Aggregation.MEAN:
            return step.total / step.n
