"""What all faults share: what they are put on, when, and how they draw."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_simulators.faults.report import Draft
from tsuji_simulators.faults.windows import Length, Moment, Span, Window, window_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a fault may ask for.

    Attributes:
        seed: of the scenario.
        true_at: the results that a thing would report at a moment, without any fault.
        encoded: the message that says so.
    """

    seed: int
    true_at: Callable[[str, float], Mapping[str, float]]
    encoded: Callable[[Draft], bytes]


class Fault(BaseModel, ABC):
    """One table `[[faults]]`: a fault, what it is put on, and when.

    Attributes:
        fault: its name.
        name: what the ground truth calls this one; the fault's name and a hash where it is left out.
        things: ids or patterns (`*`, `?`, `[…]`) of which one must fit.
        kinds: likewise, of kinds of thing.
        observed_properties: which results; all where it is left out.
        start: "from": a moment, or a time of every day.
        end: "to": likewise, not included.
        every: within that it begins anew so often,
        lasting: and is on for so long each time.
        utc_offset_h: of the local clock, for times of every day; the scenario's.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True
    )

    needs_properties: ClassVar[bool] = False
    """Whether its sizes are in a unit, and say nothing without an observed property."""
    is_of_messages: ClassVar[bool] = False
    """Whether it changes messages rather than values: where only some of their results are chosen,
    these travel in a message of their own."""
    is_of_delivery: ClassVar[bool] = False
    """Whether it happens on the way, to broken messages, too."""

    fault: str
    name: str = Field("", max_length=100)
    things: tuple[str, ...] = Field(("*",), min_length=1)
    kinds: tuple[str, ...] = Field(("*",), min_length=1)
    observed_properties: tuple[str, ...] = ()
    start: Moment | None = Field(None, alias="from")
    end: Moment | None = Field(None, alias="to")
    every: Length | None = None
    lasting: Length | None = None
    utc_offset_h: float = Field(0, ge=-12, le=14)

    @field_validator("observed_properties")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in OBSERVED_PROPERTIES:
                raise ValueError(
                    f"{name!r} is not an observed property; known are "
                    + ", ".join(OBSERVED_PROPERTIES)
                )
        return names

    @model_validator(mode="after")
    def _fits(self) -> "Fault":
        _ = self.window
        if self.needs_properties and not self.observed_properties:
            raise ValueError(
                f'{self.fault} needs "observed_properties": its sizes are in their unit'
            )
        return self

    @cached_property
    def window(self) -> Window:
        """When it is on."""
        return window_of(
            self.start, self.end, self.every, self.lasting, self.utc_offset_h * 3_600.0
        )

    @cached_property
    def text(self) -> str:
        """What the table says, in one form; what it draws hangs on it, not on its place in a file.

        Only what differs from the default is in it, so that a member which is new one day changes nothing.
        """
        said = self.model_dump(exclude={"name", "utc_offset_h"}, exclude_defaults=True)
        return json.dumps(said | {"fault": self.fault}, sort_keys=True, default=_plain)

    @cached_property
    def id(self) -> str:
        """What the ground truth calls it."""
        return self.name or f"{self.fault}-{hashlib.blake2b(self.text.encode()).hexdigest()[:6]}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What is its own, for the ground truth."""
        return self.model_dump(mode="json", exclude=set(Fault.model_fields))

    def is_on(self, thing_id: str, kind: str) -> bool:
        """Whether it is put on this thing at all."""
        return any(fnmatchcase(thing_id, one) for one in self.things) and any(
            fnmatchcase(kind, one) for one in self.kinds
        )

    def chosen(self, draft: Draft) -> set[str]:
        """The results of a message that it is put on."""
        if not self.observed_properties:
            return set(draft.results)
        return draft.results.keys() & set(self.observed_properties)

    def span(self, draft: Draft) -> Span | None:
        """When it is on, where that is so for this message."""
        return self.window.at(draft.report.time)

    @abstractmethod
    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:
        """Do it.

        Args:
            draft: what is to be sent; it is changed.
            names: the results that it is put on; of a fault of messages they are all of the draft.
            span: when it is on.
            around: what it may ask for.

        Returns:
            The names of those that it has touched.
        """

    def draw(self, around: Surroundings, draft: Draft, name: str = "") -> "Draw":
        """Chance that is the same for the same seed, fault, thing, observed property and time."""
        report = draft.report
        parts = (around.seed, self.text, report.thing_id, name, report.time)
        text = "\x1f".join(map(str, parts)).encode()
        return Draw(hashlib.blake2b(text, digest_size=24).digest())


def _plain(value: object) -> float | str:
    if isinstance(value, datetime):
        return value.timestamp()
    return str(value)


class Draw:
    """Some numbers out of one hash."""

    __slots__ = ("_bits",)

    def __init__(self, bits: bytes) -> None:
        self._bits = bits

    def uniform(self, number: int = 0) -> float:
        """Inside (0, 1); `number` is 0, 1 or 2."""
        bits = int.from_bytes(self._bits[8 * number : 8 * number + 8], "little")
        return ((bits >> 11) + 0.5) * 2.0**-53

    def normal(self) -> float:
        """Standard normal (Box and Muller 1958), out of numbers 0 and 1."""
        return math.sqrt(-2.0 * math.log(self.uniform(0))) * math.cos(
            2.0 * math.pi * self.uniform(1)
        )


DIGITS = {"wind_from_direction": 0, "solar_irradiance": 0, "illuminance": 0}
"""Decimals with which devices report; of all others it is one."""


def as_reported(name: str, value: float) -> float:
    """A value as a device would write it: rounded, within what it can show, whole where it counts."""
    known = OBSERVED_PROPERTIES[name]
    if name == "wind_from_direction":
        return round(value) % 360.0
    digits = 0 if known.is_count else DIGITS.get(name, 1)
    return min(max(round(value, digits), known.low), known.high)
