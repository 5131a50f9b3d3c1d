"""What a broker carries, recorded and sent again: an hour of a city, and whatever ends either early."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import warm_tsuji
from dropped import drop
from hub_processes import HubProcesses
from taped import Eventually, ingesting, recorded
from tsuji_platform.runtime.private import PrivateServer, private_broker
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import migrate
from tsuji_simulators import run as service
from tsuji_simulators.publish import Publisher
from tsuji_simulators.scenario_files import load_scenario

_TABLES = {
    "things": "SELECT thing_id, name, name_en, kind, longitude, latitude, effective_width_m, capacity, owner"
    " FROM thing ORDER BY 1",
    "observations": "SELECT thing_id, observed_property, declared, phenomenon_time, result, period_s"
    " FROM observation JOIN datastream USING (datastream_id) ORDER BY 1, 2, 4",
    "latest": "SELECT thing_id, observed_property, phenomenon_time, result, period_s"
    " FROM latest JOIN datastream USING (datastream_id) ORDER BY 1, 2",
    "rejected": "SELECT topic, payload, thing_id, reason, value_count, seen FROM rejected_message"
    " ORDER BY 1, 2",
    "counters": "SELECT messages, received, stored, duplicate, corrected, rejected FROM ingest_counter",
}


def tables(hub: HubProcesses) -> dict[str, list[tuple[Any, ...]]]:
    with psycopg.connect(hub.environment["TSUJI_DATABASE_URL"]) as connection:
        return {name: connection.execute(query).fetchall() for name, query in _TABLES.items()}


@pytest.fixture
def second_hub(timescaledb_server: PrivateServer, tmp_path: Path) -> Iterator[Any]:
    """A broker and a hub on it over an empty database, beside the first."""
    with psycopg.connect(timescaledb_server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE replayed")
        url = make_conninfo(timescaledb_server.url, dbname="replayed")
        migrate(url)
        (tmp_path / "second").mkdir()
        with private_broker() as broker:
            hub = HubProcesses(url, broker.url, tmp_path / "second")
            try:
                yield hub, broker
            finally:
                hub.close()
        drop(connection, "replayed")


def simulate_an_hour(address: BrokerAddress, folder: Path, eventually: Eventually) -> None:
    """The city's last hour, and what it says meanwhile."""
    stop = threading.Event()
    told: list[service.FleetProgress] = []
    thread = threading.Thread(
        target=service.run,
        args=(address, load_scenario("ordinary-day"), 1, folder, 1 / 24, stop, told.append),
    )
    thread.start()
    try:
        eventually(lambda: told and told[-1].backlog_s == 0, 240, "the whole hour")
    finally:
        stop.set()
        thread.join(90)


def test_a_recorded_hour_makes_the_same_tables_in_an_empty_hub(
    hub: HubProcesses,
    broker: PrivateServer,
    second_hub: tuple[HubProcesses, PrivateServer],
    recorder: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    address, path = BrokerAddress.parse(broker.url), tmp_path / "hour.tsuji"
    queue = ingesting(hub, broker, eventually)
    process = recorder(path)
    with Publisher(address) as publisher:

        def is_recording() -> bool:
            publisher.publish("probe", b"of no concern to ingest")
            return bool(recorded(path))

        eventually(is_recording, what="the recorder listens")
        simulate_an_hour(address, tmp_path, eventually)
        for payload in (b"{broken", b"{broken", b"\xff\xfe"):
            publisher.publish("tsuji/v1/things/nobody/observations", payload)
        publisher.publish("v1.1/Observations", b"[]")
        publisher.flush()
    eventually(lambda: queue.unacknowledged == 0, what="everything is stored")
    first = tables(hub)
    hub.end("ingest")
    eventually(lambda: recorded(path)[-1].payload == b"[]", what="the last one is recorded")
    process.kill()
    process.wait()
    carried = [one for one in recorded(path) if one.topic != "probe"]
    assert {one.topic for one in carried if one.retain} == {
        f"tsuji/v1/things/{row[0]}" for row in first["things"]
    }

    second, second_broker = second_hub
    queue = ingesting(second, second_broker, eventually)
    only = ("--topic", "tsuji/#", "--topic", "v1.1/#")
    done = second.run("replay", str(path), "--speed", "max", *only)
    assert done.returncode == 0, done.stderr
    assert f"{len(carried):,} messages sent, {len(carried):,} of them acknowledged" in done.stdout
    eventually(lambda: queue.unacknowledged == 0, what="everything is stored again")
    again = tables(second)
    assert len(first["observations"]) > 3_000
    for name, rows in first.items():
        assert again[name] == rows, name


def test_a_simulated_hour_is_the_same_published_recorded_and_replayed(
    hub: HubProcesses,
    broker: PrivateServer,
    second_hub: tuple[HubProcesses, PrivateServer],
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    hour = ("simulate", "--from", "2026-04-06T08:00:00+09:00", "--to", "1h", "--seed", "5")
    path = tmp_path / "hour.tsuji"
    done = hub.run(*hour, "--out", str(path))
    assert done.returncode == 0, done.stderr
    printed = hub.run(*hour, "--dry-run").stdout
    assert hub.run("replay", str(path), "--dry-run").stdout == printed

    queue = ingesting(hub, broker, eventually)
    done = hub.run(*hour, "--speed", "max")
    assert done.returncode == 0, done.stderr
    assert "6,100 messages sent, 6,100 of them acknowledged" in done.stdout
    eventually(lambda: queue.unacknowledged == 0, what="everything is stored")
    first = tables(hub)
    hub.end("ingest")

    second, second_broker = second_hub
    queue = ingesting(second, second_broker, eventually)
    done = second.run("replay", str(path), "--speed", "max")
    assert done.returncode == 0, done.stderr
    eventually(lambda: queue.unacknowledged == 0, what="everything is stored again")
    again = tables(second)
    assert len(first["things"]) == 100
    assert len(first["observations"]) > 20_000
    assert first["rejected"] == []
    for name, rows in first.items():
        assert again[name] == rows, name


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere.toml"], "neither one of fireworks"),
        (
            ["fireworks", "--from", "2025-07-27T09:00:00+09:00", "--to", "1s", "--speed", "0"],
            "above 0",
        ),
        (
            ["--from", "2026-04-06T08:00:00+09:00", "--to", "2026-04-06T07:00:00+09:00"],
            "must be before",
        ),
        (["--out", "x.tsuji", "--dry-run"], "two outputs"),
        (["--out", "x.tsuji", "--speed", "2"], "are for a broker"),
        (["--out", "/"], "is there already"),
    ],
)
def test_a_simulation_that_is_asked_for_wrongly_says_why(
    arguments: list[str], complaint: str
) -> None:
    done = warm_tsuji.run_text("simulate", *arguments, env=dict(os.environ))
    assert done.returncode in (1, 2)
    assert complaint in " ".join(done.stderr.replace("│", " ").split())
