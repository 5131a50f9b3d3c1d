"""A database with the published data of Melbourne and Tokyo, brought in by everybody's commands."""

import csv
import os
from pathlib import Path
from unittest import mock

from typer.testing import CliRunner

from tsuji.cli import app
from tsuji_platform.store import Refresher

MELBOURNE = "footfall/melbourne_hourly_2014_raw.csv"
COUNTERS = "footfall/melbourne_sensor_locations_2016.csv"
AMEDAS = "weather/amedas_tokyo_hourly_2023-07_2023-12.csv"
STATIONS = "weather/amedas_tokyo_stations.csv"
BOUNDARIES = "areas/N03-20210101_13_tokyo.geojson"
POPULATION = "population/tokyo_population_by_municipality.csv"
SHELTERS = "opendata/130001_evacuation_center.csv"
WEATHER_UNTIL = "2023-08-03"
"""Of the weather three weeks are enough: the rest would only cost time."""


def bring_in(url: str, data: Path, folder: Path) -> None:
    """Import all of it.

    Args:
        url: of an empty database with Tsuji's schema.
        data: the folder with the files.
        folder: for what is made on the way.
    """
    weather = folder / "weather.csv"
    with (data / AMEDAS).open(newline="") as whole, weather.open("w", newline="") as part:
        rows = csv.reader(whole)
        csv.writer(part).writerows([next(rows), *(row for row in rows if row[0] < WEATHER_UNTIL)])
    with mock.patch.dict(os.environ, {"TSUJI_DATABASE_URL": url, "TSUJI_HOME": str(folder)}):
        _tsuji("import", "--format", "melbourne", "--locations", data / COUNTERS, data / MELBOURNE)
        kept_apart = folder / "rejected.csv"
        amedas = "--format", "amedas", "--stations", data / STATIONS, "--rejected", kept_apart
        _tsuji("import", *amedas, weather, expected=3)  # a few rows say nothing
        _tsuji("areas", "import", data / BOUNDARIES)
        _tsuji("datasets", "import", data / POPULATION)
        _tsuji("datasets", "import", data / SHELTERS)
    refresher = Refresher(url)
    while refresher.refresh() or refresher.profile():
        pass
    refresher.close()


def _tsuji(*arguments: object, expected: int = 0) -> None:
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == expected, done.output
