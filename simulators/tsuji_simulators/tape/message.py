"""One message as a broker carried it: what is recorded, and what is sent again."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
SUFFIX = ".tsuji"
"""Of recordings."""
LATEST_US = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _US
"""The latest arrival that can be said, microseconds since 1970."""


class TapeError(ValueError):
    """A file of messages can't be read or written; the message says where and what to do."""


class Carried(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message as a broker carried it.

    Attributes:
        time_us: when it arrived, microseconds since 1970-01-01T00:00Z.
        topic: where it was published.
        payload: as it came.
        qos: 0, 1 or 2.
        retain: whether the broker keeps it for later subscribers.
    """

    time_us: Annotated[int, msgspec.Meta(ge=0, le=LATEST_US)]
    topic: Annotated[str, msgspec.Meta(min_length=1, max_length=65_535)]
    payload: bytes
    qos: Annotated[int, msgspec.Meta(ge=0, le=2)] = 1
    retain: bool = False

    @property
    def time(self) -> datetime:
        """When it arrived, UTC."""
        return as_time(self.time_us)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is to be read.

    Attributes:
        first_us: arrival of the first message.
        last_us: arrival of the last.
        messages: how many there are.
    """

    first_us: int
    last_us: int
    messages: int

    def joined(self, other: "Span") -> "Span":
        """Both as one."""
        return Span(
            first_us=min(self.first_us, other.first_us),
            last_us=max(self.last_us, other.last_us),
            messages=self.messages + other.messages,
        )


class Track(Protocol):
    """Messages in the order of their arrival, which can be read as often as wanted."""

    name: str
    """What it is called in messages to people."""

    def span(self) -> Span | None:
        """How much there is; None where there is nothing."""

    def messages(self) -> Iterator[Carried]:
        """All of it, from the beginning."""


Tell = Callable[[str], None]
"""Takes one line on something odd in a file that does not keep it from being read."""


def as_time(time_us: int) -> datetime:
    """From microseconds since 1970 to an aware time in UTC."""
    return _EPOCH + time_us * _US


def as_us(time: datetime) -> int:
    """From an aware time to microseconds since 1970."""
    return (time - _EPOCH) // _US
