"""Weather of areas without a sensor of their own: marked, traceable to near things; people never."""

from datetime import timedelta
from functools import partial

import pytest
from fastapi.testclient import TestClient

from samples import after, message, registration
from tsuji.area_sets import by_kind
from tsuji_geo import neighbours as geo
from tsuji_platform.api import shape
from tsuji_platform.api.hub import Hub
from tsuji_platform.store import Areas, Database
from tsuji_platform.store.neighbours import Neighbours, Weighing
from tsuji_platform.store.writer import Writer

WEIGHING = Weighing(measure=geo.measure, weigh=partial(geo.weigh, limit_km=5))


@pytest.fixture
def weighed(city: Database) -> Database:
    """Pole 1 and 2 stand in W; E, with a counter, and N, without any thing, are near."""
    Areas(city).assign_all(by_kind, WEIGHING)
    return city


@pytest.fixture
def reach(weighed: Database) -> dict[str, dict[str, float]]:
    """Distance by area and thing."""
    near = Neighbours(weighed).of_set("squares")
    return {code: {one.thing_id: one.distance_m for one in its} for code, its in near.items()}


def _idw(reach: dict[str, float], **values: float) -> float:
    weights = {name: 1 / reach[name.replace("_", "-")] ** 2 for name in values}
    return sum(weights[name] * values[name] for name in values) / sum(weights.values())


def test_a_snapshot_marks_what_is_estimated(api: TestClient, reach) -> None:
    areas = {
        it["code"]: it["figures"]
        for it in api.get("/v1/area-sets/squares/snapshot").json()["areas"]
    }
    assert reach.keys() == {"E", "N"}
    assert all("estimated" not in it for it in areas["W"].values())
    assert areas["E"]["footfall"] == {"value": 100.0, "n": 1, "time": "2026-04-01T03:00:00Z"}
    assert areas["N"].keys() == {"air_temperature", "rainfall", "wind_from_direction"}
    north = reach["N"]
    assert areas["N"]["air_temperature"] == {
        "value": pytest.approx(_idw(north, pole_1=12, pole_2=16)),
        "n": 2,
        "time": "2026-04-01T02:58:00Z",
        "estimated": {
            "distance_m": round(min(north.values())),
            "farthest_m": round(max(north.values())),
        },
    }
    # rain: of each gauge the hour's total, 1.5 and 4.5 mm, and never its newest reading
    assert areas["N"]["rainfall"]["value"] == pytest.approx(_idw(north, pole_1=1.5, pole_2=4.5))
    direction = areas["N"]["wind_from_direction"]["value"]
    assert direction > 350 or direction < 30


def test_a_past_moment_knows_nothing_of_later(api: TestClient, reach) -> None:
    answer = api.get("/v1/area-sets/squares/areas/N", params={"at": "2026-04-01T02:30:00Z"}).json()
    assert answer["figures"]["air_temperature"]["value"] == 10
    assert answer["figures"]["air_temperature"]["n"] == 1
    assert answer["things"] == []


def test_the_detail_says_how_it_was_made(api: TestClient, reach) -> None:
    answer = api.get("/v1/area-sets/squares/areas/E").json()["figures"]
    assert answer["air_temperature"]["method"].startswith("Estimated")
    assert "推定" in answer["air_temperature"]["method_ja"]
    assert answer["air_temperature"]["estimated"]["distance_m"] == round(min(reach["E"].values()))
    assert "estimated" not in answer["footfall"]
    assert answer["footfall"]["method"].startswith("Sum")


def test_an_estimated_series(api: TestClient, reach) -> None:
    def series(code: str, figure: str) -> dict:
        answer = api.get(
            f"/v1/area-sets/squares/areas/{code}/series",
            params={
                "figure": figure,
                "start": "2026-04-01T02:00:00Z",
                "end": "2026-04-01T03:00:00Z",
                "step": 900,
            },
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    rain = series("N", "rainfall")
    assert rain["values"] == [1, None, 4.5, 0.5]
    assert rain["estimated"]["farthest_m"] == round(max(reach["N"].values()))
    assert [it["reason"] for it in rain["gaps"]] == ["silent"]
    assert series("W", "rainfall")["estimated"] is None
    assert series("N", "footfall")["values"] == [None] * 4
    assert series("N", "footfall")["estimated"] is None


def test_a_silent_sensor_is_a_gap_and_not_filled_from_elsewhere(
    api: TestClient, weighed: Database, writer: Writer, clock
) -> None:
    writer.save([registration("far-1", "air_temperature", longitude=139.715)])
    Areas(weighed).assign_all(by_kind, WEIGHING)
    clock.now += timedelta(hours=2)
    writer.save([message("far-1", after(hours=5, minutes=-1), air_temperature=30)])
    figures = {
        it["code"]: it["figures"]
        for it in api.get("/v1/area-sets/squares/snapshot").json()["areas"]
    }
    assert "W" not in figures
    assert figures["E"]["air_temperature"]["value"] == 30
    assert figures["E"]["air_temperature"]["n"] == 1


def test_the_stream_marks_it_too(weighed: Database, clock) -> None:
    hub = Hub(weighed, clock)
    readings, membership = hub.readings(None), hub.areas.membership("squares")
    got = hub.nearby.figures("squares", readings.newest, readings.totals, membership)
    north = shape.figures(got["N"], {})
    assert north["air_temperature"]["estimated"]["distance_m"] > 0
    assert "estimated" not in shape.figures(got["W"], {})["air_temperature"]
