"""Gathers what derived figures are made of from readings: of one thing, or of the things of an area."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tsuji_platform.analytics.combine import ThingFigures
from tsuji_platform.analytics.congestion import flow
from tsuji_platform.analytics.derivation import INPUTS, Inputs
from tsuji_platform.analytics.figures import FOOTFALL_PROPERTIES
from tsuji_platform.analytics.readings import Reading
from tsuji_platform.analytics.usual import Usual

_LEAST_COUNTED_S = 900
"""A counter that came back a minute ago says nothing of the hour's flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of all things at one moment.

    Attributes:
        things: figures of each.
        flows: people/min/m of counters, see `flows`.
        inside: people counted in and out since midnight in Tokyo, of places with a capacity.
        capacities: people that each place holds.
        hours: means of PM2.5 of the hours of the last whole Tokyo day, by thing and the hour's end.
    """

    things: ThingFigures
    flows: Mapping[str, float] = field(default_factory=dict)
    inside: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    capacities: Mapping[str, int | None] = field(default_factory=dict)
    hours: Mapping[str, Mapping[datetime, float]] = field(default_factory=dict)


def inputs_of(
    known: Known,
    figures: Mapping[str, float],
    members: Sequence[str],
    usual: Usual | None,
    estimated_winds: Sequence[tuple[float, float]] = (),
) -> Inputs:
    """Everything that derived figures of a thing or area are made of.

    Args:
        known: of all things.
        figures: the figures of the thing or area, by figure id.
        members: the thing itself, or those of the area.
        usual: what is usual for their footfall.
        estimated_winds: speed and direction, taken where no member measures both.
    """
    places = [one for one in members if one in known.inside]
    return Inputs(
        values=values(figures, known.flows, members)
        | typical(usual)
        | people_inside(
            {one: known.inside[one][0] for one in places},
            {one: known.inside[one][1] for one in places},
            known.capacities,
        ),
        winds=winds(known.things, members) or estimated_winds,
        pm2_5_hours=hour_means(known.hours, members),
    )


def typical(usual: Usual | None) -> dict[str, float]:
    """Inputs out of what is usual."""
    if usual is None:
        return {}
    percent = {} if usual.percent is None else {"typical_percent": usual.percent}
    return percent | {
        "typical_q1": usual.q1,
        "typical_median": usual.median,
        "typical_q3": usual.q3,
    }


def hour_means(
    hours: Mapping[str, Mapping[datetime, float]], members: Iterable[str]
) -> list[float]:
    """Of each hour the mean over the members that have one, in order of time."""
    told: defaultdict[datetime, list[float]] = defaultdict(list)
    for one in members:
        for end, mean in hours.get(one, {}).items():
            told[end].append(mean)
    return [sum(means) / len(means) for _, means in sorted(told.items())]


def flows(totals: Iterable[Reading], widths: Mapping[str, float | None]) -> dict[str, float]:
    """People/min/m of each counter whose effective width is known, by thing id.

    Args:
        totals: sums of the hour, with the seconds that they cover; one of which a small count is withheld
            is no flow.
        widths: effective width, m, by thing id.
    """
    parts: defaultdict[str, dict[str, Reading]] = defaultdict(dict)
    for reading in totals:
        if reading.observed_property in FOOTFALL_PROPERTIES and widths.get(reading.thing_id):
            parts[reading.thing_id][reading.observed_property] = reading
    found = {}
    for thing_id, by_property in parts.items():
        both = by_property.get("pedestrians")
        counted = [both] if both is not None else list(by_property.values())
        least_s = min(it.covered_s or 0 for it in counted)
        width = widths[thing_id]
        if width and least_s >= _LEAST_COUNTED_S and not any(it.left_out for it in counted):
            found[thing_id] = math.fsum(
                flow(it.result, (it.covered_s or 0) / 60, width) for it in counted
            )
    return found


def winds(things: ThingFigures, members: Iterable[str]) -> list[tuple[float, float]]:
    """Speed and direction of each of the things that say both."""
    pairs = []
    for thing_id in members:
        said = things.get(thing_id, {})
        if "wind_speed" in said and "wind_from_direction" in said:
            pairs.append((said["wind_speed"].value, said["wind_from_direction"].value))
    return pairs


def values(
    figures: Mapping[str, float], counter_flows: Mapping[str, float], members: Sequence[str]
) -> dict[str, float]:
    """Inputs that are figures themselves, and the largest flow of the members.

    Args:
        figures: the figures of the thing or area, by figure id.
        counter_flows: of all things, see `flows`.
        members: the things in question.
    """
    known = {name: value for name, value in figures.items() if name in INPUTS}
    largest = max((counter_flows[one] for one in members if one in counter_flows), default=None)
    return known if largest is None else known | {"pedestrian_flow": largest}


def people_inside(
    entered: Mapping[str, float], left: Mapping[str, float], capacities: Mapping[str, int | None]
) -> dict[str, float]:
    """People inside and capacity, added up over the places that count both ways; empty without any.

    A place that more people left than entered says nothing, and takes nobody away from the others;
    where all are such, the number is negative.

    Args:
        entered: people counted in since the place was empty, by thing id.
        left: the same, out.
        capacities: people that each place holds, by thing id.
    """
    places = [one for one in entered.keys() & left.keys() if capacities.get(one)]
    if not places:
        return {}
    places = [one for one in places if entered[one] >= left[one]] or places
    return {
        "people_inside": math.fsum(entered[one] - left[one] for one in places),
        "capacity": float(sum(capacities[one] or 0 for one in places)),
    }
