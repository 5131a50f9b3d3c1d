"""Lighter shapes for maps keep what a reader of the map relies on."""

import json
from pathlib import Path

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuji_geo.boundaries import read_boundaries
from tsuji_geo.display import simplify
from tsuji_geo.geometry import to_geojson
from tsuji_geo.prefectures import check_digit, municipality_code

WARDS = read_boundaries(
    Path(__file__).parents[3] / "shared/data/areas/N03-20200101_13_wards_raw_form.geojson"
).area_set


def test_display_shapes_are_lighter_and_still_fit_together() -> None:
    light = simplify(WARDS, 20)
    assert [area.geometry for area in light.areas] == [area.geometry for area in WARDS.areas]
    exact_size = len(json.dumps([area.geometry for area in light.areas]))
    assert len(json.dumps([area.display_geometry for area in light.areas])) < exact_size / 4
    shapes = [shapely.geometry.shape(area.display_geometry or {}) for area in light.areas]
    assert all(shape.is_valid for shape in shapes)
    assert shapely.coverage_is_valid(shapes)
    for area, shape in zip(light.areas, shapes, strict=True):
        exact = shapely.geometry.shape(area.geometry)
        assert shape.symmetric_difference(exact).area < 0.02 * exact.area


@pytest.mark.parametrize("tolerance", [0, -1, float("nan")])
def test_a_tolerance_must_be_positive(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance must be more than 0 m"):
        simplify(WARDS, tolerance)


POINT = st.tuples(st.floats(139, 139.001), st.floats(35, 35.001))


@settings(deadline=None)  # the machine may be busy
@given(st.lists(POINT, min_size=3, max_size=12))
def test_rounding_keeps_shapes_valid(points: list[tuple[float, float]]) -> None:
    shape = shapely.MultiPoint(points).convex_hull.buffer(1e-6)
    geometry = shapely.geometry.shape(to_geojson(shape))
    assert geometry.is_valid
    assert all(round(value, 7) == value for value in shapely.get_coordinates(geometry).flat)
    assert shapely.hausdorff_distance(geometry, shape) < 2e-7


@pytest.mark.parametrize(
    ("text", "code"),
    [("13104", "13104"), ("131041", "13104"), ("1100", "01100"), ("１３１０４", "13104")],
)
def test_municipality_codes_are_read(text: str, code: str) -> None:
    assert municipality_code(text) == code


@pytest.mark.parametrize(
    ("code", "digit"),
    [("13104", "1"), ("01100", "2"), ("13101", "6"), ("27100", "4"), ("47201", "8")],
)
def test_check_digits(code: str, digit: str) -> None:
    assert check_digit(code) == digit


@pytest.mark.parametrize("text", ["", "131", "13104a", "131042", "48101", "00101", "1310411"])
def test_what_is_no_municipality_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="code"):
        municipality_code(text)
