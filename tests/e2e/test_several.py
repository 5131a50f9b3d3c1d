"""Several of everything behind a proxy: whichever is killed, nothing is lost and pages go on."""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser

import replicas
from city import live, until
from doors import Doors
from hub_processes import HubProcesses
from own_ports import own_port
from replicas import Pair
from samples import observations, thing
from tsuji.area_sets import put_demonstration
from tsuji_platform.contract.observation import Observation
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import migrate
from tsuji_simulators.publish import Publisher

INGESTS = ("ingest-1", "ingest-2", "ingest-3")
APIS, DASHBOARDS = ("api-1", "api-2"), ("dashboard-1", "dashboard-2")
KINDS = (INGESTS, APIS, DASHBOARDS, ("replica",), ("proxy",))
PATHS = ("/v1/latest", "/v1/things/gate-1", "/v1/area-sets/mesh500-central/snapshot")
PATIENCE_S = 120
NEWEST_SHOWN = (
    "[...window.tsuji.data.things.values()].map(it => it.last_observed_at || '').sort().at(-1)"
)
SECRET = "shared-by-all-of-these"


class Several:
    """Three ingests of one group, two APIs, two dashboards, a replica, and one proxy before them."""

    def __init__(self, pair: Pair, broker: PrivateServer, folder: Path) -> None:
        self._pair = pair
        self.processes = HubProcesses(pair.primary.url, broker.url, folder)
        ports = {name: own_port() for name in ("api", "dashboard", *APIS, *DASHBOARDS)}
        self.api_url = f"http://127.0.0.1:{ports['api']}"
        self.dashboard_url = f"http://127.0.0.1:{ports['dashboard']}"
        self.processes.environment |= {
            "TSUJI_DATABASE_READ_URL": pair.replica.url,
            "TSUJI_INGEST_GROUP": "hub",
            "TSUJI_API_URL": self.api_url,
            "TSUJI_TILES_URL": "",
            "TSUJI_DASHBOARD_KEY": SECRET,
        }
        self._own = {name: {"TSUJI_INGEST_ID": name} for name in INGESTS}
        self._own |= {name: {"TSUJI_API_PORT": str(ports[name])} for name in APIS}
        self._own |= {name: {"TSUJI_DASHBOARD_PORT": str(ports[name])} for name in DASHBOARDS}
        self.proxy = Doors(
            folder / "proxy.log",
            **{
                f"{kind.upper()}_{place}": f"127.0.0.1:{ports[f'{kind}-{place}']}"
                for kind in ("api", "dashboard")
                for place in (1, 2)
            },
            API_DOOR=f"127.0.0.1:{ports['api']}",
            DASHBOARD_DOOR=f"127.0.0.1:{ports['dashboard']}",
        )

    def start(self, name: str) -> None:
        if name == "replica":
            self._pair.replica.start()
        elif name == "proxy":
            self.proxy.start()
        else:
            self.processes.start(name, name.partition("-")[0], **self._own[name])

    def kill(self, name: str) -> None:
        if name == "replica":
            self._pair.replica.kill()
        elif name == "proxy":
            self.proxy.kill()
        else:
            self.processes.end(name, signal.SIGKILL)

    def get(self, path: str) -> httpx.Response:
        """Ask through the proxy as a client does that tries again for a while."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with suppress(httpx.HTTPError):
                answer = httpx.get(self.api_url + path, timeout=30)
                if answer.status_code == 200:
                    return answer
            assert time.monotonic() < deadline, f"no answer for {path}"
            time.sleep(0.1)

    def shows(self) -> bool:
        """Whether the dashboard answers through the proxy."""
        with suppress(httpx.HTTPError):
            return httpx.get(self.dashboard_url, timeout=60).status_code == 200
        return False

    def close(self) -> None:
        self.proxy.kill()
        self.processes.close()


class Load:
    """Counters that publish on and on, 200 counts a second together, each once."""

    def __init__(self, broker: PrivateServer) -> None:
        self._publisher = Publisher(BrokerAddress.parse(broker.url))
        self.published = 0
        self._begun = datetime.now(UTC) - timedelta(minutes=1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._publisher.publish_things(
            [
                thing(f"gate-{n}", "pedestrians", longitude=139.7005, latitude=35.6896)
                for n in range(10)
            ]
        )
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            for _ in range(4):
                self._publisher.publish_observations(*self._next())

    def _next(self) -> tuple[str, list[Observation]]:
        number, self.published = self.published, self.published + 1
        moment = self._begun + number * timedelta(milliseconds=5)
        name = f"gate-{number % 10}"
        return name, observations(name, moment, 60, pedestrians=number % 1_000)

    def finish(self) -> None:
        self._stop.set()
        self._thread.join()
        assert self._publisher.flush(timeout_s=180)
        self._publisher.close()


@pytest.fixture
def several(broker: PrivateServer, tmp_path: Path) -> Iterator[Several]:
    with replicas.pair() as pair:
        migrate(pair.primary.url)
        put_demonstration(pair.primary.url)
        started = Several(pair, broker, tmp_path)
        try:
            for name in (*INGESTS, *APIS, *DASHBOARDS, "proxy"):
                started.start(name)
            yield started
        finally:
            started.close()


@pytest.mark.timeout(900)
def test_whichever_is_killed_nothing_is_lost_and_pages_go_on(
    several: Several, broker: PrivateServer, browser: Browser, eventually: Callable[..., None]
) -> None:
    load, chance = Load(broker), random.Random(9)
    several.get("/v1/figures")
    load.start()
    several.get("/v1/things/gate-1")
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_S * 1_000)
    eventually(several.shows, within=PATIENCE_S)
    page.goto(f"{several.dashboard_url}/?set=mesh500-central&figure=footfall")
    live(page)
    until(page, f"() => {NEWEST_SHOWN}", within=PATIENCE_S)
    try:
        for name in map(chance.choice, chance.sample(KINDS, len(KINDS))):
            before = page.evaluate(NEWEST_SHOWN)
            several.kill(name)
            if name == "proxy":  # there is one door: it is put back at once, as supervisors do
                several.start(name)
            for path in PATHS:
                several.get(path)
            until(page, f"before => ({NEWEST_SHOWN}) > before", before, within=PATIENCE_S)
            if name != "proxy":
                several.start(name)
            live(page)
    finally:
        load.finish()

    with psycopg.connect(several._pair.primary.url, autocommit=True) as connection:

        def stored() -> int:
            (count,) = connection.execute("SELECT count(*) FROM observation").fetchone()
            return int(count)

        eventually(lambda: stored() == load.published, within=240, what="all that was published")
        distinct = "SELECT count(DISTINCT phenomenon_time) FROM observation"
        assert connection.execute(distinct).fetchone() == (load.published,)
    eventually(lambda: several.get("/v1/health").json()["database"]["replica"]["state"] == "used")
    # by the replica, which has it a moment later
    eventually(lambda: several.get("/v1/health").json()["ingest"]["stored"] == load.published)
    ingest = several.get("/v1/health").json()["ingest"]
    assert ingest["received"] == sum(
        ingest[it] for it in ("stored", "duplicate", "corrected", "rejected", "waiting")
    )
    assert {one["id"] for one in ingest["processes"]} == set(INGESTS)

    # what is shown at the end is what there is at the end
    items = several.get("/v1/latest?thing=gate-3").json()["items"]
    last = (load.published - 1 - 3) // 10 * 10 + 3
    assert [it["result"] for it in items] == [last % 1_000]
    shown = "it => window.tsuji.data.things.get('gate-3').latest.pedestrians.result === it"
    until(page, shown, last % 1_000, within=PATIENCE_S)
    live(page)
