"""In which areas features lie by position: saved when features or areas change."""

from tsuji_platform.store import queries
from tsuji_platform.store.assigning import Assign
from tsuji_platform.store.database import Connection

_SQL = queries.load("datasets")
_AREAS = queries.load("areas")


def of_area_set(connection: Connection, area_set_id: str, kind: str, assign: Assign) -> None:
    """Place all features in a set whose areas are new.

    Args:
        connection: within the transaction that holds the assignment's lock and has put the areas.
        area_set_id: which set.
        kind: of it.
        assign: says which point lies in which area.
    """
    _place(connection, None, area_set_id, kind, assign)


def of_dataset(connection: Connection, dataset_id: str, assign: Assign) -> None:
    """Place the features of a dataset, which are new, in the areas of every set.

    Args:
        connection: within the transaction that holds the assignment's lock and has put the features.
        dataset_id: which dataset.
        assign: says which point lies in which area.
    """
    for row in connection.execute(_AREAS["area_sets"], {"area_set_id": None}).fetchall():
        _place(connection, dataset_id, row["area_set_id"], row["kind"], assign)


def _place(
    connection: Connection, dataset_id: str | None, area_set_id: str, kind: str, assign: Assign
) -> None:
    points = [
        (str(row["feature_id"]), row["longitude"], row["latitude"])
        for row in connection.execute(_SQL["points"], {"dataset_id": dataset_id})
    ]
    if not points:
        return
    shapes = [
        (row["area_id"], row["geometry"])
        for row in connection.execute(_AREAS["area_shapes"], {"area_set_id": area_set_id})
    ]
    pairs = assign(points, shapes, kind)
    connection.execute(
        _SQL["put_places"],
        {
            "area_ids": [area_id for area_id, _ in pairs],
            "feature_ids": [int(feature_id) for _, feature_id in pairs],
        },
    )
