"""When a fault is on: a stretch of time, the same hours of every day, or again and again."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

DAY_S = 86_400.0
_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": DAY_S}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


@dataclass(frozen=True, slots=True)
class Span:
    """One time at which a fault is on: from `start` until just before `end`, seconds since 1970 UTC."""

    start: float
    end: float


def length_s(value: Any) -> float:
    """Seconds of `90s`, `15m`, `1h` or `7d`, or of a number.

    Raises:
        ValueError: it is no length of time.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    else:
        found = _LENGTH.fullmatch(value) if isinstance(value, str) else None
        seconds = float(found[1]) * _UNITS[found[2]] if found else math.nan
    if not 0 <= seconds <= 3_660 * DAY_S:
        raise ValueError(f"{value!r} is not a length of time such as 90s, 15m, 1h or 7d")
    return seconds


def moment(value: Any) -> datetime | time:
    """A time with an offset, or a time of the day by the local clock.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str):
        try:
            value = time.fromisoformat(value) if len(value) <= 8 else datetime.fromisoformat(value)
        except ValueError:
            value = None
    aware = isinstance(value, datetime) and value.tzinfo is not None
    of_day = isinstance(value, time) and value.tzinfo is None
    if isinstance(value, (datetime, time)) and (aware or of_day):
        return value
    raise ValueError(
        "a time is written with its offset, such as 2026-08-01T09:00:00+09:00, or as the time of "
        "every day, such as 09:00:00"
    )


Length = Annotated[
    float,
    BeforeValidator(length_s),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": f"^{_LENGTH.pattern}$"},
            ]
        }
    ),
]
"""A length of time, seconds."""
Moment = Annotated[datetime | time, BeforeValidator(moment), WithJsonSchema({"type": "string"})]
"""A moment, or a time of every day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The times at which a fault is on.

    Attributes:
        start: seconds since 1970 UTC, or of the local day where it is daily; -inf for always.
        end: likewise, not included; of a day it may lie before `start`: the night through.
        is_daily: whether both are of every day.
        every_s: within that it begins anew so often; None for once.
        lasting_s: and is then on for so long.
        offset_s: of the local clock.
    """

    start: float = -math.inf
    end: float = math.inf
    is_daily: bool = False
    every_s: float | None = None
    lasting_s: float = math.inf
    offset_s: float = 0.0

    def at(self, moment: float) -> Span | None:
        """The time at which it is on that holds this moment, None where it is off."""
        span = self.latest(moment)
        return span if span is not None and moment < span.end else None

    def latest(self, moment: float) -> Span | None:
        """The last time at which it began, now or before; None where it never had."""
        outer = self._day(moment) if self.is_daily else Span(self.start, self.end)
        if outer.start > moment:
            return None
        if self.every_s is None:
            return outer
        begin = 0.0 if math.isinf(outer.start) else outer.start
        number = (moment - begin) // self.every_s
        if moment >= outer.end:
            number = math.ceil((outer.end - begin) / self.every_s) - 1
        start = begin + number * self.every_s
        return Span(start, min(start + self.lasting_s, outer.end))

    def _day(self, moment: float) -> Span:
        midnight = (moment + self.offset_s) // DAY_S * DAY_S - self.offset_s
        begin = midnight + self.start
        if begin > moment:
            begin -= DAY_S
        return Span(begin, begin + ((self.end - self.start) % DAY_S or DAY_S))


def window_of(
    begin: datetime | time | None,
    end: datetime | time | None,
    every_s: float | None,
    lasting_s: float | None,
    offset_s: float,
) -> Window:
    """Put together what a table says.

    Raises:
        ValueError: its parts don't fit.
    """
    if (every_s is None) != (lasting_s is None):
        raise ValueError('"every" and "lasting" belong together: so often, and so long each time')
    if every_s is not None and lasting_s is not None and not 0 < lasting_s <= every_s:
        raise ValueError('"lasting" must be more than nothing and at most "every"')
    daily = isinstance(begin, time), isinstance(end, time)
    if any(daily) and not all(daily):
        raise ValueError('"from" and "to" must both be moments, or both times of every day')
    found: dict[str, Any] = {"offset_s": offset_s}
    if every_s is not None:
        found |= {"every_s": every_s, "lasting_s": lasting_s}
    if isinstance(begin, time) and isinstance(end, time):
        return Window(start=_of_day(begin), end=_of_day(end), is_daily=True, **found)
    if isinstance(begin, datetime):
        found["start"] = begin.timestamp()
    if isinstance(end, datetime):
        found["end"] = end.timestamp()
    window = Window(**found)
    if not window.start < window.end:
        raise ValueError(f'"to" ({end}) must be later than "from" ({begin})')
    return window


def _of_day(one: time) -> float:
    return one.hour * 3_600.0 + one.minute * 60.0 + one.second


def shown(moment: float) -> str | None:
    """RFC 3339 in UTC; None for never."""
    if math.isinf(moment):
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
