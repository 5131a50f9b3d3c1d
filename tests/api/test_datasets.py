"""Datasets and their features by API: pages, both joins, flags, and who is to be credited."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from opendata_files import POPULATION, SHELTERS, put
from tsuji_platform.store import Database

CREDIT = {
    "id": "131041-evacuation-space",
    "kind": "evacuation_space",
    "title": "指定緊急避難場所",
    "title_en": "Emergency evacuation sites",
    "publisher": "新宿区",
    "licence": "CC BY 4.0",
    "source": "131041_evacuation_space.csv",
    "date": "2025-04",
}


@pytest.fixture(autouse=True)
def _open_data(city: Database, tmp_path: Path) -> None:
    put(city, tmp_path / "131041_evacuation_space.csv", SHELTERS)
    put(city, tmp_path / "131041_population.csv", POPULATION)


def test_datasets_are_listed_with_whom_to_credit(api: TestClient) -> None:
    items = api.get("/v1/datasets").json()["items"]
    assert [it["id"] for it in items] == ["131041-evacuation-space", "131041-population"]
    assert {name: items[0][name] for name in CREDIT} == CREDIT
    assert items[0]["features"] == 4


def test_a_dataset_tells_what_its_import_did(api: TestClient) -> None:
    detail = api.get("/v1/datasets/131041-evacuation-space").json()
    assert detail["encoding"] == "cp932"
    assert detail["columns"]["capacity"] == ["想定収容人数"]
    assert detail["contradicting"] == 1
    report = detail["report"]
    assert (report["rows"], report["taken"], report["refused"]) == (4, 4, 0)
    assert report["notes"] == [
        {"line": 3, "what": "number_cleaned", "detail": "capacity '1,200' was read as 1200"}
    ]


def test_features_come_page_by_page_with_the_credit(api: TestClient) -> None:
    address = "/v1/datasets/131041-evacuation-space/features?limit=3"
    first = api.get(address).json()
    assert first["dataset"] == CREDIT
    second = api.get(first["next"]).json()
    assert second["next"] is None
    names = [it["name"] for it in first["items"] + second["items"]]
    assert names == ["西小学校", "東小学校", "迷子小学校", "住所だけ"]
    east = first["items"][1]
    assert east["coordinates"] == [139.705, 35.695]
    assert (east["code"], east["position_code"], east["capacity"]) == ("13104", "13104", 1200)
    assert east["fields"] == {"capacity": 1200, "earthquake": False}
    assert east["properties"]["想定収容人数"] == "1,200"
    assert (east["line"], east["flags"]) == (3, ["number_cleaned"])


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("area_set=wards&area=13104&join=code", ["西小学校", "東小学校", "住所だけ"]),
        ("area_set=wards&area=13104&join=position", ["西小学校", "東小学校", "迷子小学校"]),
        ("area_set=squares&area=E", ["東小学校"]),
        ("bbox=139.69,35.69,139.70,35.70", ["西小学校", "迷子小学校"]),
        ("flag=position_contradicts_code", ["迷子小学校"]),
        ("flag=coordinates_swapped", []),
        ("flagged=true", ["東小学校", "迷子小学校"]),
        ("flagged=false&area_set=squares&area=W", ["西小学校"]),
    ],
)
def test_features_are_found_by_area_box_and_flag(
    api: TestClient, query: str, names: list[str]
) -> None:
    found, address = [], f"/v1/datasets/131041-evacuation-space/features?limit=1&{query}"
    while address:
        page = api.get(address).json()
        found += [it["name"] for it in page["items"]]
        address = page["next"]
    assert found == names
    collection = api.get(f"/v1/datasets/131041-evacuation-space/features.geojson?{query}").json()
    assert [it["properties"]["name"] for it in collection["features"]] == names


def test_features_are_valid_geojson_with_the_credit(api: TestClient) -> None:
    answer = api.get("/v1/datasets/131041-evacuation-space/features.geojson?limit=4")
    assert answer.headers["content-type"] == "application/geo+json"
    body = answer.json()
    assert (body["type"], body["dataset"], body["next"]) == ("FeatureCollection", CREDIT, None)
    assert body["features"][0]["geometry"] == {"type": "Point", "coordinates": [139.695, 35.695]}
    assert body["features"][3]["geometry"] is None
    assert [it["id"] for it in body["features"]] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("bbox=139,35,138,36", "bbox '139,35,138,36'"),
        ("bbox=nan,35,139,36", "bbox 'nan,35,139,36'"),
        ("bbox=1,2,3", "bbox '1,2,3'"),
        ("area=13104", "give both or neither"),
        ("area_set=squares&area=W&join=code", "join=position"),
        ("area_set=wards&area=1", "area '1' is not known"),
        ("area_set=nowhere&area=1", "area_set 'nowhere' is not known"),
        ("flag=odd", "flag"),
    ],
)
def test_what_cannot_be_asked_for_is_named(api: TestClient, query: str, said: str) -> None:
    answer = api.get(f"/v1/datasets/131041-evacuation-space/features?{query}")
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/datasets/nothing",
        "/v1/datasets/nothing/features",
        "/v1/datasets/nothing/features.geojson",
        "/v1/area-sets/wards/areas/99999/population",
    ],
)
def test_what_is_not_there_is_named(api: TestClient, path: str) -> None:
    assert api.get(path).status_code == 404


def test_the_population_of_an_area_is_the_newest_and_all_of_it_by_page(api: TestClient) -> None:
    address = "/v1/area-sets/wards/areas/13104/population?limit=2"
    first = api.get(address).json()
    assert first["people"] == {
        "dataset": "131041-population",
        "series": "",
        "date": "2025-01-01",
        "count": 351_000,
        "regions": 0,
    }
    assert first["households"]["count"] == 231_000
    assert [it["publisher"] for it in first["datasets"]] == ["新宿区"]
    items, address = [], address
    while address:
        page = api.get(address).json()
        items += page["items"]
        address = page["next"]
    assert [(it["date"], it["sex"], it["age_from"], it["age_to"], it["count"]) for it in items] == [
        ("2025-01-01", "total", None, None, 351_000),
        ("2025-01-01", "male", None, None, 176_000),
        ("2025-01-01", "female", None, None, 175_000),
        ("2025-01-01", "male", 0, 4, 6_000),
        ("2025-01-01", "total", None, None, 231_000),
        ("2020-01-01", "total", None, None, 348_000),
        ("2020-01-01", "male", None, None, 174_000),
        ("2020-01-01", "female", None, None, 174_000),
    ]
    assert [it["measure"] for it in items].count("households") == 1


def test_an_area_that_nobody_counts_has_no_population(api: TestClient) -> None:
    answer = api.get("/v1/area-sets/squares/areas/W/population").json()
    assert (answer["people"], answer["items"], answer["datasets"]) == (None, [], [])
