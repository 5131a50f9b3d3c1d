"""The data API over a real database that holds one small, known city."""

from collections.abc import Iterator, Sequence

import pytest
from fastapi.testclient import TestClient

from samples import after, area_set, message, registration, square
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.store import Areas, Database
from tsuji_platform.store.areas import Point, Shape
from tsuji_platform.store.writer import Writer

NOON = after(hours=3)
"""The clock of these tests: noon in Tokyo."""


def in_squares(
    points: Sequence[Point], shapes: Sequence[Shape], kind: str
) -> list[tuple[int, str]]:
    """Enough of an assignment for squares."""
    pairs = []
    for key, geometry in shapes:
        (west, south), _, (east, north), *_ = geometry["coordinates"][0]
        pairs += [(key, i) for i, lon, lat in points if west <= lon < east and south <= lat < north]
    return pairs


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(hub_url: str) -> Iterator[Writer]:
    writer = Writer(hub_url, "test")
    yield writer
    writer.close()


@pytest.fixture
def city(writer: Writer, hub_database: Database) -> Database:
    """Two squares side by side, one to the north without things, and four things.

    West: pole-1, pole-2 (weather), gate-1 (both directions). East: gate-2 (both ways together and
    each), which counts whole hours. pole-3 stands outside of all and has never spoken.
    """
    weather = ("air_temperature", "rainfall", "wind_from_direction")
    writer.save(
        [
            registration("pole-1", *weather, kind="smart_pole", name="西一", name_en="West One"),
            registration("pole-2", *weather, kind="smart_pole", longitude=139.695),
            registration(
                "gate-1",
                "pedestrians_in",
                "pedestrians_out",
                kind="footfall_counter",
                effective_width_m=3.5,
                capacity=200,
                owner="新宿区",
            ),
            registration(
                "gate-2",
                "pedestrians",
                "pedestrians_in",
                kind="footfall_counter",
                longitude=139.705,
            ),
            registration("pole-3", *weather, longitude=140.5),
        ]
    )
    areas = Areas(hub_database)
    squares = [square("W", 139.69, 35.69), square("E", 139.70, 35.69), square("N", 139.69, 35.70)]
    areas.put(area_set("squares", *squares), in_squares)
    areas.put(area_set("wards", square("13104", 139.6, 35.6, 0.2), kind="municipality"), in_squares)

    def ago(minutes: float):
        return after(hours=3, minutes=-minutes)

    writer.save(
        [
            message("pole-1", ago(70), air_temperature=5, rainfall=9),  # too old for noon
            message("pole-1", ago(50), air_temperature=10, rainfall=1),
            message("pole-1", ago(2), air_temperature=12, rainfall=0.5, wind_from_direction=350),
            message("pole-2", ago(20), air_temperature=16, rainfall=4.5, wind_from_direction=30),
            message("gate-1", ago(65), pedestrians_in=1000, pedestrians_out=1000),
            message("gate-1", ago(10), pedestrians_in=10, pedestrians_out=7),
            message("gate-1", ago(5), pedestrians_in=20, pedestrians_out=3),
            message("gate-2", ago(60 * 24), 3600, pedestrians=77, pedestrians_in=33),
            message("gate-2", ago(0), 3600, pedestrians=100, pedestrians_in=60),
        ]
    )
    return hub_database


@pytest.fixture
def api(city: Database, clock: Clock) -> Iterator[TestClient]:
    """The API at noon; what it raises would be an answer with status 500, not an error of the test."""
    client = TestClient(create_app(Hub(city, clock)), raise_server_exceptions=False)
    with client:
        yield client
