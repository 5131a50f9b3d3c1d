"""Simulated days stay near to counted and measured ones: the figures of docs/comparison.md, within bounds."""

from pathlib import Path

import numpy as np
import pytest
from bench.comparison import (
    COUNTERS,
    Temperature,
    amedas,
    correlation,
    melbourne,
    simulated_footfall,
    simulated_temperature,
)


def test_footfall_is_near_to_that_of_melbourne(data_folder: Path) -> None:
    counted = melbourne(data_folder / "footfall" / "melbourne_hourly_2014_raw.csv")
    simulated = simulated_footfall(weeks=2)
    for kind in COUNTERS:
        real, ours = counted[kind], simulated[kind]
        assert correlation(real.shape("weekday"), ours.shape("weekday")) > 0.6, kind
        assert correlation(real.shape("holiday"), ours.shape("holiday")) > 0.8, kind
        assert 0.5 < ours.spread("weekday") / real.spread("weekday") < 1.5, kind
        assert ours.dispersion("weekday") > 5, kind  # chance alone makes 1
        assert 0.6 < ours.persistence("weekday") < 0.95, kind
    assert simulated["office"].total("holiday") < 0.5 < simulated["park"].total("holiday")


@pytest.fixture(scope="module")
def temperatures(data_folder: Path) -> tuple[Temperature, Temperature]:
    folder = data_folder / "weather"
    measured, days = amedas(folder / "amedas_tokyo_hourly_2023-07_2023-12.csv")
    ours = simulated_temperature(folder / "amedas_tokyo_stations.csv", days, measured.hours)
    return measured, ours


def test_temperature_is_near_to_that_of_amedas(
    temperatures: tuple[Temperature, Temperature],
) -> None:
    real, ours = temperatures
    for month in (8, 9, 10, 11):
        assert correlation(real.cycle(month), ours.cycle(month)) > 0.93, month
        assert abs(int(np.nanargmax(real.cycle(month))) - int(np.nanargmax(ours.cycle(month)))) <= 2
        assert abs(int(np.nanargmin(real.cycle(month))) - int(np.nanargmin(ours.cycle(month)))) <= 2
        below = np.nanmean(real.of(month)) - np.nanmean(ours.of(month))
        assert -1.5 < below < 5, month  # 2023 was a warm year
    assert 0.85 < ours.range().mean() / real.range().mean() < 1.15
    assert 0.6 < ours.between_days() / real.between_days() < 1.5
    assert 0.5 < ours.step() / real.step() < 1.5
    assert abs(ours.persistence(1) - real.persistence(1)) < 0.03
    assert abs(ours.persistence(24) - real.persistence(24)) < 0.3
    assert abs(ours.togetherness() - real.togetherness()) < 0.08
