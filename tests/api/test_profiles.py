"""The merged view of areas: readings beside open data, each with its source, time and method."""

from collections.abc import Sequence
from datetime import date
from functools import partial

import pytest
from fastapi.testclient import TestClient

from samples import after, message, registration
from tsuji.area_sets import by_kind
from tsuji_geo import neighbours as geo
from tsuji_platform.analytics import merged
from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.contract.features import Feature, PopulationCount, StatedDate
from tsuji_platform.store import Areas, Database
from tsuji_platform.store.dataset_records import NewDataset
from tsuji_platform.store.datasets import Datasets
from tsuji_platform.store.neighbours import Weighing
from tsuji_platform.store.writer import Writer

WEIGHING = Weighing(measure=geo.measure, weigh=partial(geo.weigh, limit_km=5))
WARD = "/v1/area-sets/wards/areas/13104/profile"


def put(database: Database, dataset_id: str, kind: str, features: Sequence[Feature]) -> None:
    described = NewDataset(
        dataset_id=dataset_id,
        kind=kind,
        title=f"{kind}一覧",
        publisher="辻区",
        licence="CC BY 4.0",
        source="辻区オープンデータ",
        date=StatedDate(first_day=date(2025, 4, 1)),
        file_name="a.csv",
        encoding="utf-8",
        report={},
        columns={},
    )
    Datasets(database).put(dataset_id, features, lambda: described, by_kind)


def place(number: int, **more) -> Feature:
    return Feature(number=number, line=number + 1, name=f"場所{number}", **more)


@pytest.fixture
def town(city: Database, writer: Writer) -> Database:
    """The city with residents, two shelters (one of them in W), two AEDs in E, and weather in W."""
    writer.save(
        [
            registration(
                "pole-1",
                "air_temperature", "rainfall", "relative_humidity", "solar_irradiance", "wind_speed",
                "wind_from_direction", "pm2_5",
            )
        ]
    )  # fmt: skip
    hourly = [message("pole-1", after(hours=-9 - h, minutes=-30), pm2_5=30 + h) for h in range(24)]
    writer.save(
        [
            message(
                "pole-1",
                after(hours=3, minutes=-1),
                air_temperature=34.9, relative_humidity=51, solar_irradiance=981, wind_speed=1.37,
                wind_from_direction=90,
            ),
            *hourly,
        ]
    )  # fmt: skip
    Areas(city).assign_all(by_kind, WEIGHING)
    counted = [
        PopulationCount(date=StatedDate(first_day=date(2020, 10, 1)), count=1_000),
        PopulationCount(date=StatedDate(first_day=date(2025, 4, 1)), count=2_000),
        PopulationCount(
            date=StatedDate(first_day=date(2025, 4, 1)), count=900, measure="households"
        ),
    ]
    put(city, "residents", "population", [place(1, code="13104", population=tuple(counted))])
    put(
        city,
        "shelters",
        "evacuation_center",
        [
            place(1, code="13104", longitude=139.695, latitude=35.695, capacity=300),
            place(2, code="13104", longitude=139.9, latitude=35.9),
        ],
    )
    put(
        city,
        "aed",
        "aed",
        [place(n, longitude=139.705, latitude=35.695) for n in (1, 2)],
    )
    return city


def test_a_ward_with_all_that_is_known_of_it(api: TestClient, town: Database) -> None:
    answer = api.get(WARD)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["code"], body["time"]) == ("13104", "2026-04-01T03:00:00Z")
    assert body["size"]["source"] == "test data"
    assert body["size"]["km2"] == pytest.approx(402.2, abs=1)
    assert body["figures"]["footfall"]["value"] == 140

    people = body["population"]["people"]
    assert (people["count"], people["date"]) == (2_000, "2025-04-01")
    assert people["source"] == {
        "dataset": "residents",
        "title": "population一覧",
        "title_en": "",
        "publisher": "辻区",
        "licence": "CC BY 4.0",
        "source": "辻区オープンデータ",
        "date": "2025-04-01",
        "imported_at": people["source"]["imported_at"],
    }
    assert body["population"]["households"]["count"] == 900
    assert body["population"]["density"]["value"] == pytest.approx(
        2_000 / body["size"]["km2"], abs=0.1
    )
    assert body["population"]["counted_per_resident"]["value"] == 140 / 2_000
    assert body["population"]["counted_per_resident"]["method"]

    (shelters,) = body["shelters"]
    assert (shelters["features"], shelters["with_capacity"], shelters["capacity"]) == (2, 1, 300)
    assert shelters["capacity_per_resident"]["value"] == 0.15
    assert shelters["join"] == "code"
    (aed,) = body["facilities"]
    assert (aed["features"], aed["join"]) == (2, "position")  # they carry no code at all
    assert {it["id"]: it["state"] for it in body["sensors"]} == {
        "gate-1": "live",
        "gate-2": "live",
        "pole-1": "live",
        "pole-2": "silent",
    }


