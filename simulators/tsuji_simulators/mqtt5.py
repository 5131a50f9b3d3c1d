"""Asks a broker once whether it speaks MQTT 5, in which it says more: who listens, what is retained.

paho settles the version before it connects, and brokers of 3.1.1 answer a connection of 5 with a
refusal, or not at all. So one connection is made by hand, by who we are: strangers are not told what
the broker grants.
"""

import socket
import threading
import time
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, BinaryIO

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tsuji_platform.settings import BrokerAddress
from tsuji_platform.settings_broker import trouble
from tsuji_simulators.wire import varied

NOBODY_LISTENS = 0x10
"""PUBACK's reason "No matching subscribers"."""
_PROPERTIES: Any = Properties  # which has no types
_CONNACK = 0x20
_UNSUPPORTED = {0x01, 0x84}
_RETRY_S = 1.0
_TIMEOUT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Mqtt5:
    """What a broker grants whoever speaks MQTT 5 with it.

    Attributes:
        receive_maximum: messages that it takes before it has acknowledged the first.
        largest_packet: bytes of the largest packet that it takes.
    """

    receive_maximum: int = 65_535
    largest_packet: int = 268_435_460


def mqtt5_of(address: BrokerAddress, timeout_s: float = _TIMEOUT_S) -> Mqtt5 | None:
    """What the broker grants; None where it knows only older versions.

    Raises:
        OSError: it can't be reached.
    """
    with _connected(address, timeout_s) as connection:
        connection.sendall(_connect(address))
        try:
            with connection.makefile("rb") as stream:
                return _answer(*_packet(stream))
        except (OSError, EOFError):  # it hung up, or waits for something that it understands
            return None


def wait_for_mqtt5(
    address: BrokerAddress, stop: threading.Event, timeout_s: float | None = None
) -> Mqtt5 | None:
    """What the broker grants, once it is there; None, too, where `stop` was set before.

    Raises:
        ConnectionError: it is not there within `timeout_s`.
    """
    until = None if timeout_s is None else time.monotonic() + timeout_s
    while not stop.is_set():
        try:
            return mqtt5_of(address)
        except OSError as error:
            if until is not None and time.monotonic() > until:
                raise ConnectionError(
                    f"no broker answers at {address} within {timeout_s} s: {trouble(error)}"
                ) from error
            stop.wait(_RETRY_S)
    return None


def _connected(address: BrokerAddress, timeout_s: float) -> socket.socket:
    """A connection to the broker, secured where that is wanted."""
    connection = socket.create_connection((address.host, address.port), timeout_s)
    if address.tls is None:
        return connection
    try:
        return address.tls.context().wrap_socket(connection, server_hostname=address.host)
    except BaseException:
        connection.close()
        raise


def _connect(address: BrokerAddress) -> bytes:
    """CONNECT of version 5: clean start, keep-alive 10 s, no properties, who we are."""
    payload, flags = [f"tsuji-asks-{token_hex(4)}"], 0x02
    if address.username is not None:
        payload, flags = [*payload, address.username], flags | 0x80
        if address.password is not None:
            payload, flags = [*payload, address.password], flags | 0x40
    rest = b"\0\x04MQTT\x05" + bytes([flags]) + b"\0\x0a\0"
    for text in payload:
        octets = text.encode()
        rest += len(octets).to_bytes(2, "big") + octets
    return b"\x10" + varied(len(rest)) + rest


def _packet(stream: BinaryIO) -> tuple[int, bytes]:
    """The first packet that comes: its kind and flags, and what is in it."""
    kind, length, shift = _byte(stream), 0, 0
    while True:
        byte = _byte(stream)
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80 or shift > 21:
            break
    return kind, stream.read(min(length, 65_536))


def _byte(stream: BinaryIO) -> int:
    data = stream.read(1)
    if not data:
        raise EOFError
    return data[0]


def _answer(kind: int, body: bytes) -> Mqtt5 | None:
    if kind & 0xF0 != _CONNACK or len(body) < 3 or body[1] in _UNSUPPORTED:
        return None
    found: Any = _PROPERTIES(PacketTypes.CONNACK)
    try:
        found.unpack(body[2:])
    except Exception:  # noqa: BLE001 - paho raises anything here
        return None
    return Mqtt5(
        receive_maximum=getattr(found, "ReceiveMaximum", Mqtt5.receive_maximum),
        largest_packet=getattr(found, "MaximumPacketSize", Mqtt5.largest_packet),
    )
