"""Area sets: stored whole, read by maps, and the assignment of things to areas."""

from collections import defaultdict
from typing import Any

from psycopg.types.json import Jsonb

from tsuji_platform.store import neighbours, places, queries
from tsuji_platform.store.assigning import Assign as Assign
from tsuji_platform.store.assigning import Point as Point
from tsuji_platform.store.assigning import Shape as Shape
from tsuji_platform.store.database import Connection, Database
from tsuji_platform.store.neighbours import Weighing
from tsuji_platform.store.records import Area, AreaSet, NewAreaSet

_SQL = queries.load("areas")


class Areas:
    """Access to the areas of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sets(self, area_set_id: str | None = None) -> list[AreaSet]:
        """All area sets, or the one."""
        rows = self._database.rows(_SQL["area_sets"], {"area_set_id": area_set_id})
        return [_area_set(row) for row in rows]

    def areas(self, area_set_id: str, code: str | None = None) -> list[Area]:
        """The areas of a set with their display shapes, by code."""
        rows = self._database.rows(_SQL["areas"], {"area_set_id": area_set_id, "code": code})
        return [
            Area(
                code=row["code"],
                name=row["name"],
                name_en=row["name_en"],
                geometry=row["geometry"],
                bbox=(row["west"], row["south"], row["east"], row["north"]),
                things=row["things"],
            )
            for row in rows
        ]

    def membership(self, area_set_id: str, code: str | None = None) -> dict[str, list[str]]:
        """Ids of the things in each area that has any, by area code."""
        members: defaultdict[str, list[str]] = defaultdict(list)
        rows = self._database.rows(_SQL["membership"], {"area_set_id": area_set_id, "code": code})
        for row in rows:
            members[row["code"]].append(row["thing_id"])
        return dict(members)

    def of_thing(self, thing_id: str) -> list[dict[str, str]]:
        """The areas that a thing stands in, as area_set, code, name, name_en."""
        rows = self._database.rows(_SQL["areas_of_thing"], {"thing_id": thing_id})
        return [{"area_set": row.pop("area_set_id"), **row} for row in rows]

    def put(self, area_set: NewAreaSet, assign: Assign, weighing: Weighing | None = None) -> None:
        """Store an area set, replacing one of the same id, and assign the things to it.

        Args:
            area_set: with all its areas.
            assign: says which thing stands where.
            weighing: says how large areas are and which things near by speak for them; None leaves
                that out.
        """
        with self._database.transaction() as connection:
            connection.execute(_SQL["lock_assignment"])
            connection.execute(
                _SQL["put_area_set"],
                {
                    "area_set_id": area_set.area_set_id,
                    "name": area_set.name,
                    "name_en": area_set.name_en,
                    "kind": area_set.kind,
                    "source": area_set.source,
                    "licence": area_set.licence,
                },
            )
            connection.execute(_SQL["drop_areas"], {"area_set_id": area_set.area_set_id})
            with connection.cursor() as cursor:
                cursor.executemany(
                    _SQL["put_area"],
                    [
                        {
                            "area_set_id": area_set.area_set_id,
                            "code": area.code,
                            "name": area.name,
                            "name_en": area.name_en,
                            "west": area.bbox[0],
                            "south": area.bbox[1],
                            "east": area.bbox[2],
                            "north": area.bbox[3],
                            "geometry": Jsonb(area.geometry),
                            "display_geometry": Jsonb(area.display_geometry),
                        }
                        for area in area_set.areas
                    ],
                )
            _assign_set(connection, area_set.area_set_id, area_set.kind, assign, weighing)
            places.of_area_set(connection, area_set.area_set_id, area_set.kind, assign)

    def remove(self, area_set_id: str) -> bool:
        """Remove an area set; says whether there was one."""
        with self._database.transaction() as connection:
            # whoever places things or features in its areas has read them already
            connection.execute(_SQL["lock_assignment"])
            rows = connection.execute(_SQL["drop_area_set"], {"area_set_id": area_set_id})
            return bool(rows.fetchall())

    def assign_all(self, assign: Assign, weighing: Weighing | None = None) -> None:
        """Assign all things to the areas of every set anew, after things have changed, see `put`."""
        for area_set in self.sets():
            with self._database.transaction() as connection:
                connection.execute(_SQL["lock_assignment"])
                _assign_set(connection, area_set.area_set_id, area_set.kind, assign, weighing)


def _assign_set(
    connection: Connection, area_set_id: str, kind: str, assign: Assign, weighing: Weighing | None
) -> None:
    points = [
        (row["thing_id"], row["longitude"], row["latitude"])
        for row in connection.execute(_SQL["thing_points"])
    ]
    shapes = [
        (row["area_id"], row["geometry"])
        for row in connection.execute(_SQL["area_shapes"], {"area_set_id": area_set_id})
    ]
    pairs = assign(points, shapes, kind)
    connection.execute(_SQL["drop_assignment"], {"area_set_id": area_set_id})
    connection.execute(
        _SQL["put_assignment"],
        {"area_ids": [area_id for area_id, _ in pairs], "thing_ids": [thing for _, thing in pairs]},
    )
    if weighing is not None:
        neighbours.refresh(connection, area_set_id, weighing)


def _area_set(row: dict[str, Any]) -> AreaSet:
    corners = (row["west"], row["south"], row["east"], row["north"])
    return AreaSet(
        area_set_id=row["area_set_id"],
        name=row["name"],
        name_en=row["name_en"],
        kind=row["kind"],
        source=row["source"],
        licence=row["licence"],
        imported_at=row["imported_at"],
        areas=row["areas"],
        bbox=None if row["west"] is None else corners,
    )
