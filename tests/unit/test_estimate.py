"""Estimated weather: who speaks for an area, with which weight, and what comes of it."""

import csv
import math
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from samples import T0
from tsuji_geo.boundaries import read_boundaries
from tsuji_geo.neighbours import MOST, measure, weigh
from tsuji_platform.analytics import estimate
from tsuji_platform.analytics.estimate import ESTIMATED, Neighbour
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.analytics.readings import FigureValue, Step
from tsuji_platform.contract import OBSERVED_PROPERTIES

_DATA = Path(__file__).parents[3] / "shared" / "data"
WEATHER = frozenset({"air_temperature", "rainfall", "wind_from_direction"})


def near(thing_id: str, metres: float, *names: str) -> Neighbour:
    return Neighbour(
        thing_id=thing_id,
        distance_m=metres,
        weight=1 / metres**2,
        observed_properties=frozenset(names) or WEATHER,
    )


def said(time: datetime = T0, **values: float) -> dict[str, FigureValue]:
    return {name: FigureValue(value=value, n=1, time=time) for name, value in values.items()}


def test_nearer_things_weigh_more_by_the_square_of_the_distance() -> None:
    things = {
        "near": said(air_temperature=10, rainfall=0),
        "far": said(T0 + timedelta(minutes=1), air_temperature=20, rainfall=5),
    }
    got = estimate.of_area(things, [near("near", 1000), near("far", 2000)])
    assert got["air_temperature"].value == pytest.approx((10 * 4 + 20) / 5)
    assert got["rainfall"].value == pytest.approx(1)
    assert got["air_temperature"] == estimate.Estimate(
        value=got["air_temperature"].value,
        n=2,
        time=T0 + timedelta(minutes=1),
        distance_m=1000,
        farthest_m=2000,
    )


def test_directions_are_averaged_as_vectors() -> None:
    def mean(*degrees: float) -> float | None:
        things = {str(i): said(wind_from_direction=d) for i, d in enumerate(degrees)}
        found = estimate.of_area(things, [near(one, 100) for one in things])
        return found["wind_from_direction"].value if found else None

    assert mean(350, 30) == pytest.approx(10)
    assert mean(359.5, 0.5) == pytest.approx(0, abs=1e-9) or mean(359.5, 0.5) == pytest.approx(360)
    assert mean(90, 270) is None


def test_only_what_a_neighbour_is_asked_for_and_has_said_counts() -> None:
    things = {"a": said(air_temperature=10, rainfall=3), "b": said(air_temperature=20)}
    got = estimate.of_area(things, [near("a", 100, "rainfall"), near("b", 900), near("silent", 50)])
    assert {name: (it.value, it.distance_m) for name, it in got.items()} == {
        "air_temperature": (20, 900),
        "rainfall": (3, 100),
    }
    assert estimate.of_areas(things, {"N": [near("silent", 50)]}) == {}


def test_people_are_never_estimated() -> None:
    counts = [name for name in OBSERVED_PROPERTIES if name.startswith("pedestrian")]
    assert not set(ESTIMATED) & {*counts, "footfall"}
    things = {"a": said(footfall=9, pedestrian_density=1)}
    assert estimate.of_area(things, [near("a", 1, "footfall", "pedestrian_density")]) == {}
    assert all(FIGURES[name].properties == (name,) for name in ESTIMATED)


def test_an_estimate_over_time() -> None:
    def step(thing: str, minutes: int, total: float, n: int) -> Step:
        return Step(
            thing_id=thing,
            observed_property="air_temperature",
            end=T0 + timedelta(minutes=minutes),
            n=n,
            total=total,
            highest=total,
            sine=0,
            cosine=0,
        )

    steps = [step("a", 15, 40, 4), step("b", 15, 20, 1), step("b", 30, 21, 1), step("x", 45, 1, 1)]
    neighbours = [near("a", 1000), near("b", 2000)]
    assert estimate.series(FIGURES["air_temperature"], steps, neighbours) == {
        T0 + timedelta(minutes=15): pytest.approx((10 * 4 + 20) / 5),
        T0 + timedelta(minutes=30): 21,
    }
    rain = estimate.series(FIGURES["rainfall"], steps[:1], neighbours)
    assert rain == {T0 + timedelta(minutes=15): pytest.approx(40)}
    assert estimate.asked(FIGURES["footfall"], [near("a", 1, "footfall")]) == []
    assert estimate.asked(FIGURES["rainfall"], [near("a", 1), near("b", 1, "wind_speed")]) == [
        near("a", 1)
    ]


EQUATOR_M = 6_378_137 * math.pi / 180
"""One degree of longitude on the equator."""


