"""The published data of Melbourne and Tokyo: brought in by everybody's commands, and as pandas reads it."""

import csv
import os
from pathlib import Path
from unittest import mock

import geopandas
import pandas as pd
from pyproj import Geod
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


def melbourne(data: Path) -> pd.DataFrame:
    """Result and seconds by thing, property and the end of the count.

    The hour that the clock passed twice has one row, of both hours.
    """
    rows = pd.read_csv(data / MELBOURNE)
    local = pd.to_datetime(rows["Date"], format="%d-%b-%Y") + pd.to_timedelta(rows["Hour"], "h")
    zone = "Australia/Melbourne"
    first, second = (
        local.dt.tz_localize(zone, ambiguous=[is_summer] * len(local)).dt.tz_convert("UTC")
        for is_summer in (True, False)
    )
    hour = pd.Timedelta("1h")
    return _indexed(
        pd.DataFrame(
            {
                "thing": "melbourne-" + rows["SensorID"].astype(str),
                "observed_property": "pedestrians",
                "time": second + hour,
                "result": rows["PedestrianCount"],
                "period_s": (second + hour - first).dt.total_seconds(),
            }
        )
    )


def weather(data: Path) -> pd.DataFrame:
    """Result by thing, property and time, as far as it was brought in."""
    rows = pd.read_csv(data / AMEDAS)
    rows = rows[rows["obs_time_jst"] < WEATHER_UNTIL]
    names = {"temp_c": "air_temperature", "precipitation1h_mm": "rainfall"}
    long = rows.rename(columns=names).melt(
        ["obs_time_jst", "amdno"], list(names.values()), "observed_property", "result"
    )
    return _indexed(
        pd.DataFrame(
            {
                "thing": "amedas-" + long["amdno"].astype(str),
                "observed_property": long["observed_property"],
                "time": pd.to_datetime(long["obs_time_jst"], utc=True),
                "result": long["result"],
            }
        ).dropna()
    )


def _indexed(frame: pd.DataFrame) -> pd.DataFrame:
    frame["time"] = frame["time"].astype("datetime64[us, UTC]")
    return frame.set_index(["thing", "observed_property", "time"]).sort_index()


def stations(data: Path) -> geopandas.GeoDataFrame:
    """The weather stations, with the ids of their things."""
    rows = pd.read_csv(data / STATIONS)
    points = geopandas.points_from_xy(rows["lon"], rows["lat"])
    things = {"thing": "amedas-" + rows["amdno"].astype(str)}
    return geopandas.GeoDataFrame(things, geometry=points, crs=4326)


def wards(data: Path) -> geopandas.GeoDataFrame:
    """The municipalities by code, each in one shape."""
    parts = geopandas.read_file(data / BOUNDARIES).rename(columns={"N03_007": "code"})
    return parts.dissolve("code")[["geometry"]].to_crs(4326)


def square_km(areas: geopandas.GeoDataFrame) -> dict[str, float]:
    """Sizes on the ellipsoid, by code."""
    geod = Geod(ellps="GRS80")
    return {
        str(code): abs(geod.geometry_area_perimeter(shape)[0]) / 1e6
        for code, shape in areas.geometry.items()
    }


def centres(data: Path) -> geopandas.GeoDataFrame:
    """The evacuation centres with the municipality that they say they are of, in the file's order."""
    rows = pd.read_csv(data / SHELTERS, dtype=str, encoding="utf-8-sig")
    points = geopandas.points_from_xy(rows["経度"].astype(float), rows["緯度"].astype(float))
    columns = {"name": rows["避難所_名称"], "code": rows["地方公共団体コード"].str[:5]}
    return geopandas.GeoDataFrame(columns, geometry=points, crs=4326)
