"""Small counts: no public answer depends on one, however many answers are taken together.

The same city is asked twice, once with some small counts and once with others in their place. Whatever
could be worked out of the public's answers, by subtraction or otherwise, would differ between the two: so
all of them must be the same, byte by byte. With a key they differ, which shows that the question was put.
"""

import asyncio
import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pyarrow.parquet as pq
import pytest
from anyio import to_thread
from fastapi.testclient import TestClient

from samples import after, area_set, message, packed, registration, square
from samples import observations as observed
from tsuji_platform.analytics.suppression import Gate
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.live import LiveFeed
from tsuji_platform.api.live_filter import Filter, Part
from tsuji_platform.api.live_groups import Subscriber
from tsuji_platform.api.rates import Doors
from tsuji_platform.contract.scopes import Scope
from tsuji_platform.settings import ApiSettings, SharedSecretSettings
from tsuji_platform.store import Areas, Database
from tsuji_platform.store.keys import Keys
from tsuji_platform.store.rollups import Refresher
from tsuji_platform.store.writer import Writer

K = 10
NOON = after(hours=3)
"""The hub's clock: noon in Tokyo, on a Wednesday."""
DASHBOARD = "a-secret-of-the-dashboard"
FEW = {"few": (3, 7, 9, 4), "other": (8, 2, 1, 6)}
"""Counts that are put in the places of small ones, in turn."""


def in_squares(points: Any, shapes: Any, kind: str) -> list[tuple[int, str]]:
    """Enough of an assignment for squares."""
    pairs = []
    for key, geometry in shapes:
        (west, south), _, (east, north), *_ = geometry["coordinates"][0]
        pairs += [(key, i) for i, lon, lat in points if west <= lon < east and south <= lat < north]
    return pairs


class Small:
    """Gives the next small count."""

    def __init__(self, which: str) -> None:
        self._counts = FEW[which]
        self._given = 0

    def __call__(self) -> int:
        self._given += 1
        return self._counts[self._given % len(self._counts)]


def fill(writer: Writer, which: str) -> None:
    """Store all counts of the city, or correct those that are other ones now.

    `busy` counts many, and few now and then; `quiet` few at most times; `minutes` few each minute, but
    many in five; `both` tells both ways together beside each; `lone` saw few people once.
    """
    few, content = Small(which), []
    for back in range(36):  # three hours
        end = NOON - timedelta(minutes=5 * back)
        entered = few() if back % 7 == 3 else 20 + back
        content += observed("busy", end, pedestrians_in=entered, pedestrians_out=30)
        entered = few() if back % 2 else 0
        content += observed("quiet", end, pedestrians_in=entered, pedestrians_out=0)
        entered = few()
        both = {"pedestrians_in": entered, "pedestrians_out": 40 - entered}
        content += observed("both", end, pedestrians=40, **both)
        content += observed("lone", end, pedestrians=few() if back == 4 else 0)
        for minute in range(5):
            time = end - timedelta(minutes=minute)
            content += observed("minutes", time, 60, pedestrians=few() if minute else 15)
    for week in range(1, 4):  # the same hours of three earlier Wednesdays
        for back in range(36):
            end = NOON - timedelta(weeks=week, minutes=5 * back)
            content += observed("busy", end, pedestrians_in=25 + week, pedestrians_out=30)
            entered = few() if back % 5 == 2 else 12
            content += observed("quiet", end, pedestrians_in=entered, pedestrians_out=0)
    by_thing: dict[str, list[Any]] = {}
    for one in content:
        by_thing.setdefault(one.thing_id, []).append(one)
    writer.save([packed(thing_id, its) for thing_id, its in by_thing.items()])


def roll_up(url: str) -> None:
    refresher = Refresher(url)
    while refresher.refresh():
        pass
    refresher.close()


@pytest.fixture
def small_city(writer: Writer, hub_database: Database) -> Database:
    ways = ("pedestrians_in", "pedestrians_out")
    west = {"kind": "footfall_counter", "longitude": 139.695}
    east = {"kind": "footfall_counter", "longitude": 139.705}
    writer.save(
        [
            registration("busy", *ways, effective_width_m=3.5, capacity=9_000, **west),
            registration("quiet", *ways, effective_width_m=2.0, capacity=90, **west),
            registration("both", "pedestrians", *ways, **east),
            registration("lone", "pedestrians", **east),
            registration("minutes", "pedestrians", effective_width_m=1.0, **east),
            registration("pole", "air_temperature", longitude=139.705),
        ]
    )
    writer.save([message("pole", NOON, air_temperature=21.5)])
    areas = Areas(hub_database)
    squares = [square("W", 139.69, 35.69), square("E", 139.70, 35.69)]
    areas.put(area_set("squares", *squares), in_squares)
    areas.put(area_set("wards", square("13104", 139.6, 35.6, 0.2), kind="municipality"), in_squares)
    return hub_database


