"""Features of a GeoJSON that somebody else made, as rows: properties as cells, a point each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import shapely

from tsuji_geo.opendata.errors import DatasetError
from tsuji_geo.opendata.tables import MAX_CELL, MAX_COLUMNS, MAX_ROWS, check_file
from tsuji_platform.contract.rejection import quote

MAX_JSON_BYTES = 1 << 27
_MAX_COORDINATES = 100_000
_MAX_DEPTH = 8
_SAME = re.compile(r"(?<![0-9A-Z])(?:CRS84|4326|6668|6697|4612)(?![0-9])")
_UNREADABLE = (
    ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError,
    shapely.errors.GEOSException,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One feature.

    Attributes:
        number: in the file, from 1.
        cells: in the order of the header.
        position: longitude and latitude; of a line or area a point on it; None without a geometry.
        trouble: why there is none although there is a geometry.
    """

    number: int
    cells: list[str]
    position: tuple[float, float] | None
    properties: dict[str, Any]
    trouble: str = ""


def read_geojson(path: Path) -> tuple[list[str], Iterator[Spot]]:
    """Read a FeatureCollection.

    Returns:
        The names of all properties, and the features.

    Raises:
        DatasetError: too large, no GeoJSON, or of another coordinate reference system than WGS 84.
    """
    check_file(path, MAX_JSON_BYTES)
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if rb"\u0000" in text:
        raise DatasetError(f"{path} holds zero characters (\\u0000), which no table keeps")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DatasetError(f"{path} is not JSON in UTF-8: {error}") from error
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        raise DatasetError(f"{path} is not a GeoJSON FeatureCollection")
    if not features:
        raise DatasetError(f"{path} holds no feature")
    if len(features) > MAX_ROWS:
        raise DatasetError(f"{path} has more than {MAX_ROWS:,} features: import it in parts")
    _check_reference(document.get("crs"), path)
    names: dict[str, None] = {}
    for feature in features:
        properties = feature.get("properties") if isinstance(feature, dict) else None
        names.update(dict.fromkeys(properties if isinstance(properties, dict) else ()))
        if _is_too_deep(properties):
            raise DatasetError(
                f"{path}: properties of a feature nest more than {_MAX_DEPTH} deep: write them flat"
            )
        if len(names) > MAX_COLUMNS:
            raise DatasetError(f"{path} has more than {MAX_COLUMNS:,} different properties")
    header = [*names]
    return header, (_spot(number, one, header) for number, one in enumerate(features, start=1))


def _is_too_deep(properties: object) -> bool:
    """Level by level, so that no depth exhausts Python's own stack."""
    level = [properties]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(one, (dict, list)) for one in level)


def _check_reference(crs: object, path: Path) -> None:
    """RFC 7946 knows WGS 84 only; older files name it, or JGD2011, which is the same to us."""
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = str(properties.get("name", crs) if isinstance(properties, dict) else crs)
    if not _SAME.search(name.upper()):
        raise DatasetError(
            f"{path} is in {quote(name)}: write it anew in WGS 84 (EPSG:4326), as RFC 7946 asks"
        )


def _spot(number: int, feature: object, header: list[str]) -> Spot:
    feature = feature if isinstance(feature, dict) else {}
    properties = feature.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    position, trouble = None, ""
    if feature.get("geometry") is not None:
        try:
            position = _point(feature["geometry"])
        except _UNREADABLE as error:
            trouble = f"its geometry can't be read: {quote(str(error))}"
    return Spot(
        number=number,
        cells=[_text(properties.get(name)) for name in header],
        position=position,
        properties=properties,
        trouble=trouble,
    )


def _point(geometry: Any) -> tuple[float, float]:
    if geometry["type"] == "Point":
        longitude, latitude = geometry["coordinates"][:2]
        if not all(
            isinstance(one, (int, float)) and not isinstance(one, bool)
            for one in (longitude, latitude)
        ):
            raise ValueError(f"coordinates {quote(geometry['coordinates'])} are no numbers")
        return float(longitude), float(latitude)
    shape = shapely.geometry.shape(geometry)
    if shape.is_empty or shapely.get_num_coordinates(shape) > _MAX_COORDINATES:
        raise ValueError("it is empty or has too many coordinates")
    point = shapely.point_on_surface(shape)
    return float(point.x), float(point.y)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value[:MAX_CELL]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:MAX_CELL]
