"""When a thing counts as silent."""

from datetime import timedelta

import pytest

from samples import T0
from tsuji_platform.analytics.freshness import State, state


@pytest.mark.parametrize(
    ("age", "period_s", "expected"),
    [
        (timedelta(0), None, State.LIVE),
        (timedelta(minutes=15), None, State.LIVE),
        (timedelta(minutes=15, microseconds=1), None, State.SILENT),
        (timedelta(minutes=-4), None, State.LIVE),  # its clock runs ahead of ours
        (timedelta(minutes=15), 60, State.LIVE),  # a short period makes nobody impatient
        (timedelta(hours=2), 3600, State.LIVE),
        (timedelta(hours=2, microseconds=1), 3600, State.SILENT),
    ],
)
def test_state(age: timedelta, period_s: int | None, expected: State) -> None:
    assert state(T0 - age, period_s, T0) is expected


def test_one_that_never_spoke_is_waited_for() -> None:
    assert state(None, None, T0) is State.WAITING
    assert state(None, 3600, T0) is State.WAITING
