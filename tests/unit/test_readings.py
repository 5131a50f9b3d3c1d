"""Values that are believed together are those that are believed one by one."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tsuji_platform.contract import OBSERVED_PROPERTIES, Observation, RejectedError
from tsuji_platform.contract import readings as module
from tsuji_platform.contract.messages import observe
from tsuji_platform.contract.readings import Readings, believed

_TIME = datetime(2026, 4, 1, tzinfo=UTC)
_values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.integers(-5, 400),
    st.just(10**400),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
)
_results = st.dictionaries(
    st.sampled_from([*OBSERVED_PROPERTIES, "unheard_of"]), _values, min_size=1, max_size=6
)


def _one_by_one(results: dict[str, object], period_s: int | None) -> list[Observation] | None:
    try:
        return [observe("pole", name, _TIME, value, period_s) for name, value in results.items()]
    except (RejectedError, OverflowError):
        return None


@given(results=_results, period_s=st.sampled_from([None, 60]))
def test_all_at_once_is_what_it_is_one_by_one(results, period_s) -> None:
    reading = believed("pole", _TIME, results, period_s)
    expected = _one_by_one(results, period_s)
    if reading is None:
        assert expected is None
        return
    assert list(reading.observations()) == expected
    assert all(type(one.result) is float for one in reading.observations())


@given(results=st.lists(_results, max_size=4))
def test_a_sequence_of_observations_however_it_is_held(results) -> None:
    good = [one for each in results for one in _one_by_one(each, 60) or ()]
    held = Readings.of(good)
    assert len(held) == len(good)
    assert list(held) == good
    assert held == good
    assert held[1:] == good[1:]
    assert Readings.of(held) is held
    if good:
        assert held[-1] == good[-1]
        assert held.newest_time == _TIME


def test_names_of_strangers_are_not_remembered() -> None:
    before = dict(module._shapes)
    for number in range(100):
        assert believed("pole", _TIME, {f"{number}" * 1_000: 1.0}, None) is None
    assert module._shapes == before
