"""Size of areas and the things that speak for those without a sensor: saved with the assignment."""

import math
from collections.abc import Iterator
from functools import partial

import pytest

from samples import area_set, registration, square
from tsuji.area_sets import by_kind
from tsuji_geo import neighbours as geo
from tsuji_platform.store import Areas, Database
from tsuji_platform.store.neighbours import Neighbours, Weighing
from tsuji_platform.store.writer import Writer

WEIGHING = Weighing(measure=geo.measure, weigh=partial(geo.weigh, limit_km=2.0))
SQUARES = [square("A", 139.0, 35.0), square("B", 139.01, 35.0), square("far", 140.0, 36.0)]


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with Database(store_url, size=1) as database:
        yield database


def spoken_for(neighbours: Neighbours) -> dict[str, dict[str, set[str]]]:
    return {
        code: {one.thing_id: set(one.observed_properties) for one in near}
        for code, near in neighbours.of_set("squares").items()
    }


def test_who_speaks_for_whom_follows_things_and_areas(database: Database, writer: Writer) -> None:
    areas, neighbours = Areas(database), Neighbours(database)
    pole = partial(registration, "pole", latitude=35.005)
    writer.save(
        [
            pole("air_temperature", "rainfall", "pm2_5", longitude=139.005),
            registration("gate", "pedestrians", longitude=139.014, latitude=35.005),
        ]
    )
    assert neighbours.version("squares") is None
    areas.put(area_set("squares", *SQUARES), by_kind, WEIGHING)
    assert spoken_for(neighbours) == {"B": {"pole": {"air_temperature", "rainfall"}}}
    (near,) = neighbours.of_set("squares")["B"]
    assert near.distance_m == pytest.approx(912.6, abs=0.5)  # 0.01° of longitude at 35° north
    assert near.weight == pytest.approx(1 / near.distance_m**2)
    assert neighbours.of_set("elsewhere") == {}
    first = neighbours.version("squares")

    # the counter begins to measure temperature: B has a sensor of its own, and speaks for A's rain not
    writer.save(
        [registration("gate", "pedestrians", "air_temperature", longitude=139.014, latitude=35.005)]
    )
    areas.assign_all(by_kind, WEIGHING)
    assert spoken_for(neighbours) == {"B": {"pole": {"rainfall"}}}
    assert neighbours.version("squares") != first

    # the pole moves away, and A has none
    writer.save([pole("air_temperature", "rainfall", "pm2_5", longitude=140.005)])
    areas.assign_all(by_kind, WEIGHING)
    assert spoken_for(neighbours) == {"A": {"gate": {"air_temperature"}}}


def _between(south: float, north: float) -> float:
    """Area of 0.01° of longitude between two parallels on GRS 80, m², in closed form."""
    a, f = 6_378_137.0, 1 / 298.257222101
    e = math.sqrt(f * (2 - f))

    def below(latitude: float) -> float:
        sine = math.sin(math.radians(latitude))
        return sine / (1 - (e * sine) ** 2) + math.atanh(e * sine) / e

    return (a * (1 - f)) ** 2 / 2 * math.radians(0.01) * (below(north) - below(south))


def test_the_size_of_each_area_is_kept(database: Database, writer: Writer) -> None:
    areas, neighbours = Areas(database), Neighbours(database)
    areas.put(area_set("squares", *SQUARES), by_kind)
    assert neighbours.sizes("squares") == {}
    areas.assign_all(by_kind, WEIGHING)  # as after an update from a version without sizes
    sizes = neighbours.sizes("squares")
    assert sizes == {
        "A": pytest.approx(_between(35.0, 35.01), rel=1e-6),
        "B": pytest.approx(_between(35.0, 35.01), rel=1e-6),
        "far": pytest.approx(_between(36.0, 36.01), rel=1e-6),
    }
    assert neighbours.sizes("squares", "far").keys() == {"far"}
