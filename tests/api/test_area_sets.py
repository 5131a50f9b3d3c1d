"""Areas and their figures: now, at a past moment and over time; traceable to what was stored."""

from datetime import timedelta

import httpx
import pytest
from fastapi.testclient import TestClient

from linked import bare
from samples import after, message
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.store.writer import Writer


def figures(answer: httpx.Response) -> dict[str, dict[str, dict]]:
    assert answer.status_code == 200, answer.text
    return {area["code"]: area["figures"] for area in answer.json()["areas"]}


def test_area_sets_are_listed_municipalities_first(api: TestClient) -> None:
    items = api.get("/v1/area-sets").json()["items"]
    assert [it["id"] for it in items] == ["wards", "squares"]
    assert bare(items[1]) == {
        "id": "squares",
        "name": "集合squares",
        "name_en": "Set squares",
        "kind": "polygon",
        "source": "test data",
        "licence": "CC0-1.0",
        "areas": 3,
        "bbox": pytest.approx([139.69, 35.69, 139.71, 35.71]),
    }


def test_areas_are_valid_geojson(api: TestClient) -> None:
    answer = api.get("/v1/area-sets/squares/areas")
    assert answer.headers["content-type"] == "application/geo+json"
    body = answer.json()
    assert (body["type"], body["source"]) == ("FeatureCollection", "test data")
    assert {it["id"]: it["properties"] for it in body["features"]} == {
        "W": {"code": "W", "name": "区域W", "name_en": "Area W", "things": 3},
        "E": {"code": "E", "name": "区域E", "name_en": "Area E", "things": 1},
        "N": {"code": "N", "name": "区域N", "name_en": "Area N", "things": 0},
    }
    for it in body["features"]:
        assert it["type"] == "Feature"
        ring = it["geometry"]["coordinates"][0]
        assert ring[0] == ring[-1]
        west, south, east, north = it["bbox"]
        assert all(west <= lon <= east and south <= lat <= north for lon, lat in ring)


