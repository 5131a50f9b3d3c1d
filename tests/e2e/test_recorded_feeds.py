"""Real feeds through the whole path, from file to map, compared with what pandas reads in the file."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import httpx
import pandas as pd
import psycopg
import pytest

from broker_queue import BrokerQueue
from hub_processes import HubProcesses
from tsuji_platform.runtime.private import PrivateServer

_BOUNDARIES = "N03-20210101_13_tokyo.geojson"


def _rows(hub: HubProcesses, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(hub.environment["TSUJI_DATABASE_URL"]) as connection:
        return connection.execute(query).fetchall()


def _stored(hub: HubProcesses) -> int:
    ((count,),) = _rows(hub, "SELECT count(*) FROM observation")
    return int(str(count))


def _publish(hub: HubProcesses, *arguments: str) -> int:
    done = hub.run("replay", *arguments)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1].split()[0])


@pytest.fixture(autouse=True)
def _ingest(hub: HubProcesses, broker: PrivateServer, eventually: Callable[..., None]) -> None:
    """An ingest with a session: what is published before the first one is nobody's."""
    hub.start("ingest")
    eventually(lambda: BrokerQueue(broker, "tsuji-ingest").subscribed, what="a session")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        # a fortnight around the end of summer time, and one around its beginning
        ("2014-04-01T00:00:00+11:00", "2014-04-12T00:00:00+10:00"),
        ("2014-10-01T00:00:00+10:00", "2014-10-12T00:00:00+11:00"),
    ],
)
def test_melbournes_daily_sums_are_the_files(
    hub: HubProcesses, data_folder: Path, eventually: Callable[..., None], start: str, end: str
) -> None:
    counts = data_folder / "footfall" / "melbourne_hourly_2014_raw.csv"
    locations = data_folder / "footfall" / "melbourne_sensor_locations_2016.csv"
    published = _publish(
        hub,
        "melbourne",
        str(counts),
        "--locations",
        str(locations),
        "--from",
        start,
        "--to",
        end,
    )
    eventually(lambda: _stored(hub) == published, what=f"{published} rows")

    frame = pd.read_csv(counts)
    frame["Date"] = pd.to_datetime(frame["Date"], format="%d-%b-%Y").dt.date
    first, last = date.fromisoformat(start[:10]), date.fromisoformat(end[:10])
    frame = frame[(frame["Date"] >= first) & (frame["Date"] < last)]
    assert published == len(frame)
    expected = {
        (f"melbourne-{sensor}", day): float(total)
        for (sensor, day), total in frame.groupby(["SensorID", "Date"])["PedestrianCount"]
        .sum()
        .items()
    }
    stored = {
        (thing, day): total
        for thing, day, total in _rows(
            hub,
            """SELECT thing_id,
                   ((phenomenon_time - interval '1 second') AT TIME ZONE 'Australia/Melbourne')::date,
                   sum(result)
               FROM observation JOIN datastream USING (datastream_id) GROUP BY 1, 2""",
        )
    }
    assert stored == expected


def test_melbournes_counters_stand_where_the_file_says(
    hub: HubProcesses, data_folder: Path, eventually: Callable[..., None]
) -> None:
    counts = data_folder / "footfall" / "melbourne_hourly_2014_raw.csv"
    locations = data_folder / "footfall" / "melbourne_sensor_locations_2016.csv"
    hub.start("api")
    moment = "2014-10-08T13:00:00+11:00"
    published = _publish(
        hub,
        "melbourne",
        str(counts),
        "--locations",
        str(locations),
        "--from",
        "2014-10-08T12:00:00+11:00",
        "--to",
        moment,
    )
    eventually(lambda: _stored(hub) == published, what=f"{published} rows")
    answer = httpx.get(f"{hub.api_url}/v1/things.geojson", params={"at": moment}, timeout=90).json()
    frame = pd.read_csv(locations).set_index("Sensor ID")
    hour = pd.read_csv(counts)
    hour = hour[(hour["Date"] == "08-Oct-2014") & (hour["Hour"] == 12)].set_index("SensorID")
    shown = {
        int(feature["id"].removeprefix("melbourne-")): feature
        for feature in answer["features"]
        if feature["properties"]["latest"]
    }
    assert set(shown) == set(hour.index)
    for sensor, feature in shown.items():
        assert feature["geometry"]["coordinates"] == pytest.approx(
            [frame.loc[sensor, "Longitude"], frame.loc[sensor, "Latitude"]]
        )
        latest = feature["properties"]["latest"]["pedestrians"]
        assert latest["result"] == hour.loc[sensor, "PedestrianCount"]


def test_amedas_stands_over_the_real_boundaries(
    hub: HubProcesses, data_folder: Path, eventually: Callable[..., None]
) -> None:
    weather = data_folder / "weather" / "amedas_tokyo_hourly_2023-07_2023-12.csv"
    stations = data_folder / "weather" / "amedas_tokyo_stations.csv"
    imported = hub.run("areas", "import", str(data_folder / "areas" / _BOUNDARIES))
    assert imported.returncode == 0, imported.stderr
    assert "62 areas" in imported.stdout
    hub.start("api")
    published = _publish(
        hub,
        "amedas",
        str(weather),
        "--stations",
        str(stations),
        "--from",
        "2023-08-01T00:00:00+09:00",
        "--to",
        "2023-08-03T00:00:00+09:00",
    )
    eventually(lambda: _stored(hub) == published, what=f"{published} rows")

    frame = pd.read_csv(weather)
    frame["obs_time_jst"] = pd.to_datetime(frame["obs_time_jst"])
    inside = (frame["obs_time_jst"] > "2023-08-01T00:00:00+09:00") & (
        frame["obs_time_jst"] <= "2023-08-03T00:00:00+09:00"
    )
    frame = frame[inside]
    sums = frame.groupby(["amdno", frame["obs_time_jst"].dt.date])[
        ["temp_c", "precipitation1h_mm"]
    ].agg(["sum", "count"])
    assert published == int(sums.xs("count", axis=1, level=1).to_numpy().sum())
    by_day = _rows(
        hub,
        """SELECT thing_id, observed_property, (phenomenon_time AT TIME ZONE 'Asia/Tokyo')::date,
               sum(result), count(*)
           FROM observation JOIN datastream USING (datastream_id) GROUP BY 1, 2, 3""",
    )
    columns = {"air_temperature": "temp_c", "rainfall": "precipitation1h_mm"}
    assert len(by_day) == int((sums.xs("count", axis=1, level=1) > 0).to_numpy().sum())
    for thing, name, day, total, count in by_day:
        row = sums.loc[(int(str(thing).removeprefix("amedas-")), day)][columns[str(name)]]
        assert (total, count) == (pytest.approx(row["sum"]), row["count"])

    # 東京 (44132) stands in 千代田区 (13101): its own values are the ward's.
    eventually(
        lambda: httpx.get(f"{hub.api_url}/v1/things/amedas-44132", timeout=90).json()["areas"]
    )
    at = "2023-08-01T15:00:00+09:00"
    detail = httpx.get(
        f"{hub.api_url}/v1/area-sets/municipalities-13/areas/13101", params={"at": at}, timeout=90
    ).json()
    expected = frame[(frame["amdno"] == 44132) & (frame["obs_time_jst"] == at)].iloc[0]
    assert detail["figures"]["air_temperature"]["value"] == expected["temp_c"]
    assert detail["things"] == ["amedas-44132"]
