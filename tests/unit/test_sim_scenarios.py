"""Scenarios do what their files say, always the same bytes, on any machine; and the schema agrees."""

import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from jsonschema import Draft202012Validator

from tsuji_platform.contract import decode_observations
from tsuji_simulators import feed
from tsuji_simulators.crew import crews
from tsuji_simulators.feed import SimulatedTrack, messages
from tsuji_simulators.fleet import Member
from tsuji_simulators.layout import Grid, Line, Scatter
from tsuji_simulators.randomness import Floats
from tsuji_simulators.run import ends_of
from tsuji_simulators.scenario import Scenario
from tsuji_simulators.scenario_files import (
    ScenarioError,
    load_scenario,
    parse_scenario,
    schema,
    shipped,
)
from tsuji_simulators.signals import results, results_of
from tsuji_simulators.simulated import Simulated, carried
from tsuji_simulators.state import Span

DOCUMENTED = Path(__file__).parents[2] / "docs" / "scenario.schema.json"
HOUR, DAY = 3_600, 86_400
MONDAY = 1_775_401_200
"""2026-04-06 00:00 in Tokyo."""
GOLDEN = {
    "fireworks": "d0835a4d5647cbd887c865d66eaaeb5ccdd1f8bad860f11479a481c3bca8afdd",
    "heat-wave": "d02e9a9af0ea12de1f84174cc8221cdf9eb353aa40f5051346ddebfb96396925",
    "load": "0cb5ce7602a9836292bc4b53e461e17dd0d89284add2e20b204d4c89de5cbe41",
    "ordinary-day": "e21668efdab9e1da8c14ffd8ee1d5f95377e81ce0d07361ba071154abd3a7405",
    "typhoon": "ec60f07ed1c3b2eb1ade1c6e2fd56c42b085b7b0a44a00818a1f66d54f1f89d6",
}
SMALL = """
extends = "tokyo-places"
name = "small"
title = "Two of a kind"
[[fleets]]
kind = "footfall_counter"
datastreams = ["pedestrians_in", "pedestrians_out"]
number = 7
id = "c-"
places = ["station", "park"]
people_per_day = [2000, 9000]
interval_s = 300
layout = { kind = "grid", west = 139.7, south = 35.6, east = 139.8, north = 35.7 }
[[fleets]]
kind = "smart_pole"
place = "office"
datastreams = ["air_temperature", "rainfall", "sound_level"]
number = 5
id = "p-"
layout = { kind = "scatter", west = 139.7, south = 35.6, east = 139.8, north = 35.7 }
"""


loaded = cache(load_scenario)
validator = cache(lambda: Draft202012Validator(schema()))


def digest(name: str) -> str:
    """Of the first hour of a scenario and one in the middle; of the large fleet of a minute."""
    scenario = loaded(name)
    begin = MONDAY if scenario.start is None else scenario.start_s
    middle = (12 * HOUR if scenario.end is None else scenario.end_s - begin) // 2
    spans = [(0, 60)] if name == "load" else [(0, HOUR), (middle, middle + HOUR)]
    found = hashlib.sha256()
    for start, end in spans:
        for one in SimulatedTrack(scenario, 1, begin + start, begin + end).messages():
            found.update(f"{one.time_us} {one.topic} {one.qos:d}{one.retain:d} ".encode())
            found.update(one.payload + b"\n")
    return found.hexdigest()


def test_every_shipped_scenario_is_named_here() -> None:
    assert sorted(GOLDEN) == shipped()


@pytest.mark.parametrize("name", GOLDEN)
def test_the_same_seed_gives_the_same_bytes_everywhere(name: str) -> None:
    assert digest(name) == GOLDEN[name]


