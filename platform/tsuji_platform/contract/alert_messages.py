"""What is said of an alert that begins or ends: one document for MQTT, the live stream and webhooks."""

from datetime import datetime
from typing import Any

import orjson

STARTED = "alert.started"
ENDED = "alert.ended"


def rfc3339(time: datetime) -> str:
    """RFC 3339 in UTC with a Z."""
    return time.isoformat().replace("+00:00", "Z")


def alert_document(
    *,
    alert_id: str,
    rule: dict[str, Any],
    thing_id: str | None,
    area_set_id: str | None,
    area_code: str | None,
    start: datetime,
    end: datetime | None,
    end_reason: str | None,
    peak: float,
    peak_at: datetime,
) -> dict[str, Any]:
    """An alert as it is told: what it is about, since when, until when, and how far it went."""
    area = None if area_set_id is None else {"area_set": area_set_id, "code": area_code}
    return {
        "id": alert_id,
        "rule": rule["id"],
        "label": rule["label"],
        "state": "on" if end is None else "ended",
        "thing": thing_id,
        "area": area,
        "start": rfc3339(start),
        "end": None if end is None else rfc3339(end),
        "end_reason": end_reason,
        "peak": {"value": peak, "time": rfc3339(peak_at)},
        "unit": rule["unit"],
    }


def encode_message(message_id: str, noted_at: datetime, alert: dict[str, Any]) -> str:
    """The message as text; repetitions of it have the same id.

    Args:
        message_id: of this message; an alert that begins and ends has two.
        noted_at: by the hub's clock.
        alert: see `alert_document`.
    """
    body = {
        "id": message_id,
        "type": STARTED if alert["state"] == "on" else ENDED,
        "timestamp": rfc3339(noted_at),
        "data": alert,
    }
    return orjson.dumps(body).decode()
