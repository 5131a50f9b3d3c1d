"""Geometry in Parquet (GeoParquet 1.1): well-known binary, and what the file says of it.

GeoJSON's coordinates become bytes by whole rings: libraries that go point by point take a hundred times
as long for the boundaries of a prefecture, and those that don't are geo's.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

_LITTLE_ENDIAN = b"\x01"
_CODES = {"Point": 1, "LineString": 2, "Polygon": 3, "MultiPoint": 4, "MultiPolygon": 6}
_PARTS = {"MultiPoint": "Point", "MultiPolygon": "Polygon"}

Geometry = Mapping[str, Any]
"""A GeoJSON geometry: longitude and latitude, WGS 84."""


def wkb(geometry: Geometry) -> bytes:
    """Well-known binary (OGC 06-103r4, 8.2), little-endian, two dimensions.

    Raises:
        ValueError: a geometry of a type that the hub does not keep.
    """
    return b"".join(_written(geometry["type"], geometry["coordinates"]))


def _written(kind: str, coordinates: Any) -> Iterator[bytes]:
    if kind not in _CODES:
        raise ValueError(f"geometry of type {kind!r} can't be written: {', '.join(_CODES)} can")
    yield _LITTLE_ENDIAN + struct.pack("<I", _CODES[kind])
    if kind == "Point":
        yield _packed([coordinates])
    elif kind == "LineString":
        yield struct.pack("<I", len(coordinates)) + _packed(coordinates)
    elif kind == "Polygon":
        yield struct.pack("<I", len(coordinates))
        for ring in coordinates:
            yield struct.pack("<I", len(ring)) + _packed(ring)
    else:
        yield struct.pack("<I", len(coordinates))
        for part in coordinates:
            yield from _written(_PARTS[kind], part)


def _packed(points: Sequence[Sequence[float]]) -> bytes:
    return np.asarray(points, dtype="<f8")[:, :2].tobytes()


def column(geometries: Iterable[Geometry | None]) -> pa.Array:
    """Geometries as a column of bytes."""
    return pa.array([None if one is None else wkb(one) for one in geometries], pa.binary())


def metadata(name: str, geometries: Sequence[Geometry | None]) -> dict[str, bytes]:
    """What a file's metadata says under `geo`; without `crs` it is longitude and latitude (OGC:CRS84).

    Args:
        name: of the column.
        geometries: all that are in it.
    """
    there = [one for one in geometries if one is not None]
    told: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted({one["type"] for one in there}),
    }
    if there:
        points = np.concatenate([_points(one["coordinates"]) for one in there])
        told["bbox"] = [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]
    whole = {"version": "1.1.0", "primary_column": name, "columns": {name: told}}
    return {"geo": orjson.dumps(whole)}


def _points(coordinates: Any) -> Any:
    """All points of nested coordinates, N by 2."""
    if not coordinates or isinstance(coordinates[0], int | float):
        return np.asarray(coordinates, dtype=float).reshape(-1, len(coordinates) or 2)[:, :2]
    if isinstance(coordinates[0][0], int | float):
        return np.asarray(coordinates, dtype=float)[:, :2]
    return np.concatenate([_points(one) for one in coordinates])
