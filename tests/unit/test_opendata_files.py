"""Files of administrative open data: encodings, headers, forms, rows, and those that are refused."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsuji_geo.opendata import tables
from tsuji_geo.opendata.errors import DatasetError
from tsuji_geo.opendata.metadata import Metadata
from tsuji_geo.opendata.reading import DatasetFile, Options
from tsuji_geo.opendata.report import Report
from tsuji_platform.contract.features import Feature, FeatureFlag

HEADER = "市区町村コード,名称,緯度,経度,備考"
GOOD = "131041,新宿,35.69,139.70,"


def read(path: Path, options: Options | None = None) -> tuple[list[Feature], Report]:
    with DatasetFile(path, options) as file:
        features = list(file.features())
        return features, file.report


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "list.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


ENCODINGS = ("utf-8", "utf-8-sig", "cp932", "utf-16", "utf-16-le", "utf-16-be")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_table_is_the_same_in_every_encoding(write, encoding: str, delimiter: str) -> None:
    text = f'{HEADER}\r\n{GOOD}①髙\r\n131016,千代田"々",35.68,139.75,～\r\n'.replace(",", delimiter)
    text = text.replace('"々"', "々")
    path = write(text, encoding=encoding)
    features, report = read(path)
    assert [(it.name, it.code, it.properties["備考"]) for it in features] == [
        ("新宿", "13104", "①髙"),
        ("千代田々", "13101", "～"),
    ]
    assert report.refused == 0
    with DatasetFile(path) as file:
        assert file.encoding == encoding


def test_the_shelters_of_tokyo_are_the_same_in_both_encodings(data_folder: Path) -> None:
    folder = data_folder / "opendata"
    unicode, _ = read(folder / "130001_evacuation_center.csv")
    cp932, _ = read(folder / "130001_evacuation_center.cp932.csv")
    assert len(unicode) == 2_636
    assert unicode == cp932


FORMS = {
    "aed": "aed",
    "care_service": "care_service",
    "cultural_property": "cultural_property",
    "evacuation_space": "evacuation_space",
    "event": "event",
    "fire_hydrant": "fire_hydrant",
    "food_business_all": "food_business",
    "food_business_new_yyyymmdd_yyyymmdd": "food_business",
    "hospital": "hospital",
    "open_data_list": "open_data_list",
    "population_yyyymmdd": "population",
    "preschool": "preschool",
    "public_facility": "public_facility",
    "public_toilet": "public_toilet",
    "public_wireless_lan": "public_wireless_lan",
    "tourism": "tourism",
}


@pytest.mark.parametrize(("template", "form"), FORMS.items())
def test_each_standard_form_is_recognised_by_its_columns(
    data_folder: Path, tmp_path: Path, template: str, form: str
) -> None:
    file = data_folder / "opendata" / "templates" / f"xxxxxx_{template}.csv"
    header = file.read_text("utf-8-sig").splitlines()[0]
    named = header.split(",")
    cells = dict.fromkeys(named, "")
    cells |= {name: "131041" for name in named if name.endswith("市区町村コード")}
    cells |= {"緯度": "35.69", "経度": "139.70"} if "緯度" in named else {}
    if form == "population":
        cells |= {"調査年月日": "令和5年4月1日", "85歳以上の女性": "7,000"}
    path = tmp_path / "nameless.csv"
    path.write_text(header + "\n" + ",".join(f'"{cells[name]}"' for name in named), "cp932")
    with DatasetFile(path) as opened:
        (feature,) = opened.features()
        assert opened.form.id == form
        assert feature.code == "13104"
        assert (feature.longitude is not None) == ("緯度" in named)
        assert set(opened.form.fields) - set(opened.columns.places) <= {
            "sex", "age", "people", "area_km2", "category", "opens", "closes", "days", "for_whom",
        } | ({"elevation_m"} if form != "evacuation_space" else set())  # fmt: skip


def test_the_current_form_is_recognised(write) -> None:
    header = (
        "全国地方公共団体コード,ID,地方公共団体名,名称,名称_カナ,名称_英字,所在地_全国地方公共団体コード,町字ID,"
        "所在地_連結表記,所在地_都道府県,所在地_市区町村,所在地_町字,所在地_番地以下,建物名等(方書),緯度,経度,"
        "災害種別_洪水,災害種別_地震,指定避難所との重複,想定収容人数,備考"
    )
    row = "130001,0001,東京都,公園,コウエン,Park,131041,,,東京都,新宿区,西新宿,2-8-1,,35.69,139.69,,1,0,"
    row += "１，２００人,"
    features, report = read(write(f"{header}\n{row}\n", "hinan.csv"))
    (it,) = features
    assert (it.code, it.name_en, it.address, it.capacity) == (
        "13104",
        "Park",
        "東京都新宿区西新宿2-8-1",
        1_200,
    )
    assert it.fields["earthquake"] is True
    assert it.fields["is_evacuation_center"] is False
    assert "flood" not in it.fields
    assert it.flags == (FeatureFlag.WIDE_DIGITS,)
    assert it.properties["想定収容人数"] == "１，２００人"
    assert report.repaired == 1


def test_titles_above_the_header_and_cells_of_several_lines(write) -> None:
    text = (
        "AED設置箇所一覧,,,,\n令和7年4月1日現在,,,,\n\n"
        + HEADER
        + '\n131041,"新宿\n区役所",35.69,139.70,"一行目\n二行目"\n,,,,\n'
        + GOOD
        + "\n131041,多すぎる,35.69,139.70,,あまり\n,※ 以上,,,\n"
    )
    with DatasetFile(write(text, "aed.csv")) as file:
        features = list(file.features())
        assert file.form.id == "aed"
        assert file.above[0] == "AED設置箇所一覧"
        report = file.report
    assert [(it.number, it.line, it.name) for it in features] == [
        (1, 5, "新宿\n区役所"),
        (2, 9, "新宿"),
    ]
    assert [(note.line, note.what) for note in report.notes] == [(10, "refused"), (11, "refused")]
    assert "6 cells, the header 5" in report.notes[0].detail
    assert "neither coordinates nor a municipality code" in report.notes[1].detail
    assert (report.rows, report.taken, report.refused) == (4, 2, 2)


@pytest.mark.parametrize(
    ("row", "flags", "place", "code"),
    [
        ("131041,A,139.70,35.69,", {"coordinates_swapped"}, (139.70, 35.69), "13104"),
        ("１３１０４１,A,３５．６９,１３９．７０,", {"wide_digits"}, (139.70, 35.69), "13104"),
        ("131042,A,35.69,139.70,", {"code_refused"}, (139.70, 35.69), None),
        ("131041,A,95.69,139.70,", {"position_refused"}, None, "13104"),
        ("131041,A,35.69,,", {"position_refused"}, None, "13104"),
        ("131041,A,みち,139.7,", {"position_refused"}, None, "13104"),
        ("131041,A,0,0,", set(), None, "13104"),
        ("131041,A,,,", set(), None, "13104"),
        (",A,35.69,139.70,", set(), (139.70, 35.69), None),
        ("1202,A,41.77,140.73,", {"code_completed"}, (140.73, 41.77), "01202"),
    ],
)
def test_what_is_mended_and_what_is_left_out_is_flagged(write, row, flags, place, code) -> None:
    features, report = read(write(f"{HEADER}\n{row}\n"))
    (it,) = features
    assert {flag.value for flag in it.flags} == flags
    assert (None if it.longitude is None else (it.longitude, it.latitude)) == place
    assert it.code == code
    assert {note.what for note in report.notes} == flags
    assert all("line" not in note.detail for note in report.notes)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",A,,,", "neither coordinates nor a municipality code"),
        ("131042,A,1,2,", "should end in the check digit 1"),
        (",A,91,139,", "latitude 91, longitude 139 is not in Japan"),
        ('131041,"A"B,35.69,139.70,', "not CSV"),
    ],
)
def test_what_is_refused_has_its_line_and_reason(write, row: str, reason: str) -> None:
    features, report = read(write(f"{HEADER}\n{GOOD}\n{row}\n{GOOD}x\n"))
    assert [it.line for it in features] == [2, 4]
    (note,) = report.notes
    assert (note.line, note.what) == (3, "refused")
    assert reason in note.detail


def test_a_row_that_repeats_an_earlier_one_is_kept_and_flagged(write) -> None:
    features, report = read(write(f"{HEADER}\n{GOOD}\n{GOOD}\n"))
    assert [it.flags for it in features] == [(), (FeatureFlag.REPEATED,)]
    assert report.notes[0].detail == "the same as line 2"


def test_codes_of_a_column_are_read_alike(write) -> None:
    rows = "12106,岩見沢,43.19,141.77,\n12025,函館,41.76,140.72,\n131041,新宿,35.69,139.70,\n"
    features, _ = read(write(f"{HEADER}\n{rows}"))
    assert [it.code for it in features] == ["01210", "01202", "13104"]
    named = "12106,千葉市,35.55,140.20,千葉県\n13104,新宿,35.69,139.70,東京都\n"
    features, _ = read(write(f"市区町村コード,名称,緯度,経度,都道府県名\n{named}"))
    assert [it.code for it in features] == ["12106", "13104"]


def test_the_old_datum_is_not_taken_for_the_new_one(write) -> None:
    rows = "新,35.69,139.70,JGD2011\n旧,35.69,139.70,日本測地系\n"
    features, report = read(write(f"名称,緯度,経度,測地系\n{rows}"))
    assert [it.name for it in features] == ["新"]
    assert "'日本測地系'" in report.notes[0].detail


def test_columns_can_be_named(write) -> None:
    path = write("場所,X,Y\n駅,139.70,35.69\n")
    with pytest.raises(DatasetError, match="--column latitude=Y"):
        read(path)
    columns = {"longitude": "X", "latitude": "Y", "name": "場所"}
    (it,), _ = read(path, Options(columns=columns))
    assert (it.name, it.longitude, it.latitude) == ("駅", 139.70, 35.69)
    with pytest.raises(DatasetError, match="no column 'Z'"):
        read(path, Options(columns=columns | {"longitude": "Z"}))
    with pytest.raises(DatasetError, match="'height' is not one of"):
        read(path, Options(columns=columns | {"height": "X"}))


def test_all_rows_can_be_given_a_code(data_folder: Path) -> None:
    path = data_folder / "opendata" / "134015_hachijo_sightseeing.cp932.csv"
    with DatasetFile(path) as file:
        assert {it.code for it in file.features()} == {None}
        assert "--code 134015" in file.hints[0]
    features, _ = read(path, Options(code="134015"))
    assert {it.code for it in features} == {"13401"}
    assert len(features) == 20


def test_cells_stay_as_they_are_published(data_folder: Path) -> None:
    import pandas as pd

    path = data_folder / "opendata" / "130001_public_facility.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    features, report = read(path)
    assert report.refused == 0
    assert [dict(it.properties) for it in features] == [
        {name: cell for name, cell in row.items() if cell} for row in table.to_dict("records")
    ]
    assert any("\n" in cell for it in features for cell in it.properties.values())


METADATA = (
    'title = "避難所"\npublisher = "A区"\nlicence = "CC0"\ndate = "令和7年1月"\nid = "mine"\n'
)


def test_metadata_come_from_options_then_a_file_then_the_name(write) -> None:
    path = write(f"{HEADER},更新日\n{GOOD},\n", "131041_aed_20240401.csv")
    with DatasetFile(path) as file:
        it = file.metadata
        assert (it.id, it.title, it.publisher, it.licence, str(it.date), it.source) == (
            "131041-aed-20240401", "AED設置箇所", "", "", "2024-04-01", path.name,
        )  # fmt: skip
    write(METADATA, f"{path.name}.toml")
    with DatasetFile(path, Options(metadata=Metadata(licence="CC BY 4.0"))) as file:
        it = file.metadata
        assert (it.id, it.title, it.publisher, it.licence, str(it.date)) == (
            "mine", "避難所", "A区", "CC BY 4.0", "2025-01",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('colour = "red"', "'colour' is none of id, title"),
        ("publisher = 3", "publisher = 3 must be a text"),
        ('date = "soon"', "'soon' is not a date"),
        ('id = "A B"', "dataset id 'A B'"),
        ("publisher", "can't be read as TOML"),
        ('title = "a\\u0000b"', "must be one line"),
    ],
)
def test_metadata_that_cannot_be_used_are_named(write, text: str, said: str) -> None:
    path = write(f"{HEADER}\n{GOOD}\n")
    write(text, f"{path.name}.toml")
    with pytest.raises(DatasetError) as caught:
        read(path)
    assert said in str(caught.value)


def test_the_municipality_of_all_rows_is_the_publisher(data_folder: Path) -> None:
    with DatasetFile(data_folder / "opendata" / "131229_katsushika_tourism.cp932.csv") as file:
        assert len(list(file.features())) == 3
        assert file.metadata.publisher == "葛飾区"


HOSTILE = {
    "a folder": (None, "is a folder"),
    "empty": (b"", "is empty"),
    "workbook": (b"PK\x03\x04" + bytes(100), "save the sheet as CSV"),
    "old workbook": (b"\xd0\xcf\x11\xe0" + bytes(100), "save the sheet as CSV"),
    "pdf": (b"%PDF-1.7 ...", "is a PDF"),
    "gzip": (b"\x1f\x8b" + bytes(100), "unpack it"),
    "picture": (b"\xff\xd8\xff\xe0" + bytes(range(256)), "holds zero bytes"),
    "neither encoding": (b"name,lat\n\x81\xff\xfe\n", "neither UTF-8"),
    "cut-off character": ("名称,緯度,経度\n駅".encode()[:-1], "is UTF-8 and breaks: unexpected end"),
    "damaged": (f"{HEADER}\n{GOOD}\n".encode() + b"\x90V\n", "invalid start byte in line 3"),
    "no header": (b"1,2,3\n4,5,6\n", "none of its first 50 lines"),
    "no place": ("名称,備考\n駅,\n".encode(), "neither coordinates nor a municipality code"),
    "header only": (f"{HEADER}\n".encode(), "holds a header and no row"),
    "nothing taken": (f"{HEADER}\n,A,,,\n".encode(), "none of its 1 rows can be taken; line 2"),
    "open quote": (f'{HEADER}\n131041,"A,35,139,\n{GOOD}\n'.encode(), "line 2 on opens a quotation"),
    "long open quote": (
        f'{HEADER}\n131041,"A,35,139,\n'.encode() + f"{GOOD}\n".encode() * 5_000,
        "row from line 2 on is longer",
    ),
    "long line": (f"{HEADER}\n".encode() + b"a," * 2_200_000, "line 2 is longer"),
    "zero character": (f"{HEADER}\n{GOOD}\x00\n".encode(), "holds zero"),
    "late zero character": (
        f"{HEADER}\n".encode() + f"{GOOD}\n".encode() * 5_000 + b"131041,\x00A,35,139,\n",
        "line 5002 holds a zero character",
    ),
    "columns": (",".join(["名称", *map(str, range(1_500))]).encode(), "1,501 columns"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_files_that_are_no_tables_are_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    content, said = HOSTILE[name]
    path = tmp_path / "list.csv"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        read(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("more", [1, 16_384])
def test_columns_without_a_name_are_kept_where_something_stands_in_them(write, more: int) -> None:
    tail = "," * more
    features, report = read(write(f"{HEADER},{tail}\n{GOOD},メモ{tail}\n{GOOD},{tail}\n"))
    assert report.refused == 0
    assert features[0].properties["column_6"] == "メモ"
    assert "column_6" not in features[1].properties


def test_marks_that_are_not_seen_hide_no_column(write) -> None:
    features, _ = read(write(f"\ufeff\ufeff{HEADER}\n\u200b{GOOD}\n"))
    assert [it.code for it in features] == ["13104"]


def test_columns_of_one_name_are_kept_apart(write) -> None:
    features, _ = read(write(f"{HEADER},a,a,a_2,a\n{GOOD},1,2,3,4\n"))
    last = [*features[0].properties.items()][-4:]
    assert last == [("a", "1"), ("a_2", "2"), ("a_2_2", "3"), ("a_3", "4")]


def test_what_strangers_write_does_not_end_an_import(write, tmp_path: Path) -> None:
    header = "市区町村コード,都道府県名,市区町村名,名称"
    path = write(f'{header}\n131041,東京都,"新宿\n\x1b区",駅\n', "a\x1bb.csv")
    with DatasetFile(path) as file:
        list(file.features())
        assert (file.metadata.publisher, file.metadata.source) == ("新宿 区", "ab.csv")


def test_the_delimiter_is_that_of_the_header(write) -> None:
    row = "131041\t新,宿,の,駅,;;;;;\t35.69\t139.70\t" + "あ,い,う;" * 9
    features, _ = read(write(HEADER.replace(",", "\t") + f"\n{row}\n" * 3))
    assert [it.name for it in features] == ["新,宿,の,駅,;;;;;"] * 3


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("131041_aed.csv", "aed"),
        ("AED一覧.csv", "aed"),
        ("based.csv", "other"),
        ("wifi2024.csv", "public_wireless_lan"),
    ],
)
def test_the_form_is_told_by_a_word_in_the_name(write, name: str, form: str) -> None:
    with DatasetFile(write(f"{HEADER}\n{GOOD}\n", name)) as file:
        assert file.form.id == form


def test_limits_are_named(write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(f"{HEADER}\n" + f"{GOOD}\n" * 101)
    monkeypatch.setattr(tables, "MAX_ROWS", 100)
    with pytest.raises(DatasetError, match="more than 100 rows"):
        read(path)
    with pytest.raises(DatasetError, match=r"over 1,000: import it in parts"):
        tables.check_file(path, 1_000)


@pytest.mark.parametrize("encoding", ["klingon", "utf-8", "base64", "rot13"])
def test_an_encoding_that_does_not_fit_is_refused(write, encoding: str) -> None:
    path = write(f"{HEADER}\n{GOOD}\n", encoding="cp932")
    with pytest.raises(DatasetError):
        read(path, Options(encoding=encoding))
    assert len(read(path, Options(encoding="cp932"))[0]) == 1


def point(longitude: object, latitude: object, **properties: object) -> dict[str, object]:
    geometry = {"type": "Point", "coordinates": [longitude, latitude]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(*features: object, **more: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features, **more})


def test_geojson_is_read_like_a_table(write) -> None:
    square = [[139.6, 35.6], [139.8, 35.6], [139.8, 35.8], [139.6, 35.8], [139.6, 35.6]]
    area = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [square]},
        "properties": {"名称": "広場", "想定収容人数": 500, "市区町村コード": 131041},
    }
    text = collection(
        point(139.70, 35.69, 名称="駅", 市区町村コード="131041", メモ={"a": [1]}),
        area,
        point(35.69, 139.70, 名称="逆"),
        point("x", 35.69, 名称="文字"),
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[1]]},
            "properties": {},
        },
        {"type": "Feature", "geometry": None, "properties": {"市区町村コード": "13104"}},
        None,
        point("x", 35.69, 名称="壊", 市区町村コード="13104"),
    )
    features, report = read(write(text, "hinanjo.geojson"))
    assert [(it.number, it.name, it.longitude, it.code) for it in features] == [
        (1, "駅", 139.70, "13104"),
        (2, "広場", 139.7, "13104"),
        (3, "逆", 139.70, None),
        (6, "", None, "13104"),
        (8, "壊", None, "13104"),
    ]
    assert features[0].properties["メモ"] == {"a": [1]}
    assert features[1].capacity == 500
    assert features[2].flags == (FeatureFlag.COORDINATES_SWAPPED,)
    assert [(note.line, note.what) for note in report.ordered()] == [
        (4, "refused"),
        (5, "refused"),
        (7, "refused"),
        (3, "coordinates_swapped"),
        (8, "position_refused"),
    ]
    assert "coordinates" in report.ordered()[-1].detail


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a GeoJSON FeatureCollection"),
        ('{"type": "Feature"}', "is not a GeoJSON FeatureCollection"),
        (collection(), "holds no feature"),
        (collection(point(1, 2), crs={"properties": {"name": "EPSG:30169"}}), "'EPSG:30169'"),
        (collection(point(1, 2), crs={"properties": {"name": "EPSG:14326"}}), "'EPSG:14326'"),
        (collection(point(1, 2), crs={"properties": None}), "write it anew in WGS 84"),
        (collection(point(1, 2), crs={"properties": "EPSG:30169"}), "'EPSG:30169'"),
        (collection(point(139, 35, 名称="\x00")), "zero characters"),
        (collection(point(139, 35, 名称=[[[[[[[[[1]]]]]]]]])), "more than 8 deep"),
        (collection(point(139, 35, **{f"p{n}": 1 for n in range(1_001)})), "1,000 different"),
    ],
)
def test_geojson_that_cannot_be_used_is_refused(write, text: str, said: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read(write(text, "list.geojson"))
    assert said in str(caught.value)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.text(alphabet='131041,."\n\r\t新宿緯度\x00;', max_size=80))
def test_no_content_breaks_the_reader(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "any.csv"
    body = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(f"{HEADER}\n".encode() + body)
    try:
        features, report = read(path)
    except DatasetError as error:
        assert str(path) in str(error)  # noqa: PT017 - either way is right
    else:
        assert report.rows == report.taken + report.refused
        assert len(features) == report.taken
