"""paho's client, reading and writing in larger pieces: a flood costs it a fraction of the system calls.

paho asks its socket for one byte, another byte and the rest of each acknowledgement, sends each message by
itself, and wakes its thread for each. Every one of these calls lets other threads of the process in
between, which costs more than the call; and for each acknowledgement of MQTT 5 it builds a table of
properties, which are not there. What is on the wire is the same.
"""

import contextlib
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_PIECE = 65_536
_PUBLISH = 0x30
_PUBACK = 0x40
_KIND = 0xF0
_REASONS: Mapping[int, ReasonCode] = MappingProxyType(
    {
        0x00: ReasonCode(PacketTypes.PUBACK, "Success"),
        0x10: ReasonCode(PacketTypes.PUBACK, "No matching subscribers"),
    }
)
"""Those that come by the thousand."""
_PROPERTIES: Any = Properties  # which has no types
_NO_PROPERTIES = _PROPERTIES(PacketTypes.PUBACK)


class ReadAhead:
    """A socket, as paho uses one, that takes what the network has at once.

    Args:
        real: the socket.
    """

    def __init__(self, real: Any) -> None:
        self._real = real
        self._read = b""
        self._position = 0

    def recv(self, size: int) -> bytes:
        """At most `size` bytes; the network is asked only where nothing is left of what it gave."""
        begin = self._position
        if begin >= len(self._read):
            self._read, begin = self._real.recv(_PIECE), 0
        self._position = begin + size
        return self._read[begin : begin + size]

    def puback(self) -> tuple[int, int] | None:
        """Take out a PUBACK that is next and whole: its message id, and a reason of `_REASONS`.

        That of MQTT 3.1.1 (section 3.4) has no reason, and that of MQTT 5 has none for success, or one
        with or without an empty list of properties. All else is left to paho.
        """
        begin, read = self._position, self._read
        if (
            begin + 4 > len(read)
            or read[begin] != _PUBACK
            or not 2 <= (left := read[begin + 1]) <= 4
        ):
            return None
        end = begin + 2 + left
        if end > len(read) or (left == 4 and read[begin + 5]):
            return None
        reason = read[begin + 4] if left > 2 else 0
        if reason not in _REASONS:
            return None
        self._position = end
        return read[begin + 2] << 8 | read[begin + 3], reason

    def pending(self) -> int:
        """Bytes that `recv` has without the network: paho then doesn't wait for it."""
        of_tls = self._real.pending() if hasattr(self._real, "pending") else 0
        return max(len(self._read) - self._position, 0) + int(of_tls)

    def send(self, data: bytes) -> int:
        """Passed on."""
        return int(self._real.send(data))

    def fileno(self) -> int:
        """The real socket's descriptor."""
        return int(self._real.fileno())

    def setblocking(self, flag: bool) -> None:
        """Passed on."""
        self._real.setblocking(flag)

    def close(self) -> None:
        """Passed on."""
        self._real.close()


class WireClient(mqtt.Client):
    """paho's client with fewer and larger reads and writes."""

    def _create_socket(self) -> Any:
        return ReadAhead(super()._create_socket())

    def _packet_read(self) -> MQTTErrorCode:
        line: Any = self._sock
        if not self._in_packet["command"] and isinstance(line, ReadAhead):
            found = line.puback()
            if found is not None:
                return self._acknowledged(*found)
        return super()._packet_read()

    def _acknowledged(self, mid: int, reason: int) -> MQTTErrorCode:
        """As paho does it."""
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        with self._out_message_mutex:
            if mid in self._out_messages:
                return self._do_on_publish(mid, _REASONS[reason], _NO_PROPERTIES)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _packet_queue(
        self, command: int, packet: Any, mid: int, qos: int, info: Any = None
    ) -> MQTTErrorCode:
        queue = self._out_packet
        if not queue or command & _KIND != _PUBLISH:
            return super()._packet_queue(command, packet, mid, qos, info)
        # Whoever put in what is there has woken the thread, which goes on until nothing is left.
        queue.append(_out(command, packet, mid, qos, info))
        if len(queue) == 1 and self._sockpairW is not None:  # it has just taken that out
            with contextlib.suppress(BlockingIOError):
                self._sockpairW.send(b"\0")
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _packet_write(self) -> MQTTErrorCode:
        """Make one piece of the messages that wait; of QoS 0 they are reported one by one, so not these."""
        queue = self._out_packet
        pieces: list[memoryview] = []
        size, first = 0, None
        while len(queue) > 1 or (pieces and queue):
            packet = queue[0]
            if packet["command"] & _KIND != _PUBLISH or not packet["qos"] or size >= _PIECE:
                break
            first = first or packet
            piece = queue.popleft()
            pieces.append(memoryview(piece["packet"])[piece["pos"] :])
            size += len(pieces[-1])
        if first is not None:
            joined = b"".join(pieces)
            queue.appendleft(_out(first["command"], joined, first["mid"], first["qos"], None))
        return super()._packet_write()


def _out(command: int, packet: Any, mid: int, qos: int, info: Any) -> Any:
    """A packet that waits, as paho notes it."""
    return {
        "command": command,
        "mid": mid,
        "qos": qos,
        "pos": 0,
        "to_process": len(packet),
        "packet": packet,
        "info": info,
    }
