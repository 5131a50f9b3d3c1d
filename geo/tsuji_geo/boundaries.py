"""Area sets out of files: municipality boundaries in N03 form, and polygons of any other origin."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from tsuji_geo.areas import JAPAN, AreaError, AreaKind, AreaSetShape, AreaShape
from tsuji_geo.geometry import bbox_of, merged, repaired, rounded, to_geojson
from tsuji_geo.municipality_names import english_name
from tsuji_geo.prefectures import PREFECTURES, municipality_code
from tsuji_geo.vector_files import extent_of, read_frame
from tsuji_platform.contract.rejection import quote

N03_SOURCE = "「国土数値情報（行政区域データ）」（国土交通省）を加工して作成"
N03_LICENCE = "国土数値情報ダウンロードサイトコンテンツ利用規約"

_SMALL = 1e-6
"""Square degrees, about a hectare: what is larger may be thin, but not everywhere."""
_ANY_CODE = re.compile(r"[^\s/\\?#%]{1,64}")
_N03_COLUMNS = {
    "N03_001": "都道府県名",
    "N03_003": "郡・政令都市名",
    "N03_004": "市区町村名",
    "N03_007": "行政区域コード",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A feature of the file that became no part of any area.

    Attributes:
        feature: its number in the file, from 1.
        name: what the file calls it.
        reason: why it was left out.
    """

    feature: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A shape that was invalid in the file and is valid now.

    Attributes:
        code: of its area.
        problem: what was wrong with it, and where.
    """

    code: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaImport:
    """What a file became.

    Attributes:
        area_set: the areas.
        features: read from the file; each is in an area or in `left_out`.
        dissolved: features that share their code with another one and were merged into one area.
        repaired: invalid shapes that were mended.
        left_out: features that were not taken.
    """

    area_set: AreaSetShape
    features: int
    dissolved: int
    repaired: tuple[Repaired, ...]
    left_out: tuple[LeftOut, ...]

    def lines(self) -> list[str]:
        """Say it in sentences for a terminal."""
        lines = [f"{self.features} features became {len(self.area_set.areas)} areas"]
        if self.dissolved:
            lines[0] += f"; {self.dissolved} of them are parts of an area that has several"
        if self.repaired:
            lines.append(
                f"{len(self.repaired)} invalid shapes were repaired: "
                + ", ".join(sorted({one.code for one in self.repaired}))
            )
        lines += [
            f"left out: feature {one.feature} {one.name}: {one.reason}" for one in self.left_out
        ]
        return lines


@dataclass(slots=True)
class _Gathered:
    """Features by code, while a file is read."""

    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    parts: dict[str, list[BaseGeometry]] = field(default_factory=dict)
    repaired: list[Repaired] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def read_boundaries(
    path: Path, *, set_id: str | None = None, name_en_column: str | None = None
) -> AreaImport:
    """Read municipality boundaries in N03 form (国土数値情報 行政区域).

    Features are dissolved by N03_007, invalid rings repaired; features without a code (所属未定地) or
    with a wrong one are left out and reported. JGD2011 and WGS 84 agree to within the rounding.

    Args:
        path: GeoJSON, shapefile or zip as published; see `vector_files.read_frame`.
        set_id: by default `municipalities-13` where all codes are of prefecture 13, else
            `municipalities`.
        name_en_column: whose values are English names, which N03 itself has none of; by default they are
            romanised.

    Raises:
        AreaError: the file cannot be read, is not in N03 form, or holds no area.
    """
    frame = read_frame(path)
    _need_columns(
        frame,
        ["N03_004", "N03_007", *([name_en_column] if name_en_column else [])],
        path,
        "an N03 file has N03_001 to N03_007; for other polygons name the columns of code and name",
    )
    west, south, east, north = extent_of(frame)
    if not (JAPAN[0] <= west and JAPAN[1] <= south and east <= JAPAN[2] and north <= JAPAN[3]):
        raise AreaError(
            f"{path} reaches from {west:g} to {east:g} degrees east and {south:g} to {north:g} degrees "
            "north, which is not in Japan: are longitude and latitude swapped?"
        )

    def names(row: dict[str, Any]) -> tuple[str, str]:
        return _n03_name(row), _text(row[name_en_column]) if name_en_column else ""

    gathered = _gather(frame, "N03_007", municipality_code, names)
    if name_en_column is None:
        for code, (known, _) in gathered.names.items():
            gathered.names[code] = (known, english_name(code))
    areas = _areas(gathered, path)
    prefectures = {area.code[:2] for area in areas}
    prefecture = prefectures.pop() if len(prefectures) == 1 else None
    if prefecture is None:
        own_id, name, name_en = "municipalities", "市区町村", "Municipalities"
    else:
        own_id = f"municipalities-{prefecture}"
        name = f"{PREFECTURES[prefecture][0]}の市区町村"
        name_en = f"Municipalities of {PREFECTURES[prefecture][1]}"
    area_set = AreaSetShape(
        id=set_id or own_id,
        name=name,
        name_en=name_en,
        kind=AreaKind.MUNICIPALITY,
        source=N03_SOURCE,
        licence=N03_LICENCE,
        areas=areas,
    )
    return _report(area_set, gathered, len(frame))


def read_polygons(
    path: Path,
    *,
    code_column: str,
    name_column: str,
    set_id: str,
    name: str,
    source: str,
    name_en: str = "",
    name_en_column: str | None = None,
    licence: str = "",
) -> AreaImport:
    """Read any file of polygons; features of one code are dissolved into one area.

    Args:
        path: see `vector_files.read_frame`.
        code_column: whose values identify the areas.
        name_column: whose values are their names.
        set_id: id of the set.
        name: Japanese name of the set.
        source: credit line.
        name_en: English name of the set.
        name_en_column: whose values are English names.
        licence: terms of use.

    Raises:
        AreaError: the file cannot be read, lacks a column, or holds no area.
    """
    frame = read_frame(path)
    columns = [code_column, name_column, *([name_en_column] if name_en_column else [])]
    _need_columns(frame, columns, path, "name columns that it has")

    def names(row: dict[str, Any]) -> tuple[str, str]:
        return _text(row[name_column]), _text(row[name_en_column]) if name_en_column else ""

    gathered = _gather(frame, code_column, _any_code, names)
    area_set = AreaSetShape(
        id=set_id,
        name=name,
        name_en=name_en,
        kind=AreaKind.POLYGON,
        source=source,
        licence=licence,
        areas=_areas(gathered, path),
    )
    return _report(area_set, gathered, len(frame))


def _need_columns(frame: Any, columns: list[str], path: Path, advice: str) -> None:
    there = [str(column) for column in frame.columns if column != frame.geometry.name]
    for column in columns:
        if column not in there:
            meaning = f" ({_N03_COLUMNS[column]})" if column in _N03_COLUMNS else ""
            raise AreaError(
                f"{path} has no column {column}{meaning} but {', '.join(there) or 'none'}; {advice}"
            )


def _gather(
    frame: Any,
    code_column: str,
    read_code: Callable[[str], str],
    read_names: Callable[[dict[str, Any]], tuple[str, str]],
) -> _Gathered:
    gathered = _Gathered()
    rows = frame.drop(columns=frame.geometry.name).to_dict("records")
    for number, (row, geometry) in enumerate(zip(rows, frame.geometry, strict=True), start=1):
        names = read_names(row)
        try:
            raw = _text(row[code_column])
            if not raw:
                raise ValueError(f"no code in {code_column}")
            code = read_code(raw)
            polygons, problem = _polygons(geometry)
        except ValueError as error:
            gathered.left_out.append(LeftOut(feature=number, name=names[0], reason=str(error)))
            continue
        gathered.names.setdefault(code, names)
        gathered.parts.setdefault(code, []).append(polygons)
        if problem:
            gathered.repaired.append(Repaired(code=code, problem=problem))
    return gathered


def _polygons(geometry: BaseGeometry | None) -> tuple[BaseGeometry, str]:
    """The valid polygons of a feature, and what had to be repaired."""
    if geometry is None or geometry.is_empty:
        raise ValueError("no readable shape")
    polygons, problem = repaired(geometry)
    if polygons.is_empty:
        raise ValueError(
            f"nothing is left of its shape: {problem}"
            if problem
            else f"a {geometry.geom_type} is no area"
        )
    if polygons.area < _SMALL and rounded(polygons).is_empty:
        raise ValueError("nothing is left of its shape once it is rounded to a centimetre")
    return polygons, problem


def _areas(gathered: _Gathered, path: Path) -> tuple[AreaShape, ...]:
    areas = []
    for code, parts in sorted(gathered.parts.items()):
        name, name_en = gathered.names[code]
        geometry = to_geojson(merged(parts))
        areas.append(
            AreaShape(
                code=code,
                name=name or code,
                name_en=name_en,
                geometry=geometry,
                bbox=bbox_of(geometry),
            )
        )
    if not areas:
        reasons = sorted({one.reason for one in gathered.left_out})
        raise AreaError(f"{path} holds no area that could be taken: {'; '.join(reasons[:5])}")
    return tuple(areas)


def _report(area_set: AreaSetShape, gathered: _Gathered, features: int) -> AreaImport:
    return AreaImport(
        area_set=area_set,
        features=features,
        dissolved=sum(len(parts) for parts in gathered.parts.values() if len(parts) > 1),
        repaired=tuple(gathered.repaired),
        left_out=tuple(gathered.left_out),
    )


def _n03_name(row: dict[str, Any]) -> str:
    """Name of a municipality; a designated city's ward carries its city's name in front."""
    above, own, ward = (_text(row.get(column)) for column in ("N03_003", "N03_004", "N03_005"))
    if ward.endswith("区"):  # newer files: city in N03_004, ward in N03_005
        return own + ward
    if above.endswith("市") and own.endswith("区"):  # older files: city in N03_003, ward in N03_004
        return above + own
    return own


def _any_code(text: str) -> str:
    if not _ANY_CODE.fullmatch(text):
        raise ValueError(
            f"code {quote(text)} must be 1 to 64 characters without blanks and / \\ ? # %"
        )
    return text


def _text(value: Any) -> str:
    """A cell as text: empty for null, and a whole number without the point that nulls gave its column."""
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()
