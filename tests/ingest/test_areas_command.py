"""`tsuji areas` as people use it: fetched, imported, listed and assigned to, in a real database."""

import json
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import geopandas
import psycopg
import pytest
import shapely
from psycopg.rows import dict_row

from hub_processes import HubProcesses
from samples import registration
from tsuji_platform.store.writer import Writer


@pytest.fixture
def publisher(data_folder: Path, tmp_path: Path) -> Iterator[str]:
    """Serves Tokyo's real boundaries as 国土数値情報 does; the pattern of its addresses."""
    folder = tmp_path / "published"
    folder.mkdir()
    with zipfile.ZipFile(folder / "N03-20210101_13_GML.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(
            data_folder / "areas" / "N03-20210101_13_tokyo.geojson", "N03-20210101_13.geojson"
        )

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/N03-{{year}}0101_{{prefecture}}_GML.zip"
    server.shutdown()
    thread.join()
    server.server_close()


def stored(url: str, area_set: str) -> geopandas.GeoDataFrame:
    """The exact shapes in the database."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute(
            "SELECT code, name, name_en, geometry FROM area WHERE area_set_id = %s ORDER BY code",
            [area_set],
        ).fetchall()
    shapes = [shapely.geometry.shape(row.pop("geometry")) for row in rows]
    return geopandas.GeoDataFrame(rows, geometry=shapes, crs=4326)


def test_a_prefecture_is_fetched_kept_and_imported(
    hub: HubProcesses, hub_url: str, publisher: str, tmp_path: Path
) -> None:
    with_sensor = Writer(hub_url, "test")
    with_sensor.save([registration("pole", longitude=139.6917, latitude=35.6895)])
    with_sensor.close()
    hub.environment["TSUJI_N03_URL"] = publisher
    first = hub.run("areas", "fetch", "13", "--year", "2021")
    assert first.returncode == 0, first.stderr
    kept = tmp_path / "downloads" / "N03-20210101_13_GML.zip"
    assert first.stdout.startswith(
        f"{kept}: {kept.stat().st_size:,} bytes, downloaded from http://"
    )
    assert "63 features became 62 areas" in first.stdout
    assert first.stdout.endswith("imported as area set municipalities-13\n")
    found = stored(hub_url, "municipalities-13").set_index("code")
    assert len(found) == 62
    with psycopg.connect(hub_url) as connection:
        (assigned,) = connection.execute(
            "SELECT code FROM area_thing JOIN area USING (area_id)"
        ).fetchall()
    assert assigned == ("13104",)

    hub.environment["TSUJI_N03_URL"] = "http://127.0.0.1:9/N03-{year}0101_{prefecture}_GML.zip"
    again = hub.run("areas", "fetch", "Tokyo", "--year", "2021", "--only")
    assert "kept from before" in again.stdout
    away = hub.run("areas", "fetch", "27", "--year", "2021")
    assert away.returncode == 1
    assert away.stdout == ""
    assert "is there a network here?" in away.stderr
    assert "N03-20210101_27_GML.zip" in away.stderr
    assert "Traceback" not in away.stderr


def test_invalid_rings_come_in_with_the_areas_of_the_raw_form(
    hub: HubProcesses, hub_url: str, data_folder: Path
) -> None:
    path = data_folder / "areas" / "N03-20200101_13_wards_invalid_rings.geojson"
    done = hub.run("areas", "import", str(path))
    assert done.returncode == 0, done.stderr
    assert "5 invalid shapes were repaired: 13103, 13108, 13109, 13111, 13123" in done.stdout
    found = stored(hub_url, "municipalities-13")
    assert found.is_valid.all()
    raw = geopandas.read_file(data_folder / "areas" / "N03-20200101_13_wards_raw_form.geojson")
    expected = raw.to_crs(6677).area.groupby(raw["N03_007"]).sum()
    areas = dict(zip(found["code"], found.to_crs(6677).area, strict=True))
    assert areas == pytest.approx(expected.to_dict(), rel=1e-3)


def test_any_polygons_by_columns_that_are_named(
    hub: HubProcesses, hub_url: str, tmp_path: Path
) -> None:
    ring = [[139.0, 35.0], [139.1, 35.0], [139.1, 35.1], [139.0, 35.1], [139.0, 35.0]]
    east = [[x + 0.1, y] for x, y in ring]
    features = [
        ({"KEY": "b", "町": "乙町", "town": "Otsu"}, [ring]),
        ({"KEY": "a", "町": "甲町", "town": None}, [east]),
        ({"KEY": None, "町": "丙町", "town": None}, [east]),
    ]
    path = tmp_path / "Chome 2026.geojson"
    path.write_text(
        json.dumps(
            {
                "type": "FeatureCollection",
                "features": [
                    {
                        "type": "Feature",
                        "properties": properties,
                        "geometry": {"type": "Polygon", "coordinates": rings},
                    }
                    for properties, rings in features
                ],
            }
        )
    )
    named = ("--code", "KEY", "--name", "町", "--name-en", "town")
    done = hub.run("areas", "import", str(path), *named)
    assert done.returncode == 0, done.stderr
    assert "left out: feature 3 丙町: no code in KEY" in done.stdout
    found = stored(hub_url, "chome-2026")
    assert found[["code", "name", "name_en"]].values.tolist() == [
        ["a", "甲町", ""],
        ["b", "乙町", "Otsu"],
    ]
    more = ("--title", "丁目", "--title-en", "Chome", "--source", "ours", "--licence", "CC0-1.0")
    assert hub.run("areas", "import", str(path), *named, "--id", "towns", *more).returncode == 0
    listed = hub.run("areas", "list").stdout.splitlines()
    assert listed == [
        "chome-2026  polygon  2 areas  Chome 2026  ",
        "towns  polygon  2 areas  丁目  Chome",
    ]

    lacking = hub.run("areas", "import", str(path), "--code", "ID")
    assert lacking.returncode == 1
    assert "has no column ID but KEY, 町, town; name columns that it has" in lacking.stderr
    alone = hub.run("areas", "import", str(path), "--name", "町")
    assert alone.returncode == 2
    assert "(--code)" in alone.stderr
