"""Which thing stands in which area: computed when things or areas change, never per request."""

from collections.abc import Sequence

import numpy as np
import shapely

from tsuji_geo.areas import DIGITS, AreaKind, GeoJson


class Locator:
    """The areas of one set, prepared for many look-ups; keep it as long as the areas stay the same.

    A point belongs to at most one area of the set:

    - meshes are half-open, so that a point on a shared edge belongs to the cell east or north of it,
      as its mesh code says, and one on the outer east or north edge to none;
    - of other areas that hold the point, on their boundary or inside, the first one takes it: give
      them in ascending order of code and the smallest code wins.

    Args:
        areas: (key, GeoJSON geometry) in ascending order of code; the geometry is valid.
        kind: what sort of areas they are.
    """

    def __init__(self, areas: Sequence[tuple[int, GeoJson]], *, kind: AreaKind | str) -> None:
        self._keys = [key for key, _ in areas]
        self._is_mesh = AreaKind(kind) is AreaKind.MESH
        self._shapes = np.array(
            [shapely.geometry.shape(geometry) for _, geometry in areas], dtype=object
        )
        shapely.prepare(self._shapes)
        self._bounds = shapely.bounds(self._shapes).reshape(-1, 4)
        self._tree = shapely.STRtree(self._shapes)

    def locate(self, points: Sequence[tuple[str, float, float]]) -> list[tuple[int, str]]:
        """Find the area of each point.

        Args:
            points: (thing id, longitude, latitude), WGS 84 degrees.

        Returns:
            (area key, thing id) in the order of the points; points in no area are left out.
        """
        if not points or not self._keys:
            return []
        # areas are rounded, so are the points: a thing on a published edge is on the edge
        x = np.round(np.array([longitude for _, longitude, _ in points], dtype=float), DIGITS)
        y = np.round(np.array([latitude for _, _, latitude in points], dtype=float), DIGITS)
        point, area = self._tree.query(shapely.points(x, y))  # bounding boxes that touch
        x, y = x[point], y[point]
        if self._is_mesh:
            west, south, east, north = self._bounds[area].T
            held = (west <= x) & (x < east) & (south <= y) & (y < north)
        else:
            held = shapely.intersects_xy(self._shapes[area], x, y)
        order = np.lexsort((area[held], point[held]))
        point, area = point[held][order], area[held][order]
        point, first = np.unique(point, return_index=True)
        return [
            (self._keys[a], points[p][0])
            for p, a in zip(point.tolist(), area[first].tolist(), strict=True)
        ]


def assign(
    points: Sequence[tuple[str, float, float]],
    areas: Sequence[tuple[int, GeoJson]],
    *,
    kind: AreaKind | str,
) -> list[tuple[int, str]]:
    """Assign things to the areas of one set, once; see `Locator` for the rule and for many times."""
    return Locator(areas, kind=kind).locate(points)
