"""Municipalities out of real N03 files, whole and broken."""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tsuji_geo.areas import AreaError, AreaKind, AreaSetShape, GeoJson
from tsuji_geo.boundaries import read_boundaries, read_polygons
from tsuji_geo.municipality_names import english_name, english_names

AREAS = Path(__file__).parents[3] / "shared" / "data" / "areas"
TOKYO = AREAS / "N03-20210101_13_tokyo.geojson"
RAW = AREAS / "N03-20200101_13_wards_raw_form.geojson"
INVALID = AREAS / "N03-20200101_13_wards_invalid_rings.geojson"

SQUARE = [[[139.0, 35.0], [139.1, 35.0], [139.1, 35.1], [139.0, 35.1], [139.0, 35.0]]]


def square_metres(area_set: AreaSetShape) -> dict[str, float]:
    shapes = [shapely.geometry.shape(area.geometry) for area in area_set.areas]
    flat = geopandas.GeoSeries(shapes, crs=4326).to_crs(6677)  # plane rectangular zone IX
    return dict(zip((area.code for area in area_set.areas), flat.area, strict=True))


def write(path: Path, *features: tuple[dict[str, Any], GeoJson | None]) -> Path:
    collection = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": properties, "geometry": geometry}
            for properties, geometry in features
        ],
    }
    path.write_text(json.dumps(collection), "utf-8")
    return path


def n03(code: object, name: str = "町", **others: str) -> tuple[dict[str, Any], GeoJson]:
    return (
        {"N03_004": name, "N03_007": code, **others},
        {"type": "Polygon", "coordinates": SQUARE},
    )


def test_all_of_tokyo() -> None:
    imported = read_boundaries(TOKYO)
    area_set = imported.area_set
    assert (area_set.id, area_set.name, area_set.name_en, area_set.kind) == (
        "municipalities-13",
        "東京都の市区町村",
        "Municipalities of Tokyo",
        AreaKind.MUNICIPALITY,
    )
    assert area_set.source == "「国土数値情報（行政区域データ）」（国土交通省）を加工して作成"
    assert len(area_set.areas) == 62
    names = {area.code: area.name for area in area_set.areas}
    assert (names["13104"], names["13201"], names["13421"]) == ("新宿区", "八王子市", "小笠原村")
    assert names["13308"] == "奥多摩町"  # the district 西多摩郡 is not part of it
    english = {area.code: area.name_en for area in area_set.areas}
    assert (english["13104"], english["13201"], english["13421"]) == (
        "Shinjuku City",
        "Hachioji City",
        "Ogasawara Village",
    )
    assert all(english.values())
    (left_out,) = imported.left_out
    assert (left_out.feature, left_out.name) == (58, "所属未定地")
    assert left_out.reason == "no code in N03_007"
    assert imported.features == 63
    assert imported.dissolved == 0
    assert imported.lines()[-1] == "left out: feature 58 所属未定地: no code in N03_007"


def test_islands_are_dissolved_into_their_municipality() -> None:
    imported = read_boundaries(RAW)
    frame = geopandas.read_file(RAW)
    assert (imported.features, len(imported.area_set.areas)) == (113, 23)
    assert imported.repaired == ()
    per_code = frame.groupby("N03_007").size()
    assert imported.dissolved == per_code[per_code > 1].sum() == 95
    expected = frame.to_crs(6677).area.groupby(frame["N03_007"]).sum()
    assert square_metres(imported.area_set) == pytest.approx(expected.to_dict(), rel=1e-6)


def test_invalid_rings_are_repaired_to_the_areas_of_the_raw_form() -> None:
    imported = read_boundaries(INVALID)
    assert [one.code for one in imported.repaired] == ["13103", "13108", "13109", "13111", "13123"]
    assert all("Hole lies outside shell" in one.problem for one in imported.repaired)
    raw = geopandas.read_file(RAW).to_crs(6677)  # by nothing of ours
    by_code = raw.area.groupby(raw["N03_007"]).sum().to_dict()
    assert len(by_code) == 23
    assert square_metres(imported.area_set) == pytest.approx(by_code, rel=1e-3)
    assert "5 invalid shapes were repaired: 13103, 13108" in "\n".join(imported.lines())


@pytest.mark.parametrize("path", [TOKYO, RAW, INVALID])
def test_shapes_are_valid_rounded_and_turn_as_geojson_asks(path: Path) -> None:
    for area in read_boundaries(path).area_set.areas:
        shape = shapely.geometry.shape(area.geometry)
        assert shape.is_valid
        assert shape.bounds == area.bbox
        assert all(round(value, 7) == value for value in shapely.get_coordinates(shape).flat)
        assert all(part.exterior.is_ccw for part in shapely.get_parts(shape))
        assert json.loads(json.dumps(area.geometry)) == area.geometry


def test_neighbours_still_share_their_border_after_rounding() -> None:
    shapes = [shapely.geometry.shape(a.geometry) for a in read_boundaries(RAW).area_set.areas]
    assert shapely.coverage_is_valid(shapes)


