"""JIS X 0410 grid square meshes over an extent, for maps that need no imported boundaries.

The digits of a code come from `jismesh`. Which cell a point falls into does not: jismesh divides
floating-point remainders and puts more than half of all cell corners into a neighbouring cell. Here
cells are found by integer arithmetic on coordinates of `DIGITS` digits, with edges rounded to the same
digits, so that codes, published shapes and assignment always agree.
"""

import re
from dataclasses import dataclass
from itertools import product

from jismesh.utils import to_meshcode, to_meshpoint

from tsuji_geo.areas import DIGITS, JAPAN, AreaError, AreaKind, AreaSetShape, AreaShape, BBox

_UNITS: int = 10**DIGITS  # per degree
MAX_CELLS = 20_000
"""Cells that one set may hold: beyond that, neither a map nor its reader copes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshSize:
    """One size of mesh.

    Attributes:
        metres: nominal side.
        digits: length of its codes.
        level: jismesh's number for it.
        rows_per_degree: cells in one degree of latitude.
        columns_per_degree: cells in one degree of longitude.
        label: as Japanese text has it.
        label_en: as English text has it.
    """

    metres: int
    digits: int
    level: int
    rows_per_degree: int
    columns_per_degree: int
    label: str
    label_en: str


# JIS X 0410: the 1 km mesh is 30 seconds of latitude by 45 of longitude; halved, and halved again.
MESH_SIZES = {
    size.metres: size
    for size in (
        MeshSize(
            metres=1000,
            digits=8,
            level=3,
            rows_per_degree=120,
            columns_per_degree=80,
            label="1km",
            label_en="1 km",
        ),
        MeshSize(
            metres=500,
            digits=9,
            level=4,
            rows_per_degree=240,
            columns_per_degree=160,
            label="500m",
            label_en="500 m",
        ),
        MeshSize(
            metres=250,
            digits=10,
            level=5,
            rows_per_degree=480,
            columns_per_degree=320,
            label="250m",
            label_en="250 m",
        ),
    )
}
"""By nominal side in metres."""

_CODE = re.compile(r"[0-9]{4}[0-7]{2}[0-9]{2}[1-4]{0,2}")
_BY_DIGITS = {size.digits: size for size in MESH_SIZES.values()}


def mesh_code(longitude: float, latitude: float, size_m: int) -> str:
    """Find the mesh in which a point lies.

    Cells are half-open: a point on a shared edge belongs to the cell east or north of it, a corner to
    the north-eastern one.

    Args:
        longitude: degrees, WGS 84 (JGD2011 is the same to within the rounding).
        latitude: degrees.
        size_m: 1000, 500 or 250.

    Raises:
        AreaError: outside Japan, or an unknown size.
    """
    size = _size(size_m)
    _check_range(longitude, latitude)
    return _code(
        size, _cell(latitude, size.rows_per_degree), _cell(longitude, size.columns_per_degree)
    )


def mesh_bounds(code: str) -> BBox:
    """Bounds of a mesh, rounded to `DIGITS` digits.

    Raises:
        AreaError: not a code of a 1 km, 500 m or 250 m mesh in Japan.
    """
    size = _BY_DIGITS.get(len(code))
    if size is None or not _CODE.fullmatch(code):
        raise AreaError(
            f"{code!r} is not a mesh code: expected 8 digits (1 km), 9 (500 m) or 10 (250 m), "
            "such as 53394611"
        )
    latitude, longitude = to_meshpoint(code, 0.5, 0.5)
    _check_range(longitude, latitude)
    row, column = int(latitude * size.rows_per_degree), int(longitude * size.columns_per_degree)
    return (
        _edge(column, size.columns_per_degree) / _UNITS,
        _edge(row, size.rows_per_degree) / _UNITS,
        _edge(column + 1, size.columns_per_degree) / _UNITS,
        _edge(row + 1, size.rows_per_degree) / _UNITS,
    )


def mesh_area(code: str) -> AreaShape:
    """Make the area of one mesh.

    Raises:
        AreaError: as `mesh_bounds`.
    """
    west, south, east, north = bounds = mesh_bounds(code)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return AreaShape(
        code=code,
        name=f"メッシュ {code}",
        name_en=f"Mesh {code}",
        geometry={"type": "Polygon", "coordinates": [ring]},
        bbox=bounds,
    )


def mesh_area_set(
    size_m: int,
    extent: BBox,
    *,
    set_id: str | None = None,
    name: str | None = None,
    name_en: str | None = None,
) -> AreaSetShape:
    """Cover an extent with meshes: all cells of which some part lies inside.

    Args:
        size_m: 1000, 500 or 250.
        extent: west, south, east, north in degrees.
        set_id: id of the set, by default `mesh500` and the like.
        name: Japanese name, by default made of the size.
        name_en: English name, likewise.

    Raises:
        AreaError: unknown size, empty extent, outside Japan, over `MAX_CELLS`.
    """
    size = _size(size_m)
    west, south, east, north = extent
    _check_range(west, south)
    _check_range(east, north)
    if west >= east or south >= north:
        raise AreaError(
            f"extent {west:g},{south:g},{east:g},{north:g} is empty: give west, south, east, north "
            "in degrees, such as 139.675,35.625,139.825,35.735"
        )
    rows = _span(south, north, size.rows_per_degree)
    columns = _span(west, east, size.columns_per_degree)
    if len(rows) * len(columns) > MAX_CELLS:
        raise AreaError(
            f"{len(rows)} × {len(columns)} meshes of {size.label_en} are more than {MAX_CELLS}: "
            "take a smaller extent or a larger mesh"
        )
    codes = sorted(_code(size, row, column) for row, column in product(rows, columns))
    return AreaSetShape(
        id=set_id or f"mesh{size.metres}",
        name=name or f"{size.label}メッシュ",
        name_en=name_en or f"{size.label_en} mesh",
        kind=AreaKind.MESH,
        source="JIS X 0410 地域メッシュ",
        areas=tuple(mesh_area(code) for code in codes),
    )


def demo_area_sets() -> tuple[AreaSetShape, ...]:
    """What the demonstration shows before any boundaries were imported."""
    return (
        # Nishi-Shinjuku to Kinshicho, Gotanda to Ikebukuro
        mesh_area_set(
            500,
            (139.68125, 35.625, 139.825, 35.7333333),
            set_id="mesh500-central",
            name="500mメッシュ(都心)",
            name_en="500 m mesh, central Tokyo",
        ),
        mesh_area_set(
            250,
            (139.68125, 35.6833333, 139.7125, 35.7),
            set_id="mesh250-nishi-shinjuku",
            name="250mメッシュ(西新宿)",
            name_en="250 m mesh, Nishi-Shinjuku",
        ),
    )


def _size(size_m: int) -> MeshSize:
    size = MESH_SIZES.get(size_m)
    if size is None:
        raise AreaError(f"mesh size {size_m!r} is not one of 1000, 500, 250 (metres)")
    return size


def _check_range(longitude: float, latitude: float) -> None:
    west, south, east, north = JAPAN
    if not (west <= longitude <= east and south <= latitude <= north):  # false for NaN, too
        raise AreaError(
            f"longitude {longitude:g}, latitude {latitude:g}: meshes are made for {west:g} to {east:g} "
            f"degrees east and {south:g} to {north:g} degrees north; is the order longitude, latitude?"
        )


def _units(degrees: float) -> int:
    return round(degrees * _UNITS)


def _edge(cell: int, per_degree: int) -> int:
    """South or west edge of a row or column, in units, rounded half up."""
    return (2 * cell * _UNITS + per_degree) // (2 * per_degree)


def _cell(degrees: float, per_degree: int) -> int:
    """The row or column whose half-open interval holds a coordinate."""
    units = _units(degrees)
    cell = units * per_degree // _UNITS
    # an edge that was rounded down lies before the exact one
    return cell + 1 if _edge(cell + 1, per_degree) <= units else cell


def _span(low: float, high: float, per_degree: int) -> range:
    first, last = _cell(low, per_degree), _cell(high, per_degree)
    return range(first, last if _edge(last, per_degree) == _units(high) else last + 1)


def _code(size: MeshSize, row: int, column: int) -> str:
    # the middle of a cell is where jismesh cannot round into the next one
    latitude = (row + 0.5) / size.rows_per_degree
    longitude = (column + 0.5) / size.columns_per_degree
    return str(to_meshcode(latitude, longitude, size.level)).zfill(size.digits)
