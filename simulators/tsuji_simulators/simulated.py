"""One message of a simulated thing, between the city that makes it and the broker or file that takes it."""

from typing import Any

import msgspec
import orjson

from tsuji_simulators.tape.message import Carried

Report = dict[str, Any]
"""`time` (aware, UTC), `results` (number by observed property) and, of counts, `period_s`: the members of
one object of a payload (docs/messages.md)."""


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a simulated thing, before it is encoded.

    Attributes:
        due_us: when it is to be sent, microseconds since 1970-01-01T00:00Z of simulated time. Messages
            stand in this order; whatever changes it (late, out of order, held back) must keep the stream
            sorted by the new one, since a broker's clock never goes back.
        thing_id: whose it is.
        topic: where it is published.
        payload: reports of the thing, each a fresh `dict` that belongs to whoever has the message; or
            bytes, which go out as they are: the thing's registration (retained, before its first
            report), or what is broken on purpose.
        retain: whether the broker keeps it for later subscribers.
        qos: 0, 1 or 2.
    """

    due_us: int
    thing_id: str
    topic: str
    payload: list[Report] | bytes
    retain: bool = False
    qos: int = 1


def carried(message: Simulated) -> Carried:
    """The same as a broker carries it."""
    payload = message.payload
    if not isinstance(payload, bytes):
        payload = encoded(payload)
    return Carried(message.due_us, message.topic, payload, message.qos, message.retain)


def encoded(reports: list[Report]) -> bytes:
    """Reports as the payload that a device publishes: one alone, several as an array."""
    return orjson.dumps(reports[0] if len(reports) == 1 else reports)
