"""Moves the times inside of payloads, so that a recording of last week can be sent as if it were now.

Only the digits of times change, everything else stays as it was, byte for byte: what was broken stays
broken. Times move by whole seconds, so fractions and offsets stay as they were written.
"""

import re
from datetime import datetime, timedelta

from tsuji_platform.contract.topics import (
    OBSERVATIONS_FILTER,
    SENSORTHINGS_FILTERS,
    UPLINKS_FILTER,
)
from tsuji_simulators.tape.choice import topic_pattern
from tsuji_simulators.tape.message import Carried

_SECONDS = rb"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d"
_ZONE = rb"(?:[.,]\d+)?(?:[Zz]|[+-]\d\d:\d\d)"
_MOMENT = re.compile(rb"(%s)(?=%s)" % (_SECONDS, _ZONE))


def _named(*names: bytes) -> re.Pattern[bytes]:
    """A member of one of these names whose value is a time with an offset, or an interval of two."""
    return re.compile(
        rb'"(?:%s)"\s*:\s*"%s%s(?:/%s%s)?"' % (b"|".join(names), _SECONDS, _ZONE, _SECONDS, _ZONE)
    )


_FORMATS = (
    (topic_pattern((OBSERVATIONS_FILTER,)), _named(b"time")),
    (
        topic_pattern(SENSORTHINGS_FILTERS),
        _named(b"phenomenonTime", b"resultTime", b"validTime"),
    ),
    (topic_pattern((UPLINKS_FILTER,)), _named(b"received_at", b"time")),
)
"""By topic the members that say when something was."""


def shifted(message: Carried, seconds: int) -> tuple[bytes, bool]:
    """The payload with its times moved.

    Args:
        message: of any topic.
        seconds: by how much, negative for earlier.

    Returns:
        The payload, and whether a time was found; of a topic whose format is not known there is none.
    """
    pattern = next((one for topics, one in _FORMATS if topics.fullmatch(message.topic)), None)
    if pattern is None:
        return message.payload, False
    by = timedelta(seconds=seconds)

    def move(found: re.Match[bytes]) -> bytes:
        text = found[1].decode()
        try:
            time = datetime.fromisoformat(text.upper()) + by
        except (ValueError, OverflowError):  # the 31st of February
            return found[1]
        return time.isoformat(text[10], "seconds").encode()

    payload, count = pattern.subn(lambda found: _MOMENT.sub(move, found[0]), message.payload)
    return payload, count > 0


def carries_time(topic: str) -> bool:
    """Whether messages on this topic are of a format whose times can be moved."""
    return any(topics.fullmatch(topic) for topics, _ in _FORMATS)
