"""Opening files of polygons that somebody else made: limits first, then one frame in WGS 84."""

import shutil
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import geopandas
import pyogrio
import shapely

from tsuji_geo.areas import AreaError, BBox
from tsuji_geo.given_file import size_of

MAX_FILE_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 1 << 30
"""As much as a file may have that comes unpacked."""
MAX_RATIO = 100
"""Unpacked bytes for each packed one; N03 has some 5 to 20, blanks up to 1,030."""
RATIO_FROM_BYTES = 64 << 20
"""What unpacks to less does no harm, whatever its ratio is."""
MAX_ZIP_MEMBERS = 10_000
MAX_FEATURES = 1_000_000

SUFFIXES = (".geojson", ".json", ".shp", ".gpkg", ".fgb")
"""What is read; `.zip` around one of the first three, too."""

_DRIVERS = ("GeoJSON", "ESRI Shapefile", "GPKG", "FlatGeobuf", "TopoJSON")
_IN_ZIP = (".geojson", ".shp", ".json")  # in this order: GeoJSON leaves no doubt about its encoding
_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_CHUNK_BYTES = 1 << 20


def read_frame(path: Path) -> Any:
    """Read the first layer of a file of areas.

    Args:
        path: GeoJSON, shapefile, GeoPackage or FlatGeobuf, or a zip that holds one of the first two.

    Returns:
        A GeoDataFrame in EPSG:4326, two-dimensional. Geometry that could not be read is None.

    Raises:
        AreaError: missing, too large, not such a file, without coordinate reference system, or with
            coordinates that are not degrees of longitude and latitude.
    """
    _check_size(path)
    suffix = path.suffix.lower()
    if suffix == ".zip":
        with _unpacked(path) as inner:
            return _read(inner, shown=f"{path} ({inner.name})")
    if suffix not in SUFFIXES:
        raise AreaError(
            f"{path} does not end in one of {', '.join((*SUFFIXES, '.zip'))}; of a downloaded folder "
            "take the .geojson or the .shp"
        )
    return _read(path, shown=str(path))


def extent_of(frame: Any) -> BBox:
    """Bounds of all coordinates, those of holes included, which `total_bounds` does not look at."""
    coordinates = shapely.get_coordinates(frame.geometry.values)
    (west, south), (east, north) = coordinates.min(axis=0), coordinates.max(axis=0)
    return float(west), float(south), float(east), float(north)


def _check_size(path: Path) -> None:
    size = size_of(path, "a file of areas", AreaError)
    if size > MAX_FILE_BYTES:
        raise AreaError(
            f"{path} has {size:,} bytes, over {MAX_FILE_BYTES:,}: import one prefecture at a time"
        )


def _read(path: Path, shown: str) -> Any:
    encoding = _dbf_encoding(path) if path.suffix.lower() == ".shp" else None
    try:
        # one warning per odd feature: those that matter are reported by whoever takes the features
        with warnings.catch_warnings(action="ignore"):
            info = pyogrio.read_info(path, encoding=encoding, force_feature_count=True)
            _check_info(info, shown)
            frame = pyogrio.read_dataframe(
                path, encoding=encoding, force_2d=True, on_invalid="ignore"
            )
    except RuntimeError as error:  # what all of pyogrio's errors are
        raise AreaError(
            f"{shown} cannot be read as a file of areas: {_said(error, path)}"
        ) from error
    if not isinstance(frame, geopandas.GeoDataFrame):
        raise AreaError(f"{shown} is a table without geometry; take the file with the shapes")
    if frame.empty:
        raise AreaError(f"{shown} holds no feature")
    if frame.crs is None:
        raise AreaError(
            f"{shown} names no coordinate reference system; keep its .prj file beside it "
            "(N03 is JGD2011, EPSG:6668)"
        )
    frame = frame.to_crs(4326)
    _check_degrees(frame, shown)
    return frame


def _said(error: RuntimeError, path: Path) -> str:
    """What is wrong, in the words of GDAL, but for its advice to programmers and names of passing files."""
    text = str(error).partition("; It might help")[0].replace(f"'{path}'", "it").rstrip(".;")
    if "not recognized as being in a supported file format" in text:
        return "it holds neither GeoJSON in UTF-8 nor any other form that is read, whatever its name says"
    return text