def app_of(database: Database) -> TestClient:
    """The hub anew: nothing is kept of what was answered before."""
    doors = Doors.of(
        database, ApiSettings(anonymous_rate=0), SharedSecretSettings(dashboard_key=DASHBOARD)
    )
    return TestClient(create_app(Hub(database, lambda: NOON, gate=Gate(K)), doors))


WAYS = ("pedestrians_in", "pedestrians_out", "pedestrians")
PLACES = (("squares", "W"), ("squares", "E"), ("wards", "13104"))
CHOICES: dict[str, tuple[Any, ...]] = {
    "at": (None, *((NOON - timedelta(minutes=it)).isoformat() for it in (17.5, 60))),
    "step": (None, 60, 3_600, 86_400),
    "figure": ("footfall",),
    "things": ("true",),
    "format": ("json", "csv"),
    "interval": ("PT3H",),
    "date": ("2026-04-01",),
    "observed_property": (None,),
    "thing_id": ("busy", "quiet", "both", "lone", "minutes"),
}
"""What is asked for by each parameter; others are left out, and what a path needs else is not there."""
OF_THINGS = tuple(
    (thing_id, name)
    for thing_id, names in (
        ("busy", WAYS[:2]), ("quiet", WAYS[:1]), ("both", WAYS), ("lone", WAYS[2:]), ("minutes", WAYS[2:]),
    )
    for name in names
)  # fmt: skip
NOT_COUNTS = ("/metrics", "/v1/health", "/v1/live", "/v1/rejected")
"""How the hub fares, which the corrections change; and the stream, which has a test of its own."""
COUNTS_AT = {
    "/v1/aggregates",
    "/v1/area-sets/{area_set}/areas/{code}",
    "/v1/area-sets/{area_set}/areas/{code}/profile",
    "/v1/area-sets/{area_set}/areas/{code}/series",
    "/v1/area-sets/{area_set}/areas/{code}/typical",
    "/v1/area-sets/{area_set}/derived",
    "/v1/area-sets/{area_set}/profiles.geojson",
    "/v1/area-sets/{area_set}/snapshot",
    "/v1/datastreams",
    "/v1/latest",
    "/v1/observations",
    "/v1/things.geojson",
    "/v1/things/{thing_id}",
    "/v1/things/{thing_id}/observations",
    "/v1/things/{thing_id}/series",
    "/v1/things/{thing_id}/typical",
}
"""Every address whose answers hold counts."""


