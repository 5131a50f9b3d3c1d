"""Things and their newest observations, as they were stored."""

import pytest
from fastapi.testclient import TestClient

from linked import bare
from samples import after, message
from tsuji_platform.store.writer import Writer


def test_things_are_listed_with_all_they_said_of_themselves(api: TestClient) -> None:
    answer = api.get("/v1/things").json()
    assert [it["id"] for it in answer["items"]] == [
        "gate-1",
        "gate-2",
        "pole-1",
        "pole-2",
        "pole-3",
    ]
    assert answer["next"] is None
    by_id = {it["id"]: it for it in answer["items"]}
    assert bare(by_id["gate-1"]) == {
        "id": "gate-1",
        "name": "gate-1",
        "name_en": "",
        "kind": "footfall_counter",
        "location": {"type": "Point", "coordinates": [139.69, 35.69]},
        "owner": "新宿区",
        "effective_width_m": 3.5,
        "capacity": 200,
        "datastreams": ["pedestrians_in", "pedestrians_out"],
        "state": "live",
        "last_observed_at": "2026-04-01T02:55:00Z",
    }
    assert (by_id["pole-1"]["name"], by_id["pole-1"]["name_en"]) == ("西一", "West One")
    states = {name: it["state"] for name, it in by_id.items()}
    assert states == {
        "gate-1": "live",
        "gate-2": "live",
        "pole-1": "live",
        "pole-2": "silent",
        "pole-3": "waiting",
    }
    assert by_id["pole-3"]["last_observed_at"] is None


def test_things_come_page_by_page(api: TestClient) -> None:
    seen, address, pages = [], "/v1/things?limit=2", 0
    while address is not None:
        answer = api.get(address).json()
        assert len(answer["items"]) <= 2
        seen += [it["id"] for it in answer["items"]]
        address, pages = answer["next"], pages + 1
    assert seen == ["gate-1", "gate-2", "pole-1", "pole-2", "pole-3"]
    assert pages == 3
    assert api.get("/v1/things?limit=5").json()["next"] is None
    assert bare(api.get("/v1/things?after=zzz").json()) == {
        "items": [],
        "next": None,
        "count": None,
    }


def test_one_thing_comes_with_its_newest_values_and_its_areas(api: TestClient) -> None:
    answer = api.get("/v1/things/pole-1").json()
    assert answer["latest"] == {
        "air_temperature": {
            "result": 12.0,
            "time": "2026-04-01T02:58:00Z",
            "unit": "Cel",
            "quality": [],
            "suppressed": False,
        },
        "rainfall": {
            "result": 0.5,
            "time": "2026-04-01T02:58:00Z",
            "unit": "mm",
            "quality": [],
            "suppressed": False,
        },
        "wind_from_direction": {
            "result": 350.0,
            "time": "2026-04-01T02:58:00Z",
            "unit": "deg",
            "quality": [],
            "suppressed": False,
        },
    }
    assert bare(answer["areas"]) == [
        {"area_set": "squares", "code": "W", "name": "区域W", "name_en": "Area W"},
        {"area_set": "wards", "code": "13104", "name": "区域13104", "name_en": "Area 13104"},
    ]
    assert answer["state"] == "live"
    waiting = api.get("/v1/things/pole-3").json()
    assert (waiting["latest"], waiting["areas"]) == ({}, [])


def test_the_newest_observations_can_be_narrowed(api: TestClient) -> None:
    assert len(api.get("/v1/latest").json()["items"]) == 10
    (one,) = api.get("/v1/latest?thing=pole-2&observed_property=rainfall").json()["items"]
    assert one == {
        "thing": "pole-2",
        "observed_property": "rainfall",
        "time": "2026-04-01T02:40:00Z",
        "result": 4.5,
        "unit": "mm",
        "quality": [],
        "suppressed": False,
    }
    refused = api.get("/v1/latest?thing=pole-11")
    assert refused.status_code == 422
    assert "did you mean pole-1" in refused.json()["detail"]
    assert len(api.get("/v1/latest?kind=smart_pole").json()["items"]) == 6
    assert len(api.get("/v1/latest?thing=pole-2&thing=gate-1").json()["items"]) == 5
    unknown = api.get("/v1/latest?kind=smart_pol")
    assert unknown.status_code == 422
    assert "'smart_pol' is not known; there are: footfall_counter, smart_pole" in unknown.text
    assert api.get("/v1/latest?bbox=0,0,1,1").json()["items"] == []
    inside = api.get("/v1/latest?area_set=squares&area=E").json()["items"]
    assert {it["thing"] for it in inside} == {"gate-2"}


