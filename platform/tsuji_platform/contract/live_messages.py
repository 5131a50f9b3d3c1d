"""A newest observation as it is told: one document for the live stream and for MQTT."""

from datetime import datetime
from typing import Any

from tsuji_platform.contract.alert_messages import rfc3339
from tsuji_platform.contract.properties import OBSERVED_PROPERTIES


def newest_document(
    *,
    thing_id: str,
    observed_property: str,
    time: datetime,
    result: float | None,
    period_s: int | None,
    received_at: datetime | None,
    suppressed: bool,
) -> dict[str, Any]:
    """A datastream's newest observation.

    Args:
        thing_id: whose.
        observed_property: of what; its unit (UCUM) stands beside the result.
        time: phenomenon time.
        result: None where it is withheld.
        period_s: for counts, the seconds that they cover, ending at `time`.
        received_at: when the hub had it.
        suppressed: whether it is a small count that is withheld; said only then.
    """
    known = OBSERVED_PROPERTIES.get(observed_property)
    document = {
        "thing": thing_id,
        "observed_property": observed_property,
        "time": rfc3339(time),
        "result": result,
        "unit": known.unit if known else "",
        "period_s": period_s,
        "received_at": None if received_at is None else rfc3339(received_at),
    }
    return document | ({"suppressed": True} if suppressed else {})
