"""A wall clock that is set shows; one that is slewed, or read late, does not."""

from datetime import UTC, datetime, timedelta

import pytest

from tsuji_ingest.clock import ClockWatch

BEGUN = datetime(2026, 4, 1, tzinfo=UTC)


class Clocks:
    """A wall clock and one that nobody sets, moved by the test."""

    def __init__(self) -> None:
        self.wall = BEGUN
        self.steady = 5_000.0
        self.watch = ClockWatch(lambda: self.wall, lambda: self.steady)

    def go_on(self, seconds: float, *, off: float = 0.0) -> None:
        """Time goes on; the wall clock errs by `off` seconds meanwhile."""
        self.steady += seconds
        self.wall += timedelta(seconds=seconds + off)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_a_clock_that_goes_right_shows_nothing(clocks: Clocks) -> None:
    for seconds in (0, 0.1, 1, 3_600, 86_400 * 30):
        clocks.go_on(seconds)
        assert clocks.watch.look() is None


@pytest.mark.parametrize("size", [86_400, -86_400, 300, -2, 1.5, 365 * 86_400])
def test_a_step_shows_once_with_size_and_direction(clocks: Clocks, size: float) -> None:
    clocks.go_on(10)
    assert clocks.watch.look() is None
    clocks.go_on(7, off=size)
    step = clocks.watch.look()
    assert step is not None
    assert step.size == timedelta(seconds=size)
    assert step.forward == (size > 0)
    assert step.now == clocks.wall
    clocks.go_on(7)
    assert clocks.watch.look() is None


def test_every_step_shows(clocks: Clocks) -> None:
    for size in (-86_400, 120, 120, 86_160):
        clocks.go_on(1, off=size)
        step = clocks.watch.look()
        assert step is not None
        assert step.size == timedelta(seconds=size)


@pytest.mark.parametrize("rate", [500e-6, -500e-6])
def test_slewing_shows_nothing_however_far_it_goes(clocks: Clocks, rate: float) -> None:
    """The fastest that the kernel slews, though it would slew both clocks alike."""
    for _ in range(86_400):
        clocks.go_on(1, off=rate)
        assert clocks.watch.look() is None
    assert abs(clocks.wall - BEGUN - timedelta(seconds=86_400)) > timedelta(seconds=43)


def test_steps_below_the_tolerance_are_none(clocks: Clocks) -> None:
    for off in (0.9, -0.9, 0.5):
        clocks.go_on(1, off=off)
        assert clocks.watch.look() is None


@pytest.mark.parametrize("turn", [1, 2])
def test_a_wait_between_the_readings_of_the_two_clocks_is_no_step(turn: int) -> None:
    """Wherever a busy machine lets us wait: before the wall clock is read, or behind that."""
    time_s = 0.0
    waits = [0.0] * 3

    def steady() -> float:
        nonlocal time_s
        time_s += waits.pop(0) if waits else 0.0
        return time_s

    watch = ClockWatch(lambda: BEGUN + timedelta(seconds=steady()), steady)
    time_s += 10
    waits[:] = [0.0] * turn + [30.0]
    assert watch.look() is None
    time_s += 10
    assert watch.look() is None
    assert watch.believed_for_s == 50


def test_a_machine_that_slept_shows_nothing_where_both_clocks_went_on(clocks: Clocks) -> None:
    clocks.go_on(8 * 3_600)
    assert clocks.watch.look() is None


def test_the_clock_is_believed_since_its_last_step(clocks: Clocks) -> None:
    clocks.go_on(100)
    clocks.watch.look()
    assert clocks.watch.believed_for_s == 100
    clocks.go_on(10, off=5)
    clocks.watch.look()
    assert clocks.watch.believed_for_s == 0
    clocks.go_on(30)
    clocks.watch.look()
    assert clocks.watch.believed_for_s == 30
