"""A socket that receives and sends in large pieces, and paho's client on it.

paho asks its socket for a byte, another byte and then the rest of each packet, builds a message with a
lock for each, and sends each acknowledgement by itself. Here the messages that stand whole in the buffer
are taken out of it at a sixth of that cost; everything else goes the way of paho, and what it sends
goes out with one call for many.
"""

import select
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import paho.mqtt.client as mqtt

_PIECE = 262_144
_WAIT = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_PUBLISH = 3
_QOS_2 = 0x04
"""Bit of a packet's first byte; both bits of it together are forbidden."""


class Publish(msgspec.Struct, frozen=True, gc=False):
    """A PUBLISH packet of MQTT 3.1.1 (section 3.3), of QoS 0 or 1."""

    topic: bytes
    payload: bytes
    mid: int
    qos: int
    retain: bool


class BufferedSocket:
    """What paho expects of a socket, over a real one that does not block.

    Args:
        real: a connected socket, TLS or not.
    """

    def __init__(self, real: Any) -> None:
        self._real = real
        self._read = bytearray()
        self._position = 0
        self._packet_end = 0
        self._ended = False
        self._unsent = bytearray()
        self._error: OSError | None = None

    def receive(self) -> None:
        """Take what the network has; the end of the connection or an error shows to paho's `recv`.

        Where packets enough wait here to be taken out, the rest stays with the network.
        """
        del self._read[: self._position]
        self._packet_end -= self._position
        self._position = 0
        if len(self._read) >= _PIECE and self.ready():
            return
        try:
            while len(piece := self._real.recv(_PIECE)) > 0:
                self._read += piece
                if len(piece) < _PIECE and not isinstance(self._real, ssl.SSLSocket):
                    return  # nothing more for now; what TLS has decoded already, no poll tells
                if len(self._read) >= _PIECE:
                    return
            self._ended = True
        except _WAIT:
            return
        except OSError as error:
            self._error = error

    def publishes(self, at_most: int) -> Iterator[Publish]:
        """Take out the PUBLISH packets that stand whole at the front, up to something else."""
        if not self.pending() or not self.ready():
            return
        read = bytes(self._read)
        for _ in range(at_most):
            begin = self._position
            if begin >= len(read) or read[begin] >> 4 != _PUBLISH or read[begin] & _QOS_2:
                return
            body, end = _frame(read, begin)
            if end > len(read) or body + 2 > end:
                return
            topic_end = body + 2 + (read[body] << 8 | read[body + 1])
            qos = read[begin] >> 1 & 1
            payload = topic_end + 2 * qos
            if payload > end or topic_end == body + 2:
                return  # malformed: paho says so
            self._position = end
            yield Publish(
                read[body + 2 : topic_end],
                read[payload:end],
                read[topic_end] << 8 | read[topic_end + 1] if qos else 0,
                qos,
                read[begin] & 1 == 1,
            )

    def ready(self) -> bool:
        """Whether paho finds a whole packet, or the end: it is never left in the middle of one."""
        if self._ended or self._error is not None:
            return True
        return self.pending() > 0 and _frame(self._read, self._position)[1] <= len(self._read)

    def recv(self, size: int) -> bytes:
        """At most `size` bytes of what was received; nothing at the end of the connection.

        Of a packet that is not whole nothing is given: with messages of QoS 2 under way, paho asks for
        more than one.
        """
        begin = self._position
        if begin >= self._packet_end:
            if not self.ready():
                raise BlockingIOError
            self._packet_end = _frame(self._read, begin)[1]
        if begin >= len(self._read):
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            raise BlockingIOError
        self._position = end = min(begin + size, len(self._read))
        return bytes(self._read[begin:end])

    def send(self, data: bytes) -> int:
        """Take all of it; `flush` sends it."""
        self._unsent += data
        return len(data)

    def flush(self) -> None:
        """Send what was taken, as far as the network takes it; an error shows in the next `recv`."""
        if not self._unsent:
            return
        try:
            del self._unsent[: self._real.send(self._unsent)]
        except _WAIT:
            return
        except OSError as error:
            self._unsent.clear()
            self._error = error

    def pending(self) -> int:
        """Bytes that can be had without asking the network."""
        return len(self._read) - self._position

    def wait(self, other: int, timeout_s: float) -> None:
        """Wait until there is something to receive, room to send what waits, or `other` is readable."""
        if self.ready():
            return
        poll = select.poll()
        poll.register(self._real, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        poll.register(other, select.POLLIN)
        poll.poll(timeout_s * 1000)

    def fileno(self) -> int:
        """The real socket's descriptor."""
        return int(self._real.fileno())

    def setblocking(self, flag: bool) -> None:
        """Passed on."""
        self._real.setblocking(flag)

    def close(self) -> None:
        """Close the connection, once it has taken what was to be sent."""
        self.flush()
        self._real.close()


def _frame(read: bytes | bytearray, begin: int) -> tuple[int, int]:
    """Where a packet has its body, and where it ends: beyond what is here, if it is not whole."""
    length = shift = 0
    for at in range(begin + 1, min(begin + 5, len(read))):
        byte = read[at]
        length |= (byte & 127) << shift
        if byte < 128:
            return at + 1, at + 1 + length
        shift += 7
    if shift == 28:  # no length has five bytes: paho says so once it has them
        return begin + 5, begin + 6
    return begin, len(read) + 1


class BufferedClient(mqtt.Client):
    """paho's client on a buffered socket; to be driven by hand (see `Subscriber`)."""

    def _create_socket(self) -> Any:
        real = super()._create_socket()
        if isinstance(real, socket.socket):
            real.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return BufferedSocket(real)

    def heard(self) -> None:
        """Something was received that did not go through paho: the connection lives."""
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
