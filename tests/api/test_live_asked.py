"""What a live stream carries is what was asked for, and where it begins anew it says why."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import orjson
import psycopg
import pytest
from fastapi.testclient import TestClient

from alarmed import BUSY, HOT, Alarmed
from live_reader import Folded, follow, serving
from samples import T0, after, message, registration
from tsuji_platform.api import live
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.live_ids import EventId
from tsuji_platform.api.routers import live as live_router
from tsuji_platform.store import Database, StoreError
from tsuji_platform.store.live import Live, Snapshot
from tsuji_platform.store.writer import Writer

WEST, EAST = "139.69,35.69,139.699,35.7", "139.7005,35.69,139.71,35.699"
IMMEDIATE = HOT.replace('for = "2m"\n', "").replace('clears_after = "2m"\n', "") + BUSY


@pytest.fixture
def api(city: Database, clock) -> Iterator[str]:
    with serving(create_app(Hub(city, clock))) as url:
        yield url


def caught_up(url: str, folded: Folded | None = None, **asked: object) -> Folded:
    """Up to the heartbeat, which follows what was missed."""
    folded = folded or Folded()
    follow(url, folded, lambda name: name == "heartbeat", **asked)
    return folded


def test_filters_compose(api: str) -> None:
    of_all = {"pole-1", "pole-2", "gate-1", "gate-2"}
    for asked, things in (
        ({}, of_all),
        ({"thing": ["gate-2", "pole-3"]}, {"gate-2"}),
        ({"kind": "smart_pole"}, {"pole-1", "pole-2"}),
        ({"kind": ["smart_pole", "footfall_counter"]}, of_all),
        ({"bbox": EAST}, {"gate-2"}),
        ({"bbox": EAST, "kind": "smart_pole"}, set()),
        ({"area_set": "squares", "events": "observations"}, of_all),
        ({"area_set": "squares", "area": "E", "events": "observations"}, {"gate-2"}),
        ({"observed_property": ["rainfall", "pedestrians"]}, {"pole-1", "pole-2", "gate-2"}),
    ):
        folded = caught_up(api, **asked)
        assert {thing for thing, _ in folded.newest} == things, asked
        names = {name for _, name in folded.newest}
        assert names <= set(asked.get("observed_property", names)), asked
    states = caught_up(api, events="things", observed_property="rainfall").things
    assert set(states) == {"pole-1", "pole-2"}
    assert set(states["pole-1"]["latest"]) == {"rainfall"}
    for asked, figures in (
        ({}, {"W", "E"}),
        ({"bbox": EAST}, {"E"}),
        ({"area": "W"}, {"W"}),
        ({"area": "W", "bbox": EAST}, set()),
        ({"observed_property": "air_temperature"}, {"W"}),
    ):
        folded = caught_up(api, area_set="squares", events="areas", **asked)
        assert set(folded.areas) == figures, asked
    assert set(folded.areas["W"]) == {"air_temperature"}


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ("area_set=nowhere", 404, ["'nowhere'", "/v1/area-sets"]),
        ("area=W", 422, ["'W'", "area_set"]),
        ("area_set=squares&area=X", 422, ["'X'", "E, N, W"]),
        ("events=areas", 422, ["area_set"]),
        ("events=rumours", 422, ["events", "observations"]),
        ("bbox=1,2,3", 422, ["'1,2,3'", "west,south,east,north"]),
        ("thing=pole-1&thing=pole-9", 422, ["'pole-9'", "pole-1"]),
        ("kind=dragon", 422, ["'dragon'", "smart_pole"]),
        ("observed_property=mood", 422, ["'mood'", "air_temperature"]),
        ("thing=x'%3B+DROP+TABLE+latest%3B--", 422, ["DROP TABLE", "pole-1"]),
    ],
)
def test_what_is_not_known_is_named_beside_what_is(
    city: Database, clock, asked: str, status: int, told: list[str]
) -> None:
    with TestClient(create_app(Hub(city, clock))) as client:
        answer = client.get(f"/v1/live?{asked}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one for one in told if one not in answer.json()["detail"]] == []


def test_a_transaction_that_ends_after_later_ones_is_missed_by_nobody(
    api: str, hub_url: str, writer: Writer, eventually: Callable
) -> None:
    slow = Writer(hub_url, "slow")
    slow.save([message("pole-2", after(hours=3), air_temperature=1)])
    folded = caught_up(api)
    with psycopg.connect(hub_url) as holding:
        holding.execute("SELECT FROM ingest_counter WHERE ingest_id = 'slow' FOR UPDATE")
        pending = threading.Thread(
            target=slow.save, args=([message("pole-2", after(hours=4), air_temperature=2)],)
        )
        pending.start()
        waiting = "SELECT FROM pg_locks WHERE NOT granted"
        with psycopg.connect(hub_url, autocommit=True) as watching:
            eventually(lambda: watching.execute(waiting).fetchall())
        writer.save(
            [message("gate-1", after(hours=4), pedestrians_in=9)]
        )  # begins later, ends first
        follow(api, folded, lambda name: name == "change")
        assert folded.newest["gate-1", "pedestrians_in"] == ("2026-04-01T04:00:00Z", 9.0)
        assert folded.newest["pole-2", "air_temperature"][1] == 1
    pending.join()
    slow.close()
    follow(api, folded, lambda name: name == "change")
    assert folded.newest["pole-2", "air_temperature"] == ("2026-04-01T04:00:00Z", 2.0)
    assert folded.told["gate-1", "pedestrians_in"][1:] == [("2026-04-01T04:00:00Z", 9.0)]
    assert folded.reasons == ["new"]


def test_who_comes_first_after_the_database_was_replaced_is_told_all_and_what_changes(
    city: Database, clock, writer: Writer, monkeypatch
) -> None:
    lost, waits, again = threading.Event(), threading.Event(), threading.Event()
    real = live.changes

    def changes(url: str, every_s: float) -> Iterator[None]:
        if not lost.is_set():
            yield
            lost.wait(60)
            raise StoreError("the connection was lost")
        waits.set()
        again.wait(60)
        yield from real(url, every_s)

    monkeypatch.setattr(live, "changes", changes)
    monkeypatch.setattr(live_router, "HEARTBEAT_S", 0.5)
    asked = {"area_set": "squares", "events": ["areas", "observations"]}
    heard: list[str] = []

    def until_a_change(name: str) -> bool:
        heard.append(name)
        if heard == ["snapshot", "heartbeat"]:
            again.set()
            writer.save([message("gate-2", after(hours=4), pedestrians=77)])
        return name == "change"

    with serving(create_app(Hub(city, clock))) as url:
        assert caught_up(url, **asked).areas
        monkeypatch.setattr(Live, "identity", lambda _: "another one")
        lost.set()
        assert waits.wait(60)
        folded = Folded()
        follow(url, folded, until_a_change, at_most=60_000, **asked)
    assert "change" in heard
    assert set(folded.areas) == {"W", "E"}
    assert folded.newest["gate-2", "pedestrians"][1] == 77


def test_figures_and_states_are_whole_after_a_break(
    api: str, writer: Writer, clock, eventually: Callable
) -> None:
    asked = {"area_set": "squares"}
    folded = caught_up(api, **asked)
    clock.now += timedelta(minutes=59)  # what is older than an hour is no part of figures
    writer.save([registration("new", longitude=139.705)])

    def is_whole() -> bool:
        snapshot = httpx.get(f"{api}/v1/area-sets/squares/snapshot", timeout=90).json()
        figures = {area["code"]: area["figures"] for area in snapshot["areas"]}
        return caught_up(api, folded, **asked).areas == figures

    # a look between the two has the figures of this time, but not the thing
    eventually(lambda: is_whole() and "new" in folded.things)
    assert set(folded.areas) == {"E"}
    fresh = caught_up(api, **asked)
    assert (folded.things, folded.areas) == (fresh.things, fresh.areas)
    assert folded.things["gate-1"]["state"] == "silent"
    assert folded.things["new"]["state"] == "waiting"
    assert folded.reasons == ["new"]


def test_where_a_stream_begins_anew_it_says_why(api: str, writer: Writer, clock) -> None:
    asked = {"kind": "smart_pole"}
    folded = caught_up(api, **asked)
    known = EventId.parse(folded.last_id)
    ahead = Snapshot(1 << 40, 1 << 40, frozenset())

    def reason(last_id: object, **others: object) -> str:
        reader = Folded(last_id=str(last_id))
        (told,) = caught_up(api, reader, **(others or asked)).reasons
        assert reader.newest  # it is whole
        return told

    assert reason("17") == "unknown_id"
    assert reason("1." + "9" * 9_000) == "unknown_id"
    assert reason(replace(known, database="0" * 8)) == "other_database"
    assert reason(replace(known, snapshot=ahead)) == "other_database"
    assert reason(replace(known, alert=10**9)) == "other_database"
    assert reason(known, kind="footfall_counter") == "other_filter"
    by_address = httpx.URL(f"{api}/v1/live", params={**asked, "last_event_id": str(known)})
    with httpx.stream("GET", by_address, timeout=90) as answer:
        assert next(answer.iter_text()).split("event: ")[1].startswith("heartbeat")
    clock.now += timedelta(days=8)
    writer.save([message("pole-1", after(hours=4), air_temperature=3)])
    caught_up(api, kind="footfall_counter")  # somebody makes the hub look
    assert reason(replace(known, time=T0 - timedelta(days=8))) == "too_old"


def test_when_other_things_pass_the_stream_begins_anew(
    api: str, writer: Writer, eventually: Callable
) -> None:
    asked, folded = {"kind": "smart_pole", "events": "things"}, Folded()
    moved = iter([lambda: writer.save([registration("pole-4", kind="smart_pole")])])

    def until(name: str) -> bool:
        next(moved, lambda: None)()
        return name == "snapshot" and "pole-4" in folded.things

    follow(api, folded, until, **asked)
    assert folded.reasons == ["new", "other_things"]
    writer.save([registration("pole-5", kind="smart_pole")])
    eventually(lambda: "pole-5" in caught_up(api, folded, **asked).things)
    assert folded.reasons[2:] in (
        ["other_filter"],
        ["other_filter", "other_filter"],
        ["other_things"],
    )


def test_heartbeats_say_how_old_the_data_are(api: str, clock, monkeypatch) -> None:
    monkeypatch.setattr(live_router, "HEARTBEAT_S", 0.05)
    clock.now += timedelta(seconds=30)
    bodies, folded = [], Folded()
    follow(api, folded, lambda name: bodies.append(name) or len(bodies) == 4, thing="pole-1")
    assert bodies == ["snapshot", "heartbeat", "heartbeat", "heartbeat"]
    assert folded.heartbeat == {
        "time": "2026-04-01T03:00:30Z",
        "as_of": "2026-04-01T03:00:30Z",
        "newest_observation": "2026-04-01T02:58:00Z",
        "age_s": 150.0,
        "lag_s": None,
    }


def test_asking_for_the_headers_alone_takes_no_place(api: str, eventually: Callable) -> None:
    for _ in range(3):
        answer = httpx.head(f"{api}/v1/live", timeout=90)
        assert answer.headers["content-type"].startswith("text/event-stream")
    assert caught_up(api).reasons == ["new"]


def test_alerts_come_once_and_in_order_over_a_break(
    hub_url: str, hub_database: Database, eventually: Callable
) -> None:
    alarmed = Alarmed(hub_url, IMMEDIATE)
    try:
        with serving(create_app(Hub(hub_database, lambda: alarmed.now))) as api:
            all_, pole, counts = Folded(), Folded(), Folded()
            for minute, degrees in enumerate([36, 20, 37]):
                alarmed.say("pole-1", minute, air_temperature=degrees)
                alarmed.say("gate-1", minute, pedestrians=60)
                alarmed.turn()
                if minute == 0:
                    caught_up(api, all_, events="alerts")
                    caught_up(api, pole, events="alerts", thing="pole-1")
                    caught_up(api, counts, events="alerts", observed_property="pedestrians")
            told = [body["id"] for body in bodies(alarmed)]
            assert len(told) == 4  # pole-1 begins, ends and begins again; W begins
            of_w = [body["id"] for body in bodies(alarmed) if body["data"]["area"]]
            of_pole = [one for one in told if one not in of_w]
            assert all_.alerts == told[:1]
            for folded, expected, asked in (
                (all_, told, {}),
                (pole, of_pole, {"thing": "pole-1"}),
                (counts, of_w, {"observed_property": "pedestrians"}),
            ):

                def has_all(folded=folded, expected=expected, asked=asked) -> bool:
                    caught_up(api, folded, events="alerts", **asked)
                    return len(folded.alerts) >= len(expected)

                eventually(has_all)
                assert folded.alerts == expected
                assert folded.reasons == ["new"]
            fresh = caught_up(api, events="alerts")
            assert fresh.alerts == [body["id"] for body in bodies(alarmed) if is_on(body, alarmed)]
    finally:
        alarmed.close()


def bodies(alarmed: Alarmed) -> list[dict]:
    return [orjson.loads(body) for _, body in alarmed.alerts.messages_after(0)]


def is_on(body: dict, alarmed: Alarmed) -> bool:
    on = {row.alert_id for row in alarmed.found(on=True)}
    return body["type"] == "alert.started" and body["data"]["id"] in on
