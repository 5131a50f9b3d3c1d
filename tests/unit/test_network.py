"""PUBLISH packets are taken out of a stream however it is cut; all else is left to paho."""

import random
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.client import MQTTv311
from paho.mqtt.client import _packet as paho_packet

from tsuji_ingest.network import BufferedSocket, Publish

_PINGRESP = b"\xd0\x00"


def length(value: int) -> bytes:
    """The variable byte integer of MQTT 3.1.1, section 2.2.3."""
    octets = bytearray()
    while True:
        value, low = divmod(value, 128)
        octets.append(low | (128 if value else 0))
        if not value:
            return bytes(octets)


def parts(publish: Publish) -> tuple[int, bytes]:
    """The first byte of a packet, and all that follows its length."""
    mid = publish.mid.to_bytes(2, "big") if publish.qos else b""
    topic = len(publish.topic).to_bytes(2, "big") + publish.topic
    return 0x30 | publish.qos << 1 | publish.retain, topic + mid + publish.payload


def encoded(publish: Publish) -> bytes:
    first, body = parts(publish)
    return bytes([first]) + length(len(body)) + body


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, BufferedSocket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield theirs, BufferedSocket(ours)


publishes = st.builds(
    lambda topic, payload, mid, qos, retain: Publish(
        topic, payload, mid if qos else 0, qos, retain
    ),
    st.binary(min_size=1, max_size=200),
    st.one_of(st.binary(max_size=60), st.integers(0, 40_000).map(bytes)),
    st.integers(1, 65_535),
    st.integers(0, 1),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(
    packets=st.lists(st.one_of(publishes, st.just(_PINGRESP)), max_size=12), seed=st.integers(0, 99)
)
def test_a_stream_cut_anywhere_gives_the_packets_in_their_order(packets, seed) -> None:
    wire = b"".join(one if isinstance(one, bytes) else encoded(one) for one in packets)
    chance = random.Random(seed)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    found: list[Publish | bytes] = []
    with ours, theirs:
        line = BufferedSocket(ours)
        while wire:
            cut = chance.randint(1, 5_000)
            theirs.sendall(wire[:cut])
            wire = wire[cut:]
            line.receive()
            while True:
                found += line.publishes(100)
                if not line.ready():
                    break
                found.append(line.recv(1) + line.recv(1))  # what paho asks for
    assert found == packets


@settings(max_examples=60, deadline=None)
@given(publish=publishes)
def test_a_packet_means_what_paho_reads_in_it(publish: Publish) -> None:
    read = paho_packet.decode_publish(*parts(publish), MQTTv311)
    assert (read.topic, read.payload, read.mid, read.qos, read.retain) == (
        publish.topic,
        publish.payload,
        publish.mid,
        publish.qos,
        publish.retain,
    )


@pytest.mark.parametrize(
    "wire",
    [
        b"\x30\x00",  # no room for a topic
        b"\x32\x03\x00\x01t",  # QoS 1 without a packet id
        b"\x30\x02\x00\x00",  # an empty topic
        b"\x30\x04\x00\x09to",  # a topic longer than its packet
        b"\x34\x05\x00\x01t\x00\x01",  # QoS 2
        b"\x30\xff\xff\xff\xff\x7f",  # a length of five bytes
    ],
)
def test_what_is_none_of_ours_is_left_to_paho(
    line: tuple[socket.socket, BufferedSocket], wire: bytes
) -> None:
    theirs, ours = line
    theirs.sendall(wire)
    ours.receive()
    assert list(ours.publishes(9)) == []
    assert ours.ready()
    assert ours.recv(99) == wire


def test_no_more_than_asked_for_are_taken(line: tuple[socket.socket, BufferedSocket]) -> None:
    theirs, ours = line
    one = Publish(b"t", b"payload", 7, 1, False)
    theirs.sendall(encoded(one) * 5)
    ours.receive()
    assert len(list(ours.publishes(3))) == 3
    assert len(list(ours.publishes(3))) == 2


def test_the_end_of_a_connection_shows_once_all_before_it_is_taken(
    line: tuple[socket.socket, BufferedSocket],
) -> None:
    theirs, ours = line
    theirs.sendall(encoded(Publish(b"t", b"", 0, 0, False)) + b"\x30\x09\x00")
    theirs.close()
    ours.receive()
    ours.receive()
    assert len(list(ours.publishes(9))) == 1
    assert ours.ready()
    assert ours.recv(99) == b"\x30\x09\x00"
    assert ours.recv(99) == b""


def test_nothing_to_read_is_no_end(line: tuple[socket.socket, BufferedSocket]) -> None:
    _, ours = line
    ours.receive()
    assert not ours.ready()
    with pytest.raises(BlockingIOError):
        ours.recv(1)
