"""What goes over the wire is what paho would send and read, however it is cut."""

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from tsuji_simulators.wire import ReadAhead, WireClient

SHORT = st.integers(1, 65_535).map(lambda mid: (b"\x40\x02" + mid.to_bytes(2, "big"), (mid, 0)))
LONG = st.tuples(
    st.integers(1, 65_535), st.sampled_from((0, 0x10)), st.sampled_from((b"", b"\0"))
).map(
    lambda one: (
        bytes([0x40, 3 + len(one[2])]) + one[0].to_bytes(2, "big") + bytes([one[1]]) + one[2],
        one[:2],
    )
)
OTHER = st.sampled_from(
    (
        b"\xd0\x00",  # a ping's answer
        b"\x40\x03\x01\x00\x97",  # over quota
        b"\x40\x09\x01\x00\x10\x05\x1f\x00\x02ab",  # with a property
        b"\x50\x02\x00\x07",  # received, of QoS 2
    )
).map(lambda it: (it, None))


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, ReadAhead]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield theirs, ReadAhead(ours)


@settings(max_examples=60)
@given(st.lists(st.one_of(SHORT, LONG, OTHER), max_size=30), st.lists(st.integers(1, 40)))
def test_what_comes_is_what_was_sent(
    packets: list[tuple[bytes, tuple[int, int] | None]], cuts: list[int]
) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        reader = ReadAhead(ours)
        whole = b"".join(packet for packet, _ in packets)
        found: list[tuple[int, int] | None] = []
        left_over = b""
        pieces = [*cuts, len(whole)]
        for size in pieces:
            piece, whole = whole[:size], whole[size:]
            theirs.sendall(piece)
            while True:
                if not left_over and (ack := reader.puback()) is not None:
                    found.append(ack)
                    continue
                try:
                    left_over += reader.recv(1)  # as paho does, byte by byte
                except BlockingIOError:
                    break
                end = 2 + left_over[1] if len(left_over) > 1 else 2
                if len(left_over) == end:
                    kind, reason = left_over[0], left_over[4] if end > 4 else 0
                    is_plain = kind == 0x40 and reason in (0, 0x10) and end <= 6
                    mid = int.from_bytes(left_over[2:4], "big")
                    found.append((mid, reason) if is_plain else None)
                    left_over = b""
        assert left_over == b""
        assert found == [ack for _, ack in packets]


def test_nothing_waits_unseen(line: tuple[socket.socket, ReadAhead]) -> None:
    theirs, reader = line
    theirs.sendall(b"abcdef")
    assert reader.pending() == 0
    assert reader.recv(2) == b"ab"
    assert reader.pending() == 4
    assert reader.recv(9) == b"cdef"
    assert reader.pending() == 0
    theirs.close()
    assert reader.recv(1) == b""


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(30)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
@pytest.mark.parametrize("size", [0, 1, 120, 128, 16_384, 300_000])
def test_what_goes_out_is_what_paho_would_send(
    version: MQTTProtocolVersion, size: int, ends: tuple[socket.socket, socket.socket]
) -> None:
    plain = Client(CallbackAPIVersion.VERSION2, protocol=version)
    ours = WireClient(CallbackAPIVersion.VERSION2, protocol=version)
    plain._sock = ours._sock = ends[0]
    plain._thread = ours._thread = threading.current_thread()  # nobody else sends meanwhile
    for retain in (False, True):
        plain.publish("a/ä", b"x" * size, qos=1, retain=retain)
        assert ours.publish_once("a/ä".encode(), b"x" * size, retain)
    wanted = b"".join(bytes(one["packet"]) for one in plain._out_packet)
    received = b""
    while len(received) < len(wanted):
        assert ours._packet_write() in (
            MQTTErrorCode.MQTT_ERR_SUCCESS,
            MQTTErrorCode.MQTT_ERR_AGAIN,
        )
        received += ends[1].recv(1 << 20)
    assert received == wanted
    assert not ours._out_packet
    plain._sock = ours._sock = None


def test_each_acknowledgement_is_told_once_whatever_it_says(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    client = WireClient(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    told: list[tuple[int, str]] = []
    client.on_publish = lambda _client, _data, mid, reason, _: told.append((mid, str(reason)))
    client._sock = ReadAhead(ends[0])
    client._thread = threading.current_thread()
    mids = [client.publish_once(b"a", b"x", False) for _ in range(3)]
    assert mids == [1, 2, 3]
    ends[1].sendall(b"\x40\x03\0\x02\x97" + b"\x40\x03\0\x01\x10" + b"\x40\x02\0\x03" * 2)
    client.loop_read()
    client.loop_read()
    assert told == [(2, "Quota exceeded"), (1, "No matching subscribers"), (3, "Success")]
    client._sock = None