def addresses(client: TestClient) -> Iterator[tuple[str, str]]:
    """Each path of the document, and each address of it that is worth asking for."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        if "get" not in methods or path.startswith(NOT_COUNTS):
            continue
        known = [it for it in methods["get"].get("parameters", ()) if it["in"] in ("path", "query")]
        names = {it["name"] for it in known}
        inside = {it["name"] for it in known if it["in"] == "path"}
        for asked in _asked(path, names):
            where = path.format(**{name: quote(str(asked.get(name, "none"))) for name in inside})
            query = {k: v for k, v in asked.items() if v is not None and k not in inside}
            yield path, f"{where}?{urlencode(query)}"


def _asked(path: str, names: set[str]) -> Iterator[dict[str, Any]]:
    choices = {name: its for name, its in CHOICES.items() if name in names}
    pairs: tuple[dict[str, Any], ...] = ({},)
    if path.endswith(("/{thing_id}/series", "/{thing_id}/typical")):
        pairs = tuple({"thing_id": one, "observed_property": name} for one, name in OF_THINGS)
    elif "{code}" in path:
        pairs = tuple({"area_set": area_set, "code": code} for area_set, code in PLACES)
    elif "{area_set}" in path:
        pairs = ({"area_set": "squares"}, {"area_set": "wards"})
    if path == "/v1/aggregates":
        choices["step"] = ("5min", "1h", "1day")
    if "{" in path:  # the same values as in JSON, of which there are many
        choices.pop("format", None)
    for name in pairs[0]:
        choices.pop(name, None)
    for pair, values in product(pairs, product(*choices.values())):
        yield pair | dict(zip(choices, values, strict=True))


def answers(client: TestClient, headers: dict[str, str]) -> dict[tuple[str, str], str]:
    found = {}
    for path, where in addresses(client):
        answer = client.get(where, headers=headers)
        assert answer.status_code in (200, 404, 422), (where, answer.text)
        before, told, rest = answer.text.partition('"made_at":"')  # by a download
        found[path, where] = before + told + rest.partition('"')[2]
    return found


def begun(feed: LiveFeed) -> list[dict[str, Any]]:
    """What a live stream begins with, but for when it came in."""

    async def first() -> bytes:
        which = Filter(
            parts=frozenset({Part.OBSERVATIONS, Part.THINGS, Part.AREAS}), area_set="squares"
        )
        subscriber = Subscriber(which, asyncio.get_running_loop())
        assert feed.enter()
        await to_thread.run_sync(feed.attach, subscriber, None)
        found = await subscriber.queue.get()
        feed.leave(subscriber)
        return found or b""

    (data,) = [it for it in asyncio.run(first()).split(b"\n") if it.startswith(b'data: {"reason"')]
    body = orjson.loads(data.removeprefix(b"data: "))
    assert body["observations"]
    for one in body["observations"]:
        del one["received_at"]
    return [body]


def differing(one: dict[Any, str], other: dict[Any, str]) -> list[Any]:
    return [where for where, text in one.items() if other[where] != text]


def test_no_public_answer_depends_on_a_small_count(
    small_city: Database, writer: Writer, hub_url: str
) -> None:
    token = Keys(small_city).create("planner", [Scope.COUNTS])
    planner = {"Authorization": f"Bearer {token}"}
    nobodys, planners, public_live, whole_live = {}, {}, {}, {}
    for which in FEW:
        fill(writer, which)
        roll_up(hub_url)
        with app_of(small_city) as client:
            nobodys[which] = answers(client, {})
            planners[which] = answers(client, planner)
            public_live[which] = begun(client.app.state.live)
            whole_live[which] = begun(client.app.state.whole_live)
            if which == "other":
                dashboard = answers(client, {"Authorization": f"Bearer {DASHBOARD}"})
    assert differing(nobodys["few"], nobodys["other"]) == []
    assert differing(dashboard, nobodys["other"]) == []
    assert {path for path, _ in differing(planners["few"], planners["other"])} == COUNTS_AT
    assert public_live["few"] == public_live["other"]
    assert whole_live["few"] != whole_live["other"]


def test_what_is_withheld_looks_the_same_everywhere(
    small_city: Database, writer: Writer, hub_url: str
) -> None:
    fill(writer, "few")
    roll_up(hub_url)
    with app_of(small_city) as api:

        def get(where: str) -> Any:
            answer = api.get(where)
            assert answer.status_code == 200, answer.text
            return answer.json()

        quiet = get("/v1/things/quiet/observations?interval=PT1H")["items"]
        told = [(it["result"], it["suppressed"]) for it in quiet[:4]]
        assert told == [(None, True), (0, False), (0, False), (0, False)]
        (both,) = [it for it in get("/v1/latest")["items"] if it["observed_property"] == WAYS[2]
                   and it["thing"] == "both"]  # fmt: skip
        assert (both["result"], both["suppressed"]) == (40, False)
        latest = get("/v1/things/both")["latest"]
        assert {name: latest[name]["suppressed"] for name in WAYS} == {
            "pedestrians": False, "pedestrians_in": True, "pedestrians_out": True,
        }  # fmt: skip

        lone = get("/v1/things/lone/series?observed_property=pedestrians&step=3600")
        assert lone["values"][-1] is None
        assert lone["gaps"][-1]["reason"] == "suppressed"
        assert lone["left_out"][-1] == 1
        busy = get("/v1/things/busy/series?observed_property=pedestrians_in&step=3600")
        assert (busy["values"][-1], busy["left_out"][-1]) == (sum(range(20, 32)) - 23 - 30, 2)

        areas = {it["code"]: it["figures"] for it in get("/v1/area-sets/squares/snapshot")["areas"]}
        west = areas["W"]["footfall"]
        assert (west["value"], west["left_out"]) == (sum(range(20, 32)) - 23 - 30 + 12 * 30, 8)
        assert "suppressed" not in west
        wards = get("/v1/area-sets/wards/snapshot")["areas"][0]["figures"]["footfall"]
        assert wards["value"] == west["value"] + areas["E"]["footfall"]["value"]
        derived = get("/v1/area-sets/squares/areas/W/profile")["derived"]
        assert derived["pedestrian_flow"]["value"] is None
        assert derived["pedestrian_flow"]["reason"].startswith("suppressed")

        typical = get("/v1/things/quiet/typical?observed_property=pedestrians_in&date=2026-04-01")
        shown = dict(zip(typical["times"], typical["median"], strict=True))
        assert typical["suppressed"]
        assert all(shown[time] is None for time in typical["suppressed"])
        assert 36 in typical["median"]  # a quarter hour without small counts

        table = pq.read_table(
            io.BytesIO(api.get("/v1/aggregates?interval=PT3H&step=1h&format=parquet").content)
        ).to_pylist()
        hidden = [it for it in table if it["suppressed"]]
        assert {it["thing"] for it in hidden} == {"both", "lone", "quiet"}
        for row in hidden:
            assert {row[name] for name in ("result", "sum", "mean", "min", "max")} == {None}
        raw = api.get("/v1/observations?thing=quiet&interval=PT10M&format=csv").text
        first, *_ = csv.DictReader(io.StringIO(raw))
        assert (first["time"], first["result"]) == ("2026-04-01T02:55:00Z", "")
        assert (first["suppressed"], first["left_out"]) == ("true", "1")
