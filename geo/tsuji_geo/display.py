"""Lighter shapes for maps, beside the exact ones that assignment uses."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from tsuji_geo.areas import AreaSetShape
from tsuji_geo.geometry import polygons_of, to_geojson

_METRES_PER_DEGREE = 111_195.0  # of latitude, on a sphere of 6,371 km


def simplify(area_set: AreaSetShape, tolerance_m: float) -> AreaSetShape:
    """Give every area a `display_geometry`.

    Borders that neighbours share stay shared (Visvalingam-Whyatt on the whole coverage), and islets
    smaller than a square of the tolerance's side are dropped as long as the area keeps its largest
    part.

    Args:
        area_set: with exact shapes.
        tolerance_m: metres; roughly the square root of the triangles that are cut off.

    Raises:
        ValueError: the tolerance is not positive.
    """
    if not tolerance_m > 0:
        raise ValueError(f"tolerance must be more than 0 m, got {tolerance_m!r}")
    _, south, _, north = area_set.bbox
    shrink = math.cos(math.radians((south + north) / 2))
    exact = [
        shapely.transform(
            shapely.geometry.shape(area.geometry),
            _scale(_METRES_PER_DEGREE * shrink, _METRES_PER_DEGREE),
        )
        for area in area_set.areas
    ]
    light = shapely.coverage_simplify(
        [_without_islets(one, tolerance_m**2) for one in exact], tolerance_m
    )
    back = _scale(1 / (_METRES_PER_DEGREE * shrink), 1 / _METRES_PER_DEGREE)
    areas = []
    for area, shape in zip(area_set.areas, light, strict=True):
        if not shape.is_valid:  # overlapping input is not a coverage
            shape = polygons_of(shapely.make_valid(shape))
        display = None if shape.is_empty else to_geojson(shapely.transform(shape, back))
        areas.append(replace(area, display_geometry=display))
    return replace(area_set, areas=tuple(areas))


def _scale(x: float, y: float) -> Callable[[Any], Any]:
    return lambda coordinates: coordinates * np.array([x, y])


def _without_islets(geometry: BaseGeometry, least_m2: float) -> BaseGeometry:
    if geometry.geom_type == "Polygon":
        return geometry
    parts = sorted(shapely.get_parts(geometry), key=lambda part: part.area, reverse=True)
    kept = [parts[0], *(part for part in parts[1:] if part.area >= least_m2)]
    return shapely.MultiPolygon(kept)
