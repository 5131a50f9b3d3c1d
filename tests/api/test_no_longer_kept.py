"""What the answers say of a time whose observations were dropped."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from rollup_check import refresh_to_rest
from samples import T0, message
from tsuji_platform.store import Refresher, Writer
from tsuji_platform.store.cover import RAW
from tsuji_platform.store.history_retention import HistoryRetention

OLD = T0 - timedelta(days=40)


def iso(time) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def dropped(api: TestClient, writer: Writer, hub_url: str) -> TestClient:
    writer.save(
        [
            message("pole-1", OLD + timedelta(minutes=m), air_temperature=m / 10)
            for m in range(0, 120, 5)
        ]
    )
    refresher = Refresher(hub_url)
    refresh_to_rest(refresher)
    while refresher.profile():
        pass
    refresher.close()
    retention = HistoryRetention(hub_url, {RAW: timedelta(days=30)})
    assert [one.until is None for one in retention.drop_some(T0 + timedelta(days=1))] == [False]
    retention.close()
    return api


def series(api: TestClient, step: int) -> dict:
    span = {"start": iso(OLD), "end": iso(OLD + timedelta(hours=1)), "step": step}
    answer = api.get(
        "/v1/things/pole-1/series", params={"observed_property": "air_temperature", **span}
    )
    assert answer.status_code == 200
    return answer.json()


def test_series_of_whole_five_minutes_are_as_ever_and_shorter_steps_say_why_not(
    dropped: TestClient,
) -> None:
    body = series(dropped, 600)
    assert body["values"] == [pytest.approx(m / 10 + 0.75) for m in range(0, 60, 10)]
    assert body["gaps"] == []
    body = series(dropped, 60)
    assert set(body["values"]) == {None}
    (gap,) = body["gaps"]
    assert (gap["reason"], gap["start"], gap["end"]) == (
        "no_longer_kept", iso(OLD), iso(OLD + timedelta(hours=1)),
    )  # fmt: skip


def test_lists_snapshots_and_health_say_since_when_there_is_something(dropped: TestClient) -> None:
    health = dropped.get("/v1/health").json()["history"]
    since = health["observations_since"]
    assert iso(OLD) < since <= iso(T0 - timedelta(days=30))
    assert health == {
        "observations_since": since, "five_minutes_since": None, "hours_since": None, "too_late": 0,
    }  # fmt: skip
    span = {"start": iso(OLD), "end": iso(OLD + timedelta(hours=1))}
    body = dropped.get("/v1/things/pole-1/observations", params=span).json()
    assert (body["items"], body["kept_since"]) == ([], since)
    (area_set, *_) = dropped.get("/v1/area-sets").json()["items"]
    snapshot = f"/v1/area-sets/{area_set['id']}/snapshot"
    body = dropped.get(snapshot, params={"at": iso(OLD + timedelta(hours=1))}).json()
    assert (body["areas"], body["kept_since"]) == ([], since)
    assert "kept_since" not in dropped.get(snapshot, params={"at": iso(T0)}).json()
    assert "kept_since" not in dropped.get(snapshot).json()


def test_where_all_is_kept_nothing_is_said(api: TestClient) -> None:
    assert api.get("/v1/things/pole-1/observations").json()["kept_since"] is None
    assert set(api.get("/v1/health").json()["history"].values()) == {None, 0}
