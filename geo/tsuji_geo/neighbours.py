"""How large areas are, and which things near by speak for those that lack a sensor, with which weight."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from tsuji_geo.areas import GeoJson

_GEOD = Geod(ellps="GRS80")
"""Of JGD2011, in which the area of Japan's municipalities is published."""

MOST = 4
"""Things that speak for an area about one observed property."""
_HALF_AS_FAR = frozenset({"rainfall"})
"""Showers are small: a gauge speaks for half the distance."""
_NEAREST_M = 10.0
"""Nearer things weigh no more: a weight must not become infinite."""
_EARTH_M = 6_371_000.0
_ROUGHLY = 1.01
"""The sphere is off by less than this."""
_FIRST_OF = 256
"""The search begins with this part of the limit and doubles it where too few are found."""

Place = tuple[int | str, float, float, frozenset[str]]
"""An area's key or a thing's id, longitude, latitude, and what is measured there."""
Near = tuple[int, str, float, float, frozenset[str]]
"""Area key, thing id, distance in metres, weight, and what the thing speaks about."""

_Floats = NDArray[np.float64]


def measure(geometry: GeoJson) -> tuple[float, float, float]:
    """Size and centre of an area.

    Args:
        geometry: GeoJSON Polygon or MultiPolygon, WGS 84, valid.

    Returns:
        Its area on the GRS 80 ellipsoid, m², holes left out; longitude and latitude of a point inside
        its largest part, the centroid where that lies inside.
    """
    shape = shapely.orient_polygons(shapely.geometry.shape(geometry))
    area, _ = _GEOD.geometry_area_perimeter(shape)
    largest = max(shapely.get_parts(shape), key=shapely.area)
    centre = largest.centroid
    if not largest.contains(centre):
        centre = shapely.point_on_surface(largest)
    return abs(area), centre.x, centre.y


def weigh(areas: Sequence[Place], things: Sequence[Place], *, limit_km: float) -> list[Near]:
    """Find the things that speak for each area about what no thing in it measures.

    Of each observed property the nearest `MOST` within the limit; the weight is the inverse square of the
    distance.

    Args:
        areas: with what the things in them measure.
        things: with what they measure, of what may be estimated.
        limit_km: the farthest that a thing speaks, 0 for none.
    """
    found: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
    for names, members in _alike(things).items():
        for limit_m in {_limit(name, limit_km) for name in names}:
            asked = {name for name in names if _limit(name, limit_km) == limit_m}
            for wanting in {frozenset(asked - measured) for *_, measured in areas} - {frozenset()}:
                seekers = [i for i, area in enumerate(areas) if asked - area[3] == wanting]
                for area, thing in _nearest(areas, seekers, things, members, limit_m):
                    found[area, thing] |= wanting
    return _weighed(areas, things, found, limit_km)


def _limit(name: str, limit_km: float) -> float:
    return 1000 * (limit_km / 2 if name in _HALF_AS_FAR else limit_km)


def _alike(things: Sequence[Place]) -> dict[frozenset[str], list[int]]:
    """Observed properties that the very same things measure, with these things."""
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    for i, (*_, measured) in enumerate(things):
        for name in measured:
            by_name[name].append(i)
    groups: defaultdict[tuple[int, ...], set[str]] = defaultdict(set)
    for name, members in by_name.items():
        groups[tuple(members)].add(name)
    return {frozenset(names): list(members) for members, names in groups.items()}


def _nearest(
    areas: Sequence[Place],
    seekers: Sequence[int],
    things: Sequence[Place],
    members: Sequence[int],
    limit_m: float,
) -> list[tuple[int, int]]:
    """Pairs of area and thing: of each area its nearest things within the limit, roughly."""
    if limit_m <= 0:
        return []
    limit_m *= _ROUGHLY
    at = np.array([things[i][1:3] for i in members], dtype=float)
    points: Any = shapely.points(at)
    tree = shapely.STRtree(points)
    waiting = np.array(seekers, dtype=np.int64)
    centres = np.array([areas[i][1:3] for i in seekers], dtype=float).reshape(-1, 2)
    radius_m = limit_m / _FIRST_OF
    pairs = []
    while len(waiting):
        seeker, speaker = tree.query(_boxes(centres, radius_m))
        distance = _distance_m(centres[seeker], at[speaker])
        order = np.lexsort((speaker, distance, seeker))
        order = order[distance[order] <= radius_m]
        seeker, speaker = seeker[order], speaker[order]
        rank = np.arange(len(seeker)) - np.searchsorted(seeker, seeker)
        enough = np.bincount(seeker, minlength=len(waiting)) >= MOST
        settled = enough | (radius_m >= limit_m)
        taken = settled[seeker] & (rank < MOST)
        pairs += [
            (a, members[t])
            for a, t in zip(waiting[seeker[taken]].tolist(), speaker[taken].tolist(), strict=True)
        ]
        waiting, centres = waiting[~settled], centres[~settled]
        radius_m = min(2 * radius_m, limit_m)
    return pairs


def _boxes(centres: _Floats, radius_m: float) -> NDArray[np.object_]:
    """Boxes in degrees that hold every point within the radius."""
    x, y = centres.T
    high = np.degrees(radius_m / _EARTH_M) * _ROUGHLY
    wide = high / np.maximum(np.cos(np.radians(np.minimum(np.abs(y) + high, 89))), 0.01)
    boxes: NDArray[np.object_] = shapely.box(x - wide, y - high, x + wide, y + high)
    return boxes


def _distance_m(one: _Floats, other: _Floats) -> _Floats:
    """Great-circle distances (haversine) between pairs of longitude and latitude, degrees."""
    (x1, y1), (x2, y2) = np.radians(one).T, np.radians(other).T
    chord = np.sin((y2 - y1) / 2) ** 2 + np.cos(y1) * np.cos(y2) * np.sin((x2 - x1) / 2) ** 2
    distances: _Floats = 2 * _EARTH_M * np.arcsin(np.sqrt(np.minimum(1, chord)))
    return distances


def _weighed(
    areas: Sequence[Place],
    things: Sequence[Place],
    found: dict[tuple[int, int], set[str]],
    limit_km: float,
) -> list[Near]:
    """With exact distances, within exact limits."""
    if not found:
        return []
    pairs = sorted(found)
    near_areas = [areas[a] for a, _ in pairs]
    near_things = [things[t] for _, t in pairs]
    _, _, distances = _GEOD.inv(
        [x for _, x, _, _ in near_areas],
        [y for _, _, y, _ in near_areas],
        [x for _, x, _, _ in near_things],
        [y for _, _, y, _ in near_things],
    )
    near = []
    for pair, area, thing, distance in zip(pairs, near_areas, near_things, distances, strict=True):
        names = frozenset(name for name in found[pair] if distance <= _limit(name, limit_km))
        if names:
            weight = 1 / max(distance, _NEAREST_M) ** 2
            near.append((int(area[0]), str(thing[0]), float(distance), float(weight), names))
    return near
