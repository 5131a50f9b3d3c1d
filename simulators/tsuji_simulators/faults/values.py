"""Faults of sensors: the value is wrong, the message is well."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tsuji_simulators.faults.base import Fault, Surroundings, as_reported
from tsuji_simulators.faults.report import Draft
from tsuji_simulators.faults.units import CONVERSIONS, converted
from tsuji_simulators.faults.windows import Span

Share = Annotated[float, Field(gt=0, le=1)]


class Stuck(Fault):
    """The value stays what it was when the fault began, or at `value`."""

    fault: Literal["stuck"] = "stuck"
    value: float | None = None

    @model_validator(mode="after")
    def _begins(self) -> "Stuck":
        if self.value is None and self.start is None and self.every is None:
            raise ValueError('stuck needs a "from", whose value stays, or a "value"')
        return self

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:
        """Give each result its old value."""
        if self.value is not None:
            draft.results |= dict.fromkeys(names, self.value)
            return names
        frozen = around.true_at(draft.report.thing_id, span.start)
        draft.results |= {name: frozen[name] for name in names}
        return names


class Drift(Fault):
    """The value moves away from the truth, more with every hour, by at most `at_most`."""

    needs_properties: ClassVar[bool] = True
    fault: Literal["drift"] = "drift"
    per_hour: float
    at_most: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _begins(self) -> "Drift":
        if self.start is None and self.every is None:
            raise ValueError('a drift needs a "from", since it grows from there')
        return self

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:  # noqa: ARG002
        """Add what it has come to by now."""
        amount = self.per_hour * (draft.report.time - span.start) / 3_600.0
        if self.at_most is not None:
            amount = max(-self.at_most, min(self.at_most, amount))
        for name in names:
            draft.results[name] = as_reported(name, draft.results[name] + amount)
        return names


class Noise(Fault):
    """Each value is off by a normal number of standard deviation `size`."""

    needs_properties: ClassVar[bool] = True
    fault: Literal["noise"] = "noise"
    size: float = Field(gt=0)

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:  # noqa: ARG002
        """Add noise."""
        for name in names:
            off = self.size * self.draw(around, draft, name).normal()
            draft.results[name] = as_reported(name, draft.results[name] + off)
        return names


class Spike(Fault):
    """Single values jump by `size`, upwards, downwards or `both`; `share` of all."""

    needs_properties: ClassVar[bool] = True
    fault: Literal["spike"] = "spike"
    size: float = Field(gt=0)
    share: Share = 0.01
    direction: Literal["up", "down", "both"] = "both"

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:  # noqa: ARG002
        """Let some values jump; they may leave the plausible range, as real spikes do."""
        hit = set()
        for name in names:
            draw = self.draw(around, draft, name)
            if draw.uniform(0) < self.share:
                up = self.direction == "up" or (self.direction == "both" and draw.uniform(1) < 0.5)
                draft.results[name] += self.size if up else -self.size
                draft.results[name] = round(draft.results[name], 6)
                hit.add(name)
        return hit


class WrongUnit(Fault):
    """The value is written in another unit, as after a wrong setting."""

    fault: Literal["wrong_unit"] = "wrong_unit"
    unit: str = ""

    @model_validator(mode="after")
    def _known_unit(self) -> "WrongUnit":
        for name in self.observed_properties:
            units = CONVERSIONS.get(name, {})
            if not units or (self.unit and self.unit not in units):
                of = f"{name} is mistaken for {', '.join(units)}" if units else f"{name} has none"
                raise ValueError(f"no such wrong unit {self.unit!r}: {of}")
        if self.unit and not any(self.unit in units for units in CONVERSIONS.values()):
            raise ValueError(
                f"{self.unit!r} is none of the wrong units "
                + ", ".join(sorted({one for units in CONVERSIONS.values() for one in units}))
            )
        return self

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:  # noqa: ARG002
        """Convert what has such a unit; the first of the property's table where none is named."""
        hit = set()
        for name in names:
            units = CONVERSIONS.get(name, {})
            unit = self.unit or next(iter(units), "")
            if unit in units:
                draft.results[name] = converted(name, unit, draft.results[name])
                hit.add(name)
        return hit
