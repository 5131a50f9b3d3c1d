"""What looks wrong shows beside every newest reading, in lists of its own, and in raw observations."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from samples import after, message, observations, packed, registration
from tsuji_platform.api.app import create_app
from tsuji_platform.api.flags import FRESH
from tsuji_platform.api.hub import Hub
from tsuji_platform.contract.quality import QUALITY_RULES
from tsuji_platform.store import Database
from tsuji_platform.store.cover import ceiling
from tsuji_platform.store.writer import Writer


def stamp(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


@pytest.fixture
def odd(writer: Writer, api: TestClient) -> TestClient:
    """Beside the usual city a pole whose temperature is stuck and whose pressure has just leapt."""
    writer.save([registration("pole-9", "air_pressure", "air_temperature", "wind_speed")])
    content = []
    for minute in range(0, 3 * 180, 10):
        results = {"air_temperature": 21.5, "air_pressure": 1000 + minute % 20 / 10}
        content += observations("pole-9", after(hours=-6, minutes=minute + 1), **results)
    content += observations("pole-9", after(hours=3), air_temperature=21.5, air_pressure=1020)
    writer.save([packed("pole-9", content)])
    return api


def test_the_detail_of_a_thing_marks_what_looks_wrong(odd: TestClient) -> None:
    latest = odd.get("/v1/things/pole-9").json()["latest"]
    assert {name: it["quality"] for name, it in latest.items()} == {
        "air_temperature": ["stuck"],
        "air_pressure": ["step"],
    }
    healthy = odd.get("/v1/things/pole-1").json()["latest"]
    assert {tuple(it["quality"]) for it in healthy.values()} == {()}


def test_newest_observations_are_marked_alike_of_one_thing_and_of_all(odd: TestClient) -> None:
    for path in ("/v1/latest", "/v1/latest?thing=pole-9"):
        items = odd.get(path).json()["items"]
        marked = {(it["thing"], it["observed_property"]): it["quality"] for it in items}
        assert {key: flags for key, flags in marked.items() if flags} == {
            ("pole-9", "air_pressure"): ["step"],
            ("pole-9", "air_temperature"): ["stuck"],
        }


def test_what_looks_wrong_now_is_listed_and_counted(odd: TestClient, clock) -> None:
    told = odd.get("/v1/quality").json()
    assert told.pop("links")["self"] == "/v1/quality"
    assert told == {
        "time": stamp(clock.now),
        "items": [
            {
                "thing": "pole-9",
                "observed_property": "air_pressure",
                "flag": "step",
                "since": "2026-04-01T03:00:00Z",
                "time": "2026-04-01T03:00:00Z",
                "result": 1020.0,
                "unit": "hPa",
            },
            {
                "thing": "pole-9",
                "observed_property": "air_temperature",
                "flag": "stuck",
                "since": "2026-03-31T18:01:00Z",
                "time": "2026-04-01T03:00:00Z",
                "result": 21.5,
                "unit": "Cel",
            },
        ],
    }
    assert odd.get("/v1/health").json()["quality"] == {"stuck": 1, "step": 1}


def test_flags_of_all_are_read_once_in_half_a_minute(
    odd: TestClient, writer: Writer, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    quality = odd.app.state.hub.quality
    asked: list[datetime] = []
    newest: Callable[..., list] = type(quality).newest

    def counted(self, thing_id=None):
        asked.append(clock.now)
        return newest(self, thing_id)

    monkeypatch.setattr(type(quality), "newest", counted)
    for _ in range(3):
        for path in ("/v1/health", "/v1/quality", "/v1/latest"):
            assert odd.get(path).status_code == 200
    assert len(asked) == 1
    # meanwhile: a step is one reading's, a stuck value lasts as long as it does
    writer.save(
        [message("pole-9", after(hours=3, minutes=1), air_temperature=21.5, air_pressure=1001)]
    )
    items = odd.get("/v1/latest").json()["items"]
    assert [it["quality"] for it in items if it["thing"] == "pole-9"] == [[], ["stuck"]]
    writer.save([message("pole-9", after(hours=3, minutes=2), air_temperature=21.4)])
    items = odd.get("/v1/latest").json()["items"]
    assert [it["quality"] for it in items if it["thing"] == "pole-9"] == [[], []]
    assert odd.get("/v1/health").json()["quality"] == {"stuck": 1, "step": 1}
    assert len(asked) == 1
    clock.now += FRESH
    assert odd.get("/v1/health").json()["quality"] == {"stuck": 0, "step": 0}
    clock.now -= timedelta(days=1)  # a clock that is set right
    odd.get("/v1/health")
    assert len(asked) == 3


def walked(api: TestClient, address: str | None) -> tuple[list[dict], int]:
    """All items behind an address, page by page, and how many pages there were."""
    items: list[dict] = []
    pages = 0
    while address is not None:
        answer = api.get(address)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        address, pages = answer.json()["next"], pages + 1
    return items, pages


def test_raw_observations_come_oldest_first_with_everything_that_was_stored(
    api: TestClient,
) -> None:
    body = api.get("/v1/things/gate-1/observations").json()
    assert (body["thing"], body["next"]) == ("gate-1", None)
    assert [
        (it["time"], it["observed_property"], it["result"], it["unit"]) for it in body["items"]
    ] == [
        ("2026-04-01T01:55:00Z", "pedestrians_in", 1000.0, "{person}"),
        ("2026-04-01T01:55:00Z", "pedestrians_out", 1000.0, "{person}"),
        ("2026-04-01T02:50:00Z", "pedestrians_in", 10.0, "{person}"),
        ("2026-04-01T02:50:00Z", "pedestrians_out", 7.0, "{person}"),
        ("2026-04-01T02:55:00Z", "pedestrians_in", 20.0, "{person}"),
        ("2026-04-01T02:55:00Z", "pedestrians_out", 3.0, "{person}"),
    ]
    assert {it["period_s"] for it in body["items"]} == {300}
    assert {tuple(it["quality"]) for it in body["items"]} == {()}
    assert api.get("/v1/things/pole-3/observations").json()["items"] == []


def test_without_a_span_the_newest_day_comes_with_what_runs_a_little_ahead(
    api: TestClient, writer: Writer
) -> None:
    writer.save([message("gate-2", after(hours=3, minutes=4), 3600, pedestrians=9)])
    items = api.get("/v1/things/gate-2/observations?observed_property=pedestrians").json()["items"]
    assert [it["time"] for it in items] == ["2026-04-01T03:00:00Z", "2026-04-01T03:04:00Z"]
    earlier = api.get("/v1/things/gate-2/observations?end=2026-03-31T03:00:00Z").json()["items"]
    assert [it["result"] for it in earlier] == [77.0, 33.0]
    assert {it["time"] for it in earlier} == {"2026-03-31T03:00:00Z"}


def test_pages_join_without_a_gap_or_a_repetition(odd: TestClient, writer: Writer, clock) -> None:
    whole, pages = walked(odd, "/v1/things/pole-9/observations")
    assert pages == 1
    assert len(whole) == 2 * 55
    address = "/v1/things/pole-9/observations?limit=7"
    first = odd.get(address).json()
    clock.now += timedelta(hours=1)  # what comes while pages are turned is not in them
    writer.save([message("pole-9", after(hours=4), air_temperature=3)])
    rest, pages = walked(odd, first["next"])
    assert first["items"] + rest == whole
    assert pages == 15
    times = [(it["time"], it["observed_property"]) for it in whole]
    assert times == sorted(times)


def test_observations_are_picked_by_what_looks_wrong(odd: TestClient) -> None:
    path = "/v1/things/pole-9/observations"
    everything, _ = walked(odd, path)
    flagged, _ = walked(odd, path + "?quality=flagged&limit=3")
    good, _ = walked(odd, path + "?quality=good&limit=20")
    assert flagged == [it for it in everything if it["quality"]]
    assert good == [it for it in everything if not it["quality"]]
    rule = QUALITY_RULES["air_temperature"].stuck
    expected = [
        it["time"]
        for it in everything
        if it["observed_property"] == "air_temperature"
        and datetime.fromisoformat(it["time"]) - after(hours=-6, minutes=1) >= rule.after
    ]
    assert [it["time"] for it in flagged if it["quality"] == ["stuck"]] == expected
    assert expected
    assert [it["result"] for it in flagged if it["quality"] == ["step"]] == [1020.0]


def test_a_span_begins_with_the_flags_of_what_came_before_it(odd: TestClient) -> None:
    path = "/v1/things/pole-9/observations?observed_property=air_temperature"
    items, _ = walked(odd, path + "&start=2026-04-01T02:45:00Z&end=2026-04-01T03:00:00Z")
    assert [(it["time"], it["quality"]) for it in items] == [
        ("2026-04-01T02:51:00Z", ["stuck"]),
        ("2026-04-01T03:00:00Z", ["stuck"]),
    ]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("quality=bad", "'bad'"),
        ("start=now", "'now'"),
        ("end=2026-04-01T00:00:00", "end"),
        ("start=2026-04-01T00:00:00Z&end=2026-04-01T00:00:00Z", "before end"),
        ("start=2100-01-01T00:00:00Z", "before end"),
        ("observed_property=gravity", "air_temperature"),
        ("after=5", "after '5'"),
        ("after=yesterday,rainfall", "'yesterday'"),
        ("after=2026-04-01T00:00:00Z,", "after"),
        ("after=2026-04-01T00:00:00Z,%00", "after"),
        ("after=,rainfall", "after"),
    ],
)
def test_bad_parameters_are_named(api: TestClient, query: str, named: str) -> None:
    answer = api.get(f"/v1/things/pole-1/observations?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert named in answer.json()["detail"]


def test_a_hub_without_observations_has_nothing_that_looks_wrong(hub_database: Database) -> None:
    with TestClient(create_app(Hub(hub_database))) as api:
        assert api.get("/v1/quality").json()["items"] == []
        assert api.get("/v1/health").json()["quality"] == {"stuck": 0, "step": 0}


_DAYS = {"start": "2026-03-31T00:00:00Z", "end": "2026-04-01T03:00:00Z"}
"""Around the midnight of Tokyo at which a day of a download ends."""


def test_downloads_pick_the_same_as_the_resource_of_one_thing(odd: TestClient) -> None:
    for quality, some in (("flagged", 1), ("good", 60)):
        asked = {**_DAYS, "quality": quality}
        paged = odd.get("/v1/things/pole-9/observations", params=asked).json()["items"]
        assert len(paged) >= some
        rows = odd.get("/v1/observations", params={**asked, "thing": "pole-9"}).json()["items"]
        assert {(it["observed_property"], it["time"], it["result"]) for it in rows} == {
            (it["observed_property"], it["time"], it["result"]) for it in paged
        }
    both = [
        odd.get("/v1/observations", params={**_DAYS, "quality": it}).json()["items"]
        for it in ("flagged", "good", "all")
    ]
    assert len(both[0]) + len(both[1]) == len(both[2])


@pytest.mark.parametrize(("step", "minutes"), [("5min", 5), ("1h", 60), ("1day", 24 * 60)])
def test_aggregates_are_made_of_what_was_picked(odd: TestClient, step: str, minutes: int) -> None:
    """Nothing has rolled anything up here: they are made of the observations, whenever these came."""
    width = timedelta(minutes=minutes)
    end = "2026-04-01T15:00:00Z"  # a Tokyo midnight, when buckets of all widths are over
    for quality in ("flagged", "good"):
        asked = {**_DAYS, "end": end, "quality": quality, "thing": "pole-9"}
        raw = odd.get("/v1/observations", params=asked).json()["items"]
        told = odd.get("/v1/aggregates", params={**asked, "step": step}).json()
        assert told["about"]["quality"].startswith(quality)
        expected: dict[tuple[str, datetime], list[float]] = {}
        for it in raw:
            time = ceiling(datetime.fromisoformat(it["time"]), width)
            expected.setdefault((it["observed_property"], time), []).append(it["result"])
        found = {
            (it["observed_property"], datetime.fromisoformat(it["time"])): it
            for it in told["items"]
        }
        over = {key for key in expected if key[1] <= datetime.fromisoformat(told["about"]["until"])}
        assert set(found) == over
        for key in over:
            row, values = found[key], expected[key]
            assert (row["n"], row["min"], row["max"]) == (len(values), min(values), max(values))
            assert row["mean"] == pytest.approx(sum(values) / len(values))


def test_a_series_says_which_steps_hold_nothing_of_the_quality_that_was_asked_for(
    odd: TestClient,
) -> None:
    asked = {"observed_property": "air_temperature", "step": "1h", **_DAYS}
    path = "/v1/things/pole-9/series"
    every, good, flagged = (
        odd.get(path, params=asked | more).json()
        for more in ({}, {"quality": "good"}, {"quality": "flagged"})
    )
    assert set(every["values"]) == {None, 21.5}
    for time, *values in zip(
        every["times"], every["values"], good["values"], flagged["values"], strict=True
    ):
        assert (values[0] is None) == (values[1] is None and values[2] is None), time
    reasons = {it["reason"] for it in good["gaps"]} - {it["reason"] for it in every["gaps"]}
    assert reasons == {"quality"}
    (gap,) = (it for it in good["gaps"] if it["reason"] == "quality")
    (first,) = [time for time, value in zip(good["times"], good["values"], strict=True) if value][
        -1:
    ]
    assert (gap["start"], gap["end"]) == (first, every["end"])


def test_a_series_of_too_many_readings_to_be_looked_at_is_refused(odd: TestClient) -> None:
    asked = "observed_property=air_temperature&start=2020-01-01T00:00:00Z&step=1day&quality=good"
    answer = odd.get(f"/v1/things/pole-9/series?{asked}")
    assert answer.status_code == 422
    assert "more than 250,000" in answer.json()["detail"]
