"""PUBLISH packets are taken out of a stream however it is cut; all else is left to paho."""

import contextlib
import random
import socket
import ssl
import threading
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


def test_paho_gets_nothing_of_a_packet_that_is_not_whole(
    line: tuple[socket.socket, BufferedSocket],
) -> None:
    """It asks for several packets in one go where it holds messages of QoS 2."""
    theirs, ours = line
    one = encoded(Publish(b"t", b"payload", 7, 1, False))
    theirs.sendall(_PINGRESP + one[:5])
    ours.receive()
    assert ours.recv(1) + ours.recv(1) == _PINGRESP
    with pytest.raises(BlockingIOError):
        ours.recv(1)
    theirs.sendall(one[5:])
    ours.receive()
    assert len(list(ours.publishes(9))) == 1


def test_paho_gets_a_length_of_five_bytes_only_where_all_of_them_are_there(
    line: tuple[socket.socket, BufferedSocket],
) -> None:
    theirs, ours = line
    theirs.sendall(b"\x30\xff\xff\xff\xff")
    ours.receive()
    assert not ours.ready()
    theirs.sendall(encoded(Publish(b"forged", b"", 0, 0, False)))
    ours.receive()
    assert list(ours.publishes(9)) == []
    assert ours.ready()
    assert ours.recv(6) == b"\x30\xff\xff\xff\xff\x30"


def test_what_is_not_taken_out_stays_with_the_network(
    line: tuple[socket.socket, BufferedSocket],
) -> None:
    """A flood of small packets comes quicker than they are taken: the rest must not pile up here."""
    theirs, ours = line
    theirs.setblocking(False)
    flood = encoded(Publish(b"t", b"", 0, 0, False)) * 10_000
    most, unsent = 0, b""
    for _ in range(100):
        with contextlib.suppress(BlockingIOError):
            while True:
                unsent = unsent or flood
                unsent = unsent[theirs.send(unsent) :]
        ours.receive()
        most = max(most, ours.pending())
        list(ours.publishes(1))
    assert 0 < most < 2 * 262_144


def _without_certificates(kind: int) -> ssl.SSLContext:
    context = ssl.SSLContext(kind)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    return context


def test_a_connection_over_tls_waits_for_room_and_loses_nothing() -> None:
    near, far = socket.socketpair()
    accepted: list[ssl.SSLSocket] = []
    server = _without_certificates(ssl.PROTOCOL_TLS_SERVER)
    thread = threading.Thread(
        target=lambda: accepted.append(server.wrap_socket(far, server_side=True))
    )
    thread.start()
    secured = _without_certificates(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(near)
    thread.join()
    (theirs,) = accepted
    secured.setblocking(False)
    theirs.setblocking(False)
    with secured, theirs:
        ours = BufferedSocket(secured)
        sent = random.Random(1).randbytes(4_000_000)
        ours.send(sent)
        ours.flush()  # more than there is room for
        got = bytearray()
        while len(got) < len(sent):
            with contextlib.suppress(ssl.SSLWantReadError):
                got += theirs.recv(65_536)
            ours.flush()
            ours.receive()
            assert not ours.ready(), "nothing has ended"
        assert bytes(got) == sent
