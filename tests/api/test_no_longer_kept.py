"""What the answers say of a time whose observations were dropped."""

from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from rollup_check import refresh_to_rest
from samples import T0, message
from tsuji_platform.store import Refresher
from tsuji_platform.store.cover import FIVE_MINUTES, HOUR, RAW
from tsuji_platform.store.history_retention import HistoryRetention
from tsuji_platform.store.writer import Writer

OLD = T0 - timedelta(days=800)


def iso(time) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def dropped(api: TestClient, writer: Writer, hub_url: str) -> TestClient:
    writer.save(
        [
            message("pole-1", OLD + timedelta(minutes=m), air_temperature=m / 10)
            for m in range(0, 120, 5)
        ]
        + [
            message("gate-1", OLD + timedelta(minutes=m), pedestrians_in=m and 7)
            for m in range(0, 120, 5)
        ]
        + [
            message("pole-2", OLD + timedelta(minutes=m), wind_from_direction=d)
            for m, d in ((57, 350), (59, 10))
        ]
        + [  # so that whole chunks of every kind lie before what is dropped
            message("pole-3", OLD + timedelta(days=d), rainfall=1) for d in (400, 500)
        ]
    )
    refresher = Refresher(hub_url)
    refresh_to_rest(refresher)
    while refresher.profile():
        pass
    refresher.close()
    drop(hub_url, RAW)
    return api


def drop(url: str, *widths: timedelta) -> None:
    retention = HistoryRetention(url, dict.fromkeys(widths, timedelta(days=30)))
    dropped = [one for _ in range(4) for one in retention.drop_some(T0 + timedelta(days=1))]
    assert widths[-1] in {one.width for one in dropped if one.until is not None}
    retention.close()


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


def snapshot(api: TestClient, at: datetime | None) -> dict:
    answer = api.get("/v1/area-sets/squares/snapshot", params={} if at is None else {"at": iso(at)})
    assert answer.status_code == 200
    return answer.json()


def west(body: dict) -> dict:
    """The figures of the western square, each as value, number of things and time."""
    figures = next((it["figures"] for it in body["areas"] if it["code"] == "W"), {})
    return {name: (it["value"], it["n"], it["time"]) for name, it in figures.items()}


def test_snapshots_of_then_are_made_of_sums_and_say_so(dropped: TestClient) -> None:
    """A whole five minutes had one observation each, so that its mean is what was observed."""
    at = OLD + timedelta(minutes=63)
    body = snapshot(dropped, at)
    assert (body["time"], body["sums_s"]) == (iso(at), 300)
    assert body["kept_since"] <= iso(T0 - timedelta(days=30))
    assert "5 minutes" in body["method"]
    assert "5分" in body["method_ja"]
    until = iso(OLD + timedelta(minutes=60))
    assert west(body) == {
        "air_temperature": (6.0, 1, until),
        "footfall": (12 * 7, 1, until),
        "wind_from_direction": (pytest.approx(0, abs=1e-6), 1, until),
    }
    detail = dropped.get("/v1/area-sets/squares/areas/W", params={"at": iso(at)}).json()
    assert detail["figures"]["air_temperature"]["value"] == 6.0
    assert "5 minutes" in detail["figures"]["air_temperature"]["method"]
    for moment in (T0, None):
        assert not {"kept_since", "sums_s", "method"} & set(snapshot(dropped, moment))


def test_where_shorter_sums_are_gone_snapshots_are_made_of_hours_and_at_last_of_nothing(
    dropped: TestClient, hub_url: str
) -> None:
    drop(hub_url, RAW, FIVE_MINUTES)
    body = snapshot(dropped, OLD + timedelta(minutes=119))
    hour = iso(OLD + timedelta(minutes=60))
    assert body["sums_s"] == 3600
    assert west(body)["air_temperature"] == (pytest.approx(3.25), 1, hour)
    assert west(body)["footfall"] == (12 * 7, 1, hour)
    drop(hub_url, RAW, FIVE_MINUTES, HOUR)
    body = snapshot(dropped, OLD + timedelta(minutes=119))
    assert body["areas"] == []
    assert "sums_s" not in body
    assert body["kept_since"] <= iso(T0 - timedelta(days=30))


def test_where_all_is_kept_nothing_is_said(api: TestClient) -> None:
    assert api.get("/v1/things/pole-1/observations").json()["kept_since"] is None
    assert set(api.get("/v1/health").json()["history"].values()) == {None, 0}
