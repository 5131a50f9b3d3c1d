"""Where packets wait between the network and the database, with a bound on what ingest holds of them."""

import queue
import threading
from collections import deque
from collections.abc import Iterable

from tsuji_ingest.packet import Packet

_PACKETS = 32_000
"""Four times what a broker of ours sends without acknowledgement."""
_OCTETS = 128 * 2**20
"""Twice as much as that broker does."""


class Inbox:
    """A queue that counts what was put in until it is settled, wherever it is meanwhile.

    Args:
        packets: held at the most.
        octets: of payload and topic held at the most; a single packet may be larger.
    """

    def __init__(self, packets: int = _PACKETS, octets: int = _OCTETS) -> None:
        self._most_packets = packets
        self._most_octets = octets
        self._waiting: deque[Packet] = deque()
        self._changed = threading.Condition()
        self._packets = 0
        self._octets = 0

    @property
    def held(self) -> int:
        """Packets that were taken and are not settled."""
        return self._packets

    @property
    def roomy(self) -> bool:
        """Whether less than half of the room is taken."""
        return self._packets * 2 <= self._most_packets and self._octets * 2 <= self._most_octets

    def offer(self, packet: Packet) -> bool:
        """Take a packet where there is room for it; of QoS 0 into the first half of the room only."""
        size = _size(packet)
        share = 1 if packet.qos > 0 else 2
        with self._changed:
            if self._packets and (
                self._packets >= self._most_packets // share
                or self._octets + size > self._most_octets // share
            ):
                return False
            self._packets += 1
            self._octets += size
            self._waiting.append(packet)
            self._changed.notify()
        return True

    def get(self, timeout: float) -> Packet:
        """Take out the first, waiting for it so many seconds.

        Raises:
            queue.Empty: there was none.
        """
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout)
            return self._first()

    def get_nowait(self) -> Packet:
        """Take out the first.

        Raises:
            queue.Empty: there is none.
        """
        with self._changed:
            return self._first()

    def _first(self) -> Packet:
        if not self._waiting:
            raise queue.Empty
        return self._waiting.popleft()

    def settle(self, packets: Iterable[Packet]) -> None:
        """These are held no longer."""
        with self._changed:
            for packet in packets:
                self._packets -= 1
                self._octets -= _size(packet)

    def withdraw(self, since: int) -> int:
        """Drop what still waits and will come again: it came with a quality of service above 0.

        Args:
            since: the first connection of the session that goes on; what came before is not in it.

        Returns:
            how many packets that were.
        """
        with self._changed:
            again = [one for one in self._waiting if one.qos > 0 and one.connection >= since]
            if again:
                self._waiting = deque(
                    one for one in self._waiting if one.qos == 0 or one.connection < since
                )
        self.settle(again)
        return len(again)


def _size(packet: Packet) -> int:
    return len(packet.payload) + len(packet.topic)
