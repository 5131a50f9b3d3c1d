"""Faults of devices: the message is missing, its time is wrong, or its bytes are."""

from typing import ClassVar, Literal

import orjson
from pydantic import Field

from tsuji_simulators.faults.base import Fault, Surroundings
from tsuji_simulators.faults.report import Draft
from tsuji_simulators.faults.values import Share
from tsuji_simulators.faults.windows import Span

_Breaking = Literal["truncated", "noise", "text", "shape", "empty"]
_BREAKINGS: tuple[_Breaking, ...] = ("truncated", "noise", "text", "shape", "empty")


class DropOut(Fault):
    """Messages are not sent: all of them, or a `share`."""

    is_of_messages: ClassVar[bool] = True
    fault: Literal["drop_out"] = "drop_out"
    share: Share = 1.0

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:  # noqa: ARG002
        """Send nothing."""
        if self.share < 1.0 and self.draw(around, draft).uniform() >= self.share:
            return set()
        draft.sends.clear()
        return names


class ClockSkew(Fault):
    """The device's clock is ahead by `seconds` (behind: below 0) and goes on to run away `per_day`."""

    is_of_messages: ClassVar[bool] = True
    fault: Literal["clock_skew"] = "clock_skew"
    seconds: float = Field(ge=-3.2e8, le=3.2e8)
    per_day: float = Field(0.0, ge=-86_400, le=86_400)

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:  # noqa: ARG002
        """Say another time; it is sent when it is due all the same."""
        days = (draft.report.time - span.start) / 86_400.0 if self.per_day else 0.0
        draft.time = max(round(draft.time + self.seconds + self.per_day * days), 0)
        return names


class BrokenPayload(Fault):
    """What is sent can't be read: one `breaking` of those that there are, or now this and now that.

    `truncated` ends too early, `noise` is bytes that are no text, `text` has its numbers in quotation
    marks, `shape` is JSON of another form, `empty` is nothing at all.
    """

    is_of_messages: ClassVar[bool] = True
    fault: Literal["broken_payload"] = "broken_payload"
    share: Share = 1.0
    breaking: _Breaking | None = None

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:  # noqa: ARG002
        """Break it."""
        draw = self.draw(around, draft)
        if draw.uniform(0) >= self.share:
            return set()
        how = self.breaking or _BREAKINGS[int(draw.uniform(1) * len(_BREAKINGS))]
        whole = around.encoded(draft)
        if how == "truncated":
            draft.payload = whole[: 1 + int(draw.uniform(2) * (len(whole) - 2))]
        elif how == "noise":
            draft.payload = bytes(byte ^ 0xA5 for byte in whole)
        elif how == "text":
            texts = {name: f"{value:g}" for name, value in draft.results.items()}
            draft.payload = orjson.dumps({"time": _time(whole), "results": texts})
        elif how == "shape":
            draft.payload = orjson.dumps({"readings": list(draft.results.items())})
        else:
            draft.payload = b""
        return names


def _time(payload: bytes) -> object:
    document = orjson.loads(payload)
    return (document[0] if isinstance(document, list) else document)["time"]
