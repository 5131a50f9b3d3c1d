"""Reads what people type for times and lengths of time."""

import math
import re
from datetime import datetime

import ciso8601
import typer

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def duration_s(text: str) -> float:
    """Seconds of `90s`, `15m`, `1h` or `7d`.

    Raises:
        typer.BadParameter: it is none.
    """
    found = _DURATION.fullmatch(text)
    if not found or not 0 < (seconds := float(found[1]) * _UNITS[found[2]]) <= 366 * 86_400:
        raise typer.BadParameter(f"{text!r} is not a length of time such as 90s, 15m, 1h or 7d")
    return seconds


def moment(text: str) -> datetime:
    """An aware time.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return ciso8601.parse_rfc3339(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not RFC 3339 with an offset, such as 2014-06-01T00:00:00+10:00"
        ) from error


def moment_or_duration(text: str) -> "datetime | float":
    """An aware time, or seconds from the beginning.

    Raises:
        typer.BadParameter: it is neither.
    """
    return duration_s(text) if _DURATION.fullmatch(text) else moment(text)


def pace(text: str) -> float:
    """A speed, times the original; `max` is infinity.

    Raises:
        typer.BadParameter: it is none.
    """
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise typer.BadParameter(f"{text!r} is not a number above 0, such as 60, nor max")
    return speed
