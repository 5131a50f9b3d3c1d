"""Reads what people type for times and lengths of time."""

import math
from datetime import datetime, timedelta

import ciso8601
import typer

from tsuji_platform.contract.lengths import EXAMPLES, parse_length


def duration_s(text: str) -> float:
    """Seconds of `90s`, `15m`, `1h`, `7d` or `PT15M`.

    Raises:
        typer.BadParameter: it is none.
    """
    length = parse_length(text)
    if length is None or not timedelta(0) < length <= timedelta(days=366):
        raise typer.BadParameter(f"{text!r} is not a length of time such as {EXAMPLES}")
    return length.total_seconds()


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
    return moment(text) if parse_length(text) is None else duration_s(text)


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
