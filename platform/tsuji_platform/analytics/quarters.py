"""Days in Tokyo and their quarter hours, for those, too, who don't reckon with them as `typical` does."""

from datetime import date, datetime, timedelta, timezone

from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation

TOKYO = timezone(timedelta(hours=9), "Asia/Tokyo")
"""No clock changes since 1951."""
QUARTER = timedelta(minutes=15)
QUARTERS = 96
"""Of a day, numbered from 1; each includes its end and not its beginning."""

PROFILED = tuple(
    known.id
    for known in OBSERVED_PROPERTIES.values()
    if known.is_count or known.aggregation in (Aggregation.MEAN, Aggregation.MAXIMUM)
)
"""Observed properties that have typical values. Directions have no order, so no quartiles; the usual
amount of rain at a time of day is none."""


def place_of(time: datetime) -> tuple[date, int]:
    """The Tokyo day and the number of the quarter hour that end with or after a moment."""
    local = time.astimezone(TOKYO) - timedelta(microseconds=1)
    return local.date(), (local.hour * 60 + local.minute) // 15 + 1


def midnight(day: date) -> datetime:
    """When a Tokyo day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=TOKYO)