def _check_info(info: dict[str, Any], shown: str) -> None:
    # a virtual format, whatever the file's name ends in, could point to other files
    if info["driver"] not in _DRIVERS:
        raise AreaError(f"{shown} is {info['driver']}, not one of {', '.join(_DRIVERS)}")
    if info["features"] > MAX_FEATURES:
        raise AreaError(
            f"{shown} holds {info['features']:,} features, over {MAX_FEATURES:,}: "
            "import one prefecture at a time"
        )


def _check_degrees(frame: Any, shown: str) -> None:
    if not shapely.get_num_coordinates(frame.geometry.values).any():
        raise AreaError(f"none of the {len(frame)} features of {shown} has a readable shape")
    west, south, east, north = extent_of(frame)
    # infinite where a coordinate could not be transformed
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise AreaError(
            f"{shown} reaches from {west:g} to {east:g} degrees east and {south:g} to {north:g} degrees "
            "north: are longitude and latitude swapped, or is the coordinate reference system wrong?"
        )


def _dbf_encoding(shapefile: Path) -> str | None:
    """Encoding of a shapefile's attributes where it does not say: older N03 files are CP932."""
    if shapefile.with_suffix(".cpg").exists():
        return None
    dbf = shapefile.with_suffix(".dbf")
    if not dbf.exists():
        return None
    with dbf.open("rb") as file:
        header = file.read(32)
        file.seek(int.from_bytes(header[8:10], "little"))
        try:
            for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
                # a chunk's end may cut a character: complete it, at most three bytes
                while chunk[-1] >= 0x80 and (more := file.read(1)):
                    chunk += more
                chunk.decode("utf-8")
        except UnicodeDecodeError:
            return "CP932"
    return "UTF-8"


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """Unpack the one layer of a zip that is wanted, under names of our own, into a passing folder."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                inner = _unpack(archive, Path(folder), path)
        # damaged; damaged further in; encrypted; compressed in a way unknown here
        # or a folder for passing files that is full
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
            raise AreaError(f"{path} cannot be unpacked: {error}") from error
        yield inner


def _unpack(archive: zipfile.ZipFile, folder: Path, shown: Path) -> Path:
    members = archive.infolist()
    if len(members) > MAX_ZIP_MEMBERS:
        raise AreaError(f"{shown} holds {len(members)} files, over {MAX_ZIP_MEMBERS}")
    # some publishers write backslashes
    names = {member.filename.replace("\\", "/"): member for member in members}
    chosen = _choose(list(names), shown)
    wanted = [chosen]
    if chosen.lower().endswith(".shp"):
        stem = chosen[:-4]
        wanted = [n for n in names if n[:-4] == stem and n[-4:].lower() in _SHAPEFILE_PARTS]
    _check_unpacked([names[name] for name in wanted], shown)
    plain = PurePosixPath(chosen).stem.lstrip(".") or "areas"
    for name in wanted:
        target = folder / f"{plain}{PurePosixPath(name).suffix.lower()}"
        with archive.open(names[name]) as source, target.open("wb") as out:
            shutil.copyfileobj(
                source, out, _CHUNK_BYTES
            )  # of a file no more than the zip says it has
    return folder / f"{plain}{PurePosixPath(chosen).suffix.lower()}"


def _check_unpacked(members: list[zipfile.ZipInfo], shown: Path) -> None:
    """Refuse what would fill the disk before any of it is unpacked."""
    size = sum(member.file_size for member in members)
    if size > MAX_UNPACKED_BYTES:
        raise AreaError(
            f"{shown} unpacks to {size:,} bytes, over {MAX_UNPACKED_BYTES:,}: import one prefecture at a time"
        )
    packed = sum(member.compress_size for member in members)
    if size > RATIO_FROM_BYTES and size > MAX_RATIO * packed:
        raise AreaError(
            f"{shown} unpacks {packed:,} bytes to {size:,}, over {MAX_RATIO} times as many, as no file of "
            "areas does: if you trust it, unpack it and import what is in it"
        )


def _choose(names: list[str], shown: Path) -> str:
    """Of several layers the one with the shortest name: the others are prefectures or sub-regions."""
    for suffix in _IN_ZIP:
        found = [
            name
            for name in names
            if name.lower().endswith(suffix) and not PurePosixPath(name).name.startswith(".")
        ]
        if found:
            return min(found, key=lambda name: (len(PurePosixPath(name).name), name))
    listed = ", ".join(sorted(names)[:8]) or "nothing"
    raise AreaError(f"{shown} holds no {', '.join(_IN_ZIP)} but {listed}")
