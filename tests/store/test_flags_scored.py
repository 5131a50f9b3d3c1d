"""The hub's flags against the truth of a broken feed: they find what they are for, and nothing else."""

from datetime import UTC, datetime
from functools import partial

import pytest
from bench.faults import of_thing, scenario_text

from samples import packed, registration
from tsuji_platform.contract import decode_observations
from tsuji_platform.store import Database
from tsuji_platform.store.quality import Quality
from tsuji_platform.store.writer import Writer
from tsuji_simulators.faults.scoring import NO_FAULT, Judged, Score, score
from tsuji_simulators.feed import stream
from tsuji_simulators.scenario_files import parse_scenario
from tsuji_simulators.simulated import carried

DAY_S = 86_400
CHOSEN = ("none", "stuck", "spike", "wrong_unit", "duplicate")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def scores(hub_url: str, hub_database: Database) -> dict[str, Score]:
    """A day of one pole for each of some faults, decoded as ingest does and stored."""
    scenario = parse_scenario(scenario_text(number=1, intervals=(300,)), "faults")
    members = [one for one in scenario.members if one.id.startswith(CHOSEN)]
    ids = {one.id for one in members}
    told: list[dict[str, object]] = []
    messages = [registration(one.id, *one.datastreams) for one in members]
    for one in stream(scenario, 1, scenario.start_s, scenario.start_s + DAY_S, told.append):
        if one.thing_id in ids and not one.retain:
            decoded = decode_observations(one.thing_id, carried(one).payload, NOW)
            if decoded.observations:
                messages.append(packed(one.thing_id, decoded.observations))
    writer = Writer(hub_url, "test")
    try:
        for begin in range(0, len(messages), 500):
            writer.save(messages[begin : begin + 500])
    finally:
        writer.close()
    start, end = (datetime.fromtimestamp(scenario.start_s + n * DAY_S, UTC) for n in (0, 1))
    judge = partial(of_thing, Quality(hub_database), start=start, end=end)
    truth = (line for line in told if line["thing"] in ids)
    return score(truth, (one for thing_id in sorted(ids) for one in judge(thing_id)))


def test_flags_find_what_they_are_for_and_nothing_else(scores: dict[str, Score]) -> None:
    stuck, spike, unit = scores["stuck"], scores["spike"], scores["wrong_unit"]
    assert stuck.kept > 1_000
    assert 0.4 < (stuck.recall or 0) < 0.65  # not before six hours, or twelve
    assert (stuck.precision or 0) > 0.9
    assert stuck.found >= 0.9 * stuck.occurrences > 0
    assert spike.kept > 5
    assert (spike.recall or 0) > 0.5
    assert spike.precision == 1
    assert unit.refused > 50  # no pressure is 100 hPa, and no air 68 °C
    assert unit.flagged > 0
    assert scores[NO_FAULT].false == 0
    assert scores["duplicate"].right > 300
    assert scores["duplicate"].false == scores["duplicate"].kept == 0


def _judged(minute: int, *flags: str, name: str = "air_temperature") -> Judged:
    time = datetime(2026, 4, 1, 0, minute, tzinfo=UTC)
    return Judged(thing_id="a", observed_property=name, time=time, flags=flags)


def test_each_kind_of_end_is_counted_as_what_it_is() -> None:
    def line(minute: int, **more: object) -> dict[str, object]:
        return {
            "type": "observation",
            "faults": ["one"],
            "thing": "a",
            "observed_property": "air_temperature",
            "time": f"2026-04-01T00:{minute:02}:00Z",
            "true": 1.0,
            **more,
        }

    begin = {"type": "fault", "name": "one", "fault": "noise", "thing": "a"} | {
        "observed_property": "air_temperature",
        "from": "2026-04-01T00:00:00Z",
    }
    truth = [
        begin,
        line(1, sent=None),
        line(2, sent=1.0, sent_at=["2026-04-01T00:09:00Z"]),
        line(3, sent=9.0),
        line(4, sent=900.0),
        line(5, sent=1.0, sent_time="2026-04-01T00:15:00Z"),
        begin | {"from": "2026-04-01T00:06:00Z"},
        line(6, sent=5.0),
    ]
    kept = [
        _judged(2),
        _judged(3, "step"),
        _judged(15),
        _judged(6),
        _judged(7, "step"),
        _judged(8, "stuck", name="rainfall"),
    ]
    found = score(truth, kept)
    it = found["noise"]
    assert (it.missing, it.right, it.kept, it.flagged, it.refused) == (1, 1, 3, 1, 1)
    assert (it.false, it.occurrences, it.found) == (1, 2, 1)
    assert (it.recall, it.precision) == (pytest.approx(1 / 3), 0.5)
    assert found[NO_FAULT].false == 1
