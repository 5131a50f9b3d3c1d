"""What is usual on a day and now, for things and areas, traceable to what was stored."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from anyio import to_thread
from fastapi.testclient import TestClient

from samples import after, message, observations, packed, received_at, registration
from tsuji_platform.analytics.typical import (
    METHOD,
    METHOD_JA,
    PERCENT_METHOD,
    PERCENT_METHOD_JA,
    days_behind,
)
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.live import LiveFeed
from tsuji_platform.api.live_filter import Filter, Part
from tsuji_platform.api.live_groups import Subscriber
from tsuji_platform.store import Database, Refresher, usual
from tsuji_platform.store.writer import Writer

TODAY = date(2026, 4, 1)
"""The day of the API's clock, a Wednesday."""
WEEKDAYS = days_behind(TODAY, 1)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A moment of a Tokyo day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=9)
    return midnight + timedelta(hours=hour, minutes=minute)


@pytest.fixture
def count(writer: Writer, city: Database) -> Callable[..., None]:
    """Store counts of five minutes that end in (start, end]."""

    def save(thing: str, start: datetime, end: datetime, period_s: int = 300, **each: float):
        step = timedelta(seconds=period_s)
        times = [start + step * (i + 1) for i in range((end - start) // step)]
        content = [one for time in times for one in observations(thing, time, period_s, **each)]
        for place in range(0, len(content), 500):
            writer.save([packed(thing, content[place : place + 500])])

    return save


def typical(api: TestClient, where: str, **params: str) -> dict:
    answer = api.get(f"/v1/{where}/typical", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def cell(body: dict, hour: int, minute: int = 0) -> tuple:
    """Values of the quarter hour that ends then."""
    place = (hour * 60 + minute) // 15 - 1
    return tuple(body[name][place] for name in ("q1", "median", "q3", "days"))


def test_a_days_usual_quarter_hours(api: TestClient, count) -> None:
    for number, day in enumerate(WEEKDAYS):
        count("gate-1", at(day, 8), at(day, 8, 30), pedestrians_in=10 * (number + 1))
    body = typical(api, "things/gate-1", observed_property="pedestrians_in")
    assert {
        key: body[key]
        for key in body
        if key not in ("times", "q1", "median", "q3", "days", "suppressed", "links")
    } == {
        "thing": "gate-1",
        "observed_property": "pedestrians_in",
        "unit": "{person}",
        "unit_label": "people",
        "date": "2026-04-01",
        "kind": "weekday",
        "weeks": 8,
        "from": "2026-02-04",
        "to": "2026-03-31",
        "time_zone": "Asia/Tokyo",
        "minimum_days": 3,
        "step_s": 900,
        "method": METHOD,
        "method_ja": METHOD_JA,
    }
    assert len(WEEKDAYS) == 5
    assert (len(body["times"]), body["times"][0], body["times"][-1]) == (
        96,
        "2026-03-31T15:15:00Z",
        "2026-04-01T15:00:00Z",
    )
    assert cell(body, 8, 15) == (60, 90, 120, 5)
    assert cell(body, 8, 30) == (60, 90, 120, 5)
    assert cell(body, 8, 45) == (None, None, None, 0)


def test_only_days_of_the_kind_that_were_counted_whole_stand_behind_it(
    api: TestClient, count
) -> None:
    first, second, third, fourth, _ = WEEKDAYS
    for day in (first, second):
        count("gate-1", at(day, 8), at(day, 9), pedestrians_in=10)
    count("gate-1", at(third, 8), at(third, 8, 10), pedestrians_in=10)
    sunday = date(2026, 3, 29)
    count("gate-1", at(sunday, 8), at(sunday, 9), pedestrians_in=1000)
    asked = {"observed_property": "pedestrians_in"}
    assert cell(typical(api, "things/gate-1", **asked), 8, 15) == (None, None, None, 2)
    count("gate-1", at(fourth, 8), at(fourth, 9), pedestrians_in=0)
    assert cell(typical(api, "things/gate-1", **asked), 8, 15) == (15, 30, 30, 3)
    on_sunday = typical(api, "things/gate-1", **asked, date="2026-04-05")
    assert (on_sunday["kind"], cell(on_sunday, 8, 15)) == ("holiday", (None, None, None, 1))
    holiday = typical(api, "things/gate-1", **asked, date="2026-05-06")
    assert holiday["kind"] == "holiday"
    assert typical(api, "things/gate-1", **asked, date="2026-04-04")["kind"] == "saturday"


def test_the_day_itself_and_what_comes_after_it_do_not_count(api: TestClient, count) -> None:
    for day in WEEKDAYS:
        count("gate-1", at(day, 8), at(day, 9), pedestrians_in=10)
    asked = {"observed_property": "pedestrians_in"}
    past = typical(api, "things/gate-1", **asked, date=f"{WEEKDAYS[3]}")
    assert (past["to"], cell(past, 8, 15)[3]) == (f"{WEEKDAYS[3] - timedelta(days=1)}", 3)


def test_late_counts_and_corrections_are_in_it_refreshed_or_not(
    api: TestClient, count, writer: Writer, hub_url: str
) -> None:
    asked = {"observed_property": "pedestrians_in"}
    refresher = Refresher(hub_url)

    def median_and_days() -> tuple:
        before = cell(typical(api, "things/gate-1", **asked), 8, 15)
        while refresher.refresh():
            pass
        while refresher.profile():
            pass
        assert cell(typical(api, "things/gate-1", **asked), 8, 15) == before
        return before[1], before[3]

    for day in WEEKDAYS[:3]:
        count("gate-1", at(day, 8), at(day, 9), pedestrians_in=10)
    assert median_and_days() == (30, 3)
    count("gate-1", at(WEEKDAYS[4], 8), at(WEEKDAYS[4], 9), pedestrians_in=20)
    assert median_and_days() == (30, 4)
    for day in WEEKDAYS[:2]:
        writer.save([message("gate-1", at(day, 8, 5), pedestrians_in=70)])
    assert median_and_days() == (75, 4)
    refresher.close()


def test_hourly_counts_are_compared_by_the_hour(api: TestClient, count) -> None:
    for number, day in enumerate(WEEKDAYS):
        count("gate-2", at(day, 7), at(day, 9), 3600, pedestrians=100 * (number + 1))
    body = typical(api, "things/gate-2", observed_property="pedestrians")
    assert (body["step_s"], len(body["times"])) == (3600, 24)
    assert [body["median"][7], body["days"][7]] == [300, 5]
    area = typical(api, "area-sets/squares/areas/E", figure="footfall")
    assert (area["step_s"], area["unit_label"]) == (3600, "people / 1 h")
    assert [area["median"][7], area["days"][7]] == [300, 5]


def test_weather_has_usual_values_directions_and_rain_have_none(api: TestClient, writer) -> None:
    for number, day in enumerate(WEEKDAYS):
        writer.save([message("pole-1", at(day, 8, 5), air_temperature=number)])
    body = typical(api, "things/pole-1", observed_property="air_temperature")
    assert cell(body, 8, 15) == (1, 2, 3, 5)
    for name in ("wind_from_direction", "rainfall", "nonsense"):
        answer = api.get("/v1/things/pole-1/typical", params={"observed_property": name})
        assert answer.status_code == 422
        assert f"observed_property '{name}' has no typical values" in answer.json()["detail"]
        answer = api.get("/v1/area-sets/squares/areas/W/typical", params={"figure": name})
        assert answer.status_code == 422
        assert f"figure '{name}' has no typical values" in answer.json()["detail"]
        assert "footfall" in answer.json()["detail"]


def test_an_area_adds_its_counters_up_day_by_day(api: TestClient, count) -> None:
    for number, day in enumerate(WEEKDAYS):
        count("gate-1", at(day, 8), at(day, 9), pedestrians_in=number, pedestrians_out=4 - number)
    body = typical(api, "area-sets/squares/areas/W", figure="footfall")
    assert (body["things"], body["unit_label"], body["figure"]) == (
        ["gate-1"],
        "people / 15 min",
        "footfall",
    )
    assert cell(body, 8, 15) == (12, 12, 12, 5)


def test_a_counter_added_today_is_not_compared_with_days_without_it(
    api: TestClient, count, writer: Writer
) -> None:
    for day in WEEKDAYS:
        count("gate-1", at(day, 8), at(day, 9), pedestrians_in=10, pedestrians_out=0)
    asked = {"figure": "footfall"}
    where = "area-sets/squares/areas/W"
    assert cell(typical(api, where, **asked), 8, 15)[1:] == (30, 30, 5)
    writer.save([message("pole-1", after(hours=1), air_temperature=3)])
    assert typical(api, where, **asked)["things"] == ["gate-1"]
    # the larger area holds gate-2, too, which has spoken today and has no days behind it
    body = typical(api, "area-sets/wards/areas/13104", **asked)
    assert body["things"] == ["gate-1", "gate-2"]
    assert body["days"] == [0] * 24
    assert body["median"] == [None] * 24


def test_an_area_without_things_has_no_days(api: TestClient) -> None:
    body = typical(api, "area-sets/squares/areas/N", figure="footfall")
    assert (body["things"], body["days"], body["median"]) == ([], [0] * 96, [None] * 96)


@pytest.mark.parametrize("day", ["2026-04-31", "yesterday", "", "1969-12-31", "9999-01-01", "2026"])
def test_what_is_no_day_is_refused(api: TestClient, day: str) -> None:
    for where, more in (
        ("things/gate-1", {"observed_property": "pedestrians_in"}),
        ("area-sets/squares/areas/W", {"figure": "footfall"}),
    ):
        answer = api.get(f"/v1/{where}/typical", params={"date": day, **more})
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert f"date {day!r} is not a day" in answer.json()["detail"]
        assert "2026-04-01" in answer.json()["detail"]


def test_unknown_things_and_areas_are_not_found(api: TestClient) -> None:
    assert api.get("/v1/things/x/typical?observed_property=pedestrians").status_code == 404
    assert api.get("/v1/area-sets/squares/areas/x/typical?figure=footfall").status_code == 404
    assert api.get("/v1/area-sets/x/areas/W/typical?figure=footfall").status_code == 404


def footfall(api: TestClient, where: str = "snapshot", **params: str) -> dict:
    body = api.get(f"/v1/area-sets/squares/{where}", params=params).json()
    if where == "snapshot":
        return {it["code"]: it["figures"] for it in body["areas"]}["W"]["footfall"]
    return body["figures"]["footfall"]


def test_the_snapshot_compares_the_last_hour_with_the_usual_one(
    api: TestClient, count, clock
) -> None:
    now = at(TODAY, 12)
    for number, day in enumerate(WEEKDAYS):
        count("gate-1", at(day, 11), at(day, 12), pedestrians_in=number + 1, pedestrians_out=0)
    assert "typical" not in footfall(api)  # it has counted for ten minutes only
    count("gate-1", now - timedelta(hours=1), now, pedestrians_in=6, pedestrians_out=0)
    assert footfall(api) == {
        "value": 72.0,
        "n": 1,
        "time": "2026-04-01T03:00:00Z",
        "typical": {"q1": 24, "median": 36, "q3": 48, "days": 5, "n": 1, "percent": 200.0},
    }
    assert footfall(api, "areas/W")["typical"] == {
        **footfall(api)["typical"],
        "method": PERCENT_METHOD,
        "method_ja": PERCENT_METHOD_JA,
    }
    then = {"at": "2026-04-01T03:00:00Z"}
    assert footfall(api, **then)["typical"]["percent"] == 200.0
    clock.now += timedelta(minutes=10)  # the newest count is on its way
    assert footfall(api)["value"] == 60.0
    assert footfall(api)["typical"]["percent"] == 200.0
    clock.now += timedelta(minutes=10)
    assert "typical" not in footfall(api)
    assert footfall(api, **then)["typical"]["percent"] == 200.0


def test_days_that_come_where_there_were_too_few_are_soon_known(
    api: TestClient, count, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history that is imported into a hub that somebody looks at already."""
    count("gate-1", at(TODAY, 11), at(TODAY, 12), pedestrians_in=6, pedestrians_out=0)
    monkeypatch.setattr(usual, "_LACKING_FOR_S", 0.0)
    assert "typical" not in footfall(api)
    for day in WEEKDAYS[:3]:
        count("gate-1", at(day, 11), at(day, 12), pedestrians_in=3, pedestrians_out=0)
    assert footfall(api)["typical"]["percent"] == 200.0
    count("gate-1", at(WEEKDAYS[3], 11), at(WEEKDAYS[3], 12), pedestrians_in=3, pedestrians_out=0)
    assert footfall(api)["typical"]["days"] == 3  # what is enough is held for longer


def test_an_hour_that_begins_the_day_before_belongs_to_the_day_in_which_it_ends(
    api: TestClient, count, clock
) -> None:
    saturday = date(2026, 4, 4)
    for back in (7, 14, 21):
        day = saturday - timedelta(days=back)
        count("gate-1", at(day, -1), at(day, 1), pedestrians_in=back, pedestrians_out=0)
    clock.now = at(saturday, 0, 30)
    count("gate-1", at(saturday, -1), clock.now, pedestrians_in=28, pedestrians_out=0)
    found = footfall(api)["typical"]
    assert (found["median"], found["days"], found["percent"]) == (14 * 12, 3, 200.0)


def test_one_direction_is_not_compared_with_both(api: TestClient, count) -> None:
    for day in WEEKDAYS:
        count("gate-1", at(day, 11), at(day, 12), pedestrians_in=5, pedestrians_out=5)
    count("gate-1", at(TODAY, 11), at(TODAY, 12), pedestrians_in=5)
    assert "typical" not in footfall(api)
    count("gate-1", at(TODAY, 11), at(TODAY, 12), pedestrians_out=5)
    assert footfall(api)["typical"]["percent"] == 100.0


def test_both_directions_are_not_compared_with_one(api: TestClient, count) -> None:
    for day in WEEKDAYS:
        count("gate-1", at(day, 11), at(day, 12), pedestrians_in=5)
    count("gate-1", at(TODAY, 11), at(TODAY, 12), pedestrians_in=5, pedestrians_out=5)
    assert "typical" not in footfall(api)


def test_nobody_is_no_percentage_of_nobody(api: TestClient, count) -> None:
    for day in WEEKDAYS:
        count("gate-1", at(day, 11), at(day, 12), pedestrians_in=0, pedestrians_out=0)
    count("gate-1", at(TODAY, 11), at(TODAY, 12), pedestrians_in=1, pedestrians_out=0)
    assert footfall(api)["typical"] == {
        "q1": 0, "median": 0, "q3": 0, "days": 5, "n": 1, "percent": None,
    }  # fmt: skip


def test_the_weeks_are_a_setting(city: Database, clock, count) -> None:
    for back in (7, 14, 21):
        day = TODAY - timedelta(days=back)
        count("gate-1", at(day, 8), at(day, 9), pedestrians_in=1)
    for weeks, days in ((1, 1), (2, 2), (3, 3)):
        with TestClient(create_app(Hub(city, clock, typical_weeks=weeks))) as api:
            body = typical(api, "things/gate-1", observed_property="pedestrians_in")
            assert (body["weeks"], cell(body, 8, 15)[3]) == (weeks, days)


def streamed(feed: LiveFeed) -> dict[str, Any]:
    """Figures by area, as a live stream begins with them."""

    async def first() -> bytes:
        which = Filter(parts=frozenset({Part.AREAS}), area_set="squares")
        subscriber = Subscriber(which, asyncio.get_running_loop())
        assert feed.enter()
        await to_thread.run_sync(feed.attach, subscriber, None)
        found = await subscriber.queue.get()
        feed.leave(subscriber)
        return found or b""

    (data,) = [it for it in asyncio.run(first()).split(b"\n") if it.startswith(b'data: {"reason"')]
    areas = json.loads(data.removeprefix(b"data: "))["areas"]
    return {it["code"]: it["figures"] for it in areas}


def test_the_stream_brings_the_same(api: TestClient, count, writer: Writer, city, clock) -> None:
    for day in WEEKDAYS:
        count("gate-1", at(day, 11), at(day, 12), pedestrians_in=1, pedestrians_out=0)
    count("gate-1", at(TODAY, 11), at(TODAY, 12), pedestrians_in=2, pedestrians_out=0)
    assert streamed(api.app.state.live)["W"]["footfall"] == footfall(api)
    # what is usual is looked up once a quarter hour, for all
    late = TODAY - timedelta(days=1)
    writer.save([message("gate-1", at(late, 11, 5), pedestrians_in=500, pedestrians_out=0)])
    assert footfall(api)["typical"]["q3"] == 12.0
    clock.now += timedelta(minutes=15)
    writer.save(
        [message("gate-1", clock.now - timedelta(minutes=m), pedestrians_in=2, pedestrians_out=0)
         for m in (0, 5, 10)]
    )  # fmt: skip
    assert "typical" not in footfall(api)  # no day was counted between 11:15 and 12:15


def test_a_thing_that_never_spoke(api: TestClient, writer: Writer) -> None:
    writer.save([received_at(registration("mute", "pedestrians"), after(hours=1))])
    body = typical(api, "things/mute", observed_property="pedestrians")
    assert (body["step_s"], set(body["days"])) == (900, {0})
