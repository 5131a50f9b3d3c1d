"""What works raises no alarm: the simulated city and real recordings under the rules in force."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from quality_reference import flags_of
from tsuji_platform.contract import OBSERVED_PROPERTIES, Observation
from tsuji_platform.contract.quality import QUALITY_RULES, Flag
from tsuji_simulators.fleet import Member
from tsuji_simulators.randomness import Integers
from tsuji_simulators.recorded import amedas, melbourne
from tsuji_simulators.scenario_files import load_scenario
from tsuji_simulators.signals import results

CITY = load_scenario("ordinary-day")


Alarm = tuple[str, Flag, datetime]


def alarms(readings: Iterable[Observation]) -> tuple[list[Alarm], Counter[str]]:
    """Every flag, and how many readings of each observed property were looked at."""
    series: defaultdict[tuple[str, str], dict[datetime, float]] = defaultdict(dict)
    for it in readings:
        series[it.thing_id, it.observed_property][it.phenomenon_time] = it.result
    found: list[Alarm] = []
    seen: Counter[str] = Counter()
    for (_, name), one in series.items():
        ordered = sorted(one.items())
        for (time, _), flags in zip(ordered, flags_of(ordered, QUALITY_RULES[name]), strict=True):
            found += [(name, flag, time) for flag in flags]
            seen[name] += 1
    return found, seen


def readings_of(member: Member, ends: Integers) -> Iterable[Observation]:
    for name, values in results(CITY, 1, member, ends, 60).items():
        period_s = 60 if OBSERVED_PROPERTIES[name].is_count else None
        for end, value in zip(ends.tolist(), values.tolist(), strict=True):
            time = datetime.fromtimestamp(end, UTC)
            yield Observation(
                thing_id=member.id,
                observed_property=name,
                phenomenon_time=time,
                result=value,
                period_s=period_s,
            )


@pytest.mark.parametrize("start", ["2026-06-20", "2026-09-05", "2026-01-10"])
def test_two_days_of_the_simulated_city_raise_no_alarm(start: str) -> None:
    begin = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp())
    minutes = np.arange(begin, begin + 2 * 86_400, 60)
    members = CITY.members[:: len(CITY.members) // 9]
    found, seen = alarms(
        it for member in members for it in readings_of(member, minutes + member.offset_s)
    )
    assert set(seen) == {name for member in members for name in member.datastreams}
    assert found == []


def test_recorded_feeds_raise_no_alarm(data_folder: Path) -> None:
    counted = melbourne.read(
        data_folder / "footfall" / "melbourne_hourly_2014_raw.csv",
        data_folder / "footfall" / "melbourne_sensor_locations_2016.csv",
    )
    weather = amedas.read(
        data_folder / "weather" / "amedas_tokyo_hourly_2023-07_2023-12.csv",
        data_folder / "weather" / "amedas_tokyo_stations.csv",
    )
    found, seen = alarms([*counted.observations, *weather.observations])
    assert set(seen) == {"pedestrians", "rainfall", "air_temperature"}
    assert found == []
