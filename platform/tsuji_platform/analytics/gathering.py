"""Gathers what derived figures are made of from readings: of one thing, or of the things of an area."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tsuji_platform.analytics.combine import ThingFigures
from tsuji_platform.analytics.congestion import flow
from tsuji_platform.analytics.derivation import INPUTS
from tsuji_platform.analytics.figures import FOOTFALL_PROPERTIES
from tsuji_platform.analytics.readings import Reading

_LEAST_COUNTED_S = 900
"""A counter that came back a minute ago says nothing of the hour's flow."""


def flows(totals: Iterable[Reading], widths: Mapping[str, float | None]) -> dict[str, float]:
    """People/min/m of each counter whose effective width is known, by thing id.

    Args:
        totals: sums of the hour, with the seconds that they cover.
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
        if width and least_s >= _LEAST_COUNTED_S:
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
