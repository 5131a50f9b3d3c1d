"""Real feeds on the real map: values, colours and places as in the files and the API."""

from collections.abc import Callable
from pathlib import Path

import geopandas
import httpx
import pandas as pd
import psycopg
import pytest
from playwright.sync_api import Browser, Page

from broker_queue import BrokerQueue
from city import until
from hub_processes import HubProcesses
from real_data import stations
from tsuji_platform.runtime.private import PrivateServer

_PAST = "#status[data-status=past]"


@pytest.fixture
def past_page(hub: HubProcesses, browser: Browser) -> Callable[..., Page]:
    """Open the map at a past moment and wait until it is painted."""
    context = browser.new_context(locale="ja-JP", viewport={"width": 1440, "height": 900})
    context.set_default_timeout(90_000)

    def open_(**query: str) -> Page:
        page = context.new_page()
        page.goto(str(httpx.URL(hub.dashboard_url, params=query)))
        page.wait_for_selector(_PAST)
        until(page, "() => window.tsuji.map.areas.size > 0 && window.tsuji.data.things.size > 0")
        return page

    yield open_
    context.close()


def test_amedas_and_melbourne_show_at_their_moment_and_place(
    hub: HubProcesses,
    broker: PrivateServer,
    data_folder: Path,
    past_page: Callable[..., Page],
    eventually: Callable[..., None],
) -> None:
    hub.environment["TSUJI_TILES_URL"] = ""
    boundaries = data_folder / "areas" / "N03-20210101_13_tokyo.geojson"
    assert hub.run("areas", "import", str(boundaries)).returncode == 0
    for name in ("ingest", "api", "dashboard"):
        hub.start(name)
    queue = BrokerQueue(broker, "tsuji-ingest")  # what is published before the session is nobody's
    eventually(lambda: queue.subscribed, what="a session")
    weather, footfall = data_folder / "weather", data_folder / "footfall"
    for arguments in (
        [
            "amedas",
            str(weather / "amedas_tokyo_hourly_2023-07_2023-12.csv"),
            "--stations",
            str(weather / "amedas_tokyo_stations.csv"),
            *("--from", "2023-08-01T11:00:00+09:00", "--to", "2023-08-01T15:00:00+09:00"),
        ],
        [
            "melbourne",
            str(footfall / "melbourne_hourly_2014_raw.csv"),
            "--locations",
            str(footfall / "melbourne_sensor_locations_2016.csv"),
            *("--from", "2014-10-08T12:00:00+11:00", "--to", "2014-10-08T13:00:00+11:00"),
        ],
    ):
        assert hub.run("replay", *arguments).returncode == 0
    eventually(lambda: queue.unacknowledged == 0, what="all of it is stored")
    shapes = geopandas.read_file(boundaries).to_crs(4326)
    inside = set(geopandas.sjoin(stations(data_folder), shapes)["thing"])
    assert "amedas-44132" in inside
    with psycopg.connect(hub.environment["TSUJI_DATABASE_URL"], autocommit=True) as connection:
        assigned = "SELECT thing_id FROM area_thing"
        eventually(
            lambda: inside <= {name for (name,) in connection.execute(assigned).fetchall()},
            what="each station has its area",
        )

    at = "2023-08-01T15:00:00+09:00"
    page = past_page(at=at, set="municipalities-13", figure="air_temperature")
    snapshot = httpx.get(
        f"{hub.api_url}/v1/area-sets/municipalities-13/snapshot", params={"at": at}, timeout=90
    ).json()
    shown = {
        area["code"]: area["figures"]["air_temperature"]["value"]
        for area in snapshot["areas"]
        if "air_temperature" in area["figures"]
    }
    assert "13101" in shown
    for code, value in shown.items():
        until(
            page,
            "([code, value]) => window.tsuji.map.areas.get(code).options.fillColor"
            " === window.tsuji.paint.colour(window.tsuji.figure(), value)",
            [code, value],
        )

    at = "2014-10-08T13:00:00+11:00"
    page = past_page(at=at, set="municipalities-13", figure="footfall", lang="en")
    locations = pd.read_csv(footfall / "melbourne_sensor_locations_2016.csv").set_index("Sensor ID")
    counts = pd.read_csv(footfall / "melbourne_hourly_2014_raw.csv")
    counts = counts[(counts["Date"] == "08-Oct-2014") & (counts["Hour"] == 12)]
    assert len(counts) > 20
    until(
        page,
        "ids => ids.every(id => window.tsuji.map.things.has(id)"
        " && window.tsuji.data.things.get(id)?.latest?.pedestrians)",
        [f"melbourne-{sensor}" for sensor in counts["SensorID"]],
    )
    for row in counts.itertuples():
        place, result = page.evaluate(
            "id => { const at = window.tsuji.map.things.get(id).getLatLng();"
            " const it = window.tsuji.data.things.get(id);"
            " return [[at.lat, at.lng], it.latest.pedestrians.result]; }",
            f"melbourne-{row.SensorID}",
        )
        where = locations.loc[row.SensorID]
        assert place == pytest.approx([where["Latitude"], where["Longitude"]])
        assert result == row.PedestrianCount
