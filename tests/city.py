"""A small city for browser tests: a real database and API, a real dashboard, and things to see."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Frame, Page

from hub_processes import HubProcesses
from samples import broken, message, packed, received_at, registration
from samples import observations as observed
from tsuji.area_sets import by_kind, put_demonstration
from tsuji_platform.contract import Observation, Reason, Rejection, observations_topic
from tsuji_platform.store import Areas, Database
from tsuji_platform.store.writer import Writer

HOSTILE = '<img src=x onerror="window.hacked=1">'
MESH = "mesh500-central"


class City:
    """Things with a day of history over the demonstration's meshes.

    Attributes:
        processes: API and dashboard; tests that stop one start it again.
        database_url: where it is stored.
    """

    def __init__(self, database_url: str, processes: HubProcesses) -> None:
        self.processes = processes
        self.database_url = database_url
        put_demonstration(database_url)
        self._writer = Writer(database_url, "city")
        things = [
            registration(
                "counter-east",
                "pedestrians_in",
                "pedestrians_out",
                name="新宿駅 東口",
                name_en="Shinjuku Station, East Exit",
                kind="footfall_counter",
                longitude=139.7012,
                latitude=35.69195,
            ),
            registration(
                "pole-1",
                "air_temperature",
                "wind_from_direction",
                "rainfall",
                name="スマートポール 1",
                name_en="Smart pole 1",
                kind="smart_pole",
                longitude=139.6956,
                latitude=35.6911,
            ),
            registration(
                "pole-hostile",
                "air_temperature",
                name=HOSTILE,
                name_en=HOSTILE,
                owner=HOSTILE,
                kind="smart_pole",
                longitude=139.6905,
                latitude=35.6903,
            ),
            registration(
                "pole-mute",
                "air_temperature",
                name="無口なポール",
                name_en="Mute pole",
                kind="smart_pole",
                longitude=139.7649,
                latitude=35.6812,
            ),
            registration(
                "melbourne",
                "pedestrians",
                name="Melbourne Town Hall",
                name_en="Melbourne Town Hall",
                kind="footfall_counter",
                longitude=144.9666,
                latitude=-37.8149,
            ),
        ]
        self._writer.save(things)
        self._assign()
        self._writer.save([packed(thing, self._day(thing)) for thing in _SHAPES])

    def _assign(self) -> None:
        with Database(self.database_url, size=1) as database:
            Areas(database).assign_all(by_kind)

    def _day(self, thing_id: str) -> list[Observation]:
        now = datetime.now(UTC).replace(microsecond=0)
        times = [now - timedelta(minutes=5 * i) for i in range(300)]
        return [
            one
            for i, time in enumerate(times)
            for one in observed(thing_id, time, 300, **_SHAPES[thing_id](i))
        ]

    def count(self, thing_id: str, days: int, **more: Any) -> None:
        """Store counts of five minutes of the last days, by a counter outside of every area.

        What `more` says of it may place it in one.
        """
        told = {
            "name": thing_id,
            "name_en": thing_id,
            "kind": "footfall_counter",
            "longitude": 144.97,
            "latitude": -37.81,
            **more,
        }
        self._writer.save([registration(thing_id, "pedestrians", **told)])
        if "longitude" in more:
            self._assign()
        now = datetime.now(UTC)
        end = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
        for back in range(days):
            times = [end - timedelta(days=back, minutes=5 * i) for i in range(288)]
            counts = [
                one
                for time in times
                for one in observed(thing_id, time, 300, pedestrians=time.hour + back)
            ]
            self._writer.save([packed(thing_id, counts)])

    def publish(self, thing_id: str, **results: float) -> datetime:
        """Store one observation of now, as ingest does; returns its time."""
        now = datetime.now(UTC)
        self._writer.save([message(thing_id, now, 300, **results)])
        return now

    def ask(self, where: str, **params: str) -> Any:
        """What the API answers."""
        return (
            httpx.get(f"{self.processes.api_url}{where}", params=params, timeout=90)
            .raise_for_status()
            .json()
        )

    def cell(self, thing_id: str, area_set: str = MESH) -> str:
        """The code of the area that a thing stands in."""
        places = self.ask(f"/v1/things/{thing_id}")["areas"]
        return next(place["code"] for place in places if place["area_set"] == area_set)

    def value(self, code: str, figure: str, area_set: str = MESH) -> float:
        """An area's figure."""
        area = self.ask(f"/v1/area-sets/{area_set}/areas/{code}")
        return float(area["figures"][figure]["value"])

    def refuse(self, thing_id: str, reason: Reason, *payloads: bytes) -> None:
        """Receive messages of a thing now that can't be believed."""
        why, now = Rejection(reason=reason, detail="as the test says"), datetime.now(UTC)
        topic = observations_topic(thing_id)
        self._writer.save([received_at(broken(topic, it, why), now) for it in payloads])

    def address(self, **query: str) -> str:
        """An address of the dashboard."""
        return str(httpx.URL(self.processes.dashboard_url, params=query))

    def close(self) -> None:
        """End everything."""
        self.processes.close()
        self._writer.close()


_SHAPES: dict[str, Callable[[int], dict[str, float]]] = {
    "counter-east": lambda i: {"pedestrians_in": 30 + i % 20, "pedestrians_out": 25 + i % 10},
    "pole-1": lambda i: {
        "air_temperature": round(18 + 4 * math.sin(i / 40), 1),
        "wind_from_direction": 355,
        "rainfall": 0.5 if i % 50 == 0 else 0,
    },
    "pole-hostile": lambda i: {"air_temperature": 21.5},
    "melbourne": lambda i: {"pedestrians": 12 + i % 5},
}


def until(page: Page | Frame, expression: str, arg: object = None, within: float = 150) -> None:
    """Wait until an expression holds in the page.

    Playwright's own waiting evaluates text inside the page, which the dashboard's policy forbids.
    """
    deadline = time.monotonic() + within
    while not page.evaluate(expression, arg):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within} s: {expression} ({arg!r})")
        page.wait_for_timeout(20)


def live(page: Page) -> None:
    """Wait until the map is live and painted."""
    page.wait_for_selector("#status[data-status=live]")
    until(page, "() => window.tsuji.map.areas.size > 0 && window.tsuji.data.areas.size > 0")


def known(page: Page) -> None:
    """Wait until the map has the things, which it asks for beside all else."""
    until(page, "() => window.tsuji.map.things.size > 0")


def as_told(ask: Callable[[], Any], compare: Callable[[Any], Any]) -> Any:
    """Compare a page with what the API says, and once more where it has said something else meanwhile.

    Figures of an hour and steps of a day go with the clock: some change every few minutes.

    Args:
        ask: the API.
        compare: fails where the page says something else; opens the page, unless that follows by itself:
            one that was opened before the API is asked may know what was so before.

    Returns:
        What `compare` gives.
    """
    for _ in range(3):
        told = ask()
        try:
            return compare(told)
        except (AssertionError, pytest.fail.Exception):
            if ask() == told:
                raise
    pytest.fail("the API said something else each time")


def wait_for_colour(page: Page, code: str, colour: str) -> None:
    """Wait until an area is painted in a colour."""
    same = "([code, colour]) => window.tsuji.map.areas.get(code).options.fillColor === colour"
    until(page, same, [code, colour])


def fill_of(page: Page, code: str) -> str:
    """The colour in which an area is painted now."""
    return str(page.evaluate("code => window.tsuji.map.areas.get(code).options.fillColor", code))
