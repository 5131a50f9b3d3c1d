"""Real data of Melbourne and Tokyo behind the real server.

The documentation's recipes run as written, and answers equal what pandas, geopandas and shapely make of
the published files.
"""

import io
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import duckdb
import geopandas
import httpx
import pandas as pd
import psycopg
import pytest
from playwright.sync_api import Browser
from psycopg.conninfo import make_conninfo

import real_data
import recipes
from hub_processes import HubProcesses
from recipes import Recipe
from samples import message
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.store import migrate
from tsuji_platform.store.writer import Writer


@dataclass(frozen=True, slots=True)
class Served:
    """A database and the API over it."""

    database_url: str
    api_url: str


@pytest.fixture(scope="module")
def served(
    timescaledb_server: PrivateServer, data_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("real")
    with psycopg.connect(timescaledb_server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE real_data")
    url = make_conninfo(timescaledb_server.url, dbname="real_data")
    migrate(url)
    real_data.bring_in(url, data_folder, folder)
    hub = HubProcesses(url, "mqtt://127.0.0.1:1", folder)  # the API asks no broker
    try:
        hub.start("api")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(folder))
            _install_httpfs()
            made = hub.run("keys", "create", "tests", "--scope", "counts").stdout
            patch.setenv("TSUJI_KEY", next(it for it in made.split() if it.startswith("tsuji_")))
            yield Served(url, hub.api_url)
    finally:
        hub.close()


def _install_httpfs() -> None:
    """What DuckDB fetches by itself the first time, from a package instead."""
    found = files("duckdb_extension_httpfs") / "extensions" / f"v{duckdb.__version__}"
    with duckdb.connect() as connection:
        connection.install_extension(str(found / "httpfs.duckdb_extension"))
    assert (Path(os.environ["HOME"]) / ".duckdb").is_dir()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of somebody else's page."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _named(recipe: Recipe) -> str:
    return f"{recipe.where}-{recipe.language}"


@pytest.mark.parametrize("recipe", recipes.recipes("sh", "python"), ids=_named)
def test_recipes_run_as_written(served: Served, recipe: Recipe, tmp_path: Path) -> None:
    said = recipes.run(recipe, served.api_url, tmp_path)
    assert '"type":"about:blank"' not in said  # curl takes a refusal for an answer like any other
    if recipe.output is not None:
        assert said == recipe.output


@pytest.mark.parametrize("recipe", recipes.recipes("js"), ids=_named)
def test_recipes_run_in_a_browser(
    served: Served, recipe: Recipe, browser: Browser, elsewhere: str
) -> None:
    assert recipe.output is not None
    expected, said = recipe.output.splitlines(), []
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.on("console", lambda line: said.append(line.text))
    page.goto(elsewhere)
    page.evaluate(f"async () => {{ {recipe.text.replace(recipes.ADDRESS, served.api_url)} }}")
    while len(said) < 1:
        page.wait_for_event("console", timeout=120_000)
    if recipe.kind == "live":
        _says(served, 31.5)
    while len(said) < len(expected):
        page.wait_for_event("console", timeout=120_000)
    page.close()
    assert said == expected


def _says(served: Served, temperature: float) -> None:
    """東京 has measured this now."""
    writer = Writer(served.database_url, "test")
    writer.save([message("amedas-44132", datetime.now(UTC), air_temperature=temperature)])
    writer.close()


def _asked(served: Served, path: str, **query: str) -> httpx.Response:
    """What is answered to a key that may see small counts."""
    headers = {"Authorization": f"Bearer {os.environ['TSUJI_KEY']}"}
    answer = httpx.get(served.api_url + path, params=query, headers=headers, timeout=120)
    return answer.raise_for_status()


def _frame(served: Served, path: str, **query: str) -> pd.DataFrame:
    parquet = _asked(served, path, format="parquet", **query).content
    frame = pd.read_parquet(io.BytesIO(parquet)).astype({"thing": str, "observed_property": str})
    return frame.set_index(["thing", "observed_property", "time"]).sort_index()


_MELBOURNE = {"kind": "footfall_counter", "interval": "2014-03-01T00:00:00Z/2014-11-01T00:00:00Z"}
_TOKYO = {"kind": "weather_station", "interval": "2023-07-01T00:00:00Z/2023-08-05T00:00:00Z"}


def test_observations_are_the_rows_of_the_file(served: Served, data_folder: Path) -> None:
    expected = real_data.melbourne(data_folder)
    assert len(expected) == 42_951
    text = _asked(served, "/v1/observations", format="csv", **_MELBOURNE).text
    found = pd.read_csv(io.StringIO(text), parse_dates=["time"])
    assert set(found.pop("unit")) == {"{person}"}
    found = found.set_index(["thing", "observed_property", "time"]).sort_index()
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_index_type=False)
    same = _frame(served, "/v1/observations", **_MELBOURNE).drop(columns="unit")
    pd.testing.assert_frame_equal(same, expected, check_dtype=False, check_index_type=False)