def test_the_last_bits_of_a_machines_mathematics_change_no_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other processors and libraries round exponentials and the like otherwise."""

    def off_by_one(exact: Callable[..., Floats]) -> Callable[..., Floats]:
        return lambda *args: np.nextafter(exact(*args), np.inf)

    for name in ("exp", "log", "log10", "sin", "cos", "arctan2", "interp"):
        original = getattr(np, name)
        if name == "interp":
            monkeypatch.setattr(
                np, name, lambda *a, f=original, **k: np.nextafter(f(*a, **k), np.inf)
            )
        else:
            monkeypatch.setattr(np, name, off_by_one(original))
    assert digest("typhoon") == GOLDEN["typhoon"]
    assert digest("fireworks") == GOLDEN["fireworks"]


@pytest.fixture(scope="module")
def small() -> Scenario:
    return parse_scenario(SMALL, "small.toml")


def reports(stream: Iterator[Simulated]) -> list[tuple[int, str, bytes]]:
    return [(one.due_us, one.topic, carried(one).payload) for one in stream if not one.retain]


def test_any_part_of_a_stream_is_that_part_of_the_whole(
    small: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = MONDAY + 8 * HOUR
    whole = reports(messages(small, 3, start, start + 2 * HOUR))
    assert [due for due, _, _ in whole] == sorted(due for due, _, _ in whole)
    for begin, end in ((0, 61), (17, 1_000), (3_599, 7_200), (400, 401)):
        part = reports(messages(small, 3, start + begin, start + end))
        inside = [one for one in whole if start + begin < one[0] // 1_000_000 <= start + end]
        assert part == inside
    assert reports(messages(small, 4, start, start + 2 * HOUR)) != whole
    monkeypatch.setattr(feed, "_ROWS", 1)  # however many are made together
    assert reports(messages(small, 3, start, start + 2 * HOUR)) == whole


def test_things_report_at_their_interval_and_what_the_contract_takes(small: Scenario) -> None:
    start = MONDAY + 8 * HOUR
    track = SimulatedTrack(small, 1, start, start + HOUR)
    sent = list(track.messages())
    span = track.span()
    assert (span.messages, span.first_us, span.last_us) == (
        len(sent), sent[0].time_us, sent[-1].time_us,
    )  # fmt: skip
    assert len(sent) == 12 + 7 * 12 + 5 * 60
    assert [one.retain for one in sent] == [True] * 12 + [False] * (len(sent) - 12)
    times: dict[str, list[datetime]] = {}
    for one in sent[12:]:
        thing = one.topic.split("/")[3]
        decoded = decode_observations(thing, one.payload, datetime(2026, 5, 1, tzinfo=UTC))
        assert not decoded.rejections
        periods = {it.period_s for it in decoded.observations}
        assert periods == ({300} if thing.startswith("c-") else {None})
        times.setdefault(thing, []).append(decoded.observations[0].phenomenon_time)
        assert decoded.observations[0].phenomenon_time == one.time
    for thing, those in times.items():
        gaps = {(b - a).total_seconds() for a, b in itertools.pairwise(those)}
        assert gaps == ({300.0} if thing.startswith("c-") else {60.0})
    seconds = {those[0].timestamp() % 300 for thing, those in times.items() if thing[0] == "c"}
    assert len(seconds) == 7


def test_things_together_say_what_each_says_alone(small: Scenario) -> None:
    together = crews(small.members)
    assert sorted(len(crew) for crew in together) == [3, 4, 5]
    for crew in together:
        ends = MONDAY + 12 * HOUR + crew.offset_s[:, None] + np.arange(0, 40 * 300, 300)
        found = results_of(small, 1, crew, ends, 300)
        assert tuple(found) == crew.datastreams
        for row, member in enumerate(crew.members):
            alone = results(small, 1, member, ends[row], 300)
            assert {name: values[row].tolist() for name, values in found.items()} == {
                name: values.tolist() for name, values in alone.items()
            }


@pytest.mark.parametrize("step_s", [60, 300, 600])
def test_a_live_fleet_fills_its_past_at_its_own_interval(small: Scenario, step_s: int) -> None:
    for member in small.members:
        chunks = [
            Span(start=MONDAY + begin, end=MONDAY + begin + 1_200, step_s=step_s)
            for begin in range(0, HOUR, 1_200)
        ]
        found = [ends_of(member, chunk) for chunk in chunks]
        ends = np.concatenate([one for one, _ in found]).tolist()
        period_s = max(step_s, member.interval_s)
        assert {period for _, period in found} == {period_s}
        assert {b - a for a, b in itertools.pairwise(ends)} == {period_s}
        assert len(ends) == HOUR // period_s
        if period_s == member.interval_s:
            assert {end % period_s for end in ends} == {(member.offset_s) % period_s}


def of(name: str, thing_id: str) -> tuple[Scenario, Member]:
    scenario = loaded(name)
    return scenario, next(one for one in scenario.members if one.id == thing_id)


def said(
    name: str, thing_id: str, start: str, hours: float, step: int = HOUR
) -> dict[str, list[float]]:
    """What a thing says from a time in Tokyo on, beside what it says on the same day of every day."""
    scenario, member = of(name, thing_id)
    begin = int(datetime.fromisoformat(f"{start}+09:00").timestamp())
    ends = np.arange(begin + step, begin + round(hours * HOUR) + 1, step)
    return {
        one: values.tolist() for one, values in results(scenario, 1, member, ends, step).items()
    }


def test_an_event_lets_out_at_nine() -> None:
    quarters = said("fireworks", "counter-tokyo-dome", "2025-07-26T20:00", 3, step=900)
    usual = said("ordinary-day", "counter-tokyo-dome", "2025-07-26T20:00", 3, step=900)
    out = np.array(quarters["pedestrians_out"]) - np.array(usual["pedestrians_out"])
    assert np.abs(out[:4]).max() < 100  # until nine it is an evening as others
    assert out[4] > 1_000
    assert out[5] > 1_000
    assert np.abs(out[-2:]).max() < 300  # at eleven all are gone
    crowd = said("fireworks", "counter-sumida-park", "2025-07-26T15:00", 9)
    assert int(np.argmax(crowd["pedestrians_in"])) in (2, 3)
    assert int(np.argmax(crowd["pedestrians_out"])) in (5, 6)


def test_stopped_trains_empty_stations_and_fill_them_afterwards() -> None:
    scenario, member = of("fireworks", "counter-ochanomizu")
    running = scenario.model_copy(update={"changes": ()})
    begin = int(datetime(2025, 7, 26, 12, 0, tzinfo=UTC).timestamp())
    ends = np.arange(begin + 300, begin + 2 * HOUR + 1, 300)
    there, usual = (
        results(one, 1, member, ends, 300)["pedestrians_in"] for one in (scenario, running)
    )
    assert there[:2].tolist() == usual[:2].tolist()
    assert (there / usual)[4:8].max() < 0.4  # from 21:20 to 21:40
    assert (there / usual)[13:16].min() > 1.5


def test_a_typhoon_brings_pressure_down_and_wind_and_rain_up_and_the_wind_turns() -> None:
    found = said("typhoon", "weather-kudan", "2025-10-08T06:00", 36)
    pressure = np.array(found["air_pressure"])
    lowest = int(np.argmin(pressure))
    assert 14 <= lowest <= 17  # about ten in the evening
    assert pressure[lowest] < 975
    assert pressure[lowest] < min(pressure[0], pressure[-1]) - 30
    assert max(found["wind_speed"][lowest - 4 : lowest + 5]) > 18
    assert max(found["wind_speed"][:6]) < 9
    assert sum(found["rainfall"][:24]) > 60
    assert sum(found["rainfall"][26:]) == 0
    before, after = (np.mean(found["wind_from_direction"][at : at + 2]) for at in (11, 21))
    assert 60 < before < 130  # it passes in the west: from the east, then from the south-west
    assert 200 < after < 290
    poles = [
        np.array(said("typhoon", pole, "2025-10-08T12:00", 14)["air_pressure"])
        for pole in ("pole-002", "pole-003")
    ]
    assert np.abs(poles[0] - poles[1] - (poles[0] - poles[1]).mean()).max() < 1
    trains = said("typhoon", "counter-shibuya-hachiko", "2025-10-08T20:00", 3)["pedestrians_in"]
    assert max(trains) < 300


def test_a_heat_wave_is_hot_dry_and_empties_parks_at_noon() -> None:
    found = said("heat-wave", "weather-kudan", "2025-08-04T00:00", 120)
    warmest = np.array(found["air_temperature"]).reshape(5, 24).max(axis=1)
    assert (warmest > 32).all()
    assert warmest.max() > 36
    assert sum(found["rainfall"]) == 0
    park, usual = (
        said(name, "counter-ueno-park", "2025-08-07T12:00", 4)["pedestrians_in"]
        for name in ("heat-wave", "ordinary-day")
    )
    assert sum(park) < 0.7 * sum(usual)


def test_the_large_fleet_has_a_hundred_thousand_datastreams() -> None:
    members = loaded("load").members
    assert sum(len(one.datastreams) for one in members) == 100_000
    assert len({(one.site.longitude, one.site.latitude) for one in members}) > 17_990
    kinds = {one.place for one in members}
    assert {"station", "shopping", "office", "residential", "park", "hall"} <= kinds
    per_second = np.bincount([one.offset_s for one in members], minlength=60)
    assert per_second.min() == per_second.max() == 300


def test_what_extends_others_adds_to_lists_and_changes_tables(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "base.toml").write_text(SMALL, "utf-8")
    own = tmp_path / "own.toml"
    own.write_text(
        'extends = "sub/base.toml"\nname = "own"\nholidays = [2026-04-07]\n'
        "[places.park]\nrain = -0.1\nseason = [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]\n"
        '[[fleets]]\nkind = "smart_pole"\nplace = "park"\nid = "x-"\nnumber = 1\n'
        'datastreams = ["air_temperature"]\nlayout = { kind = "line", along = [[139, 35], [140, 35]] }',
        "utf-8",
    )
    base, more = parse_scenario(SMALL, "base"), load_scenario(str(own))
    assert [one.id for one in more.members] == [*(one.id for one in base.members), "x-1"]
    assert more.members[: len(base.members)] == base.members
    assert (more.places["park"].rain, base.places["park"].rain) == (-0.1, -0.78)
    assert more.places["park"].weekday == base.places["park"].weekday
    assert more.title == base.title
    kinds = [
        one.days.calendar.kind((date(2026, 4, 7) - date(1970, 1, 1)).days) for one in (base, more)
    ]
    assert kinds == [0, 2]
    parks = next(one for one in crews(base.members) if one.place == "park")
    april = MONDAY + 13 * HOUR + np.arange(0, 20 * DAY, 7 * DAY)[None, :].repeat(len(parks), 0)
    busy = results_of(more, 1, parks, april, 300)["pedestrians_in"].sum()
    assert busy > 1.2 * results_of(base, 1, parks, april, 300)["pedestrians_in"].sum()


LAYOUTS = [
    Grid(kind="grid", west=1, south=2, east=3, north=4),
    Scatter(kind="scatter", west=1, south=2, east=3, north=4),
    Line(kind="line", along=((1, 2), (3, 2), (3, 4))),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("number", [1, 2, 7, 500])
def test_a_layout_places_so_many_apart(layout: Grid | Scatter | Line, number: int) -> None:
    found = list(layout.positions(number))
    assert len(set(found)) == number
    assert all(1 <= x <= 3 and 2 <= y <= 4 for x, y in found)
    if number == 500 and layout.kind != "line":
        assert {(int(x), int(y)) for x, y in found} >= {(1, 2), (2, 2), (2, 3)}


HAPPENINGS = """
[[gatherings]]
name = "a"
longitude = 139.7
latitude = 35.6
people = 100
begins = 2026-04-06T19:00:00
ends = 2026-04-06T21:00:00
[[changes]]
name = "b"
from = 2026-04-06T19:00:00+09:00
to = "2026-04-06T21:00:00+09:00"
people = { park = 2 }
[[spells]]
name = "c"
from = 2026-04-06
to = 2026-04-07
[[typhoons]]
name = "d"
at = 2026-04-06T19:00:00
longitude = 139.7
latitude = 35.6
heading_deg = 10
speed_kmh = 30
pressure_hpa = 970
wind_ms = 20
[climate]
rainfall = [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]
[[faults]]
fault = "stuck"
from = 2026-04-06T19:00:00
to = 2026-04-06T20:00:00
"""


def plain(value: object) -> object:
    """TOML as JSON has it."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def is_valid(document: dict[str, Any]) -> bool:
    return bool(validator().is_valid(plain(document)))