def at(key: int | str, degrees: float, *names: str):
    return (key, degrees, 0.0, frozenset(names))


def test_the_nearest_things_speak_within_the_limit_rain_within_half_of_it() -> None:
    limit_km = 10.0
    things = [
        at("close", 1000 / EQUATOR_M, "air_temperature", "rainfall"),
        at("half", 4999 / EQUATOR_M, "air_temperature", "rainfall"),
        at("beyond half", 5001 / EQUATOR_M, "air_temperature", "rainfall"),
        at("last", -9999 / EQUATOR_M, "air_temperature"),
        at("beyond", -10_001 / EQUATOR_M, "air_temperature"),
    ]
    got = {one[1]: one for one in weigh([at(7, 0)], things, limit_km=limit_km)}
    assert {name: it[4] for name, it in got.items()} == {
        "close": {"air_temperature", "rainfall"},
        "half": {"air_temperature", "rainfall"},
        "beyond half": {"air_temperature"},
        "last": {"air_temperature"},
    }
    area, _, distance, weight, _ = got["half"]
    assert (area, distance, weight) == (7, pytest.approx(4999), pytest.approx(1 / 4999**2))
    assert weigh([at(7, 0)], things, limit_km=0) == []


def test_of_many_things_only_the_nearest_speak_for_each_property() -> None:
    things = [at(f"t{i}", i / 1000, "air_temperature") for i in range(1, 10)]
    things.append(at("gauge", 0.02, "rainfall"))
    got = weigh([at(1, 0), at(2, 0.0101)], things, limit_km=10)
    assert {one[1] for one in got if one[0] == 1} == {"t1", "t2", "t3", "t4", "gauge"}
    assert {one[1] for one in got if one[0] == 2} == {"t9", "t8", "t7", "t6", "gauge"}
    assert MOST == 4


def test_nobody_speaks_about_what_is_measured_in_the_area_itself() -> None:
    things = [at("a", 0.01, "air_temperature", "rainfall"), at("b", 0.02, "wind_speed")]
    areas = [at(1, 0, "air_temperature"), at(2, 0, "air_temperature", "rainfall", "wind_speed")]
    got = weigh(areas, things, limit_km=10)
    assert [(one[0], one[1], one[4]) for one in got] == [
        (1, "a", {"rainfall"}),
        (1, "b", {"wind_speed"}),
    ]
    assert weigh([], things, limit_km=10) == []
    assert weigh(areas, [], limit_km=10) == []


def test_a_thing_at_the_centre_does_not_weigh_infinitely() -> None:
    ((*_, weight, _),) = weigh([at(1, 0)], [at("a", 0, "air_temperature")], limit_km=1)
    assert weight == 1 / 10**2


def test_the_size_of_an_area_is_that_of_the_ellipsoid() -> None:
    # a degree by a degree at the equator: NGA's and GeographicLib's 12,308.78 km² (WGS 84)
    square = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
    size, x, y = measure({"type": "Polygon", "coordinates": [square]})
    assert size / 1e6 == pytest.approx(12_308.78, abs=0.01)
    assert (x, y) == pytest.approx((0.5, 0.5))
    hole = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75], [0.25, 0.25]]
    holed, x, y = measure({"type": "Polygon", "coordinates": [square, hole]})
    assert holed == pytest.approx(0.75 * size, rel=1e-3)
    assert not (0.25 < x < 0.75 and 0.25 < y < 0.75)


def test_the_centre_lies_in_the_largest_part() -> None:
    def box(west: float, width: float):
        return [[[west, 0], [west + width, 0], [west + width, 1], [west, 1], [west, 0]]]

    _, x, y = measure({"type": "MultiPolygon", "coordinates": [box(0, 1), box(10, 2)]})
    assert (x, y) == pytest.approx((11, 0.5))


def test_the_sizes_of_tokyos_municipalities_are_the_published_ones() -> None:
    """Those of 面積調, as the table of residents quotes them; the boundaries are a simplified edition."""
    table = _DATA / "population" / "tokyo_population_by_municipality.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    published = {row["code5"]: float(row["area_km2"]) for row in rows}
    boundaries = read_boundaries(_DATA / "areas" / "N03-20210101_13_tokyo.geojson")
    sizes = {area.code: measure(area.geometry)[0] / 1e6 for area in boundaries.area_set.areas}
    compared = published.keys() & sizes.keys()
    assert len(compared) > 50
    for code in compared:
        assert sizes[code] == pytest.approx(published[code], rel=0.03), code
    total = sum(sizes[code] for code in compared)
    assert total == pytest.approx(sum(published[code] for code in compared), rel=0.005)