@pytest.mark.parametrize(("step", "width"), [("1h", "1h"), ("1day", "1D")])
def test_aggregates_are_what_pandas_makes_of_the_files(
    served: Served, data_folder: Path, step: str, width: str
) -> None:
    for asked, observations in (
        (_MELBOURNE, real_data.melbourne(data_folder)),
        (_TOKYO, real_data.weather(data_folder)),
    ):
        flat = observations.reset_index()
        # a bucket has its end, and what lies on its beginning belongs to the one before
        flat["time"] = flat["time"].dt.tz_convert("Asia/Tokyo").dt.ceil(width).dt.tz_convert("UTC")
        buckets = flat.groupby(["thing", "observed_property", "time"])["result"]
        expected = buckets.agg(n="count", sum="sum", mean="mean", min="min", max="max")
        found = _frame(served, "/v1/aggregates", step=step, **asked)
        columns = list(expected.columns)
        pd.testing.assert_frame_equal(
            found[columns], expected, check_dtype=False, check_index_type=False
        )
        is_mean = found.index.get_level_values("observed_property") == "air_temperature"
        wanted = expected["mean"].where(is_mean, expected["sum"])
        pd.testing.assert_series_equal(
            found["result"], wanted, check_names=False, check_dtype=False, check_index_type=False
        )


def test_wards_have_the_readings_of_the_stations_in_them(served: Served, data_folder: Path) -> None:
    moment = "2023-08-01T15:00:00+09:00"
    weather = real_data.weather(data_folder).reset_index()
    weather = weather[weather["time"] == pd.Timestamp(moment)]
    where = real_data.stations(data_folder).sjoin(real_data.wards(data_folder).reset_index())
    inside = weather.merge(where[["thing", "code"]], on="thing")
    expected = inside.groupby(["code", "observed_property"])["result"].agg(["mean", "count"])
    assert len(expected) > 15
    body = _asked(served, f"{_SET}/snapshot", at=moment).json()
    measured = {
        (one["code"], name): (value["value"], value["n"])
        for one in body["areas"]
        for name, value in one["figures"].items()
        if "estimated" not in value and name in ("air_temperature", "rainfall")
    }
    assert set(measured) == set(expected.index)
    for key, found in measured.items():
        assert found == pytest.approx(tuple(expected.loc[key])), key


_SET = "/v1/area-sets/municipalities-13"


def test_profiles_are_what_geopandas_makes_of_the_files(served: Served, data_folder: Path) -> None:
    wards = real_data.wards(data_folder)
    people = pd.read_csv(data_folder / real_data.POPULATION, dtype={"code5": str})
    people = people.set_index("code5")
    centres = real_data.centres(data_folder)
    square_km = real_data.square_km(wards)
    answer = _asked(served, f"{_SET}/profiles.geojson").content
    found = geopandas.read_file(io.BytesIO(answer)).set_index("code")
    by_position = geopandas.read_file(
        io.BytesIO(_asked(served, f"{_SET}/profiles.geojson", join="position").content)
    ).set_index("code")
    assert set(found.index) == set(wards.index) == set(people.index)
    placed = centres.sjoin(wards.reset_index())["code_right"].value_counts()
    listed = centres["code"].value_counts()
    for code, area in found.iterrows():
        count = people.loc[code, "kurashi2023_total"]
        assert area["population"]["count"] == count
        assert area["households"]["count"] == people.loc[code, "kurashi2023_households"]
        assert area["km2"] == pytest.approx(square_km[code], rel=1e-4, abs=1e-4)
        assert area["density"] == pytest.approx(count / square_km[code], rel=1e-4, abs=0.06)
        (shelters,) = area["shelters"]
        assert shelters["features"] == listed[code]
        # the list says of none how many people it takes
        assert (shelters["with_capacity"], shelters["capacity"]) == (0, None)
        there = by_position.loc[code, "shelters"]
        assert sum(one["features"] for one in there) == placed.get(code, 0)
    # shapes are simplified by 20 m, which takes small islands' corners off
    metres = found.to_crs(6677).geometry.symmetric_difference(
        wards.to_crs(6677).geometry, align=True
    )
    assert (metres.area < 20 * wards.to_crs(6677).geometry.length.reindex(found.index)).all()


def test_features_stand_where_the_file_says(served: Served, data_folder: Path) -> None:
    centres = real_data.centres(data_folder)
    found, after = [], None
    while True:
        more = {} if after is None else {"after": str(after)}
        path = "/v1/datasets/130001-evacuation-center/features.geojson"
        body = _asked(served, path, limit="1000", **more).json()
        found += body["features"]
        if body["next"] is None:
            break
        after = found[-1]["id"]
    assert [tuple(one["geometry"]["coordinates"]) for one in found] == [
        (point.x, point.y) for point in centres.geometry
    ]
    assert [one["properties"]["name"] for one in found] == list(centres["name"])
    assert [one["properties"]["code"] for one in found] == list(centres["code"])
