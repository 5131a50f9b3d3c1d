"""From whatever polygons a file holds to valid, rounded GeoJSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from tsuji_geo.areas import DIGITS, BBox, GeoJson

_POLYGONAL = ("Polygon", "MultiPolygon")


def repaired(geometry: BaseGeometry) -> tuple[BaseGeometry, str]:
    """Keep what is polygonal of a shape and make it valid.

    Holes that lie outside their shell (islands, stored the wrong way) become polygons; what
    collapses to lines or points is dropped.

    Returns:
        The polygons, perhaps empty, and what was wrong, empty where nothing was.
    """
    if geometry.is_valid:
        return polygons_of(geometry), ""
    reason = str(shapely.is_valid_reason(geometry))
    try:
        return polygons_of(shapely.make_valid(geometry)), reason
    except shapely.errors.GEOSException:  # a collapsed shell with a hole: keep what has an area
        return polygons_of(
            shapely.make_valid(geometry, method="structure", keep_collapsed=False)
        ), reason


def polygons_of(geometry: BaseGeometry) -> BaseGeometry:
    """Keep the polygons of a valid geometry; empty where there is none."""
    if geometry.geom_type in _POLYGONAL:
        return geometry
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return shapely.union_all([part for part in parts if part.geom_type in _POLYGONAL])


def merged(polygons: Sequence[BaseGeometry]) -> BaseGeometry:
    """Dissolve polygons into one Polygon or MultiPolygon."""
    return polygons[0] if len(polygons) == 1 else polygons_of(shapely.union_all(polygons))


def rounded(geometry: BaseGeometry) -> BaseGeometry:
    """Round coordinates to `DIGITS` digits, keeping the polygons valid.

    Each vertex is rounded for itself, so that neighbours keep their common edges; only where that
    makes a shape invalid are its lines noded anew. Nothing is left of what is thinner than the digits.
    """
    try:
        plain = shapely.remove_repeated_points(shapely.transform(geometry, _round))
        if plain.is_valid and not plain.is_empty:
            return plain
    except shapely.errors.GEOSException:  # too few points are left in a ring
        pass
    noded = polygons_of(shapely.set_precision(geometry, 10.0**-DIGITS))
    return shapely.transform(noded, _round)


def to_geojson(geometry: BaseGeometry) -> GeoJson:
    """Write polygons as GeoJSON with rounded coordinates and the ring directions of RFC 7946."""
    mapping = shapely.geometry.mapping(shapely.orient_polygons(rounded(geometry)))
    return {"type": mapping["type"], "coordinates": _lists(mapping["coordinates"])}


def bbox_of(geometry: GeoJson) -> BBox:
    """Bounds of a GeoJSON geometry, from its own coordinates."""
    west, south, east, north = shapely.geometry.shape(geometry).bounds
    return west, south, east, north


def _round(coordinates: Any) -> Any:
    return np.round(coordinates, DIGITS)


def _lists(nested: Any) -> Any:
    """Turn shapely's tuples into what JSON reads back."""
    return [_lists(one) for one in nested] if isinstance(nested, tuple | list) else nested
