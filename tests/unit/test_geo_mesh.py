"""Meshes against the arithmetic of JIS X 0410, written out here by hand and in exact fractions."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuji_geo.areas import AreaError, AreaKind
from tsuji_geo.mesh import (
    MAX_CELLS,
    MESH_SIZES,
    demo_area_sets,
    mesh_area,
    mesh_area_set,
    mesh_bounds,
    mesh_code,
)

SIZES = sorted(MESH_SIZES)
UNITS = 10_000_000


def standard_code(longitude: Fraction, latitude: Fraction, digits: int) -> str:
    """The standard's computation: primary 40' × 1°, secondary an eighth, tertiary a tenth, halves."""
    primary_row, row = divmod(latitude * Fraction(3, 2), 1)
    primary_column, column = divmod(longitude - 100, 1)
    code = f"{primary_row:02}{primary_column:02}"
    for parts in (8, 10):
        row_digit, row = divmod(row * parts, 1)
        column_digit, column = divmod(column * parts, 1)
        code += f"{row_digit}{column_digit}"
    while len(code) < digits:
        row_half, row = divmod(row * 2, 1)
        column_half, column = divmod(column * 2, 1)
        code += str(row_half * 2 + column_half + 1)
    return code


@pytest.mark.parametrize(
    ("longitude", "latitude", "codes"),
    [
        # Tokyo station: 35.681*1.5 = 53|.5215; .5215*8 = 4|.172; .172*10 = 1|.72, half 1|.44, half 0;
        # 39|.767; .767*8 = 6|.136; .136*10 = 1|.36, half 0|.72, half 1
        (139.767, 35.681, ("53394611", "533946113", "5339461132")),
        # the city hall: .534*8 = 4|.272, 2|.72, 1|.44, 0; .692*8 = 5|.536, 5|.36, 0|.72, 1
        (139.692, 35.6893333, ("53394525", "533945253", "5339452532")),
        # Sapporo station: 43.0686*1.5 = 64|.6029, 4|.8232, 8|.232, 0|.464, 0; 41|.3508, 2|.8064, 8|.064, 0, 0
        (141.3508, 43.0686, ("64414288", "644142881", "6441428811")),
    ],
)
def test_golden_codes(longitude: float, latitude: float, codes: tuple[str, str, str]) -> None:
    assert tuple(mesh_code(longitude, latitude, size) for size in (1000, 500, 250)) == codes


def test_golden_bounds() -> None:
    # 53*40' + 4*5' + 1*30" = 35°40'30"; 139° + 6*7'30" + 1*45" = 139°45'45"
    assert mesh_bounds("53394611") == (139.7625, 35.675, 139.775, 35.6833333)
    # its north-western quarter: 15" by 22.5"
    assert mesh_bounds("533946113") == (139.7625, 35.6791667, 139.76875, 35.6833333)
    # and the south-eastern quarter of that: 7.5" by 11.25"
    assert mesh_bounds("5339461132") == (139.765625, 35.6791667, 139.76875, 35.68125)


@settings(deadline=None)  # the machine may be busy
@given(
    st.integers(122 * UNITS, 154 * UNITS - 1),
    st.integers(20 * UNITS, 46 * UNITS - 1),
    st.sampled_from(SIZES),
)
def test_code_agrees_with_the_standard_and_with_its_bounds(x: int, y: int, size: int) -> None:
    longitude, latitude = x / UNITS, y / UNITS
    code = mesh_code(longitude, latitude, size)
    west, south, east, north = mesh_bounds(code)
    assert west <= longitude < east
    assert south <= latitude < north
    digits = MESH_SIZES[size].digits
    if code != standard_code(Fraction(x, UNITS), Fraction(y, UNITS), digits):
        # an edge such as 35°41' has no end in decimals: here it stands at 35.6833333, 4 mm beside
        assert latitude == south
        assert code == standard_code(Fraction(x, UNITS), Fraction(y + 1, UNITS), digits)


@settings(deadline=None)  # the machine may be busy
@given(
    st.integers(139 * 320, 140 * 320 - 1),
    st.integers(35 * 480, 36 * 480 - 1),
    st.sampled_from(SIZES),
)
def test_a_corner_belongs_to_the_cell_north_east_of_it(column: int, row: int, size: int) -> None:
    scale = 1000 // size
    columns, rows = 80 * scale, 120 * scale
    column, row = column * columns // 320, row * rows // 480
    inside = standard_code(
        Fraction(2 * column + 1, 2 * columns),
        Fraction(2 * row + 1, 2 * rows),
        MESH_SIZES[size].digits,
    )
    west, south, east, north = mesh_bounds(inside)
    assert mesh_code(west, south, size) == inside
    assert mesh_code(column / columns, row / rows, size) == inside
    others = {mesh_code(*corner, size) for corner in ((east, south), (west, north), (east, north))}
    assert len(others) == 3
    assert inside not in others


@settings(deadline=None)  # the machine may be busy
@given(
    st.floats(139.60, 139.70),
    st.floats(35.60, 35.70),
    st.floats(0.001, 0.05),
    st.floats(0.001, 0.05),
)
def test_an_extent_is_covered_and_nothing_beyond_it(
    west: float, south: float, width: float, height: float
) -> None:
    extent = (west, south, west + width, south + height)
    covering = mesh_area_set(500, extent)
    cells, bbox = covering.areas, covering.bbox
    assert bbox[0] <= round(extent[0], 7)
    assert bbox[1] <= round(extent[1], 7)
    assert bbox[2] >= round(extent[2], 7)
    assert bbox[3] >= round(extent[3], 7)
    for cell in cells:
        assert cell.bbox[0] < extent[2] + 1e-7
        assert cell.bbox[2] > extent[0] - 1e-7
        assert cell.bbox[1] < extent[3] + 1e-7
        assert cell.bbox[3] > extent[1] - 1e-7
    rows = floor(round((bbox[3] - bbox[1]) * 240, 3))
    columns = floor(round((bbox[2] - bbox[0]) * 160, 3))
    assert len(cells) == rows * columns


def test_a_sets_own_bounds_give_the_same_set() -> None:
    once = mesh_area_set(250, (139.68, 35.68, 139.71, 35.71))
    assert mesh_area_set(250, once.bbox) == once


def test_an_area_is_named_and_shaped() -> None:
    area = mesh_area("53394611")
    assert (area.name, area.name_en) == ("メッシュ 53394611", "Mesh 53394611")
    assert area.geometry == {
        "type": "Polygon",
        "coordinates": [
            [
                [139.7625, 35.675],
                [139.775, 35.675],
                [139.775, 35.6833333],
                [139.7625, 35.6833333],
                [139.7625, 35.675],
            ]
        ],
    }


def test_the_demonstration_covers_what_people_know_of_central_tokyo() -> None:
    central, nishi_shinjuku = demo_area_sets()
    assert (central.id, nishi_shinjuku.id) == ("mesh500-central", "mesh250-nishi-shinjuku")
    assert central.kind is nishi_shinjuku.kind is AreaKind.MESH
    assert (len(central.areas), len(nishi_shinjuku.areas)) == (598, 80)
    codes = {area.code for area in central.areas}
    for longitude, latitude in (
        (139.69, 35.69),  # Nishi-Shinjuku
        (139.7016, 35.6580),  # Shibuya
        (139.7671, 35.6812),  # Tokyo
        (139.7770, 35.7138),  # Ueno
        (139.7967, 35.7148),  # Asakusa
        (139.7109, 35.7295),  # Ikebukuro
        (139.7387, 35.6285),  # Shinagawa
    ):
        assert mesh_code(longitude, latitude, 500) in codes


@pytest.mark.parametrize(
    ("size", "extent", "words"),
    [
        (400, (139.6, 35.6, 139.7, 35.7), "mesh size 400 is not one of 1000, 500, 250"),
        (500, (139.7, 35.6, 139.6, 35.7), "is empty: give west, south, east, north"),
        (500, (35.6, 139.6, 35.7, 139.7), "is the order longitude, latitude"),
        (500, (float("nan"), 35.6, 139.7, 35.7), "longitude nan"),
        (250, (139, 35, 141, 37), f"are more than {MAX_CELLS}"),
    ],
)
def test_what_cannot_be_meshed_is_said(
    size: int, extent: tuple[float, float, float, float], words: str
) -> None:
    with pytest.raises(AreaError, match=words):
        mesh_area_set(size, extent)


@pytest.mark.parametrize(
    "code", ["", "5339", "53394911", "5339461", "533946115", "5339461105", "5339461a", "99994611"]
)
def test_what_is_no_mesh_code_is_refused(code: str) -> None:
    with pytest.raises(AreaError):
        mesh_bounds(code)
