"""Moments of the process's clock as seconds since the boot: in order, and after the machine has slept."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuji_platform import uptime


def test_now_is_now() -> None:
    before = uptime.uptime_s()
    assert before - 0.01 <= uptime.since_boot(time.monotonic()) <= uptime.uptime_s() + 0.01


@given(st.floats(min_value=0, max_value=1e8))
def test_one_moment_remains_one_and_earlier_ones_stay_earlier(moment: float) -> None:
    first = uptime.since_boot(moment)
    assert {uptime.since_boot(moment) for _ in range(20)} == {first}
    assert uptime.since_boot(moment + 1e-3) > first


def test_a_running_process_notices_that_the_machine_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uptime, "_DISTANCE", uptime._Distance())
    moment = time.monotonic()
    awake = uptime.since_boot(moment)
    clock = uptime.uptime_s
    monkeypatch.setattr(uptime, "uptime_s", lambda: clock() + 100)
    assert uptime.since_boot(moment) == pytest.approx(awake + 100, abs=0.01)
