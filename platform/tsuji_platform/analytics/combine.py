"""From readings of things to figures of areas: pure, and the same for now, the past and series."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tsuji_platform.analytics.figures import FIGURES, Figure
from tsuji_platform.analytics.readings import FigureValue, Reading, Step
from tsuji_platform.contract import Aggregation

ThingFigures = dict[str, dict[str, FigureValue]]
"""Figures by thing id, then by figure id."""


def mean_direction(degrees: Iterable[float]) -> float | None:
    """Direction of the sum of unit vectors, degrees in [0, 360); None where they cancel out."""
    radians = [math.radians(d) for d in degrees]
    return _direction(sum(map(math.sin, radians)), sum(map(math.cos, radians)))


def _direction(sine: float, cosine: float) -> float | None:
    if math.hypot(sine, cosine) < 1e-9:
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
                value=reading.result, n=1, time=reading.time
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
        figures = {}
        for figure in FIGURES.values():
            parts = [things[m][figure.id] for m in members if figure.id in things.get(m, ())]
            if not parts:
                continue
            value = combine([part.value for part in parts], figure.over_things)
            if value is not None:
                figures[figure.id] = FigureValue(
                    value=value, n=len(parts), time=max(part.time for part in parts)
                )
        if figures:
            areas[code] = figures
    return areas


def series(figure: Figure, steps: Iterable[Step]) -> dict[datetime, float]:
    """A figure over time: the things' values of each step, combined over the things.

    Args:
        figure: which.
        steps: observations of the figure's properties, of the things in question.

    Returns:
        Value by end of step; steps without a value are left out.
    """
    grouped: defaultdict[datetime, defaultdict[str, dict[str, Step]]]
    grouped = defaultdict(lambda: defaultdict(dict))
    for step in steps:
        grouped[step.end][step.thing_id][step.observed_property] = step
    values = {}
    for end, things in sorted(grouped.items()):
        parts = []
        for present in things.values():
            part = _over_time(
                figure, [present[p] for p in _counted(figure.properties, present) if p in present]
            )
            if part is not None:
                parts.append(part)
        value = combine(parts, figure.over_things) if parts else None
        if value is not None:
            values[end] = value
    return values


def _over_time(figure: Figure, steps: Sequence[Step]) -> float | None:
    """One thing's value over one step."""
    if not steps:
        return None
    if figure.over_time is Aggregation.SUM:
        return math.fsum(step.total for step in steps)
    return step_value(steps[0], figure.over_things)


def step_value(step: Step, aggregation: Aggregation) -> float | None:
    """The observations of one step combined; None where directions cancel out."""
    match aggregation:
        case Aggregation.SUM:
            return step.total
        case Aggregation.MAXIMUM:
            return step.highest
        case Aggregation.CIRCULAR_MEAN:
            return _direction(step.sine, step.cosine)
        case Aggregation.MEAN:
            return step.total / step.n
