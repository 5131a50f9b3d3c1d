"""paho's client, reading and writing in larger pieces: a flood costs it a quarter of the time.

paho asks its socket for one byte, another byte and the rest of each acknowledgement, sends each message by
itself, wakes its thread for each, and keeps a record of it with a lock of its own. Every one of these
calls lets other threads of the process in between, which costs more than the call; and for each
acknowledgement of MQTT 5 it builds a table of properties, which are not there. What is on the wire is the
same.
"""

import contextlib
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_PIECE = 65_536
_PUBLISH = 0x30
_PUBACK = 0x40
_KIND = 0xF0
_READS = 2_000
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

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._open: set[int] = set()

    def publish_once(self, topic: bytes, payload: bytes, retain: bool) -> int | None:
        """Publish at QoS 1 without a record of it: `on_publish` says when it was acknowledged.

        Without a connection, or where that is lost, it is not sent (again).

        Returns:
            Its message id; None where there are too many messages under way.
        """
        mid = self._mid_generate()
        if mid in self._open or mid in self._out_messages:
            return None
        self._open.add(mid)
        properties = b"\0" if self._protocol == mqtt.MQTTv5 else b""
        command = _PUBLISH | 0x02 | retain
        packet = b"".join(
            (
                bytes((command,)),
                varied(4 + len(topic) + len(properties) + len(payload)),
                len(topic).to_bytes(2, "big"),
                topic,
                mid.to_bytes(2, "big"),
                properties,
                payload,
            )
        )
        if self._sock is not None:
            self._packet_queue(command, packet, mid, 1)
        return mid

    def drop_out_messages(self) -> list[mqtt.MQTTMessage]:
        """Forget what is under way, over a connection that is lost."""
        self._open.clear()
        return super().drop_out_messages()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002 - as with paho
        """Read what is there; paho reads as many packets as it has records of messages."""
        for _ in range(_READS):
            if self._sock is None:
                return MQTTErrorCode.MQTT_ERR_NO_CONN
            rc = self._packet_read()
            if rc > 0:
                return self._loop_rc_handle(rc)
            if rc == MQTTErrorCode.MQTT_ERR_AGAIN:
                break
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _create_socket(self) -> Any:
        return ReadAhead(super()._create_socket())

    def _packet_read(self) -> MQTTErrorCode:
        line: Any = self._sock
        if not self._in_packet["command"] and isinstance(line, ReadAhead):
            found = line.puback()
            if found is not None:
                with self._msgtime_mutex:
                    self._last_bytes_received = time.monotonic()
                return self._acknowledged(found[0], _REASONS[found[1]], _NO_PROPERTIES)
        return super()._packet_read()

    def _handle_pubackcomp(self, cmd: Any) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        if cmd == "PUBACK" and int.from_bytes(packet[:2], "big") in self._open:
            found = _packet.decode_puback(self._in_packet["command"], packet, self._protocol)
            return self._acknowledged(found.mid, found.reason, found.properties)
        return super()._handle_pubackcomp(cmd)

    def _acknowledged(self, mid: int, reason: ReasonCode, properties: Any) -> MQTTErrorCode:
        if mid in self._open:
            self._open.discard(mid)
            on_publish: Any = self.on_publish
            if on_publish is not None:
                on_publish(self, self._userdata, mid, reason, properties)
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        with self._out_message_mutex:
            if mid in self._out_messages:
                return self._do_on_publish(mid, reason, properties)
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
        """Send the messages that wait in large pieces, and leave all else to paho."""
        queue = self._out_packet
        while True:
            piece = self._piece()
            if not piece:
                return super()._packet_write() if queue else MQTTErrorCode.MQTT_ERR_SUCCESS
            sent = 0
            try:
                sent = self._sock_send(piece)
            except (AttributeError, ValueError):  # closed meanwhile
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            except BlockingIOError:
                return MQTTErrorCode.MQTT_ERR_AGAIN
            except OSError:
                return MQTTErrorCode.MQTT_ERR_CONN_LOST
            finally:
                if sent < len(piece):
                    queue.appendleft(_out(_PUBLISH, piece[sent:], 0, 1, None))
            with self._msgtime_mutex:
                self._last_msg_out = time.monotonic()

    def _piece(self) -> bytes:
        """Messages from the front, taken out; of QoS 0 paho reports each, so not these."""
        queue = self._out_packet
        pieces: list[Any] = []
        size = 0
        while queue and size < _PIECE:
            packet = queue[0]
            if packet["command"] & _KIND != _PUBLISH or not packet["qos"]:
                break
            packet = queue.popleft()
            pieces.append(packet["packet"][packet["pos"] :])
            size += len(pieces[-1])
        return b"".join(pieces)


def varied(length: int) -> bytes:
    """The variable byte integer of MQTT (section 2.2.3 of 3.1.1)."""
    octets = bytearray()
    while True:
        length, low = divmod(length, 128)
        octets.append(low | (128 if length else 0))
        if not length:
            return bytes(octets)


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