def test_the_schema_takes_what_ships_and_what_is_documented() -> None:
    assert json.loads(DOCUMENTED.read_text("utf-8")) == schema(), (
        "run `tsuji simulate --schema > docs/scenario.schema.json`"
    )
    Draft202012Validator.check_schema(schema())
    folder = files("tsuji_simulators") / "scenarios"
    for name in shipped():
        assert is_valid(tomllib.loads((folder / f"{name}.toml").read_text("utf-8"))), name
    assert is_valid(tomllib.loads(SMALL + HAPPENINGS))
    scenario = parse_scenario(SMALL + HAPPENINGS, "small.toml")
    assert is_valid(orjson.loads(scenario.model_dump_json(by_alias=True, exclude_none=True)))


def test_the_documented_scenario_is_one_and_all_that_ship_are_documented() -> None:
    text = DOCUMENTED.with_name("scenarios.md").read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example
    assert is_valid(tomllib.loads(example[1]))
    scenario = parse_scenario(example[1], "scenarios.md")
    first, last = scenario.members[0], scenario.members[-1]
    assert (first.id, last.id, last.place) == ("street-01", "street-40", "station")
    for name in shipped():
        assert f"| `{name}` |" in text
    for name in scenario.places:
        assert f"`{name}`" in text


WRONG = [
    ("people = 100", "people = -1", "gatherings.0.people"),
    ("people = 100", "", "gatherings.0.people: Field required (in"),
    ("people = 100", "peopel = 100", "gatherings.0: 'peopel' is not known here; known are name"),
    ("speed_kmh = 30", 'speed_kmh = "fast"', "typhoons.0.speed_kmh"),
    ("begins = 2026-04-06T19:00:00", 'begins = "at seven"', "must be a time such as"),
    ("rainfall = [9, ", "rainfall = [", "climate.rainfall"),
    ("people = 100", "people = inf", "gatherings.0.people"),
    ('kind = "grid"', 'kind = "spiral"', "fleets.0.layout"),
    ("interval_s = 300", "interval_s = 90", "fleets.0.interval_s"),
    ('"rainfall", ', '"rain", ', "known are air_temperature"),
    ("number = 5", "number = 0", "fleets.1.number"),
    ('fault = "stuck"', 'fault = "sick"', "faults.0.fault: there is no such fault"),
]


