"""`tsuji import` of what cities and agencies publish: equal to the same files published live."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from broker_queue import BrokerQueue
from hub_processes import HubProcesses
from import_runs import Run, contents, empty, runner
from tsuji_platform.runtime.private import PrivateServer


@pytest.fixture
def run(hub_url: str, tmp_path: Path) -> Run:
    """Run `tsuji import` in an empty folder."""
    return runner(hub_url, tmp_path)


def test_melbournes_file_imported_equals_the_file_published_live(
    hub: HubProcesses,
    broker: PrivateServer,
    run: Run,
    hub_url: str,
    data_folder: Path,
    tmp_path: Path,
    eventually: Callable[..., None],
) -> None:
    counts = data_folder / "footfall" / "melbourne_hourly_2014_raw.csv"
    locations = str(data_folder / "footfall" / "melbourne_sensor_locations_2016.csv")
    path = tmp_path / "counts.csv"
    shutil.copy(counts, path)
    done = run(str(path), "--format", "melbourne", "--locations", locations)
    assert done.returncode == 0, done.stdout + done.stderr
    imported = contents(hub_url)
    assert len(imported["observation"]) == 42_951
    empty(hub_url)

    hub.start("ingest")
    owed = BrokerQueue(broker, "tsuji-ingest")  # what is published before the session is nobody's
    eventually(lambda: owed.subscribed, what="a session")
    published = hub.run("replay", "melbourne", str(path), "--locations", locations)
    assert published.returncode == 0, published.stderr
    count = "SELECT count(*) FROM observation"
    with psycopg.connect(hub_url, autocommit=True) as connection:
        eventually(
            lambda: connection.execute(count).fetchall() == [(42_951,)],
            what=f"all rows; {connection.execute(count).fetchall()}",
        )
    hub.end("ingest")
    assert contents(hub_url) == imported


def test_amedas_is_imported_from_its_csv_and_from_the_agencys_json(
    run: Run, hub_url: str, data_folder: Path, tmp_path: Path
) -> None:
    weather = data_folder / "weather"
    table, snapshot = tmp_path / "hours.csv", tmp_path / "20210224150000.json"
    shutil.copy(weather / "amedas_tokyo_hourly_2023-07_2023-12.csv", table)
    shutil.copy(weather / "amedas_map_20210224150000_all_japan.json", snapshot)
    done = run(
        str(table), "--format", "amedas", "--stations", str(weather / "amedas_tokyo_stations.csv")
    )
    assert "136,028 values stored" in done.stdout, done.stderr
    done = run(
        str(snapshot), "--format", "amedas", "--stations", str(weather / "amedastable_2026.json")
    )
    assert done.returncode == 3, done.stderr
    assert "quality_flag_is_not_0" in done.stdout
    published = json.loads(snapshot.read_bytes())
    with psycopg.connect(hub_url) as connection:
        stored = dict(
            connection.execute(
                "SELECT replace(thing_id, 'amedas-', ''), result FROM observation"
                " JOIN datastream USING (datastream_id) WHERE observed_property = 'air_temperature'"
                " AND phenomenon_time = '2021-02-24T15:00:00+09:00'"
            ).fetchall()
        )
    stations = json.loads((weather / "amedastable_2026.json").read_bytes())
    assert stored == {
        number: station["temp"][0]
        for number, station in published.items()
        if number in stations and station.get("temp", [None, None])[1] == 0
    }
    renamed = tmp_path / "now.json"
    snapshot.rename(renamed)
    done = run(
        str(renamed), "--format", "amedas", "--stations", str(weather / "amedastable_2026.json")
    )
    assert (done.returncode, "its name must be its time" in done.stderr) == (1, True)
