"""Alerts over HTTP: filters, pages, rules and health, over what a real evaluator has left."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient

from alarmed import BUSY, HOT, Alarmed
from linked import bare
from samples import after
from tsuji_ingest.alerting.evaluator import Evaluator
from tsuji_platform.analytics.suppression import Gate
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.store import Database
from tsuji_platform.store.alerting import AlertOffice
from tsuji_platform.store.live import Live

RULES = HOT.replace('for = "2m"\n', "").replace('clears_after = "2m"\n', "") + BUSY


@pytest.fixture
def alarmed(hub_url: str) -> Iterator[Alarmed]:
    city = Alarmed(hub_url, RULES)
    yield city
    city.close()


@pytest.fixture
def api(alarmed: Alarmed, hub_database: Database) -> Iterator[TestClient]:
    """Three alerts of pole-1, the last of them on, one of pole-2 that is over, one of the area."""
    for minute, degrees in enumerate([36, 20, 37, 20, 38]):
        alarmed.say("pole-1", minute, air_temperature=degrees)
        alarmed.say("pole-2", minute, air_temperature=40 if minute == 1 else 20)
        alarmed.say("gate-1", minute, pedestrians=60)
        alarmed.turn()
    app = create_app(Hub(hub_database, lambda: alarmed.now))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def starts(api: TestClient, query: str) -> list[tuple[str, str]]:
    answer = api.get(f"/v1/alerts?{query}")
    assert answer.status_code == 200, answer.text
    return [
        (it["thing"] or it["area"]["code"], it["start"][14:19]) for it in answer.json()["items"]
    ]


def test_alerts_come_newest_first_with_all_that_is_known(api: TestClient) -> None:
    body = api.get("/v1/alerts?thing=pole-1").json()
    assert body["next"] is None
    on, ended, _ = body["items"]
    assert (on["state"], on["end"], on["end_reason"]) == ("on", None, None)
    assert (on["value"], on["value_time"]) == (38.0, "2026-04-01T00:04:00Z")
    assert on["definition"]["at_least"] == 35
    del ended["definition"], ended["id"]
    assert bare(ended) == {
        "rule": "hot",
        "label": {"ja": "試験", "en": "Test"},
        "state": "ended",
        "thing": "pole-1",
        "area": None,
        "start": "2026-04-01T00:02:00Z",
        "end": "2026-04-01T00:03:00Z",
        "end_reason": "cleared",
        "peak": {"value": 37.0, "time": "2026-04-01T00:02:00Z"},
        "unit": "Cel",
        "value": None,
        "value_time": None,
        "suppressed": False,
    }
    assert api.get(f"/v1/alerts/{on['id']}").json() == on
    assert api.get("/v1/alerts/nothing").status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=on", [("pole-1", "04:00"), ("W", "01:00")]),
        ("state=ended&thing=pole-1", [("pole-1", "02:00"), ("pole-1", "00:00")]),
        ("rule=busy", [("W", "01:00")]),
        ("rule=nothing", []),
        ("thing=pole-2", [("pole-2", "01:00")]),
        ("area_set=squares&area=W&rule=busy", [("W", "01:00")]),
        ("area_set=squares&area=W&thing=pole-2", [("pole-2", "01:00")]),
        ("area_set=squares&area=E", []),
        ("area_set=nothing", []),
        ("thing=pole-1&start=2026-04-01T00:03:30Z", [("pole-1", "04:00")]),
        ("thing=pole-1&end=2026-04-01T00:01:00Z", [("pole-1", "00:00")]),
        (
            "thing=pole-1&start=2026-04-01T00:01:30Z&end=2026-04-01T00:02:30Z",
            [("pole-1", "02:00")],
        ),
    ],
)
def test_filters_pick(api: TestClient, query: str, expected: list[tuple[str, str]]) -> None:
    assert starts(api, query) == expected


def test_pages_join_without_a_gap_or_a_repetition_while_new_alerts_begin(
    api: TestClient, alarmed: Alarmed
) -> None:
    whole = api.get("/v1/alerts").json()["items"]
    assert len(whole) == 5
    found, address = [], "/v1/alerts?limit=2&state=all"
    while address is not None:
        body = api.get(address).json()
        found += body["items"]
        address = body["next"]
        alarmed.say("pole-2", 5 + len(found), air_temperature=40)
        alarmed.turn()
        alarmed.say("pole-2", 5.5 + len(found), air_temperature=20)
        alarmed.turn()
    assert [it["id"] for it in found] == [it["id"] for it in whole]


def test_the_rules_in_force_are_listed_with_what_is_wrong_with_them(
    api: TestClient, alarmed: Alarmed
) -> None:
    from tsuji_platform.analytics.alert_rules import parse

    items = api.get("/v1/alerts/rules").json()["items"]
    assert [(it["id"], it["problem"]) for it in items] == [("hot", ""), ("busy", "")]
    assert items[1]["definition"] == {
        "id": "busy",
        "label": {"ja": "試験", "en": "Test"},
        "figure": "footfall",
        "areas": {"set": "squares"},
        "at_least": 100.0,
        "for": "0s",
        "clears_after": "0s",
        "gap": "1h",
        "unit": "{person}",
    }
    alarmed.evaluator.adopt(parse(RULES.replace('"squares"', '"wards"'), "rules"))
    alarmed.turn()
    items = api.get("/v1/alerts/rules").json()["items"]
    assert [it["problem"] for it in items] == ["", "there is no area of 'wards' that it names"]


def test_health_tells_who_evaluates_and_what_waits(api: TestClient, alarmed: Alarmed) -> None:
    found = api.get("/v1/health").json()["alerts"]
    (target,) = found["targets"]
    assert (found["state"], found["rules"], found["on"]) == ("ok", 2, 2)
    assert (found["evaluator"], found["judged_until"]) == ("ingest", "2026-04-01T00:04:00Z")
    assert (target["target"], target["waiting"], target["problem"]) == ("mqtt", 8, "")
    assert found["problem"] == ""
    alarmed.evaluator.problem = "rules.toml is no TOML"
    alarmed.turn()
    assert api.get("/v1/health").json()["alerts"]["problem"] == "rules.toml is no TOML"


def test_a_hub_without_alerts_says_so(hub_database: Database) -> None:
    with TestClient(create_app(Hub(hub_database))) as api:
        assert bare(api.get("/v1/alerts").json()) == {"items": [], "next": None, "count": None}
        assert bare(api.get("/v1/alerts/rules").json()) == {"items": []}
        assert api.get("/v1/health").json()["alerts"]["state"] == "none"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("state=over", "'over'"),
        ("area=W", "area 'W' needs area_set"),
        ("start=yesterday", "'yesterday'"),
        ("start=2026-04-02T00:00:00Z&end=2026-04-01T00:00:00Z", "must not be after end"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("after=nothing", "'nothing' is not the id of an alert"),
        ("rule=%00", "NUL"),
    ],
)
def test_bad_parameters_are_named(api: TestClient, query: str, named: str) -> None:
    answer = api.get(f"/v1/alerts?{query}")
    assert answer.status_code == 422, answer.text
    assert named in answer.json()["detail"]


def test_an_alert_whose_sensor_fell_silent_stays_on_and_says_how_old_its_value_is(
    api: TestClient, alarmed: Alarmed
) -> None:
    alarmed.say("pole-2", 300, air_temperature=20)
    alarmed.turn()
    (on,) = api.get("/v1/alerts?thing=pole-1&state=on").json()["items"]
    assert alarmed.now - after(minutes=4) > timedelta(hours=4)
    assert on["value_time"] == "2026-04-01T00:04:00Z"


def test_alerts_about_people_are_told_without_how_many_there_are(
    api: TestClient, alarmed: Alarmed, hub_database: Database
) -> None:
    gate = Gate(10)
    with TestClient(create_app(Hub(hub_database, lambda: alarmed.now, gate=gate))) as public:
        items = public.get("/v1/alerts").json()["items"]
    told = {it["rule"]: (it["peak"]["value"] is None, it["suppressed"]) for it in items}
    assert told == {"hot": (False, False), "busy": (True, True)}
    (busy,) = [it for it in items if it["rule"] == "busy"]
    assert (
        busy["peak"]["time"] == busy["start"]
    )  # when there were most of them says more, each time
    for data in _told(Live(hub_database, gate)):
        assert (data["peak"]["value"] is None) == (data["rule"] == "busy")
        assert data["rule"] != "busy" or data["peak"]["time"] == data["start"]


def test_messages_about_people_are_written_without_how_many_there_are(
    alarmed: Alarmed, hub_database: Database
) -> None:
    office = AlertOffice(alarmed.url, "ingest", ("mqtt",), gate=Gate(10))
    evaluator = Evaluator(office, alarmed.rules, lambda: alarmed.now, figures_rest_times=0)
    for minute in range(3):
        alarmed.say("pole-1", minute, air_temperature=36)
        alarmed.say("gate-1", minute, pedestrians=60)
        while evaluator.evaluate():
            pass
    office.close()
    peaks = {data["rule"]: data["peak"] for data in _told(Live(hub_database))}
    assert peaks["hot"]["value"] == 36
    assert (peaks["busy"]["value"], peaks["busy"]["suppressed"]) == (None, True)


def _told(live: Live) -> list[dict[str, Any]]:
    return [orjson.loads(one.body)["data"] for one in live.alerts_after(0)]
