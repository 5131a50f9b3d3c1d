"""The hub at which the bench of the dashboard looks: 62 municipalities, 2,000 mesh cells, 300 points."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import psutil
from shapely.geometry import Point, shape
from shapely.ops import unary_union

from bench.history_city import _BOUNDARIES, QUIET
from tsuji.testing import TestHub, running_hub
from tsuji_platform.contract import Observation, Thing
from tsuji_platform.runtime.mqtt import free_port
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store.imports import ImportWriter
from tsuji_simulators.publish import Publisher

MUNICIPALITIES = "municipalities-13"
CELLS = "cells"
POINTS = 300
EVERY_S = 60.0
"""How often each point speaks."""
MARKED = "bench-0"
"""The point that stands alone in its municipality and in its cell: its values are theirs."""
_BOX = (139.66, 35.64, 139.785, 35.744)
"""40 × 50 cells of 250 m."""
_PROPERTIES = ("air_temperature", "relative_humidity", "pedestrians_in", "pedestrians_out")


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardHub:
    """What is measured.

    Attributes:
        url: of the dashboard.
        api_url: of the data API.
        dashboard: its process.
        api: the API's.
        city: who publishes.
    """

    url: str
    api_url: str
    dashboard: psutil.Process
    api: psutil.Process
    city: "Talk"

    def code(self, area_set: str) -> str:
        """The area in which the marked point stands alone."""
        places = httpx.get(f"{self.api_url}/v1/things/{MARKED}").raise_for_status().json()["areas"]
        (code,) = [place["code"] for place in places if place["area_set"] == area_set]
        return str(code)


class Talk:
    """Points that speak in turns, from a thread of its own, until it is closed."""

    def __init__(self, broker: BrokerAddress, things: list[Thing]) -> None:
        self._publisher = Publisher(broker, client_id="bench")
        self._publisher.publish_things(things)
        self._things = things
        self._stop = threading.Event()
        self._random = random.Random(1)
        for one in things:
            self._speak(one, self._random.uniform(8, 24))
        self._publisher.flush()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def say(self, temperature: float) -> float:
        """Let the marked point speak; seconds since 1970 when it did."""
        begun = time.time()
        self._speak(self._things[0], temperature)
        return begun

    def _go_on(self) -> None:
        others = self._things[1:]
        number = 0
        while not self._stop.wait(EVERY_S / len(others)):
            self._speak(others[number % len(others)], self._random.uniform(8, 24))
            number += 1

    def _speak(self, thing: Thing, temperature: float) -> None:
        now = datetime.now(UTC)
        results = (temperature, self._random.uniform(40, 80), self._random.randrange(40), 12)
        self._publisher.publish_observations(
            thing.thing_id,
            [
                Observation(
                    thing_id=thing.thing_id,
                    observed_property=name,
                    phenomenon_time=now,
                    result=round(float(result), 1),
                    period_s=int(EVERY_S) if name.startswith("pedestrians") else None,
                )
                for name, result in zip(_PROPERTIES, results, strict=True)
            ],
        )

    def close(self) -> None:
        """Fall silent."""
        self._stop.set()
        self._thread.join()
        self._publisher.close()


@contextmanager
def dashboard_hub() -> Iterator[DashboardHub]:
    """Run broker, database, ingest, API and dashboard, with all points speaking."""
    with running_hub() as hub:
        things = _things()
        writer = ImportWriter(hub.database_url)
        writer.register(things)
        writer.close()
        west, south, east, north = (f"{it}" for it in _BOX)
        _tsuji(hub, "areas", "import", str(_BOUNDARIES))
        _tsuji(hub, "areas", "mesh", west, south, east, north, "--size", "250", "--id", CELLS)
        with _dashboard(hub) as (url, process):
            talk = Talk(BrokerAddress.parse(hub.broker_url), things)
            try:
                yield DashboardHub(
                    url=url, api_url=hub.api_url, dashboard=process, api=_running("api"), city=talk
                )
            finally:
                talk.close()


def _things() -> list[Thing]:
    """The marked one, one in each other municipality, and the rest where the cells are."""
    found: dict[str, list[object]] = {}
    for feature in json.loads(_BOUNDARIES.read_text(encoding="utf-8"))["features"]:
        if code := feature["properties"]["N03_007"]:
            found.setdefault(code, []).append(shape(feature["geometry"]))
    whole = {code: unary_union(parts) for code, parts in found.items()}
    points = [whole[QUIET].representative_point()]
    points += [it.representative_point() for code, it in sorted(whole.items()) if code != QUIET]
    west, south, east, north = _BOX
    chance = random.Random(1)
    while len(points) < POINTS:
        point = Point(chance.uniform(west, east), chance.uniform(south, north))
        if not whole[QUIET].contains(point):
            points.append(point)
    return [
        Thing(
            thing_id=f"bench-{number}",
            name=f"ポール {number}",
            name_en=f"Pole {number}",
            kind="smart_pole" if number % 2 else "footfall_counter",
            longitude=round(point.x, 6),
            latitude=round(point.y, 6),
            datastreams=_PROPERTIES,
        )
        for number, point in enumerate(points)
    ]


def _tsuji(hub: TestHub, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "tsuji", *arguments],
        env={**os.environ, "TSUJI_DATABASE_URL": hub.database_url},
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def _dashboard(hub: TestHub) -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "TSUJI_API_URL": hub.api_url,
        "TSUJI_DASHBOARD_HOST": "127.0.0.1",
        "TSUJI_DASHBOARD_PORT": f"{port}",
        "TSUJI_TILES_URL": "",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tsuji", "dashboard"], env={**os.environ, **environment}
    )
    try:
        for _ in range(600):
            try:
                httpx.get(url, timeout=10).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield url, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _running(command: str) -> psutil.Process:
    """The process of a command of the hub's."""
    found = [
        one
        for one in psutil.Process().children(recursive=True)
        if one.cmdline()[-2:] == ["tsuji", command]
    ]
    return found[0]