@pytest.mark.parametrize(("old", "new", "complaint"), WRONG)
def test_schema_and_validator_refuse_the_same(old: str, new: str, complaint: str) -> None:
    assert old in SMALL + HAPPENINGS
    text = (SMALL + HAPPENINGS).replace(old, new, 1)
    assert not is_valid(tomllib.loads(text))
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "small.toml")
    assert "scenario small.toml" in str(caught.value)
    assert complaint.removesuffix(" (in") in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('name = "small"', "", 'needs a "name"'),
        (
            'extends = "tokyo-places"',
            'extends = "tokio"',
            "extends.*'tokio', which is neither one of",
        ),
        ('extends = "tokyo-places"', "extends = 3", "extends.*got 3"),
        ('places = ["station", "park"]', 'places = ["moon"]', "'c-' names a place of kind 'moon'"),
        ("people = { park = 2 }", "people = { moon = 2 }", "place of kind 'moon'"),
        ('id = "p-"', 'id = "c-"', "two things have the id 'c-1'"),
        ("people_per_day = [2000, 9000]", "", "people_per_day"),
        ("people_per_day = [2000, 9000]", "people_per_day = [9000, 2000]", "must be"),
        ("number = 5", "", "either"),
        ("west = 139.7", "west = 139.9", "west must be less than east"),
        ("wind_ms = 20", "wind_ms = nan", "typhoons.0.wind_ms: Input should be a finite number"),
        ("to = 2026-04-07", "to = 2026-04-05", "must be before"),
        ("from = 2026-04-06\n", "from = 0001-01-01\n", "must lie in the years"),
        ('to = "2026-04-06T21:00:00+09:00"', 'to = "9999-12-31T23:59:59-09:00"', "must lie in"),
        ("ends = 2026-04-06T21:00:00", "ends = 2026-04-06T01:00:00", "must be before"),
        ('title = "Two of a kind"', 'title = "x"\nfrom = 2026-04-06', "belong together"),
        ('title = "Two of a kind"', 'title = "x"\ncountry = "XX"', "no public holidays are known"),
        ('fault = "stuck"', 'fault = "stuck"\nthings = ["q-*"]', "put on nothing"),
    ],
)
def test_what_does_not_fit_together_is_refused(old: str, new: str, complaint: str) -> None:
    assert old in SMALL + HAPPENINGS
    with pytest.raises(ScenarioError, match=complaint):
        parse_scenario((SMALL + HAPPENINGS).replace(old, new, 1), "small.toml")


