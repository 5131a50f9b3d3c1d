"""Brings geo's areas into the store: the seam between the two, which know nothing of each other."""

from collections.abc import Sequence
from functools import partial

from tsuji_geo import neighbours
from tsuji_geo.areas import AreaSetShape
from tsuji_geo.assignment import assign
from tsuji_geo.mesh import demo_area_sets
from tsuji_platform.settings import AreaSettings
from tsuji_platform.store import Areas, Database
from tsuji_platform.store.areas import Point, Shape
from tsuji_platform.store.neighbours import Weighing
from tsuji_platform.store.records import NewArea, NewAreaSet


def by_kind(points: Sequence[Point], shapes: Sequence[Shape], kind: str) -> list[tuple[int, str]]:
    """The store's way to call geo's assignment."""
    return assign(points, shapes, kind=kind)


def weighing() -> Weighing:
    """The store's way to have areas measured and things near by weighed."""
    weigh = partial(neighbours.weigh, limit_km=AreaSettings().estimate_km)
    return Weighing(measure=neighbours.measure, weigh=weigh)


def assign_all(areas: Areas) -> None:
    """Assign all things to the areas of every set anew, and say which speak for those without any."""
    areas.assign_all(by_kind, weighing())


def put(areas: Areas, area_set: AreaSetShape) -> None:
    """Store an area set and assign all things to it."""
    areas.put(
        NewAreaSet(
            area_set_id=area_set.id,
            name=area_set.name,
            name_en=area_set.name_en,
            kind=area_set.kind.value,
            source=area_set.source,
            licence=area_set.licence,
            areas=[
                NewArea(
                    code=area.code,
                    name=area.name,
                    name_en=area.name_en,
                    geometry=area.geometry,
                    display_geometry=area.display_geometry or area.geometry,
                    bbox=area.bbox,
                )
                for area in area_set.areas
            ],
        ),
        by_kind,
        weighing(),
    )


def put_demonstration(url: str) -> list[str]:
    """Store the demonstration's meshes where there is no area set at all; say which were made."""
    with Database(url, size=1) as database:
        areas = Areas(database)
        if areas.sets():
            return []
        made = demo_area_sets()
        for area_set in made:
            put(areas, area_set)
        return [area_set.id for area_set in made]
