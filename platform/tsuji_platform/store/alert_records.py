"""The evaluator's records: what alerts are about, what is remembered, and what is read for rules."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from tsuji_platform.analytics.alerts import State


def thing_key(thing_id: str) -> str:
    """`Subject.key` of a thing."""
    return f"thing/{thing_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an alert is about: a thing, or an area of a set."""

    thing_id: str | None = None
    area_set_id: str | None = None
    area_code: str | None = None

    @property
    def key(self) -> str:
        """One text for each."""
        if self.thing_id is not None:
            return thing_key(self.thing_id)
        return f"area/{self.area_set_id}/{self.area_code}"

    @classmethod
    def of_key(cls, key: str) -> "Subject":
        """Read `key` back; an area set's id holds no slash."""
        kind, _, rest = key.partition("/")
        if kind == "thing":
            return cls(thing_id=rest)
        area_set_id, _, code = rest.partition("/")
        return cls(area_set_id=area_set_id, area_code=code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The state of one rule for one subject, and the alert that is on."""

    state: State
    alert_id: str | None = None
    document: dict[str, Any] | None = None
    """The rule as it was when the alert began."""


Key = tuple[str, str]
"""A rule's id and a subject's key."""


class Newest(NamedTuple):
    """The newest observation of one datastream; there are thousands in a turn."""

    thing_id: str
    datastream_id: int
    time: datetime
    result: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """When a thing was last heard, through which datastream, and its longest counting period."""

    thing_id: str
    datastream_id: int
    time: datetime
    period_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What a thing says of itself that derived figures are made of.

    Attributes:
        thing_id: whose.
        effective_width_m: of the walkway that it counts on, None where that is not known.
        capacity: people that the place holds, None where that is not known.
        both_ways: whether it lists counts both ways.
        pm2_5: whether it lists PM2.5.
    """

    thing_id: str
    effective_width_m: float | None
    capacity: int | None
    both_ways: bool
    pm2_5: bool
