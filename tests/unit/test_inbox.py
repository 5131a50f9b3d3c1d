"""What ingest holds is bounded, and what will come again needs no place twice."""

import queue
from datetime import UTC, datetime

import pytest

from tsuji_ingest.inbox import Inbox
from tsuji_ingest.packet import Packet


def packet(number: int, qos: int = 1, connection: int = 1, size: int = 1) -> Packet:
    return Packet(
        topic="t",
        payload=b"x" * size,
        received_at=datetime.now(UTC),
        mid=number,
        qos=qos,
        connection=connection,
    )


def drain(inbox: Inbox) -> list[Packet]:
    packets = []
    while True:
        try:
            packets.append(inbox.get_nowait())
        except queue.Empty:
            return packets


def test_what_was_taken_out_is_held_until_it_is_settled() -> None:
    inbox = Inbox(packets=3)
    assert [inbox.offer(packet(number)) for number in range(5)] == [True] * 3 + [False] * 2
    taken = drain(inbox)
    assert [one.mid for one in taken] == [0, 1, 2]
    assert not inbox.offer(packet(5))
    inbox.settle(taken[:1])
    assert inbox.offer(packet(6))
    assert not inbox.roomy
    inbox.settle([*taken[1:], *drain(inbox)])
    assert inbox.held == 0
    assert inbox.roomy


def test_qos_0_leaves_room_for_what_the_broker_would_have_to_send_again() -> None:
    inbox = Inbox(packets=10)
    assert [inbox.offer(packet(number, qos=0)) for number in range(6)] == [True] * 5 + [False]
    assert inbox.offer(packet(6))
    assert not inbox.offer(packet(7, qos=0))


def test_octets_are_bounded_but_for_a_single_large_one() -> None:
    inbox = Inbox(octets=100)
    assert inbox.offer(packet(0, size=5_000))
    assert not inbox.offer(packet(1))
    inbox.settle(drain(inbox))
    assert inbox.offer(packet(2, size=60))
    assert not inbox.offer(packet(3, size=60))
    assert inbox.offer(packet(4, size=30))


def test_only_what_the_session_that_goes_on_sends_again_is_withdrawn() -> None:
    inbox = Inbox()
    for number, (qos, connection) in enumerate([(1, 1), (0, 1), (1, 2), (0, 2), (1, 3), (0, 3)]):
        assert inbox.offer(packet(number, qos, connection))
    assert inbox.withdraw(since=2) == 2
    assert inbox.held == 4
    assert [one.mid for one in drain(inbox)] == [0, 1, 3, 5]


def test_an_empty_one_says_so_after_a_while() -> None:
    with pytest.raises(queue.Empty):
        Inbox().get(timeout=0.01)
