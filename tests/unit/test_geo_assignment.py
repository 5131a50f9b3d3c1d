"""Every point in exactly one area of a set, on boundaries too."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsuji_geo.areas import GeoJson
from tsuji_geo.assignment import Locator, assign
from tsuji_geo.boundaries import read_boundaries
from tsuji_geo.mesh import mesh_area_set, mesh_code

AREAS = Path(__file__).parents[3] / "shared" / "data" / "areas"

MESH = mesh_area_set(500, (139.65, 35.65, 139.70, 35.70))
MESH_LOCATOR = Locator([(key, area.geometry) for key, area in enumerate(MESH.areas)], kind="mesh")
WARDS = read_boundaries(AREAS / "N03-20200101_13_wards_raw_form.geojson").area_set
WARD_LOCATOR = Locator(
    [(key, area.geometry) for key, area in enumerate(WARDS.areas)], kind="municipality"
)


def square(west: float, south: float, east: float, north: float) -> GeoJson:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


@settings(deadline=None)  # the machine may be busy
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_point_in_the_extent_lies_in_the_mesh_of_its_code(x: float, y: float) -> None:
    west, south, east, north = MESH.bbox
    longitude, latitude = west + x * (east - west) * 0.999, south + y * (north - south) * 0.999
    (found,) = MESH_LOCATOR.locate([("pole", longitude, latitude)])
    assert MESH.areas[found[0]].code == mesh_code(longitude, latitude, 500)


def test_each_corner_of_a_mesh_belongs_to_one_cell_and_to_that_of_its_code() -> None:
    west, south, east, north = MESH.bbox
    corners = {(area.bbox[x], area.bbox[y]) for area in MESH.areas for x in (0, 2) for y in (1, 3)}
    points = [(f"{x} {y}", x, y) for x, y in sorted(corners)]
    found = MESH_LOCATOR.locate(points)
    inside = [name for name, x, y in points if x < east and y < north]
    assert [name for _, name in found] == inside
    for key, name in found:
        longitude, latitude = map(float, name.split())
        assert MESH.areas[key].code == mesh_code(longitude, latitude, 500)
    assert (west, south) in corners


def test_a_vertex_that_wards_share_goes_to_the_smallest_code() -> None:
    holders: dict[tuple[float, float], list[int]] = {}
    for key, area in enumerate(WARDS.areas):
        polygons = area.geometry["coordinates"]
        if area.geometry["type"] == "Polygon":
            polygons = [polygons]
        vertices = {tuple(vertex) for polygon in polygons for ring in polygon for vertex in ring}
        for vertex in vertices:
            holders.setdefault(vertex, []).append(key)
    assert sum(len(keys) > 1 for keys in holders.values()) > 1000
    points = [(f"{x} {y}", x, y) for x, y in holders]
    found = {name: key for key, name in WARD_LOCATOR.locate(points)}
    assert len(found) == len(points)
    assert all(found[f"{x} {y}"] <= min(keys) for (x, y), keys in holders.items())


@settings(deadline=None)  # the machine may be busy
@given(st.floats(0, 2), st.floats(0, 2))
def test_overlapping_and_touching_polygons_take_a_point_once(x: float, y: float) -> None:
    areas = [(30, square(0, 0, 1, 2)), (10, square(1, 0, 2, 2)), (20, square(0.5, 0.5, 1.5, 1.5))]
    assert assign([("a", x, y)], areas, kind="polygon") == [(30 if round(x, 7) <= 1 else 10, "a")]


def test_the_order_of_points_is_kept_and_those_outside_are_left_out() -> None:
    areas = [(7, square(0, 0, 1, 1)), (5, square(1, 0, 2, 1))]
    points = [
        ("d", 1.5, 0.5),
        ("c", 9, 9),
        ("b", 0.5, 0.5),
        ("a", float("nan"), 0.5),
        ("e", 1, 0.5),
    ]
    assert assign(points, areas, kind="polygon") == [(5, "d"), (7, "b"), (7, "e")]
    assert assign(points, areas, kind="mesh") == [(5, "d"), (7, "b"), (5, "e")]


def test_a_hole_is_outside_and_what_fills_it_takes_the_point() -> None:
    ring = square(0, 0, 3, 3)["coordinates"][0]
    hole = square(1, 1, 2, 2)
    outer = {"type": "Polygon", "coordinates": [ring, hole["coordinates"][0]]}
    assert assign([("a", 1.5, 1.5)], [(1, outer)], kind="polygon") == []
    assert assign([("a", 1.5, 1.5)], [(1, outer), (2, hole)], kind="polygon") == [(2, "a")]


@pytest.mark.parametrize("kind", ["mesh", "polygon"])
def test_nothing_in_nothing(kind: str) -> None:
    assert assign([], [(1, square(0, 0, 1, 1))], kind=kind) == []
    assert assign([("a", 0, 0)], [], kind=kind) == []


def test_the_poles_of_nishi_shinjuku_stand_in_shinjuku() -> None:
    lines = (AREAS.parent / "poles" / "nishi_shinjuku_poles.csv").read_text("utf-8").splitlines()
    rows = [line.split(",") for line in lines[1:]]
    found = WARD_LOCATOR.locate([(name, float(lon), float(lat)) for name, lat, lon, _ in rows])
    assert len(found) == 20
    assert {WARDS.areas[key].name for key, _ in found} == {"新宿区"}
