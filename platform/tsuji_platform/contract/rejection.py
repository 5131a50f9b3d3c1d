"""Why a message, or one value in it, was not believed: the closed list of reasons, and their error."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """The reasons by which rejected messages are counted; the value is what is stored."""

    BROKEN_JSON = "broken_json"
    OVERSIZE = "oversize"
    UNKNOWN_TOPIC = "unknown_topic"
    WRONG_SHAPE = "wrong_shape"
    BAD_TIME = "bad_time"
    FUTURE_TIME = "future_time"
    UNKNOWN_PROPERTY = "unknown_property"
    NOT_A_NUMBER = "not_a_number"
    IMPLAUSIBLE_VALUE = "implausible_value"
    MISSING_PERIOD = "missing_period"
    BAD_THING = "bad_thing"
    UNMAPPED = "unmapped"
    UNREGISTERED_THING = "unregistered_thing"
    UNDECLARED_DATASTREAM = "undeclared_datastream"
    NOT_STORABLE = "not_storable"

    @property
    def may_heal(self) -> bool:
        """Whether the message can become good by itself, once its thing registers or declares more."""
        return self in (Reason.UNREGISTERED_THING, Reason.UNDECLARED_DATASTREAM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One refusal: the reason to count by, and a sentence that quotes the offending value."""

    reason: Reason
    detail: str


class RejectedError(ValueError):
    """The message can't be taken; `rejection` says why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.rejection = Rejection(reason=reason, detail=detail)


def quote(value: object, limit: int = 80) -> str:
    """Show a hostile value in a message: its repr, cut to `limit` characters; null and truth as in JSON."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > limit * 3:
        return f"an integer of {value.bit_length()} bits"
    try:
        text = repr(value)
    except RecursionError:  # a JSON document may nest deeper than Python can show
        return f"a {type(value).__name__} that nests too deeply to be shown"
    return text if len(text) <= limit else text[: limit - 1] + "…"
