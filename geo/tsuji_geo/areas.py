"""What an area is, however it came about: the records that meshes and imported files both become."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any

BBox = tuple[float, float, float, float]
"""West, south, east, north: degrees, WGS 84."""

GeoJson = dict[str, Any]
"""A GeoJSON Polygon or MultiPolygon, WGS 84, coordinates rounded to `DIGITS`."""

DIGITS = 7
"""Digits after the point that coordinates keep: about a centimetre."""

JAPAN: BBox = (122.0, 20.0, 154.0, 46.0)
"""What municipalities and mesh codes lie in, Okinotorishima and Minamitorishima included."""

_SET_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class AreaError(ValueError):
    """Areas cannot be made of this; the message quotes what was found and says what to do."""


class AreaKind(StrEnum):
    """What sort of areas a set holds; decides which area a point on a boundary belongs to."""

    MESH = "mesh"
    MUNICIPALITY = "municipality"
    POLYGON = "polygon"


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaShape:
    """One area.

    Attributes:
        code: unique in its set: the mesh code, the five-digit municipality code, …
        name: Japanese name.
        name_en: English name, empty where none was given.
        geometry: the exact shape; assignment uses it.
        bbox: of `geometry`.
        display_geometry: a lighter shape for maps; None where the exact one is light enough.
    """

    code: str
    name: str
    name_en: str = ""
    geometry: GeoJson = field(repr=False)
    bbox: BBox
    display_geometry: GeoJson | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaSetShape:
    """A set of areas that go together on one map.

    Attributes:
        id: lower-case letters, digits and hyphens; stands in URLs.
        name: Japanese name.
        name_en: English name, empty where none was given.
        kind: what sort of areas.
        source: the credit line to show beside the areas.
        licence: the terms under which the areas may be used, empty where nobody holds rights.
        areas: ordered by code, each code once.

    Raises:
        AreaError: where the id is not of that form, a code occurs twice or there is no area.
    """

    id: str
    name: str
    name_en: str = ""
    kind: AreaKind
    source: str
    licence: str = ""
    areas: tuple[AreaShape, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not _SET_ID.fullmatch(self.id):
            raise AreaError(
                f"area set id {self.id!r} must be 1 to 63 lower-case letters, digits and hyphens, "
                "such as municipalities-13"
            )
        codes = [area.code for area in self.areas]
        if not codes:
            raise AreaError(f"area set {self.id!r} would hold no area")
        if any(one >= other for one, other in pairwise(codes)):
            raise AreaError(f"area set {self.id!r}: codes must be unique and in ascending order")

    @property
    def bbox(self) -> BBox:
        """What encloses all areas."""
        west, south, east, north = zip(*(area.bbox for area in self.areas), strict=True)
        return min(west), min(south), max(east), max(north)
