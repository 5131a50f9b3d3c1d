"""Faults do what their names say, always the same, however a file lists them; the truth is beside."""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tsuji.cli import app
from tsuji_platform.contract import decode_observations
from tsuji_simulators.faults import FAULTS, read
from tsuji_simulators.faults.base import Fault
from tsuji_simulators.feed import messages
from tsuji_simulators.scenario import Scenario
from tsuji_simulators.scenario_files import (
    ScenarioError,
    load_scenario,
    parse_scenario,
    schema,
)
from tsuji_simulators.simulated import Simulated, carried

BEGIN = datetime(2026, 4, 7, 3, tzinfo=UTC)
START = int(BEGIN.timestamp())
"""Noon in Tokyo, so that there are people."""
HOUR = 3_600
FROM, TO = "2026-04-07T03:20:00Z", "2026-04-07T03:40:00Z"
TEMPERATURE = ["air_temperature"]
NOW = datetime(2026, 4, 8, tzinfo=UTC)
GOLDEN = "a535ab9aee1a7877fcfc93b5b5ad6405bd416d52a6ea50e6ee0e715b2a2fc638"
"""Of what comes out of sixty reports that are all the same, and of the truth."""


def of(scenario: Scenario, *things: str) -> Scenario:
    """Some things of a scenario."""
    document = scenario.model_dump()
    for fleet in document["fleets"]:
        fleet["things"] = [one for one in fleet["things"] if one["id"] in things]
    document["fleets"] = [fleet for fleet in document["fleets"] if fleet["things"]]
    return Scenario.model_validate(document)


CITY = of(load_scenario("ordinary-day"), "pole-001", "pole-002", "weather-kudan")
CLEAN = list(messages(CITY, 1, START, START + HOUR))


def copied(stream: Iterable[Simulated]) -> list[Simulated]:
    """What faults get belongs to them."""
    return [
        Simulated(
            due_us=one.due_us,
            thing_id=one.thing_id,
            topic=one.topic,
            payload=one.payload
            if isinstance(one.payload, bytes)
            else [{**report, "results": dict(report["results"])} for report in one.payload],
            retain=one.retain,
        )
        for one in stream
    ]


def run(*tables: dict[str, Any], clean: Sequence[Simulated] = CLEAN) -> tuple[list[Any], list[Any]]:
    """The feed as a broker carries it, and the ground truth."""
    told: list[Any] = []
    stream = read(tables, CITY.utc_offset_h).broken(iter(copied(clean)), CITY, 1, told.append)
    return [carried(one) for one in stream], told


def values(carried_: Iterable[Any]) -> dict[tuple[str, str], list[tuple[float, float, float]]]:
    """(sent at, phenomenon time, value), in the order of sending, by thing and observed property."""
    found = defaultdict(list)
    for one in carried_:
        if one.topic.endswith("observations"):
            thing = one.topic.split("/")[3]
            for it in decode_observations(thing, one.payload, NOW).observations:
                found[thing, it.observed_property].append(
                    (one.time_us / 1e6, it.phenomenon_time.timestamp(), it.result)
                )
    return found


TRUE = values(carried(one) for one in CLEAN)
KEY = "pole-001", "air_temperature"


