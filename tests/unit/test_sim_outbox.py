"""What a publisher holds: everything unacknowledged, some of what was acknowledged, and no gap."""

from hypothesis import given
from hypothesis import strategies as st

from tsuji_simulators.outbox import Message, Outbox


def message(number: int) -> Message:
    return Message(topic="t", payload=str(number).encode(), retain=False)


def held(outbox: Outbox) -> list[int]:
    return [int(one.payload) for one in outbox.all()]


def test_what_was_acknowledged_is_held_until_something_is_acknowledged_long_after() -> None:
    outbox = Outbox(keep_s=2.0, keep_most=100)
    messages = [message(n) for n in range(4)]
    for one in messages:
        outbox.add(one)
    assert outbox.waiting == 4
    for one, now in zip(messages, (10.0, 11.0, 11.9, 12.5), strict=True):
        assert outbox.confirm(one, now)
        assert one.receipt.acknowledged_at == now
    assert held(outbox) == [1, 2, 3]
    assert outbox.waiting == 0


def test_no_more_are_held_than_allowed() -> None:
    outbox = Outbox(keep_s=1000, keep_most=3)
    for number in range(10):
        one = message(number)
        outbox.add(one)
        outbox.confirm(one, float(number))
    assert held(outbox) == [7, 8, 9]


def test_nothing_acknowledged_is_held_where_that_is_switched_off() -> None:
    outbox = Outbox(keep_s=0, keep_most=100)
    one, other = message(1), message(2)
    outbox.add(one)
    outbox.add(other)
    outbox.confirm(one, 0.0)
    assert held(outbox) == [2]


def test_after_a_loss_all_is_to_be_sent_and_a_second_acknowledgement_is_not_a_first() -> None:
    outbox = Outbox(keep_s=2.0, keep_most=100)
    one, other = message(1), message(2)
    outbox.add(one)
    outbox.add(other)
    assert outbox.confirm(one, 5.0)
    outbox.lose()
    assert (held(outbox), outbox.waiting) == ([1, 2], 2)
    assert not outbox.confirm(one, 6.0)
    assert one.receipt.acknowledged_at == 5.0
    assert outbox.confirm(other, 6.0)
    assert outbox.waiting == 0
    outbox.lose()  # the next broker may forget them, too
    assert held(outbox) == [1, 2]


@given(
    st.lists(st.sampled_from(["add", "confirm", "confirm any", "lose", "wait"]), max_size=60),
    st.randoms(use_true_random=False),
)
def test_what_is_held_has_no_gap_and_all_that_is_unacknowledged(steps, generator) -> None:
    outbox, taken, now = Outbox(keep_s=2.0, keep_most=5), [], 0.0
    for step in steps:
        unconfirmed = [one for one in outbox.all() if one.confirmed_at is None]
        if step == "add":
            taken.append(message(len(taken)))
            outbox.add(taken[-1])
        elif step == "confirm" and unconfirmed:
            outbox.confirm(unconfirmed[0], now)
        elif step == "confirm any" and unconfirmed:
            outbox.confirm(generator.choice(unconfirmed), now)
        elif step == "lose":
            outbox.lose()
        elif step == "wait":
            now += 1.5
        numbers = held(outbox)
        assert numbers == list(range(len(taken) - len(numbers), len(taken)))
        assert all(one.receipt.is_acknowledged or one in outbox.all() for one in taken)
        assert outbox.waiting == sum(one.confirmed_at is None for one in outbox.all())
