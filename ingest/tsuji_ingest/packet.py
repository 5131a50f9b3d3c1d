"""A received MQTT message, and what a decoder says of it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from tsuji_platform.contract import Observation, Rejection, Thing
from tsuji_platform.store.records import Received


def storable(topic: str) -> str:
    """Make U+0000 visible: MQTT forbids it, some brokers pass it on, PostgreSQL can't hold it."""
    return topic.replace("\0", "\\u0000")


class Packet(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One received MQTT message.

    Attributes:
        topic: as received, but for what the database can't hold (see `storable`).
        payload: as received.
        received_at: by the hub's clock, aware.
        arrived_s: the same by a clock that does not jump, monotonic seconds; 0 where not known.
        mid: the broker's packet id, needed to acknowledge.
        qos: quality of service with which it was delivered.
        connection: during which connection it came; packet ids mean nothing in another one.
        retained: whether it need not be news: the broker had kept it and hands it out to a new
            subscription, or it goes to each ingest of a group.
    """

    topic: str
    payload: bytes
    received_at: datetime
    arrived_s: float = 0.0
    mid: int = 0
    qos: int = 0
    connection: int = 0
    retained: bool = False

    def read_as(
        self,
        thing_id: str | None,
        *,
        thing: Thing | None = None,
        observations: Sequence[Observation] = (),
        rejections: Sequence[Rejection] = (),
    ) -> Received:
        """This message with what was read from it.

        Args:
            thing_id: whose it is, None where that could not be read.
            thing: what a registration said.
            observations: the believed readings.
            rejections: what was refused.
        """
        return Received(
            topic=self.topic,
            payload=self.payload,
            received_at=self.received_at,
            thing_id=thing_id,
            thing=thing,
            observations=observations,
            rejections=rejections,
            arrived_s=self.arrived_s or None,
            retained=self.retained,
        )