def inside(rows: Iterable[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Of the window FROM to TO, by phenomenon time."""
    return [row for row in rows if START + 1_200 <= row[1] < START + 2_400]


def test_what_no_fault_is_put_on_passes_by_unchanged() -> None:
    sent, told = run({"fault": "drop_out", "things": ["pole-002"]})
    others = [one for one in sent if "pole-002/obs" not in one.topic]
    assert others == [carried(one) for one in CLEAN if "pole-002/obs" not in one.topic]
    assert {line["thing"] for line in told} == {"pole-002"}
    assert len(sent) == len(others) < len(CLEAN)


def put(fault: str, **more: Any) -> dict[str, Any]:
    """A fault of one pole for twenty minutes."""
    return {"fault": fault, "things": ["pole-001"], "from": FROM, "to": TO, **more}


def test_stuck_repeats_the_value_of_its_beginning() -> None:
    sent, told = run(put("stuck", observed_properties=["illuminance"]))
    rows = values(sent)["pole-001", "illuminance"]
    assert len({value for _, _, value in inside(rows)}) == 1
    assert len({value for _, _, value in inside(TRUE["pole-001", "illuminance"])}) > 1
    assert [row for row in rows if row not in inside(rows)] == [
        row
        for row in TRUE["pole-001", "illuminance"]
        if row not in inside(TRUE["pole-001", "illuminance"])
    ]
    later = list(messages(CITY, 1, START + 1_800, START + HOUR))
    again = values(run(put("stuck", observed_properties=["illuminance"]), clean=later)[0])
    assert again["pole-001", "illuminance"] == rows[-len(again["pole-001", "illuminance"]) :]
    assert told[0] == {
        "type": "fault",
        "name": told[0]["name"],
        "fault": "stuck",
        "parameters": {"value": None},
        "thing": "pole-001",
        "observed_property": "illuminance",
        "from": FROM,
        "to": TO,
    }


def test_drift_grows_from_its_beginning_and_no_further_than_told() -> None:
    rows = values(run(put("drift", observed_properties=TEMPERATURE, per_hour=30, at_most=6))[0])
    off = [row[2] - true[2] for row, true in zip(inside(rows[KEY]), inside(TRUE[KEY]), strict=True)]
    wanted = [min(30 * (time - START - 1_200) / 3_600, 6) for _, time, _ in inside(TRUE[KEY])]
    assert off == pytest.approx(wanted, abs=0.051)


def test_noise_is_of_its_size_and_hits_nothing_else() -> None:
    rows = values(run(put("noise", observed_properties=TEMPERATURE, size=5))[0])
    off = [row[2] - true[2] for row, true in zip(inside(rows[KEY]), inside(TRUE[KEY]), strict=True)]
    assert 2.5 < (sum(one * one for one in off) / len(off)) ** 0.5 < 8
    assert rows["pole-001", "air_pressure"] == TRUE["pole-001", "air_pressure"]


def test_spikes_are_rare_and_of_their_size() -> None:
    _, told = run(put("spike", observed_properties=TEMPERATURE, size=15, share=0.3))
    off = [line["sent"] - line["true"] for line in told if line["type"] == "observation"]
    assert 1 <= len(off) < 15
    assert [abs(one) for one in off] == pytest.approx([15] * len(off))


def test_a_wrong_unit_converts() -> None:
    rows = values(run(put("wrong_unit", observed_properties=TEMPERATURE))[0])
    wanted = [value * 1.8 + 32 for _, _, value in inside(TRUE[KEY])]
    assert [value for _, _, value in inside(rows[KEY])] == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("reports", ["lost", "negative", "wrapped"])
def test_a_restart_is_silent_and_then_has_lost_what_it_counted(reports: str) -> None:
    table = put("restart", reports=reports) | {"to": "2026-04-07T03:25:30Z"}
    sent, told = run(table)
    key = "pole-001", "pedestrians_in"
    raw = [
        (report["time"], report["results"]["pedestrians_in"])
        for one in sent
        if one.topic == "tsuji/v1/things/pole-001/observations"
        for report in orjson.loads(one.payload)
        if "pedestrians_in" in report["results"]
    ]
    seconds = [(datetime.fromisoformat(time).timestamp() - START, n) for time, n in raw]
    assert not [time for time, _ in seconds if 1_200 <= time < 1_530]
    back, first = next((time, n) for time, n in seconds if time >= 1_530)
    true = next(row[2] for row in TRUE[key] if row[1] - START == back)
    share = (back - 1_530) / 60
    wanted = {
        "lost": int(true * share),
        "negative": int(true * share) - true,
        "wrapped": int(true * share) - true + 65_536,
    }
    assert true > 10
    assert first == wanted[reports]
    assert any(
        line.get("observed_property") == "pedestrians_in"
        and line.get("sent") == first
        and line["true"] == true
        for line in told
    )


def test_a_drop_out_of_some_results_leaves_the_others() -> None:
    rows = values(run(put("drop_out", observed_properties=TEMPERATURE))[0])
    assert inside(rows[KEY]) == []
    assert rows["pole-001", "air_pressure"] == TRUE["pole-001", "air_pressure"]


def test_a_skewed_clock_says_another_time_at_the_same_moment() -> None:
    sent, told = run(put("clock_skew", seconds=-90))
    rows = [row for row in values(sent)[KEY] if row[0] != row[1]]
    assert [(at, time + 90) for at, time, _ in rows] == [
        (time, time) for _, time, _ in inside(TRUE[KEY])
    ]
    touched = [line for line in told if line["type"] == "observation"]
    assert {line["sent"] == line["true"] and "sent_time" in line for line in touched} == {True}


def test_duplicates_come_again() -> None:
    rows = values(run(put("duplicate", copies=2, after="5s"))[0])[KEY]
    counts = [len(list(group)) for _, group in itertools.groupby(sorted(row[1:] for row in rows))]
    assert sorted(counts) == [1] * (60 - 20) + [3] * 20


def test_out_of_order_is_out_of_order_and_complete() -> None:
    rows = values(run(put("out_of_order", up_to="5m", share=0.7))[0])[KEY]
    times = [time for _, time, _ in rows]
    assert times != sorted(times)
    assert sorted(row[1:] for row in rows) == [row[1:] for row in TRUE[KEY]]


def test_after_an_outage_all_of_it_comes_at_once() -> None:
    rows = inside(values(run(put("late_burst"))[0])[KEY])
    assert [row[1:] for row in rows] == [row[1:] for row in inside(TRUE[KEY])]
    assert {START + 2_400 <= at < START + 2_401 for at, _, _ in rows} == {True}


@pytest.mark.parametrize("breaking", ["truncated", "noise", "text", "shape", "empty"])
def test_broken_payloads_hold_nothing_that_is_believed(breaking: str) -> None:
    sent, told = run(put("broken_payload", breaking=breaking))
    rows = values(sent)
    assert inside(rows[KEY]) == []
    assert len(sent) == len(CLEAN)
    assert len(rows[KEY]) == 40
    assert {line["sent"] for line in told if line["type"] == "observation"} == {None}


ALL = [
    put("stuck", observed_properties=["wind_speed"]),
    put("drift", observed_properties=TEMPERATURE, per_hour=9),
    put("drift", observed_properties=TEMPERATURE, per_hour=-4, every="10m", lasting="5m"),
    put("noise", observed_properties=TEMPERATURE, size=2),
    put("spike", observed_properties=TEMPERATURE, size=20, share=0.5),
    put("wrong_unit", observed_properties=["air_pressure"], unit="mm[Hg]"),
    put("restart") | {"from": "2026-04-07T03:30:10Z", "to": "2026-04-07T03:30:50Z"},
    put("drop_out", share=0.2),
    put("clock_skew", seconds=120, observed_properties=["rainfall", *TEMPERATURE]),
    put("broken_payload", share=0.3),
    put("duplicate", share=0.3),
    put("out_of_order", up_to="3m"),
    put("late_burst", every="6m", lasting="3m"),
]


def test_every_fault_is_among_those_that_are_mixed() -> None:
    assert list(dict.fromkeys(table["fault"] for table in ALL)) == list(FAULTS)


@settings(max_examples=12)
@given(
    st.lists(st.sampled_from(ALL), unique_by=lambda it: str(it), min_size=2).flatmap(
        lambda it: st.tuples(st.just(it), st.permutations(it))
    )
)
def test_the_order_in_the_file_means_nothing_and_what_comes_out_is_sorted(both: Any) -> None:
    first, second = (run(*tables) for tables in both)
    assert first == second
    times = [one.time_us for one in first[0]]
    assert times == sorted(times)


def test_the_same_seed_breaks_the_same_bytes_everywhere() -> None:
    draws = [table for table in ALL if table["fault"] not in ("stuck", "drift")]
    clean = [
        Simulated(
            due_us=(START + 60 * n) * 1_000_000,
            thing_id="pole-001",
            topic="t",
            payload=[
                {
                    "time": datetime.fromtimestamp(START + 60 * n, UTC),
                    "results": {"air_temperature": 20.0, "air_pressure": 1010.0, "rainfall": 0.0},
                }
            ],
        )
        for n in range(60)
    ]
    sent, told = run(*draws, clean=clean)
    found = hashlib.sha256()
    for one in sent:
        found.update(f"{one.time_us} ".encode() + one.payload + b"\n")
    found.update(orjson.dumps(told, option=orjson.OPT_SORT_KEYS))
    assert len(sent) > 60
    assert found.hexdigest() == GOLDEN


def test_the_truth_accounts_for_every_difference() -> None:
    sent, told = run(*ALL)
    arrived = {(key, time, value) for key, rows in values(sent).items() for _, time, value in rows}
    true = {(key, time, value) for key, rows in TRUE.items() for _, time, value in rows}

    def seconds(text: str) -> float:
        return datetime.fromisoformat(text).timestamp()

    lines = [line for line in told if line["type"] == "observation"]
    rebuilt = set(true)
    for line in lines:
        key = line["thing"], line["observed_property"]
        rebuilt.remove((key, seconds(line["time"]), line["true"]))
    for line in lines:
        key = line["thing"], line["observed_property"]
        if line["sent"] is not None:
            rebuilt.add((key, seconds(line.get("sent_time", line["time"])), line["sent"]))
    assert arrived == rebuilt
    named = {line["name"] for line in told if line["type"] == "fault"}
    assert {name for line in lines for name in line["faults"]} == named
    assert len(named) == len(ALL)


def test_times_of_every_day_go_by_the_local_clock() -> None:
    rows = values(run({"fault": "drop_out", "from": "12:20:00", "to": "12:40:00"})[0])
    assert inside(rows[KEY]) == []
    assert len(rows[KEY]) == 40


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"fault": "explosion"}, "faults.0.fault: there is no such fault; there is stuck, drift"),
        ({"fault": "drop_out", "share": 2}, "faults.0.share"),
        ({"fault": "drop_out", "colour": 1}, "faults.0.colour"),
        ({"fault": "noise", "size": 1}, 'noise needs "observed_properties"'),
        ({"fault": "stuck"}, 'needs a "from"'),
        ({"fault": "drop_out", "from": "2026-04-07T09:00:00"}, "with its offset"),
        ({"fault": "drop_out", "from": TO, "to": FROM}, "must be later"),
        ({"fault": "drop_out", "from": "09:00:00", "to": TO}, "both be moments"),
        ({"fault": "drop_out", "every": "1h"}, "belong together"),
        ({"fault": "drop_out", "every": "1 h", "lasting": "1m"}, "not a length of time"),
        ({"fault": "late_burst", "from": FROM}, 'needs a "to"'),
        ({"fault": "wrong_unit", "unit": "furlong"}, "none of the wrong units"),
        ({"fault": "drop_out", "observed_properties": ["smell"]}, "'smell' is not an observed"),
    ],
)
def test_wrong_tables_are_named(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match="faults") as caught:
        read([table])
    assert said in str(caught.value)


def test_a_fault_that_is_put_on_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="put on nothing"):
        run({"fault": "drop_out", "things": ["poel-*"]})


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_every_fault_is_documented_with_what_is_its_own(fault: type[Fault]) -> None:
    document = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
    name = fault.model_fields["fault"].default
    (row,) = (
        line
        for line in document.read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| `{name}` |")
    )
    for own in fault.model_fields.keys() - Fault.model_fields.keys():
        assert f"`{own}`" in row


SCENARIO = """
extends = "ordinary-day"
name = "broken"
title = "A thermometer on the roof of a car park"
from = 2026-04-07T12:00:00
to = 2026-04-07T12:10:00

[[faults]]
fault = "drift"
name = "roof"
things = ["weather-*"]
observed_properties = ["air_temperature"]
from = 2026-04-07T12:05:00
per_hour = 60
"""


def test_a_scenario_is_broken_by_command_and_the_truth_is_beside(tmp_path: Path) -> None:
    path, truth = tmp_path / "broken.toml", tmp_path / "truth.jsonl"
    path.write_text(SCENARIO, encoding="utf-8")
    command = ["simulate", str(path), "--out", str(tmp_path / "a.tsuji"), "--truth", str(truth)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    lines = [orjson.loads(line) for line in truth.read_bytes().splitlines()]
    assert {line["from"] for line in lines if line["type"] == "fault"} == {"2026-04-07T03:05:00Z"}
    off = [line["sent"] - line["true"] for line in lines if line["type"] == "observation"]
    assert len(off) > 30
    assert 0 < min(off) <= max(off) < 5.1
    again = CliRunner().invoke(app, [*command[:3], str(tmp_path / "b.tsuji"), *command[4:]])
    assert again.exit_code == 2
    assert "name a new file" in again.output


def test_a_scenario_with_wrong_faults_is_refused_by_name() -> None:
    with pytest.raises(ScenarioError, match=r"faults\.0\.per_hour: .*\n.*faults\.0\.per_hours: "):
        parse_scenario(SCENARIO.replace("per_hour", "per_hours"), "mine")
    with pytest.raises(ScenarioError, match="'roof' is put on nothing"):
        parse_scenario(SCENARIO.replace("weather-*", "wether-*"), "mine")


def test_the_schema_of_scenarios_knows_every_fault() -> None:
    generated = schema()
    names = {ref["$ref"] for ref in generated["properties"]["faults"]["items"]["anyOf"]}
    found = {
        generated["$defs"][name.removeprefix("#/$defs/")]["properties"]["fault"]["const"]
        for name in names
    }
    assert found == set(FAULTS)


def test_the_documented_faults_are_some() -> None:
    document = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
    tables = document.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    head = SCENARIO.split("[[faults]]")[0]
    assert len(parse_scenario(head + tables, "documented").faults) == 3