@pytest.mark.parametrize("suffix", [".shp", ".gpkg", ".geojson"])
def test_jgd2011_is_read_from_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"N03{suffix}"
    geopandas.read_file(RAW).set_crs(6668, allow_override=True).to_file(path)
    assert read_boundaries(path).area_set == read_boundaries(RAW).area_set


def test_projected_coordinates_are_brought_to_degrees(tmp_path: Path) -> None:
    path = tmp_path / "zone9.gpkg"
    geopandas.read_file(RAW).set_crs(6668, allow_override=True).to_crs(6677).to_file(path)
    found = read_boundaries(path).area_set.bbox
    assert found == pytest.approx(read_boundaries(RAW).area_set.bbox, abs=1e-6)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"N03_003": "横浜市", "N03_004": "鶴見区"}, "横浜市鶴見区"),
        ({"N03_003": "", "N03_004": "横浜市", "N03_005": "鶴見区"}, "横浜市鶴見区"),
        ({"N03_003": "西多摩郡", "N03_004": "瑞穂町"}, "瑞穂町"),
        ({"N03_003": "", "N03_004": "千代田区", "N03_005": ""}, "千代田区"),
    ],
)
def test_a_designated_citys_ward_carries_its_city(
    tmp_path: Path, columns: dict[str, str], name: str
) -> None:
    path = write(tmp_path / "a.geojson", ({"N03_007": "14101", **columns}, n03("14101")[1]))
    assert [area.name for area in read_boundaries(path).area_set.areas] == [name]


def test_english_names_are_taken_from_a_column_that_has_them(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.geojson",
        n03("13101", "千代田区", name_en="Chiyoda"),
        n03("13102", "中央区"),
    )
    areas = read_boundaries(path, name_en_column="name_en").area_set.areas
    assert [(area.name, area.name_en) for area in areas] == [
        ("千代田区", "Chiyoda"),
        ("中央区", ""),
    ]
    with pytest.raises(AreaError, match="has no column english but"):
        read_boundaries(path, name_en_column="english")


def test_several_prefectures_make_one_set_and_codes_regain_their_zero(tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", n03(1100, "札幌市"), n03(13101, "千代田区"), n03(None))
    imported = read_boundaries(path)
    assert (imported.area_set.id, imported.area_set.name) == ("municipalities", "市区町村")
    assert [area.code for area in imported.area_set.areas] == ["01100", "13101"]
    assert read_boundaries(path, set_id="mine").area_set.id == "mine"


def test_one_bad_feature_does_not_sink_the_file(tmp_path: Path) -> None:
    line = {"type": "LineString", "coordinates": SQUARE[0][:2]}
    spike = {"type": "Polygon", "coordinates": [[[139, 35], [139.1, 35], [139, 35], [139, 35]]]}
    sliver = {
        "type": "Polygon",
        "coordinates": [[[139, 35], [139, 36], [139.00000001, 35], [139, 35]]],
    }
    path = write(
        tmp_path / "a.geojson",
        n03("13101"),
        n03("1310", "four digits lost a zero"),
        n03("131016", "with check digit"),
        n03("131019", "wrong check digit"),
        n03("99101"),
        n03("abc"),
        ({"N03_004": "null", "N03_007": "13102"}, None),
        ({"N03_004": "line", "N03_007": "13103"}, line),
        ({"N03_004": "spike", "N03_007": "13104"}, spike),
        ({"N03_004": "sliver", "N03_007": "13105"}, sliver),
    )
    imported = read_boundaries(path)
    assert [area.code for area in imported.area_set.areas] == ["01310", "13101"]
    assert [(one.feature, one.reason.split(":")[0]) for one in imported.left_out] == [
        (4, "code '131019' should end in the check digit 6"),
        (5, "code '99101' begins with no prefecture's number (01 to 47)"),
        (6, "code 'abc' is not five digits"),
        (7, "no readable shape"),
        (8, "a LineString is no area"),
        (9, "nothing is left of its shape"),
        (10, "nothing is left of its shape once it is rounded to a centimetre"),
    ]


ANYWHERE = st.tuples(st.floats(139, 140), st.floats(35, 36)).map(list)
RINGS = st.lists(st.lists(ANYWHERE, min_size=3, max_size=7), max_size=3).map(
    lambda rings: [[*ring, ring[0]] for ring in rings]
)
POLYGONS = st.one_of(
    RINGS.map(lambda rings: {"type": "Polygon", "coordinates": rings}),
    st.lists(RINGS, max_size=3).map(lambda many: {"type": "MultiPolygon", "coordinates": many}),
)
SHAPES = st.one_of(
    POLYGONS,
    st.lists(POLYGONS, max_size=2).map(
        lambda many: {"type": "GeometryCollection", "geometries": many}
    ),
)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(SHAPES, max_size=4))
@example(  # a shell that is a single point, with a hole
    [
        {
            "type": "Polygon",
            "coordinates": [[[139.0, 35.0]] * 4, [[139, 36], [140, 35], [139.5, 35], [139, 36]]],
        }
    ]
)
@example(  # thinner than the digits that are kept
    [
        {
            "type": "Polygon",
            "coordinates": [[[139, 35], [139, 36], [139.00000000000003, 35], [139, 35]]],
        }
    ]
)
@example(  # a hole that has too few points once they are rounded
    [
        {
            "type": "Polygon",
            "coordinates": [
                [[139.0, 35.0], [139.0, 35.0], [140.0, 35.0], [139.0, 35.0]],
                [
                    [139.00000000000003, 35.0],
                    [140.0, 35.0],
                    [139.0, 35.5],
                    [139.5, 35.0],
                    [139.0, 36.0],
                    [139.00000000000003, 35.0],
                ],
            ],
        }
    ]
)
def test_whatever_the_rings_the_areas_are_valid_polygons(shapes: list[GeoJson]) -> None:
    with TemporaryDirectory() as folder:
        features = [
            ({"N03_004": "町", "N03_007": f"1310{n % 2 + 2}"}, s) for n, s in enumerate(shapes)
        ]
        imported = read_boundaries(write(Path(folder) / "a.geojson", n03("13101"), *features))
    assert imported.features == 1 + len(shapes)
    for area in imported.area_set.areas:
        shape = shapely.geometry.shape(area.geometry)
        assert shape.geom_type in ("Polygon", "MultiPolygon")
        assert shape.is_valid
        assert not shape.is_empty