def test_listed_places_are_joined_by_position_where_asked_and_in_meshes(
    api: TestClient, town: Database
) -> None:
    body = api.get(WARD, params={"join": "position"}).json()
    assert [(it["kind"], it["features"]) for it in body["shelters"]] == [("evacuation_center", 1)]
    assert [(it["kind"], it["features"]) for it in body["facilities"]] == [("aed", 2)]
    body = api.get(WARD, params={"join": "code"}).json()
    assert ([it["features"] for it in body["shelters"]], body["facilities"]) == ([2], [])
    east = api.get("/v1/area-sets/squares/areas/E/profile").json()
    assert [(it["kind"], it["join"]) for it in east["facilities"]] == [("aed", "position")]
    assert east["population"]["people"] is None
    for name in ("density", "counted_per_resident"):
        assert east["population"][name]["value"] is None
        assert "population" in east["population"][name]["reason"]
    assert api.get(WARD, params={"join": "name"}).status_code == 422
    for path in ("areas/E/profile", "profiles.geojson"):
        answer = api.get(f"/v1/area-sets/squares/{path}", params={"join": "code"})
        assert (answer.status_code, "join=position" in answer.json()["detail"]) == (422, True)


def test_places_of_a_city_are_counted_in_the_ward_where_they_lie(
    api: TestClient, town: Database
) -> None:
    places = [
        place(1, code="13104", longitude=139.695, latitude=35.695),
        place(2, code="13100", code_span=("13100", "13199"), longitude=139.695, latitude=35.695),
    ]
    put(town, "toilets", "public_toilet", places)
    found = api.get(WARD).json()["facilities"]
    assert [(it["kind"], it["join"], it["features"]) for it in found] == [
        ("public_toilet", "code", 1),
        ("aed", "position", 2),
        ("public_toilet", "position", 1),
    ]


def test_derived_figures_of_an_area(api: TestClient, town: Database) -> None:
    derived = api.get("/v1/area-sets/squares/areas/W/profile").json()["derived"]
    assert list(derived) == list(DERIVED)
    # pole-1's temperature is averaged with pole-2's 16 degrees; all else is pole-1's alone
    assert derived["wbgt"]["value"] is not None
    assert derived["wbgt"]["estimated"] is None
    assert derived["wbgt"]["time"] == "2026-04-01T02:59:00Z"
    assert derived["wbgt"]["source"].startswith("Ono & Tonouchi")
    assert (
        derived["wind_vector_speed"]["value"],
        derived["wind_vector_from_direction"]["value"],
    ) == (
        1.4,
        90,
    )
    assert derived["pm2_5_day_mean"]["value"] == sum(range(30, 54)) / 24
    assert derived["pm2_5_day_mean"]["band"]["id"] == "above_standard"
    # 40 people in 10 minutes that were counted are too few minutes for a flow
    assert derived["pedestrian_flow"]["value"] is None
    # in the Tokyo day: 1,030 in, 1,010 out, room for 200
    assert derived["percent_of_capacity"]["value"] == 10
    assert (derived["congestion"]["band"]["id"], derived["congestion"]["rule"]) == (
        "not_crowded",
        "percent_of_capacity",
    )
    assert derived["congestion"]["time"] == derived["percent_of_capacity"]["time"]
    assert derived["percent_of_typical"]["value"] is None
    assert derived["percent_of_typical"]["reason"].startswith("missing")


def test_figures_derived_from_estimated_weather_say_so(api: TestClient, town: Database) -> None:
    body = api.get("/v1/area-sets/squares/areas/N/profile").json()
    derived, direction = body["derived"], body["figures"]["wind_from_direction"]
    assert derived["wbgt"]["estimated"]["distance_m"] > 0
    assert 30 < direction["value"] < 90
    assert derived["wind_vector_from_direction"]["value"] == round(direction["value"])
    near = derived["wind_vector_from_direction"]["estimated"]
    assert near["distance_m"] <= direction["estimated"]["distance_m"]
    assert near["farthest_m"] >= direction["estimated"]["farthest_m"]
    assert derived["pm2_5_day_mean"]["value"] is None
    assert derived["level_of_service"]["value"] is None
    assert derived["level_of_service"]["time"] is None


