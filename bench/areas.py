"""Assigning things to areas: geo's own work, and the whole of it with the database."""

import math
import time
from collections.abc import Callable

import numpy as np

from tsuji.area_sets import assign_all, by_kind, put
from tsuji_geo.areas import AreaKind, AreaSetShape, AreaShape
from tsuji_geo.assignment import assign
from tsuji_geo.geometry import bbox_of
from tsuji_platform.contract import Thing
from tsuji_platform.runtime.private import private_database
from tsuji_platform.store import Areas, Database, migrate
from tsuji_platform.store.imports import ImportWriter

_THINGS, _ROWS, _COLUMNS = 5_000, 40, 50
_WEST, _SOUTH, _SIDE = 139.3, 35.5, 0.01
_POINTS_PER_SIDE = 30
"""So that an area has 120 corners, about as many as a town's (町丁目) has."""
_TIMES = 5


def run() -> None:
    """Print the table of this part."""
    polygons, points = _polygons(), _points()
    shapes = [(key, area.geometry) for key, area in enumerate(polygons.areas)]
    corners = sum(len(area.geometry["coordinates"][0]) for area in polygons.areas)
    print(
        f"{_THINGS:,} things, {len(shapes):,} areas of {corners:,} corners; the slowest of {_TIMES}\n"
    )
    print(f"{'':34}{'s':>8}{'CPU s':>12}")
    _line("found by geo", lambda: assign(points, shapes, kind="polygon"))
    with private_database() as server:
        migrate(server.url)
        writer = ImportWriter(server.url)
        writer.register([_thing(*point) for point in points])
        writer.close()
        with Database(server.url, size=1) as database:
            areas = Areas(database)
            put(areas, polygons)
            _line("read, found and stored", lambda: areas.assign_all(by_kind))
            _line("  with things near by weighed", lambda: assign_all(areas))


def _line(name: str, work: Callable[[], object]) -> None:
    taken, busy = [], []
    for _ in range(_TIMES):
        begun, worked = time.perf_counter(), time.process_time()
        work()
        taken.append(time.perf_counter() - begun)
        busy.append(time.process_time() - worked)
    print(f"{name:34}{max(taken):8.2f}{max(busy):12.2f}", flush=True)


def _polygons() -> AreaSetShape:
    """Areas side by side whose common borders meander."""
    areas = []
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            geometry = {"type": "Polygon", "coordinates": [_ring(row, column)]}
            areas.append(
                AreaShape(
                    code=f"{row:02}{column:02}",
                    name=f"{row} {column}",
                    geometry=geometry,
                    bbox=bbox_of(geometry),
                )
            )
    return AreaSetShape(
        id="bench", name="bench", kind=AreaKind.POLYGON, source="bench", areas=tuple(areas)
    )


def _ring(row: int, column: int) -> list[list[float]]:
    steps = [step / _POINTS_PER_SIDE for step in range(_POINTS_PER_SIDE)]
    corners = [
        *((column + step, row) for step in steps),
        *((column + 1, row + step) for step in steps),
        *((column + 1 - step, row + 1) for step in steps),
        *((column, row + 1 - step) for step in steps),
    ]
    ring = [_bent(x, y) for x, y in corners]
    return [*ring, ring[0]]


def _bent(x: float, y: float) -> list[float]:
    """A point of the grid where a wavy one has it: the same for both neighbours."""
    east = x + 0.2 * math.sin(7 * y + x)
    north = y + 0.2 * math.sin(5 * x - y)
    return [round(_WEST + _SIDE * east, 7), round(_SOUTH + _SIDE * north, 7)]


def _points() -> list[tuple[str, float, float]]:
    random = np.random.default_rng(1)
    places = random.random((_THINGS, 2)) * (_COLUMNS * _SIDE, _ROWS * _SIDE) + (_WEST, _SOUTH)
    return [(f"thing-{number}", float(x), float(y)) for number, (x, y) in enumerate(places)]


def _thing(thing_id: str, longitude: float, latitude: float) -> Thing:
    return Thing(
        thing_id=thing_id,
        name=thing_id,
        kind="smart_pole",
        longitude=longitude,
        latitude=latitude,
        datastreams=("air_temperature",),
    )
