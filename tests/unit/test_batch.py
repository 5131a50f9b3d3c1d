"""When a batch is due: by size, by age, by a clock of the caller's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuji_ingest.batch import Batch


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def batch(clock: Clock) -> Batch[int]:
    return Batch(3, 0.5, clock)


def test_an_empty_batch_is_never_due(batch: Batch[int], clock: Clock) -> None:
    clock.now += 1000
    assert not batch.due
    assert batch.wait_s(idle_s=7) == 7
    assert batch.take() == []


def test_it_is_due_when_full(batch: Batch[int]) -> None:
    batch.add(1)
    batch.add(2)
    assert not batch.due
    batch.add(3)
    assert batch.due
    assert batch.take() == [1, 2, 3]
    assert len(batch) == 0
    assert not batch.due


def test_it_is_due_when_the_oldest_has_waited_long_enough(batch: Batch[int], clock: Clock) -> None:
    batch.add(1)
    clock.now += 0.3
    batch.add(2)
    assert batch.wait_s() == pytest.approx(0.2)
    assert not batch.due
    clock.now += 0.2
    assert batch.due
    assert batch.wait_s() == 0
    clock.now += 100
    assert batch.wait_s() == 0  # never negative


def test_the_next_batch_has_an_age_of_its_own(batch: Batch[int], clock: Clock) -> None:
    batch.add(1)
    clock.now += 10
    batch.take()
    batch.add(2)
    assert not batch.due
    assert batch.wait_s() == pytest.approx(0.5)


@given(st.lists(st.one_of(st.integers(), st.none()), max_size=50), st.integers(1, 5))
def test_nothing_is_lost_doubled_or_reordered(items: list[int | None], limit: int) -> None:
    batch: Batch[int] = Batch(limit, 1, lambda: 0)
    taken: list[int] = []
    for item in items:
        if item is None or batch.due:
            assert len(batch) <= limit
            taken += batch.take()
        if item is not None:
            batch.add(item)
    taken += batch.take()
    assert taken == [item for item in items if item is not None]


def test_it_is_due_when_heavy(clock: Clock) -> None:
    batch: Batch[bytes] = Batch(1000, 0.5, clock, max_weight=10, weigh=len)
    batch.add(b"12345")
    assert not batch.due
    batch.add(b"67890")
    assert batch.due
    assert batch.take() == [b"12345", b"67890"]
    batch.add(b"1")
    assert not batch.due
