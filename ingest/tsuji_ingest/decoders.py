"""From packet to what the store takes: chooses the decoder by topic and never raises."""

import logging
from collections.abc import Sequence

from tsuji_ingest.subscriber import Packet
from tsuji_platform.contract import (
    Observation,
    Reason,
    RejectedError,
    Rejection,
    Thing,
    decode_observations,
    decode_thing,
    parse_topic,
)
from tsuji_platform.store.records import Received

_log = logging.getLogger(__name__)


def decode(packet: Packet) -> Received:
    """Read one packet; whatever is wrong with it ends as a rejection."""
    thing_id: str | None = None
    try:
        topic = parse_topic(packet.topic)
        thing_id = topic.thing_id
        if topic.is_observations:
            decoded = decode_observations(thing_id, packet.payload, packet.received_at)
            return _received(
                packet, thing_id, observations=decoded.observations, rejections=decoded.rejections
            )
        if not packet.payload:  # the retained message was cleared; what was registered stays
            return _received(packet, thing_id)
        return _received(packet, thing_id, thing=decode_thing(thing_id, packet.payload))
    except RejectedError as error:
        return _received(packet, thing_id, rejections=[error.rejection])
    except Exception as error:  # noqa: BLE001 - a message that trips a defect must not stop the stream
        _log.exception("a defect was met in a message on %r", packet.topic)
        return refused(packet, thing_id, f"a defect of the decoder: {error!r}")


def refused(packet: Packet, thing_id: str | None, detail: str) -> Received:
    """A message that could be read but not kept."""
    return _received(
        packet, thing_id, rejections=[Rejection(reason=Reason.NOT_STORABLE, detail=detail)]
    )


def _received(
    packet: Packet,
    thing_id: str | None,
    *,
    thing: Thing | None = None,
    observations: Sequence[Observation] = (),
    rejections: Sequence[Rejection] = (),
) -> Received:
    return Received(
        topic=packet.topic,
        payload=packet.payload,
        received_at=packet.received_at,
        thing_id=thing_id,
        thing=thing,
        observations=observations,
        rejections=rejections,
    )
