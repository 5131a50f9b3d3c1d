"""English names of municipalities, which the official boundaries have none of.

They are romanised from the readings that Japan Post publishes, and made anew by
`tools/municipality_names.py`; a municipality may spell its own name otherwise.
"""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_TABLE = "data/municipalities.csv"


@cache
def english_names() -> Mapping[str, str]:
    """English names by five-digit code, of the municipalities of today."""
    text = files("tsuji_geo").joinpath(_TABLE).read_text(encoding="utf-8")
    return {row["code"]: row["name_en"] for row in csv.DictReader(text.splitlines())}


def english_name(code: str) -> str:
    """The English name of a municipality; empty for a code that is no longer in use."""
    return english_names().get(code, "")
