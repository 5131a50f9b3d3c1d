"""Files of areas as they come, and as somebody with bad intentions might send them."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import geopandas
import pytest

from tsuji_geo import vector_files
from tsuji_geo.areas import AreaError
from tsuji_geo.vector_files import read_frame

RAW = Path(__file__).parents[3] / "shared/data/areas/N03-20200101_13_wards_raw_form.geojson"


def shapefile(folder: Path, encoding: str) -> Path:
    path = folder / "N03-20200101_13.shp"
    geopandas.read_file(RAW).set_crs(6668, allow_override=True).to_file(path, encoding=encoding)
    return path


def zipped(path: Path, members: Mapping[str, Path | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content if isinstance(content, bytes) else content.read_bytes())
    return path


@pytest.mark.parametrize("encoding", ["CP932", "UTF-8"])
@pytest.mark.parametrize("says_so", [True, False])
def test_a_shapefiles_names_are_read_in_its_encoding(
    tmp_path: Path, encoding: str, says_so: bool
) -> None:
    path = shapefile(tmp_path, encoding)
    if not says_so:
        path.with_suffix(".cpg").unlink()
    frame = read_frame(path)
    assert frame.crs == 4326
    assert frame["N03_004"].tolist() == geopandas.read_file(RAW)["N03_004"].tolist()


@pytest.mark.parametrize("folder", ["", "N03-20200101_13_GML/", "N03-20200101_13_GML\\", "../../"])
def test_a_zip_as_published_is_read_whatever_its_paths(tmp_path: Path, folder: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    shapefile(source, "CP932")
    members: dict[str, Path | bytes] = {
        f"{folder}META.xml": b"<a/>",
        f"{folder}N03-20200101_13_prefecture.shp": b"no",
    }
    members |= {f"{folder}{part.name}": part for part in source.iterdir()}
    path = zipped(tmp_path / "N03.zip", members)
    before = sorted(tmp_path.parent.iterdir()), sorted(tmp_path.iterdir())
    frame = read_frame(path)
    assert len(frame) == 113
    assert set(frame["N03_004"]) >= {"千代田区", "新宿区"}
    assert (sorted(tmp_path.parent.iterdir()), sorted(tmp_path.iterdir())) == before


def test_of_a_zip_with_both_the_geojson_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "N03.zip", {"a/N03.shp": b"broken", "a/N03.geojson": RAW})
    assert len(read_frame(path)) == 113


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("MAX_UNPACKED_BYTES", 10_000_000, "unpacks to 20,000,000 bytes, over 10,000,000"),
        (
            "RATIO_FROM_BYTES",
            10_000_000,
            "unpacks [0-9,]+ bytes to 20,000,000, over 100 times as many",
        ),
    ],
)
def test_a_zip_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, words: str
) -> None:
    path = zipped(tmp_path / "bomb.zip", {"a.geojson": b" " * 20_000_000})
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(vector_files, limit, value)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it is unpacked"))
    with pytest.raises(AreaError, match=words):
        read_frame(path)


def test_a_zip_that_hides_how_much_it_unpacks_to_is_stopped(tmp_path: Path) -> None:
    path = zipped(tmp_path / "liar.zip", {"a.geojson": b" " * 1_000_000})
    told, hidden = (size.to_bytes(4, "little") for size in (1_000_000, 1_000))
    path.write_bytes(path.read_bytes().replace(told, hidden))
    with pytest.raises(AreaError, match="cannot be unpacked: Bad CRC-32"):
        read_frame(path)


def test_limits_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_files, "MAX_FEATURES", 100)
    with pytest.raises(AreaError, match="holds 113 features, over 100: import one prefecture"):
        read_frame(RAW)
    monkeypatch.setattr(vector_files, "MAX_FILE_BYTES", 1000)
    with pytest.raises(AreaError, match=r"has 920,637 bytes, over 1,000"):
        read_frame(RAW)
    monkeypatch.setattr(vector_files, "MAX_ZIP_MEMBERS", 1)
    with pytest.raises(AreaError, match="holds 2 files, over 1"):
        read_frame(zipped(tmp_path / "many.zip", {"a": b"", "b": b""}))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.geojson", b"", "is empty; was the download complete"),
        (
            "a.geojson",
            b"hello",
            "areas: it holds neither GeoJSON in UTF-8 nor any .* its name says$",
        ),
        ("a.geojson", b"[" * 100_000, "cannot be read as a file of areas"),
        ("a.geojson", RAW.read_bytes()[:5000], "cannot be read as a file of areas"),
        ("a.geojson", b'{"type":"FeatureCollection","features":[]}', "holds no feature"),
        (
            "a.geojson",
            b'{"type":"Feature","properties":{},"geometry":null}',
            "none of the 1 features of .* has a readable shape",
        ),
        ("a.shp", b"hello", "cannot be read as a file of areas"),
        ("a.csv", b"code,name", "does not end in one of .geojson"),
        ("a.zip", b"PK hello", "cannot be unpacked: File is not a zip file"),
        (
            "a.geojson",
            b"<OGRVRTDataSource><OGRVRTLayer name='N03-20200101_13_wards_fullres_one_polygon_per_"
            b"feature'><SrcDataSource>" + str(RAW).encode() + b"</SrcDataSource></OGRVRTLayer>"
            b"</OGRVRTDataSource>",
            "is OGR_VRT, not one of GeoJSON",
        ),
    ],
)
def test_what_is_no_file_of_areas_is_said(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AreaError, match=words):
        read_frame(path)


def test_missing_files_and_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(AreaError, match="is missing: name a file of areas"):
        read_frame(tmp_path / "N03.geojson")
    with pytest.raises(AreaError, match="is a folder"):
        read_frame(tmp_path)
    os.mkfifo(tmp_path / "pipe.geojson")
    with pytest.raises(AreaError, match="is a pipe or a device: name a file of areas"):
        read_frame(tmp_path / "pipe.geojson")
    (tmp_path / "loop.geojson").symlink_to("loop.geojson")
    with pytest.raises(AreaError, match="can't be read: Too many levels of symbolic links"):
        read_frame(tmp_path / "loop.geojson")
    with pytest.raises(AreaError, match=r"holds no \.geojson, \.shp, \.json but b\.csv"):
        read_frame(zipped(tmp_path / "a.zip", {"b.csv": b"x"}))


def test_a_damaged_zip_is_said(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.geojson": RAW})
    content = bytearray(path.read_bytes())
    content[1000:1100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(AreaError, match="cannot be unpacked"):
        read_frame(path)


def test_a_shapefile_without_its_companions_is_said(tmp_path: Path) -> None:
    path = shapefile(tmp_path, "CP932")
    path.with_suffix(".prj").unlink()
    with pytest.raises(AreaError, match=r"names no coordinate reference system; keep its \.prj"):
        read_frame(path)
