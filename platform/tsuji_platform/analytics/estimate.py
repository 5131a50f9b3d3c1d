"""Weather of areas without a sensor of their own, from things near by; footfall is never interpolated.

Inverse distance weighting with the square of the distance (D. Shepard, "A two-dimensional interpolation
function for irregularly-spaced data", Proc. 23rd ACM National Conference, 1968, 517-524).
"""

import cmath
import math
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


class _Sum:
    """What the neighbours of one area say of one property, as it is added up."""

    __slots__ = ("farthest_m", "is_direction", "n", "nearest_m", "time", "total", "weight")

    def __init__(self, *, is_direction: bool) -> None:
        self.is_direction = is_direction
        self.n = 0
        self.weight = 0.0
        self.total: complex = 0.0
        self.time: datetime | None = None
        self.nearest_m = math.inf
        self.farthest_m = 0.0

    def add(self, neighbour: Neighbour, said: float, time: datetime) -> None:
        weight, distance = neighbour.weight, neighbour.distance_m
        self.n += 1
        self.weight += weight
        self.total += cmath.rect(weight, math.radians(said)) if self.is_direction else weight * said
        if self.time is None or time > self.time:
            self.time = time
        self.nearest_m = min(self.nearest_m, distance)
        self.farthest_m = max(self.farthest_m, distance)

    def estimate(self) -> Estimate | None:
        """The weighted mean; None without any, or where directions cancel out."""
        if self.time is None:
            return None
        mean = self.total / self.weight
        if not self.is_direction:
            value = mean.real
        elif abs(mean) < _CANCELLED:
            return None
        else:
            value = math.degrees(cmath.phase(mean)) % 360 % 360
        return Estimate(
            value=value,
            n=self.n,
            time=self.time,
            distance_m=self.nearest_m,
            farthest_m=self.farthest_m,
        )


_CANCELLED = 1e-9
"""A mean of unit vectors that is no longer than this has no direction."""
_IS_DIRECTION = {name: FIGURES[name].over_things is Aggregation.CIRCULAR_MEAN for name in ESTIMATED}


def of_area(things: ThingFigures, neighbours: Iterable[Neighbour]) -> dict[str, Estimate]:
    """Estimated figures of one area by figure id, those for which any neighbour speaks.

    Args:
        things: figures of things; rain is each gauge's total of the hour.
        neighbours: of the area; a property that a thing in the area measures is none that they are
            asked for, even while that thing is silent.
    """
    sums: dict[str, _Sum] = {}
    for one in neighbours:
        said = things.get(one.thing_id)
        if said is None:
            continue
        for name in one.observed_properties:
            figure = said.get(name)
            if figure is None or name not in _IS_DIRECTION:
                continue
            its = sums.get(name)
            if its is None:
                its = sums[name] = _Sum(is_direction=_IS_DIRECTION[name])
            its.add(one, figure.value, figure.time)
    found = {}
    for name in ESTIMATED:
        estimate = sums[name].estimate() if name in sums else None
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
    sums: dict[datetime, _Sum] = {}
    for step in steps:
        said = step.total if figure.over_time else step_value(step, figure.over_things)
        if said is None or step.thing_id not in known:
            continue
        if step.end not in sums:
            sums[step.end] = _Sum(is_direction=_IS_DIRECTION[figure.id])
        sums[step.end].add(known[step.thing_id], said, step.end)
    found: dict[datetime, float | None] = {}
    for end, its in sorted(sums.items()):
        estimate = its.estimate()
        found[end] = None if estimate is None else estimate.value
    return found
