"""The same answer as JSON, GeoJSON, CSV, JSON lines and Parquet, read by others' libraries."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import geopandas
import pandas as pd
import pyarrow.parquet as pq
import pytest
from csvw import CSVW
from fastapi.testclient import TestClient

from tsuji_platform.exports.geoparquet import wkb

LISTS = [
    "/v1/things",
    "/v1/datastreams",
    "/v1/latest",
    "/v1/area-sets",
    "/v1/area-sets/squares/snapshot",
    "/v1/area-sets/squares/areas?format=json",
    "/v1/area-sets/squares/areas/W/series?figure=footfall",
    "/v1/area-sets/squares/areas/W/typical?figure=footfall",
    "/v1/things/pole-1/series?observed_property=rainfall",
    "/v1/things/pole-1/observations",
    "/v1/quality",
    "/v1/observed-properties",
    "/v1/figures",
    "/v1/derived-figures",
    "/v1/datasets",
    "/v1/alerts",
    "/v1/rejected",
    "/v1/observations?thing=pole-1",
]


def _as(path: str, kind: str) -> str:
    bare = path.replace("?format=json", "")
    return f"{bare}{'&' if '?' in bare else '?'}format={kind}"


def _rows(api: TestClient, path: str) -> dict[str, int]:
    """How many rows there are in each format."""
    table = pq.read_table(io.BytesIO(api.get(_as(path, "parquet")).content))
    lines = api.get(_as(path, "jsonl")).text.splitlines()
    cells = list(csv.reader(io.StringIO(api.get(_as(path, "csv")).text)))
    assert [cell.partition(" [")[0] for cell in cells[0]] == [
        name for name in table.column_names if name != "geometry"
    ]
    return {"parquet": table.num_rows, "jsonl": len(lines), "csv": len(cells) - 1}


def test_all_lists_come_in_rows_of_every_format(api: TestClient) -> None:
    for path in LISTS:
        counts = _rows(api, path)
        assert len(set(counts.values())) == 1, (path, counts)
        body = api.get(path).json()
        if "items" in body:
            assert counts["csv"] == len(body["items"]), path


def test_a_csv_says_its_units_and_a_spreadsheet_gets_its_mark(api: TestClient) -> None:
    series = api.get("/v1/things/pole-1/series?observed_property=rainfall&format=csv").text
    assert series.startswith("thing,observed_property,time,value [mm]")
    things = api.get("/v1/things?format=csv&bom=true")
    assert things.content.startswith("\ufeffid,name".encode())
    assert "longitude [deg],latitude [deg]" in things.text.splitlines()[0]
    assert things.headers["content-disposition"] == 'attachment; filename="things.csv"'


def test_geoparquet_is_read_by_geopandas_and_duckdb(api: TestClient, tmp_path: Path) -> None:
    for path, geometry in [
        ("/v1/things", {"Point"}),
        ("/v1/area-sets/squares/areas", {"Polygon"}),
        ("/v1/area-sets/squares/snapshot", {"Polygon"}),
    ]:
        file = tmp_path / "a.parquet"
        file.write_bytes(api.get(path, params={"format": "parquet"}).content)
        frame = geopandas.read_parquet(file)
        assert frame.crs == "OGC:CRS84"
        assert set(frame.geom_type) == geometry
        assert bool(frame.is_valid.all())
        told = json.loads(pq.read_metadata(file).metadata[b"geo"])["columns"]["geometry"]
        assert told["bbox"] == pytest.approx(list(frame.total_bounds))
        (count,) = duckdb.sql(f"SELECT count(geometry) FROM '{file}'").fetchone()
        assert count == len(frame)
    points = geopandas.read_parquet(io.BytesIO(api.get("/v1/things?format=parquet").content))
    assert list(points.geometry.x) == list(points["longitude"])


def test_a_snapshot_of_a_map_has_all_areas_and_says_units_and_credits(api: TestClient) -> None:
    asked = {"format": "parquet"}
    table = pq.read_table(
        io.BytesIO(api.get("/v1/area-sets/squares/snapshot", params=asked).content)
    )
    assert table.column("code").to_pylist() == ["E", "N", "W"]
    assert table.schema.field("air_temperature").metadata[b"unit"] == b"Cel"
    assert json.loads(table.schema.metadata[b"tsuji"])["source"]
    body = api.get("/v1/area-sets/squares/snapshot").json()
    of_west = next(one for one in body["areas"] if one["code"] == "W")["figures"]
    footfall = dict(
        zip(table.column("code").to_pylist(), table.column("footfall").to_pylist(), strict=True)
    )
    assert footfall["W"] == of_west["footfall"]["value"]
    assert footfall["N"] is None
    shown = api.get("/v1/area-sets/squares/snapshot?format=geojson&area=W").json()
    (west,) = shown["features"]
    assert west["properties"]["footfall"] == of_west["footfall"]["value"]
    assert west["geometry"]["type"] == "Polygon"


def test_times_are_times_in_pandas(api: TestClient) -> None:
    answer = api.get("/v1/latest?thing=pole-1&format=parquet")
    frame = pd.read_parquet(io.BytesIO(answer.content))
    newest = datetime(2026, 4, 1, 2, 58, tzinfo=UTC)
    assert frame["time"].max() == pd.Timestamp(newest)


@pytest.mark.parametrize(
    ("path", "accept", "status", "named"),
    [
        ("/v1/things", "image/png", 406, "text/csv"),
        ("/v1/things", "application/json;q=0", 406, "application/geo+json"),
        ("/v1/things?format=xlsx", "*/*", 422, "'parquet'"),
        ("/v1/latest?format=geojson", "*/*", 422, "'csv'"),
        ("/v1/things/pole-1", "text/csv", 406, "application/json"),
        ("/v1/things/pole-1", "application/*", 200, ""),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(
    api: TestClient, path: str, accept: str, status: int, named: str
) -> None:
    answer = api.get(path, headers={"Accept": accept})
    assert (answer.status_code, named in answer.text) == (status, True)


GDAL = "text/plain, application/json"
"""What GDAL takes, by which QGIS reads."""


@pytest.mark.parametrize(
    ("path", "accept", "media"),
    [
        ("/v1", "application/json", "application/json"),
        ("/v1", "application/json, text/html;q=0.5", "application/json"),
        ("/v1", "application/json, text/html;q=0", "application/json"),
        ("/v1", "text/html, */*;q=0.8", "text/html"),
        ("/v1/catalogue", "application/json", "application/ld+json"),
        ("/v1/things.geojson", GDAL, "application/geo+json"),
        ("/v1/area-sets/squares/profiles.geojson", GDAL, "application/geo+json"),
        ("/v1/area-sets/squares/areas", GDAL, "application/geo+json"),
        ("/v1/things?format=geojson", GDAL, "application/geo+json"),
    ],
)
def test_who_takes_json_gets_what_is_written_in_it(
    api: TestClient, path: str, accept: str, media: str
) -> None:
    answer = api.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, media)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/csv", "text/csv"),
        ("application/geo+json", "application/geo+json"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("*/*", "application/json"),
    ],
)
def test_the_header_chooses_as_well(api: TestClient, accept: str, media: str) -> None:
    answer = api.get("/v1/things", headers={"Accept": accept, "Accept-Encoding": "gzip"})
    assert answer.headers["content-type"].partition(";")[0] == media
    if "parquet" in media:
        assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/v1/things?kind=smart_pole",
        "/v1/area-sets/squares/snapshot",
        "/v1/things/pole-1/series?observed_property=rainfall",
        "/v1/observations?thing=pole-1",
        "/v1/datasets",
        "/v1/observed-properties",
    ],
)
def test_a_csv_is_described_on_the_web(api: TestClient, tmp_path: Path, path: str) -> None:
    answer = api.get(_as(path, "csv"))
    (link,) = [one for one in answer.headers["link"].split(", ") if 'rel="describedby"' in one]
    said = api.get(link[1 : link.index(">")])
    assert said.headers["content-type"] == "application/csvm+json"
    document = said.json()
    assert document["url"] == _as(path, "csv")
    (tmp_path / "a.csv").write_bytes(answer.content)
    (tmp_path / "a.csv-metadata.json").write_text(json.dumps({**document, "url": "a.csv"}))
    read = CSVW(str(tmp_path / "a.csv-metadata.json"), validate=True)
    assert read.is_valid, read.warnings
    (table,) = read.tables
    rows = list(table.iterdicts(strict=True))
    assert len(rows) == len(list(csv.reader(io.StringIO(answer.text)))) - 1
    if rows and "time" in rows[0]:
        assert all(row["time"].tzinfo is not None for row in rows)


def test_geometry_that_is_not_kept_is_refused() -> None:
    with pytest.raises(ValueError, match="GeometryCollection"):
        wkb({"type": "GeometryCollection", "coordinates": []})
