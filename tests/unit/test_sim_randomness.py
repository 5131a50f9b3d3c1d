"""The random numbers have the distributions that they claim, and hang on nothing but key and position."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsuji_simulators import randomness as r

POSITIONS = np.arange(200_000)
KEY = r.key(1, "test")


def test_keys_are_the_same_everywhere() -> None:
    assert int(r.key(1, "pole-001", "air_temperature")) == 14601773801765644051
    assert r.key("a", "b") != r.key("ab")
    assert r.key(1, "a") != r.key(2, "a")


def test_numbers_are_those_of_splitmix64() -> None:
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]  # of seed 0
    drawn = r.uniform(np.uint64(0), np.arange(3))
    assert drawn.tolist() == [((bits >> 11) + 0.5) * 2.0**-53 for bits in published]


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=20))
def test_a_number_does_not_hang_on_its_neighbours(positions: list[int]) -> None:
    together = r.uniform(KEY, np.array(positions))
    alone = [r.uniform(KEY, np.array([position]))[0] for position in positions]
    assert together.tolist() == alone
    assert ((together > 0) & (together < 1)).all()


def test_uniform_and_normal_have_their_moments() -> None:
    uniform, normal = r.uniform(KEY, POSITIONS), r.normal(KEY, POSITIONS)
    assert uniform.mean() == pytest.approx(0.5, abs=0.003)
    assert uniform.var() == pytest.approx(1 / 12, abs=0.001)
    assert normal.mean() == pytest.approx(0, abs=0.01)
    assert normal.std() == pytest.approx(1, abs=0.01)
    assert np.corrcoef(normal[1:], normal[:-1])[0, 1] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("mean", [0.0, 0.01, 0.7, 5.0, 39.9, 40.1, 900.0])
def test_poisson_has_mean_and_variance(mean: float) -> None:
    counts = r.poisson(KEY, POSITIONS, np.full(POSITIONS.shape, mean))
    assert counts.dtype == np.int64
    assert (counts >= 0).all()
    assert counts.mean() == pytest.approx(mean, rel=0.01, abs=0.001)
    assert counts.var() == pytest.approx(mean, rel=0.03, abs=0.001)


@pytest.mark.parametrize("mean", [0.5, 12.0, 300.0])
@pytest.mark.parametrize("shape", [5.0, 10.0])
def test_negative_binomial_is_over_dispersed_as_said(mean: float, shape: float) -> None:
    counts = r.negative_binomial(KEY, POSITIONS, np.full(POSITIONS.shape, mean), shape)
    assert counts.mean() == pytest.approx(mean, rel=0.01)
    assert counts.var() == pytest.approx(mean + mean**2 / shape, rel=0.04)


def test_whole_keeps_the_mean() -> None:
    rounded = r.whole(KEY, POSITIONS, np.full(POSITIONS.shape, 2.3))
    assert set(rounded.tolist()) == {2, 3}
    assert rounded.mean() == pytest.approx(2.3, abs=0.01)


def test_smooth_wanders_with_unit_variance_and_without_jumps() -> None:
    signal = r.smooth(KEY, np.arange(0, 3_000_000, 60), 3600)
    assert signal.std() == pytest.approx(1, abs=0.08)
    assert np.abs(np.diff(signal)).max() < 0.2


def test_field_wanders_without_jumps() -> None:
    values = r.field(KEY, 3.0, 10.0, np.arange(0, 3_000_000, 60), scale_km=2.0, scale_s=3600)
    assert np.abs(np.diff(values)).max() < 0.2


def test_field_agrees_between_neighbours_and_not_between_strangers() -> None:
    time = np.arange(0, 4_000_000, 1800)

    def at(east: float) -> r.Floats:
        return r.field(KEY, east, 10.0, time, scale_km=2.0, scale_s=7200)

    assert np.corrcoef(at(3.0), at(3.05))[0, 1] > 0.99
    assert abs(np.corrcoef(at(3.0), at(40.0))[0, 1]) < 0.15
    assert at(3.0).std() == pytest.approx(1, abs=0.12)
