"""Tsuji's own messages: what a thing is, and what it measures."""

from tsuji_ingest.decoders.registry import Decoder
from tsuji_ingest.packet import Packet
from tsuji_platform.contract import (
    RejectedError,
    decode_observations,
    decode_thing,
    parse_topic,
)
from tsuji_platform.contract.topics import OBSERVATIONS_FILTER, THINGS_FILTER
from tsuji_platform.store.records import Received


def decode(packet: Packet) -> Received:
    """Read a registration or an observations message."""
    topic = parse_topic(packet.topic)
    thing_id = topic.thing_id
    if topic.is_observations:
        decoded = decode_observations(thing_id, packet.payload, packet.received_at)
        return packet.read_as(
            thing_id, observations=decoded.observations, rejections=decoded.rejections
        )
    if not packet.payload:  # the retained message was cleared; what was registered stays
        return packet.read_as(thing_id)
    try:
        return packet.read_as(thing_id, thing=decode_thing(thing_id, packet.payload))
    except RejectedError as error:
        return packet.read_as(thing_id, rejections=[error.rejection])


# registrations first, so that a fresh session knows the things early
DECODER = Decoder(name="tsuji", filters=(THINGS_FILTER, OBSERVATIONS_FILTER), decode=decode)
