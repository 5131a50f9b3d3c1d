"""The formats that downloads come in, and which of them a caller likes best."""

from contextlib import suppress
from enum import StrEnum

from tsuji_platform.api.errors import NotAcceptableError


class Format(StrEnum):
    """How rows are written."""

    JSON = "json"
    JSON_LINES = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.JSON_LINES: "application/jsonl",
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.PARQUET: "application/vnd.apache.parquet",
}
_NAMES = {
    "application/json": Format.JSON,
    "application/jsonl": Format.JSON_LINES,
    "application/x-ndjson": Format.JSON_LINES,
    "application/x-jsonlines": Format.JSON_LINES,
    "text/csv": Format.CSV,
    "application/vnd.apache.parquet": Format.PARQUET,
}


def choose(wanted: Format | None, accept: str) -> Format:
    """The format that was asked for by name, or that the caller likes best of ours (RFC 9110, 12.5.1).

    Raises:
        NotAcceptableError: none of ours will do.
    """
    if wanted is not None:
        return wanted
    ranges: dict[str, tuple[float, int]] = {}
    for place, one in enumerate(accept.split(",") if accept.strip() else ["*/*"]):
        kind, *parameters = (part.strip().lower() for part in one.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                with suppress(ValueError):
                    weight = float(parameter[2:])
        ranges.setdefault(kind, (weight, place))
    liked: list[tuple[float, int, int, Format]] = []
    for order, (name, format_) in enumerate(_NAMES.items()):
        # the most exact range speaks for a name: "application/json;q=0, */*" is anything but JSON
        of_its_kind = name.partition("/")[0] + "/*"
        said = [ranges[one] for one in (name, of_its_kind, "*/*") if one in ranges]
        if said and said[0][0] > 0:
            liked.append((-said[0][0], said[0][1], order, format_))
    if not liked:
        raise NotAcceptableError(
            f"none of {accept!r:.120} can be sent; there are: {', '.join(_NAMES)}"
        )
    return min(liked)[-1]
