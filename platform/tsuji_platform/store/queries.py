"""Reads the SQL files once into a table of named queries; values are always parameters."""

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString

_HEADER = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_ABOUT = re.compile(r"\A\s*(--.*\n\s*)+")
"""What is said of a query before it: traces and the server's log are to begin with its verb."""
_SHARED = {
    "small_below(datastream)": ("small_counts", "small_below"),
    "quality_rules()": ("flags", "quality_rules"),
    "judged_readings()": ("flags", "judged_readings"),
    "told_parts()": ("history", "told_parts"),
}
"""What stands in queries for parts that several of them have: file and name."""


@cache
def load(file: str) -> dict[str, LiteralString]:
    """The queries of `sql/<file>.sql` by name.

    The text is shipped with the package and holds no value from outside, hence literal.
    """
    text = (files(__package__) / "sql" / f"{file}.sql").read_text(encoding="utf-8")
    for shown, (other, name) in _SHARED.items():
        if shown in text:
            text = text.replace(shown, load(other)[name])
    parts = _HEADER.split(text)
    return {
        name: _ABOUT.sub("", body).strip().rstrip(";")
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
