"""What is made ahead comes whole and in order, with its errors, and no more of it than is wanted."""

import itertools
import threading
from collections.abc import Iterator

import pytest

from tsuji_simulators.ahead import ahead


@pytest.mark.parametrize("length", [0, 1, 3, 4, 1_000])
def test_all_of_it_in_its_order(length: int) -> None:
    assert list(ahead(iter(range(length)), batch=4, batches=2)) == list(range(length))


def test_an_error_comes_behind_what_came_before() -> None:
    def broken() -> Iterator[int]:
        yield from range(10)
        raise ValueError("no more")

    stream = ahead(broken(), batch=2, batches=2)
    assert list(itertools.islice(stream, 10)) == list(range(10))
    with pytest.raises(ValueError, match="no more"):
        next(stream)


def test_whoever_stops_wanting_ends_the_making() -> None:
    made = itertools.count()
    threads = set(threading.enumerate())
    stream = ahead(made, batch=5, batches=3)
    assert [next(stream) for _ in range(7)] == list(range(7))
    stream.close()
    assert set(threading.enumerate()) <= threads
    assert next(made) <= 5 * (3 + 3)
