"""Size and centre of areas, and the things near by that speak for them: saved when geo has computed them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tsuji_platform.analytics.estimate import ESTIMATED, Neighbour
from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection, Database

_SQL = queries.load("neighbours")

Place = tuple[int | str, float, float, frozenset[str]]
"""An area's key or a thing's id, longitude, latitude, and what is measured there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighing:
    """How geo measures areas and weighs things.

    Attributes:
        measure: of a GeoJSON geometry its area in m², and longitude and latitude of its centre.
        weigh: of areas and things, the neighbours of each area by its key; areas get none for what is
            measured in them.
    """

    measure: Callable[[dict[str, Any]], tuple[float, float, float]]
    weigh: Callable[
        [Sequence[Place], Sequence[Place]], Sequence[tuple[int, str, float, float, frozenset[str]]]
    ]


def refresh(connection: Connection, area_set_id: str, weighing: Weighing) -> None:
    """Measure the areas of a set that were not yet, and say anew which things speak for which area.

    Args:
        connection: within the transaction that has assigned things to this set.
        area_set_id: which set.
        weighing: geo's part.
    """
    named = {"area_set_id": area_set_id, "observed_properties": list(ESTIMATED)}
    measured = [
        (row["area_id"], *weighing.measure(row["geometry"]))
        for row in connection.execute(_SQL["unmeasured"], named)
    ]
    if measured:
        area_ids, areas_m2, longitudes, latitudes = zip(*measured, strict=True)
        connection.execute(
            _SQL["put_measures"],
            {
                "area_ids": list(area_ids),
                "areas_m2": list(areas_m2),
                "longitudes": list(longitudes),
                "latitudes": list(latitudes),
            },
        )
    centres = [
        (row["area_id"], row["longitude"], row["latitude"], frozenset(row["properties"]))
        for row in connection.execute(_SQL["centres"], named)
    ]
    stations = [
        (row["thing_id"], row["longitude"], row["latitude"], frozenset(row["properties"]))
        for row in connection.execute(_SQL["stations"], named)
    ]
    near = weighing.weigh(centres, stations)
    connection.execute(_SQL["drop_neighbours"], named)
    connection.execute(
        _SQL["put_neighbours"],
        {
            "area_ids": [one[0] for one in near],
            "thing_ids": [one[1] for one in near],
            "distances": [one[2] for one in near],
            "weights": [one[3] for one in near],
            "observed_properties": [" ".join(sorted(one[4])) for one in near],
        },
    )
    connection.execute(_SQL["weighed"], named)


class Neighbours:
    """Read access to what `refresh` has saved."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self, area_set_id: str) -> datetime | None:
        """Changes whenever the neighbours of a set may have; None where there never were any."""
        rows = self._database.rows(_SQL["weighed_at"], {"area_set_id": area_set_id})
        return rows[0]["weighed_at"] if rows else None

    def of_set(self, area_set_id: str) -> dict[str, list[Neighbour]]:
        """The neighbours of each area of a set that has any, nearest first, by area code."""
        found: defaultdict[str, list[Neighbour]] = defaultdict(list)
        for row in self._database.rows(_SQL["neighbours"], {"area_set_id": area_set_id}):
            found[row["code"]].append(
                Neighbour(
                    thing_id=row["thing_id"],
                    distance_m=row["distance_m"],
                    weight=row["weight"],
                    observed_properties=frozenset(row["observed_properties"]),
                )
            )
        return dict(found)

    def sizes(self, area_set_id: str, code: str | None = None) -> dict[str, float]:
        """Area of each area of a set, or of the one, m², by code, as far as it is known."""
        rows = self._database.rows(_SQL["sizes"], {"area_set_id": area_set_id, "code": code})
        return {row["code"]: row["area_m2"] for row in rows}
