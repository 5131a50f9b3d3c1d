"""One believed reading, and the rules by which a value is believed."""

from datetime import datetime

import msgspec

from tsuji_platform.contract.properties import OBSERVED_PROPERTIES, ObservedProperty
from tsuji_platform.contract.rejection import Reason, RejectedError, quote

KNOWN = dict(OBSERVED_PROPERTIES)
COUNTS = frozenset(known.id for known in OBSERVED_PROPERTIES.values() if known.is_count)


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One believed reading; a struct since it is made a hundred thousand times a second.

    Attributes:
        thing_id: whose it is.
        observed_property: id in `OBSERVED_PROPERTIES`, which fixes the unit.
        phenomenon_time: aware; for counts the end of the period.
        result: finite, in the property's unit, inside its plausible range.
        period_s: for counts the seconds that they cover, otherwise None.

    Raises:
        RejectedError: where one of these does not hold.
    """

    thing_id: str
    observed_property: str
    phenomenon_time: datetime
    result: float
    period_s: int | None = None

    def __post_init__(self) -> None:
        if self.phenomenon_time.tzinfo is None:
            raise RejectedError(
                Reason.BAD_TIME, f"time {quote(self.phenomenon_time.isoformat())} has no UTC offset"
            )
        known = KNOWN.get(self.observed_property)
        if known is None:
            raise RejectedError(
                Reason.UNKNOWN_PROPERTY,
                f"observed property {quote(self.observed_property)} is not one of "
                + ", ".join(OBSERVED_PROPERTIES),
            )
        if not known.low <= self.result <= known.high:  # false for NaN, too
            raise RejectedError(
                Reason.IMPLAUSIBLE_VALUE,
                f"{known.id} {quote(self.result)} {known.unit} is outside "
                f"{known.low:g} to {known.high:g}",
            )
        if known.is_count:
            self._check_count(known)

    def _check_count(self, known: ObservedProperty) -> None:
        if self.result != int(self.result):
            raise RejectedError(
                Reason.IMPLAUSIBLE_VALUE, f"{known.id} {quote(self.result)} is not a whole number"
            )
        if self.period_s is None:
            raise RejectedError(
                Reason.MISSING_PERIOD,
                f'{known.id} is a count and needs "period_s", the seconds that it covers',
            )


def observe(
    thing_id: str, name: str, time: datetime, value: object, period_s: int | None = None
) -> Observation:
    """Believe one value, or not.

    Args:
        thing_id: whose it is.
        name: id of the observed property, as it stood in the payload.
        time: phenomenon time, aware.
        value: what stood in the payload.
        period_s: for counts the seconds that they cover; passed over for others.

    Raises:
        RejectedError: `not_a_number`, `unknown_property`, `implausible_value`, `missing_period`.
    """
    if type(value) is not float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise RejectedError(
                Reason.NOT_A_NUMBER, f"{quote(name)} is {quote(value)}, not a number"
            )
        value = float(value)
    return Observation(
        thing_id=thing_id,
        observed_property=name,
        phenomenon_time=time,
        result=value,
        period_s=period_s if name in COUNTS else None,
    )