def test_things_as_geojson(api: TestClient) -> None:
    answer = api.get("/v1/things.geojson")
    assert answer.headers["content-type"] == "application/geo+json"
    body = answer.json()
    assert body["type"] == "FeatureCollection"
    features = {it["id"]: it for it in body["features"]}
    assert len(features) == 5
    for it in features.values():
        assert it["type"] == "Feature"
        assert it["geometry"]["type"] == "Point"
        assert len(it["geometry"]["coordinates"]) == 2
        assert it["properties"]["id"] == it["id"]
    properties = features["pole-2"]["properties"]
    assert (properties["state"], properties["last_observed_at"]) == (
        "silent",
        "2026-04-01T02:40:00Z",
    )
    assert properties["latest"]["air_temperature"] == {
        "result": 16.0,
        "time": "2026-04-01T02:40:00Z",
    }


def test_things_as_geojson_at_a_past_moment(api: TestClient) -> None:
    body = api.get("/v1/things.geojson", params={"at": "2026-04-01T11:35:00+09:00"}).json()
    properties = {it["id"]: it["properties"] for it in body["features"]}
    assert properties["pole-1"]["latest"]["air_temperature"]["result"] == 10.0
    assert properties["pole-1"]["state"] == "live"
    assert properties["pole-2"]["state"] == "silent"
    assert properties["pole-2"]["latest"] == {}
    assert properties["gate-1"]["latest"]["pedestrians_in"]["result"] == 1000.0


def series(api: TestClient, thing: str, **params: object) -> dict:
    answer = api.get(f"/v1/things/{thing}/series", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_series_has_a_gap_where_nothing_was_observed(api: TestClient) -> None:
    body = series(
        api,
        "pole-1",
        observed_property="air_temperature",
        start="2026-04-01T01:45:00Z",
        end="2026-04-01T03:00:00Z",
    )
    assert body["step_s"] == 900
    assert (body["unit"], body["unit_label"]) == ("Cel", "°C")
    assert dict(zip(body["times"], body["values"], strict=True)) == {
        "2026-04-01T02:00:00Z": 5.0,
        "2026-04-01T02:15:00Z": 10.0,
        "2026-04-01T02:30:00Z": None,
        "2026-04-01T02:45:00Z": None,
        "2026-04-01T03:00:00Z": 12.0,
    }
    assert body["gaps"] == [
        {"start": "2026-04-01T02:15:00Z", "end": "2026-04-01T02:45:00Z", "reason": "silent"}
    ]


def test_a_series_covers_the_last_complete_day_where_nothing_is_said(api: TestClient) -> None:
    body = series(api, "pole-1", observed_property="rainfall")
    assert (body["start"], body["end"]) == ("2026-03-31T03:00:00Z", "2026-04-01T03:00:00Z")
    assert len(body["times"]) == len(body["values"]) == 96
    assert sum(value for value in body["values"] if value is not None) == 10.5


@pytest.mark.parametrize(("step", "values"), [(3600, [5.0, 11.0]), (7200, [9.0]), (60 * 90, [9.0])])
def test_the_step_is_the_callers_choice(
    api: TestClient, writer: Writer, step: int, values: list[float]
) -> None:
    body = series(
        api,
        "pole-1",
        observed_property="air_temperature",
        start="2026-04-01T01:00:00Z",
        end="2026-04-01T03:00:00Z",
        step=step,
    )
    assert body["step_s"] == step
    got = dict(zip(body["times"], body["values"], strict=True))
    assert [value for value in got.values() if value is not None] == values


def test_a_series_of_hourly_counts_has_hourly_steps(api: TestClient) -> None:
    body = series(api, "gate-2", observed_property="pedestrians")
    assert body["step_s"] == 3600
    assert body["values"] == [None] * 23 + [100.0]


def test_a_series_of_directions_is_averaged_across_north(api: TestClient, writer: Writer) -> None:
    writer.save(
        [
            message("pole-3", after(minutes=1), wind_from_direction=350),
            message("pole-3", after(minutes=2), wind_from_direction=20),
        ]
    )
    body = series(
        api,
        "pole-3",
        observed_property="wind_from_direction",
        start="2026-04-01T00:00:00Z",
        end="2026-04-01T00:15:00Z",
    )
    assert body["values"] == [pytest.approx(5)]
