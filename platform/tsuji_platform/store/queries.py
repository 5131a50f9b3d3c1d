"""Reads the SQL files once into a table of named queries; values are always parameters."""

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast

_HEADER = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_SMALL_BELOW = "small_below(datastream)"
"""Stands in queries for the one expression that says which counts are small."""


@cache
def load(file: str) -> dict[str, LiteralString]:
    """The queries of `sql/<file>.sql` by name.

    The text is shipped with the package and holds no value from outside, hence literal.
    """
    text = (files(__package__) / "sql" / f"{file}.sql").read_text(encoding="utf-8")
    if _SMALL_BELOW in text:
        text = text.replace(_SMALL_BELOW, load("small_counts")["small_below"])
    parts = _HEADER.split(text)
    return {
        name: cast(LiteralString, body.strip().rstrip(";"))
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
