"""Turns what the broker sends into packets for the inbox; what does not fit is passed over or dropped."""

import logging
import time
from datetime import UTC, datetime

from tsuji_ingest.inbox import Inbox
from tsuji_ingest.network import Publish
from tsuji_ingest.packet import Packet, storable
from tsuji_platform.contract.topics import is_thing_topic

_log = logging.getLogger(__name__)
_SAY_AGAIN_S = 60.0


class Intake:
    """Belongs to the thread that listens to the broker.

    Of QoS 1 what comes bounds itself, by what a broker sends without acknowledgement; where that is more
    than the inbox takes, the rest is passed over, and had again over a new connection once there is room.
    QoS 0 promises nothing: what the inbox does not take is dropped and counted.

    Args:
        inbox: takes packets.
        grouped: whether registrations go to each ingest of a group, so that they need not be news.

    Attributes:
        connection: number of the connection that goes on, 0 before the first.
        passed_over: whether anything of this connection was.
        no_room: messages of QoS 0 that were dropped.
    """

    def __init__(self, inbox: Inbox, *, grouped: bool) -> None:
        self._inbox = inbox
        self._grouped = grouped
        self.connection = 0
        self.passed_over = False
        self.no_room = 0
        self._say_no_room_due = 0.0
        self.arrives()

    def begin(self) -> None:
        """From here on comes what a new connection brings, and packet ids of before mean nothing."""
        self.connection += 1
        self.passed_over = False

    def arrives(self) -> None:
        """What is taken from here on has come now."""
        self._received_at, self._arrived_s = datetime.now(UTC), time.monotonic()

    @property
    def wants_again(self) -> bool:
        """Whether what was passed over is to be asked for again, since there is room now."""
        return self.passed_over and self._inbox.roomy

    def take(self, topic: str, publish: Publish) -> None:
        """Take a message, if there is room for it.

        Args:
            topic: the message's, as text.
            publish: the message.
        """
        if self.passed_over and publish.qos > 0:
            return  # else it would overtake those before it
        packet = Packet(
            topic=storable(topic),
            payload=publish.payload,
            received_at=self._received_at,
            arrived_s=self._arrived_s,
            mid=publish.mid,
            qos=publish.qos,
            connection=self.connection,
            retained=publish.retain or (self._grouped and is_thing_topic(topic)),
        )
        if not self._inbox.offer(packet):
            self._leave(packet)

    def _leave(self, packet: Packet) -> None:
        if packet.qos > 0:
            self.passed_over = True
            _log.warning(
                "the broker sends more without acknowledgement than fits here (max_inflight_messages, "
                "max_inflight_bytes); what is passed over now is asked for again once there is room"
            )
            return
        self.no_room += 1
        if time.monotonic() >= self._say_no_room_due:
            self._say_no_room_due = time.monotonic() + _SAY_AGAIN_S
            _log.error(
                "dropped %d messages of QoS 0 so far, since too much waits for the database already; "
                "with QoS 1 they would wait at the broker",
                self.no_room,
            )