def test_a_file_without_codes_says_what_columns_it_has(tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", ({"CODE": "1", "名称": "丸の内"}, n03("1")[1]))
    with pytest.raises(
        AreaError, match=r"no column N03_004 .市区町村名. but CODE, 名称; .*code and name"
    ):
        read_boundaries(path)


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        ([[[35.0, 139.0], [35.1, 139.0], [35.1, 139.1], [35.0, 139.0]]], "swapped"),
        ([[[35.0, 39.0], [35.1, 39.0], [35.1, 39.1], [35.0, 39.0]]], "not in Japan"),
        ([*SQUARE, [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]], "not in Japan"),  # a hole
    ],
)
def test_coordinates_elsewhere_are_refused(tmp_path: Path, geometry: Any, words: str) -> None:
    path = write(
        tmp_path / "a.geojson",
        ({"N03_004": "町", "N03_007": "13101"}, {"type": "Polygon", "coordinates": geometry}),
    )
    with pytest.raises(AreaError, match=words):
        read_boundaries(path)


def test_a_file_in_which_nothing_can_be_taken_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", n03(None), n03("x"))
    with pytest.raises(AreaError, match=r"holds no area .* code 'x' is not five digits; no code"):
        read_boundaries(path)


def test_any_polygons_with_chosen_columns(tmp_path: Path) -> None:
    other = {"type": "Polygon", "coordinates": [[[x + 0.1, y] for x, y in SQUARE[0]]]}
    path = write(
        tmp_path / "a.geojson",
        ({"番号": 2, "名": "二丁目", "en": "2-chome"}, n03("")[1]),
        ({"番号": 1, "名": "一丁目", "en": None}, other),
        ({"番号": 2, "名": "二丁目", "en": "2-chome"}, other),
    )
    imported = read_polygons(
        path,
        code_column="番号",
        name_column="名",
        name_en_column="en",
        set_id="chome",
        name="丁目",
        source="ours",
    )
    assert imported.area_set.kind is AreaKind.POLYGON
    assert [(a.code, a.name, a.name_en) for a in imported.area_set.areas] == [
        ("1", "一丁目", ""),
        ("2", "二丁目", "2-chome"),
    ]
    assert imported.area_set.areas[1].bbox == (139.0, 35.0, 139.2, 35.1)
    with pytest.raises(
        AreaError, match=r"no column nom but 番号, 名, en; name columns that it has"
    ):
        read_polygons(path, code_column="番号", name_column="nom", set_id="a", name="", source="")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("13103", "Minato City"),
        ("14101", "Tsurumi Ward, Yokohama"),
        ("34101", "Naka Ward, Hiroshima"),
        ("13303", "Mizuho Town"),
        ("13381", "Miyake Village"),
        ("08203", "Tsuchiura City"),
        ("12218", "Katsuura City"),
        ("36341", "Ishii Town"),
        ("28586", "Shin'onsen Town"),
        ("07203", "Koriyama City"),
        ("10344", "Shinto Village"),
        ("10345", "Yoshioka Town"),
        ("35216", "San'yoonoda City"),
        ("38215", "Toon City"),
        ("35305", "Suooshima Town"),
        ("27227", "Higashiosaka City"),
        ("13999", ""),
    ],
)
def test_english_names_of_municipalities(code: str, name: str) -> None:
    assert english_name(code) == name


def test_every_municipality_has_an_english_name_in_plain_letters() -> None:
    names = english_names()
    assert len(names) > 1_850
    assert all(
        re.fullmatch(r"[A-Z][a-z']+ (City|Town|Village|Ward, [A-Z][a-z']+)", it)
        for it in names.values()
    )
