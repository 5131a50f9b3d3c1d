"""Intervals as ISO 8601 writes them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.intervals import parse_duration, parse_interval
from tsuji_platform.contract.lengths import length_text

NOW = datetime(2026, 4, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT24H", DAY),
        ("P1D", DAY),
        ("P2W", 14 * DAY),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("PT0S", None),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("P1M", None),
        ("P1Y", None),
        ("PT-1H", None),
        ("1H", None),
        ("pt1h", None),
        ("24h", DAY),
        ("1.5d", 1.5 * DAY),
        ("2w", 14 * DAY),
        ("0s", None),
        ("h", None),
        ("1e3s", None),
        ("PT99999999999999H", None),
    ],
)
def test_durations(text: str, length: timedelta | None) -> None:
    assert parse_duration(text) == length


@given(st.integers(1, 10**7))
def test_what_is_written_is_read_again(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    assert parse_duration(length_text(length)) == length


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("PT24H", NOW - DAY, NOW),
        ("2026-04-01T09:00:00+09:00/P1D", NOW - DAY, NOW),
        ("P1D/2026-04-02T00:00:00Z", NOW - DAY, NOW),
        ("2026-04-01T00:00:00Z/2026-04-02T00:00:00Z", NOW - DAY, NOW),
        ("2026-04-01T09:00:00 09:00/P1D", NOW - DAY, NOW),  # a plus sign that became a space
    ],
)
def test_intervals(text: str, start: datetime, end: datetime) -> None:
    assert parse_interval(text, "interval", NOW) == (start, end)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "P1D/",
        "/P1D",
        "P1D/P1D",
        "2026-04-01",
        "2026-04-01T00:00:00/P1D",
        "2026-04-02T00:00:00Z/2026-04-01T00:00:00Z",
        "2200-01-01T00:00:00Z/1970-01-01T00:00:00Z",
        "P9999W/P9999W",
    ],
)
def test_what_is_no_interval_is_refused_with_its_value(text: str) -> None:
    with pytest.raises(BadParameterError, match="interval"):
        parse_interval(text, "interval", NOW)


@given(st.text(max_size=60))
def test_anything_is_an_interval_or_refused(text: str) -> None:
    try:
        start, end = parse_interval(text, "interval", NOW)
    except BadParameterError:
        return
    assert start < end