def test_one_mistake_is_one_line_also_in_the_only_fleet() -> None:
    text = SMALL.split("[[fleets]]")
    only = "[[fleets]]".join(text[:2]).replace("number = 7", "number = -4")
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(only, "small.toml")
    assert str(caught.value).splitlines()[1:] == [
        "  fleets.0.number: Input should be greater than or equal to 1 (got -4)"
    ]
    with pytest.raises(ScenarioError, match=r"fleets: .*at least 1 item"):
        parse_scenario(text[0] + "fleets = []", "small.toml")


def test_numbered_things_without_a_name_go_by_their_ids() -> None:
    scenario = parse_scenario(SMALL, "small.toml")
    first = next(one for one in scenario.members if one.id == "c-1")
    assert first.thing.name == "c-1"


def test_a_misspelt_scenario_is_told_which_may_be_meant(tmp_path: Path) -> None:
    with pytest.raises(
        ScenarioError, match=r"file that can be read: No such .*meant 'fireworks'\?"
    ):
        load_scenario("firework")
    with pytest.raises(ScenarioError, match=r"file that can be read: Is a directory$"):
        load_scenario(str(tmp_path))


def test_files_that_build_on_each_other_are_refused(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.toml").write_text(f'extends = "{other}.toml"\nname = "{one}"', "utf-8")
    with pytest.raises(ScenarioError, match=r"more than 8 files: .*a\.toml → .*b\.toml"):
        load_scenario(str(tmp_path / "a.toml"))
