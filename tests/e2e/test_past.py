"""The simulated past beside the live map: in once, whatever is killed, and what is usual follows from it."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from held_imports import held, nobody_else_is_connected
from hub_processes import HubProcesses
from own_ports import own_port
from tsuji.simulated_past import Past, days_of
from tsuji_platform.analytics.quarters import midnight
from tsuji_platform.runtime.private import private_folder
from tsuji_platform.store import Refresher
from tsuji_platform.store.imports import ImportWriter
from tsuji_simulators.scenario import Scenario
from tsuji_simulators.scenario_files import load_scenario
from tsuji_simulators.state import Span

SATURDAY = date(2026, 4, 25)
DAY = 86_400


@pytest.fixture(scope="module")
def city() -> Scenario:
    """One thing of each fleet."""
    whole = load_scenario("ordinary-day")
    fleets = tuple(fleet.model_copy(update={"things": fleet.things[:1]}) for fleet in whole.fleets)
    return whole.model_copy(update={"fleets": fleets})


@pytest.fixture
def writer(hub_url: str, city: Scenario) -> Iterator[ImportWriter]:
    writer = ImportWriter(hub_url)
    writer.register([member.thing for member in city.members])
    yield writer
    writer.close()


def past(writer: ImportWriter, city: Scenario, folder: Path, stop: threading.Event) -> Past:
    return Past(writer, city, 1, folder / "rejected.csv", stop, rest_times=0)


def until(day: date, days: int) -> list[Span]:
    end = int(midnight(day).timestamp())
    return list(days_of(Span(start=end - days * DAY, end=end, step_s=300)))


def in_a_day(city: Scenario) -> int:
    return 288 * sum(len(member.datastreams) for member in city.members)


def test_three_weeks_tell_what_is_usual_on_every_kind_of_day(
    writer: ImportWriter, city: Scenario, hub: HubProcesses, hub_url: str, tmp_path: Path
) -> None:
    days = until(SATURDAY, 22)
    bring = past(writer, city, tmp_path, threading.Event())
    assert bring.bring_in(days) == 22 * in_a_day(city)
    assert bring.bring_in(days) == 0
    refresher = Refresher(hub_url)
    while refresher.refresh():
        pass
    refresher.close()
    counter = next(one.id for one in city.members if "pedestrians_in" in one.datastreams)
    hub.start("api")
    for later, kind, behind in ((0, "saturday", 3), (1, "holiday", 3), (2, "weekday", 16)):
        answer = httpx.get(
            f"{hub.api_url}/v1/things/{counter}/typical",
            params={
                "observed_property": "pedestrians_in",
                "date": (SATURDAY + timedelta(days=later)).isoformat(),
            },
            timeout=90,
        )
        body = answer.raise_for_status().json()
        assert body["kind"] == kind
        assert body["days"] == [behind] * 96
        assert None not in body["median"]
        assert sum(body["median"]) > 100


def test_it_goes_on_behind_what_is_in(writer: ImportWriter, city: Scenario, tmp_path: Path) -> None:
    days = until(SATURDAY, 2)
    stop = threading.Event()
    stop.set()  # it ends after the part at hand
    first = past(writer, city, tmp_path, stop).bring_in(days)
    assert 0 < first < in_a_day(city)
    rest = past(writer, city, tmp_path, threading.Event()).bring_in(days)
    assert first + rest == 2 * in_a_day(city)


def test_live_and_past_share_no_second_and_leave_no_minute_out(
    hub: HubProcesses, hub_url: str, eventually: Callable[..., None]
) -> None:
    def account() -> dict[str, int]:
        found: dict[str, int] = httpx.get(f"{hub.api_url}/v1/health", timeout=90).json()["ingest"]
        return found

    hub.environment["TSUJI_HISTORY_DAYS"] = "0.5"
    hub.start("ingest")
    hub.start("api")
    hub.start("simulate", TSUJI_HISTORY_DAYS="0")
    with held(hub_url, "old.rows_done > 0") as gate:
        hub.start("simulate-past")
        eventually(lambda: gate.waits, what="a part of the past is in, and no more")
        hub.end("simulate-past", signal.SIGKILL)
    eventually(lambda: nobody_else_is_connected(hub_url))
    done = hub.run("simulate-past")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("days of simulated history are in") == 1
    again = hub.run("simulate-past")
    assert (again.returncode, again.stderr.count("history: ")) == (0, 0)
    assert (account()["corrected"], account()["rejected"]) == (0, 0)

    (counter,) = [
        one for one in load_scenario("ordinary-day").members if one.id == "counter-akasaka"
    ]

    def counts() -> list[tuple[datetime, int]]:
        answer = httpx.get(
            f"{hub.api_url}/v1/things/{counter.id}/observations",
            params={"observed_property": "pedestrians_in"},
            timeout=90,
        )
        items = answer.raise_for_status().json()["items"]
        return [(datetime.fromisoformat(one["time"]), one["period_s"]) for one in items]

    eventually(lambda: counts()[-1][1] == 60, within=240, what="a live count")
    found = counts()
    assert sum(period for _, period in found) >= DAY // 2 - 600
    gaps = [
        after - timedelta(seconds=period) - before
        for (before, _), (after, period) in pairwise(found)
    ]
    # the past keeps to the clock's five minutes, live counts to the thing's own second
    (between,) = {gap for gap in gaps if gap} or {timedelta(0)}
    assert timedelta(0) <= between < timedelta(minutes=1)
    assert sum(gap != timedelta(0) for gap in gaps) <= 1


def test_up_brings_the_past_in_once_and_says_so_in_one_line(
    eventually: Callable[..., None],
) -> None:
    with private_folder() as folder:
        output = folder / "up.log"
        environment = {
            **os.environ,
            "TSUJI_HOME": str(folder / "home"),
            "TSUJI_HISTORY_DAYS": "0.02",
            **{
                f"TSUJI_{name}_PORT": str(own_port())
                for name in ("API", "DASHBOARD", "BROKER", "INGEST")
            },
        }

        @contextlib.contextmanager
        def up() -> Iterator[None]:
            with (
                output.open("w") as log,
                subprocess.Popen(
                    [sys.executable, "-m", "tsuji", "up"],
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                ) as process,
            ):
                yield
                process.send_signal(signal.SIGINT)
                assert process.wait(180) == 0

        with up():
            eventually(
                lambda: "days of simulated history are in" in output.read_text(),
                within=240,
                what="the end of the import",
            )
        text = output.read_text()
        assert text.count("simulated history") == 1
        assert "simulate-past ended" not in text
        assert text.index("Ctrl-C stops everything") < text.index("simulated history")
        log = folder / "home" / "log" / "simulate-past.log"
        assert "nothing is missing" not in log.read_text()
        with up():
            eventually(lambda: "nothing is missing" in log.read_text(), within=240)
        assert "simulated history" not in output.read_text()
        assert log.read_text().count("simulated history") == 1
