"""A socket that receives and sends in large pieces, and paho's client on it.

paho asks its socket for a byte, another byte and then the rest of each packet, and sends each
acknowledgement by itself: four system calls for a message. Here it finds what it asks for in a
buffer, and what it sends goes out with one call for many.
"""

import select
import socket
from typing import Any

import paho.mqtt.client as mqtt

_PIECE = 262_144


class BufferedSocket:
    """What paho expects of a socket, over a real one that does not block.

    Args:
        real: a connected socket, TLS or not.
    """

    def __init__(self, real: Any) -> None:
        self._real = real
        self._read = b""
        self._position = 0
        self._unsent = bytearray()
        self._error: OSError | None = None

    def recv(self, size: int) -> bytes:
        """At most `size` bytes; blocks never, returns nothing at the end of the connection."""
        if self._position >= len(self._read):
            if self._error is not None:
                raise self._error
            self._read = self._real.recv(_PIECE)
            self._position = 0
        begin = self._position
        self._position = end = min(begin + size, len(self._read))
        return self._read[begin:end]

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
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._unsent.clear()
            self._error = error

    def pending(self) -> int:
        """Bytes that can be had without asking the network."""
        return len(self._read) - self._position

    def wait(self, other: int, timeout_s: float) -> None:
        """Wait until there is something to receive, room to send what waits, or `other` is readable."""
        if self.pending() or self._error is not None:
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


class BufferedClient(mqtt.Client):
    """paho's client on a buffered socket; to be driven by `loop_read` and `loop_misc`."""

    def _create_socket(self) -> Any:
        real = super()._create_socket()
        if isinstance(real, socket.socket):
            real.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return BufferedSocket(real)

    def _handle_on_message(self, message: mqtt.MQTTMessage) -> None:
        """Straight to the one callback: paho looks by topic for others first, a tenth of all our time."""
        if self._on_message is not None:
            with self._in_callback_mutex:
                self._on_message(self, self._userdata, message)
