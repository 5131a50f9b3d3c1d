"""Scenarios: the shipped one is what it claims, and a faulty one is refused with the place of the fault."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from tsuji_platform.contract import decode_thing, encode_thing
from tsuji_simulators.scenario_files import (
    ScenarioError,
    load_scenario,
    parse_scenario,
    shipped,
)

SMALL = """
name = "small"
title = "One counter"
country = "JP"
utc_offset_h = 9
[places.street]
rain = -0.3
dispersion = 8
weekday = [[12, 3, 1.0, 0.5]]
saturday = [[12, 3, 1.0, 0.5]]
holiday = [[12, 3, 1.0, 0.5]]
[[fleets]]
kind = "footfall_counter"
place = "street"
datastreams = ["pedestrians_in", "pedestrians_out"]
things = [{ id = "counter-1", name = "角", latitude = 35.6, longitude = 139.7, people_per_day = 900 }]
"""


def test_the_shipped_city_has_poles_counters_and_stations() -> None:
    assert shipped() == ["fireworks", "heat-wave", "load", "ordinary-day", "typhoon"]
    city = load_scenario("ordinary-day")
    kinds = Counter(one.thing.kind for one in city.members)
    assert kinds["smart_pole"] == 20
    assert kinds["footfall_counter"] >= 60
    assert kinds["weather_station"] == 8
    assert (
        sum("pedestrians_in" in one.datastreams for one in city.members) > kinds["footfall_counter"]
    )
    for one in city.members:
        assert 139.68 < one.thing.longitude < 139.82
        assert 35.62 < one.thing.latitude < 35.74
        assert one.thing.name != one.thing.name_en != ""


def test_poles_stand_where_the_published_list_says(data_folder: Path) -> None:
    members = {one.id: one for one in load_scenario("ordinary-day").members}
    with (data_folder / "poles" / "nishi_shinjuku_poles.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    for row in rows:
        pole = members[f"pole-{row['device_name'][-3:]}"]
        assert pole.thing.latitude == float(row["latitude"])
        assert pole.thing.longitude == float(row["longitude"])
        assert pole.site.height_m == float(row["height_m"])
        assert row["device_name"] in pole.thing.name


def test_things_register_as_the_contract_wants() -> None:
    for one in load_scenario("ordinary-day").members:
        assert decode_thing(one.id, encode_thing(one.thing)) == one.thing


def test_something_reports_in_every_second_of_the_minute() -> None:
    per_second = Counter(one.offset_s for one in load_scenario("ordinary-day").members)
    assert set(per_second) == set(range(60))
    assert max(per_second.values()) <= 2


def test_a_scenario_is_found_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "small.toml"
    file.write_text(SMALL, "utf-8")
    assert [one.id for one in load_scenario(str(file)).members] == ["counter-1"]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('name = "small"', "name = small", "not TOML"),
        ('title = "One counter"', "", "title: Field required"),
        ("rain = -0.3", "rain = -3", "places.street.rain: Input should be greater than or equal"),
        ("rain = -0.3", "rian = -0.3", "places.street: 'rian' is not known here; known are rain"),
        ("weekday = [[12, 3, 1.0, 0.5]]", "weekday = [[12, 3, 1.0]]", "places.street.weekday.0.3"),
        ("weekday = [[12, 3, 1.0, 0.5]]", "weekday = [[25, 3, 1.0, 0.5]]", "less than 24"),
        ('"pedestrians_out"', '"people"', "'people' is not an observed property"),
        (
            'place = "street"',
            'place = "stret"',
            "stands in a place of kind 'stret', which is not one of street",
        ),
        (", people_per_day = 900", "", 'counts people and needs "people_per_day"'),
        ('id = "counter-1"', 'id = "counter 1"', "fleets.0.things.0.id"),
        ("latitude = 35.6", "latitude = 139.7", "fleets.0.things.0.latitude"),
        (
            "things = [{",
            'things = [{ id = "counter-1", name = "x", latitude = 1, longitude = 2, '
            "people_per_day = 1 }, {",
            "two things have the id 'counter-1'",
        ),
    ],
)
def test_a_faulty_scenario_says_where_and_what(old: str, new: str, complaint: str) -> None:
    assert old in SMALL
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(SMALL.replace(old, new), "small.toml")
    assert complaint in str(caught.value)
    assert "small.toml" in str(caught.value)


def test_a_missing_scenario_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"neither one of fireworks, .*typhoon nor a file"):
        load_scenario(str(tmp_path / "nowhere.toml"))
