"""The formats that answers come in, and which of them a caller likes best."""

from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum

from tsuji_platform.api.errors import NotAcceptableError


class Format(StrEnum):
    """How rows are written."""

    JSON = "json"
    GEOJSON = "geojson"
    JSON_LINES = "jsonl"
    CSV = "csv"
    CSV_METADATA = "csvw"
    PARQUET = "parquet"


MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.GEOJSON: "application/geo+json",
    Format.JSON_LINES: "application/jsonl",
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.CSV_METADATA: "application/csvm+json",
    Format.PARQUET: "application/vnd.apache.parquet",
}
_NAMES = {
    "application/json": Format.JSON,
    "application/geo+json": Format.GEOJSON,
    "application/jsonl": Format.JSON_LINES,
    "application/x-ndjson": Format.JSON_LINES,
    "application/x-jsonlines": Format.JSON_LINES,
    "text/csv": Format.CSV,
    "application/csvm+json": Format.CSV_METADATA,
    "application/vnd.apache.parquet": Format.PARQUET,
}


ROWS = (Format.JSON, Format.JSON_LINES, Format.CSV, Format.PARQUET, Format.CSV_METADATA)
"""What any table comes in."""
PLACES = (*ROWS, Format.GEOJSON)
"""What a table of places comes in; its Parquet has geometry."""


def media_type(format_: Format) -> str:
    """Its name without parameters."""
    return MEDIA_TYPES[format_].partition(";")[0]


def weight(accept: str, name: str) -> tuple[float, int]:
    """How much a media type is liked by a header `Accept`, and its place there (RFC 9110, 12.5.1).

    The most exact range speaks for a name: "application/json;q=0, */*" is anything but JSON.

    Returns:
        0 to 1, 0 for not at all; and the place of the range that speaks, smaller ones first.
    """
    ranges: dict[str, tuple[float, int]] = {}
    for place, one in enumerate(accept.split(",") if accept.strip() else ["*/*"]):
        kind, *parameters = (part.strip().lower() for part in one.split(";"))
        liked = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                with suppress(ValueError):
                    liked = float(parameter[2:])
        ranges.setdefault(kind, (liked, place))
    of_its_kind = name.partition("/")[0] + "/*"
    said = [ranges[one] for one in (name, of_its_kind, "*/*") if one in ranges]
    return said[0] if said else (0.0, 0)


def choose(wanted: Format | None, accept: str, offered: Sequence[Format] = ROWS) -> Format:
    """The format that was asked for by name, or that the caller likes best of those offered.

    Args:
        wanted: by name.
        accept: the header.
        offered: the first is what a caller gets to whom all are alike.

    Raises:
        NotAcceptableError: none of them will do.
    """
    if wanted is not None:
        return wanted
    liked: list[tuple[float, int, int, Format]] = []
    for name, format_ in _NAMES.items():
        much, place = weight(accept, name)
        if format_ in offered and much > 0:
            liked.append((-much, place, offered.index(format_), format_))
    if not liked:
        there = ", ".join(name for name, one in _NAMES.items() if one in offered)
        raise NotAcceptableError(f"none of {accept!r:.120} can be sent; there are: {there}")
    return min(liked)[-1]
