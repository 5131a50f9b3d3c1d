"""Where packets wait between the network and the database, with a bound on what ingest holds of them."""

import contextlib
import queue
from collections.abc import Iterable

from tsuji_ingest.packet import Packet

_PACKETS = 32_000
"""Four times what a broker of ours sends without acknowledgement."""
_OCTETS = 128 * 2**20
"""Twice as much as that broker does."""


class _Count:
    """Packets and their octets, counted up by one thread and read by others: that needs no lock."""

    __slots__ = ("octets", "packets")

    def __init__(self) -> None:
        self.packets = 0
        self.octets = 0

    def add(self, packet: Packet) -> None:
        self.packets += 1
        self.octets += _size(packet)


class Inbox:
    """A queue that counts what was put in until it is settled, wherever it is meanwhile.

    One thread offers and withdraws, one takes out, one settles.

    Args:
        packets: held at the most.
        octets: of payload and topic held at the most; a single packet may be larger.
    """

    def __init__(self, packets: int = _PACKETS, octets: int = _OCTETS) -> None:
        self._most_packets = packets
        self._most_octets = octets
        self._waiting: queue.SimpleQueue[Packet] = queue.SimpleQueue()
        self._taken = _Count()
        self._withdrawn = _Count()
        self._settled = _Count()

    @property
    def held(self) -> int:
        """Packets that were taken and are not settled."""
        return self._taken.packets - self._withdrawn.packets - self._settled.packets

    @property
    def _held_octets(self) -> int:
        return self._taken.octets - self._withdrawn.octets - self._settled.octets

    @property
    def roomy(self) -> bool:
        """Whether less than half of the room is taken."""
        return self.held * 2 <= self._most_packets and self._held_octets * 2 <= self._most_octets

    def offer(self, packet: Packet) -> bool:
        """Take a packet where there is room for it; of QoS 0 into the first half of the room only."""
        share = 1 if packet.qos > 0 else 2
        held = self.held
        if held and (
            held >= self._most_packets // share
            or self._held_octets + _size(packet) > self._most_octets // share
        ):
            return False
        self._taken.add(packet)
        self._waiting.put(packet)
        return True

    def get(self, timeout: float) -> Packet:
        """Take out the first, waiting for it so many seconds.

        Raises:
            queue.Empty: there was none.
        """
        return self._waiting.get(timeout=timeout)

    def get_nowait(self) -> Packet:
        """Take out the first.

        Raises:
            queue.Empty: there is none.
        """
        return self._waiting.get_nowait()

    def settle(self, packets: Iterable[Packet]) -> None:
        """These are held no longer."""
        for packet in packets:
            self._settled.add(packet)

    def withdraw(self, since: int) -> int:
        """Drop what still waits and will come again: it came with a quality of service above 0.

        Args:
            since: the first connection of the session that goes on; what came before is not in it.

        Returns:
            how many packets that were.
        """
        before = self._withdrawn.packets
        waiting = []
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.append(self._waiting.get_nowait())
        for packet in waiting:
            if packet.qos > 0 and packet.connection >= since:
                self._withdrawn.add(packet)
            else:
                self._waiting.put(packet)
        return self._withdrawn.packets - before


def _size(packet: Packet) -> int:
    return len(packet.payload) + len(packet.topic)
