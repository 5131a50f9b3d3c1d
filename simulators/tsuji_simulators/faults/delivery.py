"""Faults of the way to the broker: the message is well, and comes twice, late, or behind a later one."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tsuji_simulators.faults.base import Fault, Surroundings
from tsuji_simulators.faults.report import Draft
from tsuji_simulators.faults.values import Share
from tsuji_simulators.faults.windows import Length, Span


class Duplicate(Fault):
    """A `share` of the messages is sent `copies` times more, each `after` the one before."""

    is_of_messages: ClassVar[bool] = True
    is_of_delivery: ClassVar[bool] = True
    fault: Literal["duplicate"] = "duplicate"
    share: Share = 1.0
    copies: int = Field(1, ge=1, le=100)
    after: Length = 1.0

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:  # noqa: ARG002
        """Send it again."""
        if not draft.sends or (
            self.share < 1.0 and self.draw(around, draft).uniform() >= self.share
        ):
            return set()
        last = draft.sends[-1]
        draft.sends += [last + self.after * (number + 1) for number in range(self.copies)]
        return names


class OutOfOrder(Fault):
    """A `share` of the messages is held up, each by up to `up_to`."""

    is_of_messages: ClassVar[bool] = True
    is_of_delivery: ClassVar[bool] = True
    fault: Literal["out_of_order"] = "out_of_order"
    share: Share = 0.5
    up_to: Length

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:  # noqa: ARG002
        """Send it later."""
        draw = self.draw(around, draft)
        if not draft.sends or draw.uniform(0) >= self.share:
            return set()
        late = round(self.up_to * draw.uniform(1), 3)
        draft.sends = [one + late for one in draft.sends]
        return names


class LateBurst(Fault):
    """Nothing gets through while the fault is on; then all of it comes, one each `spacing`."""

    is_of_messages: ClassVar[bool] = True
    is_of_delivery: ClassVar[bool] = True
    fault: Literal["late_burst"] = "late_burst"
    spacing: Length = 0.01

    @model_validator(mode="after")
    def _ends(self) -> "LateBurst":
        if self.end is None and self.every is None:
            raise ValueError('a late burst needs a "to", at which it comes')
        return self

    def span(self, draft: Draft) -> Span | None:
        """Whether any of its sendings falls into the outage."""
        spans = (self.window.at(one) for one in draft.sends)
        return next((one for one in spans if one is not None), None)

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:  # noqa: ARG002
        """Hold it back until the outage ends, in the order in which it was sent."""
        period = draft.report.period_s
        sends = []
        for one in draft.sends:
            outage = self.window.at(one)
            if outage is not None:
                begin = max(outage.start, 0.0)
                one = outage.end + self.spacing * ((one - begin) / period)
            sends.append(one)
        draft.sends = sorted(sends)
        return names