def test_areas_that_the_caller_has_already_are_not_sent_again(
    api: TestClient, writer: Writer
) -> None:
    first = api.get("/v1/area-sets/squares/areas")
    etag = first.headers["etag"]
    again = api.get("/v1/area-sets/squares/areas", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    other = api.get("/v1/area-sets/squares/areas", headers={"If-None-Match": '"else"'})
    assert other.status_code == 200
    assert api.get("/v1/area-sets/wards/areas").headers["etag"] != etag


def test_the_snapshot_of_now(api: TestClient) -> None:
    answer = api.get("/v1/area-sets/squares/snapshot")
    body = answer.json()
    assert (body["area_set"], body["time"], body["window_s"]) == (
        "squares",
        "2026-04-01T03:00:00Z",
        3600,
    )
    assert figures(answer) == {
        "W": {
            "footfall": {"value": 40.0, "n": 1, "time": "2026-04-01T02:55:00Z"},
            "air_temperature": {"value": 14.0, "n": 2, "time": "2026-04-01T02:58:00Z"},
            "rainfall": {"value": 3.0, "n": 2, "time": "2026-04-01T02:58:00Z"},
            "wind_from_direction": {
                "value": pytest.approx(10),
                "n": 2,
                "time": "2026-04-01T02:58:00Z",
            },
        },
        "E": {"footfall": {"value": 100.0, "n": 1, "time": "2026-04-01T03:00:00Z"}},
    }


def test_the_snapshot_of_a_larger_area_adds_up_and_averages(api: TestClient) -> None:
    got = figures(api.get("/v1/area-sets/wards/snapshot"))
    assert got["13104"]["footfall"]["value"] == 140.0
    assert got["13104"]["footfall"]["n"] == 2
    assert got["13104"]["air_temperature"]["value"] == 14.0


@pytest.mark.parametrize("at", ["2026-04-01T02:30:00Z", "2026-04-01T11:30:00+09:00"])
def test_the_snapshot_of_a_past_moment_knows_nothing_of_later(api: TestClient, at: str) -> None:
    answer = api.get("/v1/area-sets/squares/snapshot", params={"at": at})
    assert answer.json()["time"] == "2026-04-01T02:30:00Z"
    assert figures(answer) == {
        "W": {
            "footfall": {"value": 2000.0, "n": 1, "time": "2026-04-01T01:55:00Z"},
            "air_temperature": {"value": 10.0, "n": 1, "time": "2026-04-01T02:10:00Z"},
            "rainfall": {"value": 10.0, "n": 1, "time": "2026-04-01T02:10:00Z"},
        }
    }


def test_a_window_leaves_out_its_beginning_and_includes_its_end(api: TestClient) -> None:
    def rain(at: str) -> float | None:
        got = figures(api.get("/v1/area-sets/squares/snapshot", params={"at": at}))
        return got.get("W", {}).get("rainfall", {}).get("value")

    assert rain("2026-04-01T01:49:59Z") is None
    assert rain("2026-04-01T01:50:00Z") == 9.0
    assert rain("2026-04-01T02:49:59Z") == (9 + 1 + 4.5) / 2
    assert rain("2026-04-01T02:50:00Z") == (1 + 4.5) / 2
    assert rain("2026-04-01T03:58:00Z") is None


def test_a_device_whose_clock_runs_ahead_speaks_for_now(api: TestClient, writer: Writer) -> None:
    writer.save([message("pole-1", after(hours=3, minutes=4), air_temperature=20)])
    got = figures(api.get("/v1/area-sets/squares/snapshot"))
    assert got["W"]["air_temperature"]["value"] == 18.0


def test_an_hour_of_people_and_rain_is_one_hour_on_a_fast_clock(
    api: TestClient, writer: Writer
) -> None:
    ahead = after(hours=3, minutes=4)
    for time in (ahead - timedelta(hours=1), ahead):
        writer.save([message("gate-1", time, 3600, pedestrians_in=1000)])
        writer.save([message("pole-2", time, rainfall=30)])
    got = figures(api.get("/v1/area-sets/squares/snapshot"))
    assert got["W"]["footfall"]["value"] == 1000.0 + 40.0
    assert got["W"]["rainfall"]["value"] == (1.5 + 4.5 + 30) / 2


def test_a_count_over_a_month_is_no_hour_of_people(api: TestClient, writer: Writer) -> None:
    month = 31 * 86_400
    writer.save([message("gate-2", after(hours=3), month, pedestrians=900_000, pedestrians_in=1)])
    assert "E" not in figures(api.get("/v1/area-sets/squares/snapshot"))
    assert "longer than 60 minutes" in FIGURES["footfall"].method


@pytest.mark.parametrize(
    ("step", "length"),
    [(60, "1 min"), (90, "90 s"), (119, "119 s"), (5400, "90 min"), (7200, "2 h")],
)
def test_a_series_names_the_step_that_it_counts_in(api: TestClient, step: int, length: str) -> None:
    asked = {"figure": "footfall", "step": step}
    body = api.get("/v1/area-sets/squares/areas/E/series", params=asked).json()
    assert body["unit_label"] == f"people / {length}"


def test_a_correction_shows_at_once(api: TestClient, writer: Writer) -> None:
    writer.save([message("gate-2", after(hours=3), 3600, pedestrians=130)])
    assert figures(api.get("/v1/area-sets/squares/snapshot"))["E"]["footfall"]["value"] == 130.0
    body = api.get("/v1/area-sets/squares/areas/E/series?figure=footfall").json()
    assert body["values"][-1] == 130.0


def test_one_area_explains_its_figures(api: TestClient) -> None:
    body = api.get("/v1/area-sets/squares/areas/W").json()
    assert (body["code"], body["name"], body["name_en"], body["area_set"]) == (
        "W",
        "区域W",
        "Area W",
        "squares",
    )
    assert body["things"] == ["gate-1", "pole-1", "pole-2"]
    known = FIGURES["footfall"]
    assert bare(body["figures"]["footfall"]) == {
        "value": 40.0,
        "n": 1,
        "time": "2026-04-01T02:55:00Z",
        "age_s": 300.0,
        "unit": "{person}",
        "unit_label": "people/h",
        "method": known.method,
        "method_ja": known.method_ja,
    }
    snapshot = figures(api.get("/v1/area-sets/squares/snapshot"))["W"]
    assert {n: it["value"] for n, it in body["figures"].items()} == {
        n: it["value"] for n, it in snapshot.items()
    }


def test_one_area_at_a_past_moment_and_one_without_things(api: TestClient) -> None:
    then = api.get("/v1/area-sets/squares/areas/W?at=2026-04-01T02:30:00Z").json()
    assert then["figures"]["footfall"]["value"] == 2000.0
    assert then["figures"]["footfall"]["age_s"] == 35 * 60
    empty = api.get("/v1/area-sets/squares/areas/N").json()
    assert (empty["things"], empty["figures"]) == ([], {})


def test_a_series_of_people_counts_each_step(api: TestClient) -> None:
    body = api.get(
        "/v1/area-sets/squares/areas/W/series",
        params={
            "figure": "footfall",
            "start": "2026-04-01T01:45:00Z",
            "end": "2026-04-01T03:00:00Z",
        },
    ).json()
    assert (body["unit"], body["unit_label"], body["step_s"]) == (
        "{person}",
        "people / 15 min",
        900,
    )
    assert dict(zip(body["times"], body["values"], strict=True)) == {
        "2026-04-01T02:00:00Z": 2000.0,
        "2026-04-01T02:15:00Z": None,
        "2026-04-01T02:30:00Z": None,
        "2026-04-01T02:45:00Z": None,
        "2026-04-01T03:00:00Z": 40.0,
    }


def test_a_series_of_an_hourly_counter_has_hourly_steps_and_counts_nobody_twice(
    api: TestClient,
) -> None:
    body = api.get("/v1/area-sets/squares/areas/E/series?figure=footfall").json()
    assert (body["step_s"], body["unit_label"]) == (3600, "people / 1 h")
    assert body["values"] == [None] * 23 + [100.0]


def test_a_series_of_days_has_days_of_tokyo(api: TestClient) -> None:
    body = api.get(
        "/v1/area-sets/squares/areas/E/series",
        params={
            "figure": "footfall",
            "step": 86400,
            "start": "2026-03-29T15:00:00Z",
            "end": "2026-04-01T15:00:00Z",
        },
    ).json()
    assert body["times"] == [
        f"{day}T15:00:00Z" for day in ("2026-03-30", "2026-03-31", "2026-04-01")
    ]
    assert body["values"] == [None, 77.0, 100.0]
    assert body["unit_label"] == "people / 24 h"


def test_a_series_of_weather_is_the_mean_of_the_step(api: TestClient) -> None:
    body = api.get(
        "/v1/area-sets/squares/areas/W/series",
        params={
            "figure": "air_temperature",
            "step": 3600,
            "start": "2026-04-01T01:00:00Z",
            "end": "2026-04-01T03:00:00Z",
        },
    ).json()
    assert body["values"] == [5.0, 13.5]  # pole-1 (10 + 12) / 2, pole-2 16
    assert body["unit_label"] == "°C"


def test_a_series_of_an_area_without_things_is_all_gaps(api: TestClient) -> None:
    body = api.get("/v1/area-sets/squares/areas/N/series?figure=air_temperature").json()
    assert body["values"] == [None] * 96


def test_the_newest_of_a_moment_is_the_newest_also_within_a_second(
    api: TestClient, writer: Writer
) -> None:
    whole, later = after(hours=2, minutes=30), after(hours=2, minutes=30, milliseconds=500)
    writer.save([message("pole-3", whole, rainfall=0), message("pole-3", later, air_temperature=9)])
    asked = {"at": "2026-04-01T02:31:00Z", "things": "true"}
    things = api.get("/v1/area-sets/squares/snapshot", params=asked).json()["things"]
    (pole,) = (it for it in things if it["id"] == "pole-3")
    assert pole["last_observed_at"] == "2026-04-01T02:30:00.500000Z"


@pytest.mark.parametrize("at", [None, "2026-04-01T02:00:00Z"])
def test_a_snapshot_holds_things_only_where_they_are_asked_for(api: TestClient, at) -> None:
    moment = {} if at is None else {"at": at}
    plain = api.get("/v1/area-sets/squares/snapshot", params=moment).json()
    assert "things" not in plain
    asked = api.get("/v1/area-sets/squares/snapshot", params={**moment, "things": "true"}).json()
    points = api.get("/v1/things.geojson", params=moment).json()["features"]
    assert asked["things"] == [
        {name: point["properties"][name] for name in ("id", "state", "last_observed_at", "latest")}
        for point in points
    ]
    assert any(thing["latest"] for thing in asked["things"])
    assert {thing["id"] for thing in asked["things"] if thing["state"] != "live"} >= {"pole-3"}