def test_a_past_moment(api: TestClient, town: Database) -> None:
    body = api.get(
        "/v1/area-sets/squares/areas/W/profile", params={"at": "2026-04-01T02:30:00Z"}
    ).json()
    assert body["time"] == "2026-04-01T02:30:00Z"
    assert body["figures"]["footfall"]["value"] == 2000
    assert body["derived"]["wbgt"]["value"] is None
    assert "relative humidity" in body["derived"]["wbgt"]["reason"]
    assert body["derived"]["percent_of_capacity"]["value"] == 0
    assert api.get("/v1/area-sets/squares/areas/X/profile").status_code == 404


def test_all_areas_as_geojson(api: TestClient, town: Database) -> None:
    answer = api.get("/v1/area-sets/squares/profiles.geojson")
    assert answer.headers["content-type"] == "application/geo+json"
    body = answer.json()
    assert body["type"] == "FeatureCollection"
    west, north = (
        next(it["properties"] for it in body["features"] if it["id"] == code) for code in "WN"
    )
    assert west["figures"]["footfall"]["value"] == 40
    assert west["sensors"] == {"live": 2, "silent": 1}
    assert west["derived"]["percent_of_capacity"]["value"] == 10
    assert west["shelters"][0]["capacity"] == 300
    assert north["figures"]["air_temperature"]["estimated"]["distance_m"] > 0
    assert north["sensors"] == {}
    assert body["sources"].keys() == {"aed", "shelters"}
    assert set(body["methods"]) >= set(DERIVED)
    assert body["next"] is None
    wards = api.get("/v1/area-sets/wards/profiles.geojson").json()
    assert wards["features"][0]["properties"]["population"] == {
        "count": 2_000,
        "date": "2025-04-01",
        "dataset": "residents",
    }


def test_derived_figures_of_all_areas_come_without_all_else(
    api: TestClient, town: Database
) -> None:
    profiles = api.get("/v1/area-sets/squares/profiles.geojson").json()["features"]
    body = api.get("/v1/area-sets/squares/derived").json()
    assert {it["code"]: it["derived"] for it in body["areas"]} == {
        it["id"]: it["properties"]["derived"] for it in profiles
    }
    where = "/v1/area-sets/squares/derived?figures=percent_of_capacity,wbgt"
    (west,) = [it for it in api.get(where).json()["areas"] if it["code"] == "W"]
    assert west["derived"].keys() == {"percent_of_capacity", "wbgt"}
    assert west["derived"]["percent_of_capacity"]["value"] == 10
    refused = api.get("/v1/area-sets/squares/derived?figures=wbgt,heat")
    assert refused.status_code == 422
    assert "'heat' is not one of congestion" in refused.json()["detail"]
    assert api.get("/v1/area-sets/none/derived").status_code == 404


def test_geojson_of_many_areas_comes_page_by_page(api: TestClient, town: Database) -> None:
    where: str | None = (
        "/v1/area-sets/squares/profiles.geojson?limit=2&at=2026-04-01T11:30:00%2B09:00"
    )
    pages = []
    while where:
        page = api.get(where).json()
        assert page["time"] == "2026-04-01T02:30:00Z"
        pages.append([it["id"] for it in page["features"]])
        where = page["next"]
    assert pages == [["E", "N"], ["W"]]


def test_derived_figures_are_listed(api: TestClient) -> None:
    items = api.get("/v1/derived-figures").json()["items"]
    assert [it["id"] for it in items] == list(DERIVED)


def test_rates_say_why_there_is_none() -> None:
    assert merged.density(100, 2e6).value == 50
    assert "assignment" in merged.density(100, None).reason
    assert "population" in merged.density(None, 2e6).reason
    assert "counter" in merged.counted_per_resident(None, 100).reason
    assert merged.counted_per_resident(5, 0).reason == "nobody lives there"
    assert "population" in merged.capacity_per_resident(5, None).reason
    assert "does not say" in merged.capacity_per_resident(None, 100).reason
    assert merged.capacity_per_resident(5, 100).value == 0.05
