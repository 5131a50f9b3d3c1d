"""Lengths of time as people write them: short (`90s`, `1.5h`, `7d`) or as ISO 8601 (`PT24H`, `P7D`).

One reader for command line, settings, rules and API. What Tsuji itself writes is short, in the largest
unit that divides it; numbers in JSON are seconds, and their names end with `_s`.
"""

import re
from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SHORT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw])")
_ISO = re.compile(
    r"P(?!$)(?:(?P<weeks>\d{1,4})W|(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,8})M)?(?:(?P<seconds>\d{1,9})S)?)?)"
)
PATTERN = rf"^({_SHORT.pattern}|P[0-9WDTHMS]+)$"
"""Both forms, for JSON schemas."""
EXAMPLES = "90s, 15m, 1h, 7d or PT15M"


def parse_length(text: str) -> timedelta | None:
    """Read a length; None where it is none.

    Years and months are not read: they have no fixed length.
    """
    try:
        if short := _SHORT.fullmatch(text):
            return timedelta(seconds=float(short[1]) * _UNITS[short[2]])
        if iso := _ISO.fullmatch(text):
            return timedelta(**{unit: int(n) for unit, n in iso.groupdict().items() if n})
    except OverflowError:
        pass
    return None


def length_text(length: timedelta) -> str:
    """A length in the short form, to the second: `90s`, `2h`, `7d`."""
    seconds = round(length.total_seconds())
    if not seconds:
        return "0s"
    unit, size = next(
        (unit, size)
        for unit, size in reversed(_UNITS.items())
        if unit != "w" and seconds % size == 0
    )
    return f"{seconds // size}{unit}"
