"""Ingest's ear at a broker that keeps to the letter of MQTT at most: played by hand, byte by byte."""

import socket
from collections.abc import Callable, Iterator

import pytest

from tsuji_ingest.inbox import Inbox
from tsuji_ingest.packet import Packet
from tsuji_ingest.subscriber import Subscriber
from tsuji_platform.settings import BrokerAddress

_TOPIC = b"tsuji/v1/things/pole/observations"
_FORGED = b"tsuji/v1/things/pole/forged"
_PINGREQ, _PINGRESP = b"\xc0\x00", b"\xd0\x00"
_CONNECT, _PUBREC, _SUBSCRIBE = 0x10, 0x50, 0x82


def publish(topic: bytes, payload: bytes, qos: int = 0, mid: int = 1) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic
    body += (mid.to_bytes(2, "big") if qos else b"") + payload
    assert len(body) < 128
    return bytes([0x30 | qos << 1, len(body)]) + body


def released(mid: int) -> bytes:
    return b"\x62\x02" + mid.to_bytes(2, "big")


class _Line:
    """The broker's end of one connection."""

    def __init__(self, connection: socket.socket, filters: int) -> None:
        connection.settimeout(90)
        self._connection = connection
        self._filters = filters
        self.send = connection.sendall
        self.close = connection.close
        assert self.receive()[0] == _CONNECT

    def receive(self) -> bytes:
        """The next packet; all that ingest sends is short, but for SUBSCRIBE."""
        packet = self._exactly(2)
        length = packet[1] & 127
        if packet[1] > 127:
            length |= self._exactly(1)[0] << 7
        return packet + self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        read = b""
        while len(read) < count:
            more = self._connection.recv(count - len(read))
            assert more, "the connection has ended"
            read += more
        return read

    def accept(self) -> None:
        """Let it in and subscribe."""
        self.send(b"\x20\x02\x00\x00")
        subscribe = self.receive()
        assert subscribe[0] == _SUBSCRIBE
        at = 2 if subscribe[1] < 128 else 3
        granted = bytes([1] * self._filters)
        self.send(bytes([0x90, 2 + len(granted)]) + subscribe[at : at + 2] + granted)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def connect(inbox: Inbox) -> Iterator[Callable[[], _Line]]:
    """Wait for the next connection."""
    lines: list[_Line] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(90)
        address = BrokerAddress(host="127.0.0.1", port=server.getsockname()[1])
        subscriber = Subscriber(address, "x", inbox)
        subscriber.start()

        def wait() -> _Line:
            lines.append(_Line(server.accept()[0], len(subscriber.filters)))
            return lines[-1]

        yield wait
        subscriber.stop()
        for line in lines:
            line.close()


def taken(inbox: Inbox) -> Packet:
    return inbox.get(timeout=90)


def test_messages_of_qos_2_do_not_bring_the_others_out_of_step(
    connect: Callable[[], _Line], inbox: Inbox
) -> None:
    line = connect()
    line.accept()
    for mid in (1, 2, 3):
        line.send(publish(_TOPIC, b"twice", 2, mid))
        while (answer := line.receive())[0] != _PUBREC:
            pass
        assert answer[2:] == mid.to_bytes(2, "big")
    whole = publish(_TOPIC, b"{" + publish(_FORGED, b"") + b"}")
    cut = len(whole) - len(publish(_FORGED, b"")) - 1
    line.send(_PINGREQ + whole[:cut])
    while line.receive() != _PINGRESP:
        pass
    line.send(whole[cut:] + released(1) + released(2) + released(3))
    found = [taken(inbox) for _ in range(4)]
    assert [one.topic for one in found] == [_TOPIC.decode()] * 4
    assert [one.qos for one in found] == [0, 2, 2, 2]


def test_a_topic_that_is_not_utf_8_is_told_of_at_any_quality_of_service(
    connect: Callable[[], _Line], inbox: Inbox
) -> None:
    line = connect()
    line.accept()
    for qos in (0, 1, 2):
        line.send(publish(b"tsuji/\xff", b"{}", qos, 7))
    line.send(released(7))
    found = [taken(inbox) for _ in range(3)]
    assert {one.topic for one in found} == {"a topic that is not UTF-8"}
    assert [one.qos for one in found] == [0, 1, 2]


def test_what_came_over_an_earlier_connection_is_not_taken_for_the_next_ones(
    connect: Callable[[], _Line], inbox: Inbox
) -> None:
    refused_version = b"\x20\x02\x00\x01"  # upon which paho connects anew at once, by MQTT 3.1
    connect().send(refused_version + publish(_FORGED, b"", 1, 1))
    line = connect()
    line.accept()
    line.send(publish(_TOPIC, b"{}", 1, 1))
    assert taken(inbox).topic == _TOPIC.decode()
