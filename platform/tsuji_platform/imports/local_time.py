"""Times of a clock on the wall: which instant they are, or why they are none."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tsuji_platform.contract import Reason, RejectedError
from tsuji_platform.contract.rejection import quote

_NAIVE = re.compile(
    r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6})\d*)?)?",
    re.ASCII,
)


def instant_of(text: object, zone: ZoneInfo) -> datetime | None:
    """The instant at which the clocks of a zone show a time such as `2026-04-01 9:00`.

    Returns:
        In UTC; None where the text is no time without an offset.

    Raises:
        RejectedError: `bad_time` where the clocks never show it, or twice.
    """
    found = _NAIVE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    year, _, month, day, hour, minute, second, fraction = found.groups()
    try:
        local = datetime(  # noqa: DTZ001 (a label, not an instant)
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0),
            int((fraction or "0").ljust(6, "0")),
        )  # fmt: skip
        instants = {
            instant
            for fold in (0, 1)
            if (instant := local.replace(tzinfo=zone, fold=fold).astimezone(UTC))
            .astimezone(zone)
            .replace(tzinfo=None)
            == local
        }
    except (ValueError, OverflowError) as error:
        raise RejectedError(Reason.BAD_TIME, f"time {quote(text)} is no time: {error}") from error
    if not instants:
        raise RejectedError(
            Reason.BAD_TIME, f"time {quote(text)} does not exist: the clocks of {zone} skipped it"
        )
    if len(instants) > 1:
        raise RejectedError(
            Reason.BAD_TIME,
            f"time {quote(text)} is ambiguous: the clocks of {zone} showed it twice; write the offset",
        )
    return instants.pop()
