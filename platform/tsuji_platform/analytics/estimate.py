"""Weather of areas without a sensor of their own, from things near by; footfall is never interpolated.

Inverse distance weighting with the square of the distance (D. Shepard, "A two-dimensional interpolation
function for irregularly-spaced data", Proc. 23rd ACM National Conference, 1968, 517-524).
"""

import cmath
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tsuji_platform.analytics.combine import ThingFigures, step_value
from tsuji_platform.analytics.figures import FIGURES, Figure
from tsuji_platform.analytics.readings import FigureValue, Step
from tsuji_platform.contract import Aggregation

ESTIMATED = (
    "air_temperature",
    "relative_humidity",
    "rainfall",
    "wind_speed",
    "wind_from_direction",
    "air_pressure",
    "solar_irradiance",
)
"""Observed properties that vary smoothly enough; each is a figure of the same id. Noise, light, fine dust
and people are a street's own, so nobody near by can speak for them."""

METHOD = (
    "Estimated: no thing in this area measures it. Mean of the nearest things that do, weighted by the "
    "inverse square of their distance from the area's centre; heights are not corrected for."
)
METHOD_JA = (
    "推定値: このエリアに計測機器がないため、近くの機器の値を、エリアの中心からの距離の2乗に反比例する"
    "重みで平均。標高の補正はしない。"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A thing that speaks for an area in which it does not stand.

    Attributes:
        thing_id: which.
        distance_m: from the area's centre, metres.
        weight: relative to the area's other neighbours, above 0.
        observed_properties: what it may be asked for.
    """

    thing_id: str
    distance_m: float
    weight: float
    observed_properties: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate(FigureValue):
    """An estimated figure.

    Attributes:
        distance_m: to the nearest of the things that it is made of, metres.
        farthest_m: to the farthest.
    """

    distance_m: float
    farthest_m: float


Part = tuple[Neighbour, float, datetime]
"""A thing that speaks, what it says and when."""


def weighted(parts: Sequence[Part], aggregation: Aggregation) -> Estimate | None:
    """What neighbours say, combined; None without any, or where directions cancel out."""
    if not parts:
        return None
    total = math.fsum(one.weight for one, _, _ in parts)
    if aggregation is Aggregation.CIRCULAR_MEAN:
        value = _direction((said, one.weight / total) for one, said, _ in parts)
    else:
        value = math.fsum(one.weight * said for one, said, _ in parts) / total
    if value is None:
        return None
    return Estimate(
        value=value,
        n=len(parts),
        time=max(time for _, _, time in parts),
        distance_m=min(one.distance_m for one, _, _ in parts),
        farthest_m=max(one.distance_m for one, _, _ in parts),
    )


def _direction(weighed: Iterable[tuple[float, float]]) -> float | None:
    """Direction of the sum of vectors as long as their weights; None where they cancel out."""
    vectors = [cmath.rect(weight, math.radians(degrees)) for degrees, weight in weighed]
    mean = sum(vectors)
    if abs(mean) < 1e-9:
        return None
    return math.degrees(cmath.phase(mean)) % 360 % 360


def of_area(things: ThingFigures, neighbours: Iterable[Neighbour]) -> dict[str, Estimate]:
    """Estimated figures of one area by figure id, those for which any neighbour speaks.

    Args:
        things: figures of things; rain is each gauge's total of the hour.
        neighbours: of the area; a property that a thing in the area measures is none that they are
            asked for, even while that thing is silent.
    """
    parts: dict[str, list[Part]] = {}
    for one in neighbours:
        said = things.get(one.thing_id)
        if said is None:
            continue
        for name in said.keys() & one.observed_properties:
            parts.setdefault(name, []).append((one, said[name].value, said[name].time))
    found = {}
    for name in ESTIMATED:
        estimate = weighted(parts.get(name, ()), FIGURES[name].over_things)
        if estimate is not None:
            found[name] = estimate
    return found


def of_areas(
    things: ThingFigures, neighbours: Mapping[str, Sequence[Neighbour]]
) -> dict[str, dict[str, Estimate]]:
    """The same for many areas, by area code; areas without any estimate are left out."""
    found = {code: of_area(things, near) for code, near in neighbours.items()}
    return {code: estimates for code, estimates in found.items() if estimates}


def asked(figure: Figure, neighbours: Iterable[Neighbour]) -> list[Neighbour]:
    """The neighbours that speak about a figure; none about one that is never estimated."""
    return [one for one in neighbours if figure.id in one.observed_properties & set(ESTIMATED)]


def series(
    figure: Figure, steps: Iterable[Step], neighbours: Iterable[Neighbour]
) -> dict[datetime, float | None]:
    """An estimated figure over time: of each step, those neighbours count that say anything in it.

    Args:
        figure: which, one of `ESTIMATED`.
        steps: of the neighbours' observations of it.
        neighbours: those that speak about it.

    Returns:
        Value by end of step, None where directions cancel out.
    """
    known = {one.thing_id: one for one in neighbours}
    grouped: defaultdict[datetime, list[Part]] = defaultdict(list)
    for step in steps:
        said = step.total if figure.over_time else step_value(step, figure.over_things)
        if said is not None and step.thing_id in known:
            grouped[step.end].append((known[step.thing_id], said, step.end))
    found: dict[datetime, float | None] = {}
    for end, parts in sorted(grouped.items()):
        estimate = weighted(parts, figure.over_things)
        found[end] = None if estimate is None else estimate.value
    return found
