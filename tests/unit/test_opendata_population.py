"""Tables of population, wide and long, of the standard form and of others."""

from pathlib import Path

import pandas as pd
import pytest

from tsuji_geo.opendata.errors import DatasetError
from tsuji_geo.opendata.metadata import Metadata, stated
from tsuji_geo.opendata.population import count_column, read_ages, read_population
from tsuji_geo.opendata.reading import DatasetFile, Options
from tsuji_platform.contract.features import FeatureFlag, PopulationCount


def said(it: PopulationCount) -> tuple[object, ...]:
    return (str(it.date), it.measure, it.sex, it.age_from, it.age_to, it.count)


def read(tmp_path: Path, text: str, options: Options | None = None):
    path = tmp_path / "131041_population.csv"
    path.write_text(text, encoding="cp932")
    with DatasetFile(path, options) as file:
        features = list(file.features())
        return features, file.report


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("総人口", ("", None, "people", "total", None, None)),
        ("男性", ("", None, "people", "male", None, None)),
        ("人口_女", ("", None, "people", "female", None, None)),
        ("世帯数", ("", None, "households", "total", None, None)),
        ("0-4歳の男性", ("", None, "people", "male", 0, 4)),
        ("１０～１４歳（女）", ("", None, "people", "female", 10, 14)),
        ("85歳以上の女性", ("", None, "people", "female", 85, None)),
        ("20歳", ("", None, "people", "total", 20, 20)),
        ("census2020_total", ("census", "2020-10-01", "people", "total", None, None)),
        ("census2020_female", ("census", "2020-10-01", "people", "female", None, None)),
        ("kurashi2023_households", ("kurashi", "2023", "households", "total", None, None)),
        ("令和2年国勢調査人口", ("census", "2020-10-01", "people", "total", None, None)),
        ("令和元年_総数", ("", "2019", "people", "total", None, None)),
        ("2021年人口（男）", ("", "2021", "people", "male", None, None)),
        ("男女計", ("", None, "people", "total", None, None)),
        ("0-4歳（男女計）", ("", None, "people", "total", 0, 4)),
        ("人口_男女総数", ("", None, "people", "total", None, None)),
    ],
)
def test_columns_that_count_people(name: str, expected: tuple[object, ...]) -> None:
    it = count_column(name)
    assert it is not None
    when = None if it.date is None else str(it.date)
    assert (it.series, when, it.measure, it.sex, it.age_from, it.age_to) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("人口密度", "外国人人口", "高齢者人口", "平均年齢", "人口増減数", "備考", "地域名"),
        *("name", "code5", "area_km2", "9-4歳", "0-400歳", "男女", "男女別"),
        *("population_density", "population_growth_rate", "foreign_population"),
    ],
)
def test_columns_that_count_something_else(name: str) -> None:
    assert count_column(name) is None


def test_who_is_of_no_municipality_is_not_said_to_be_nobody(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no municipality code"):
        read(tmp_path, "市区町村コード,緯度,経度,調査年月日,総人口\n,35.69,139.7,2025/1/1,5\n")


@pytest.mark.parametrize("region", ["総　数", "合 計", "計", "区計", "新宿区", "全区", ""])
def test_a_row_of_the_whole_is_no_region_however_it_is_spaced(tmp_path: Path, region: str) -> None:
    text = f"市区町村コード,市区町村名,地域名,年月日,年齢,人口\n131041,新宿区,{region},2025/1/1,総 数,5\n"
    ((feature,), _) = read(tmp_path, text)
    (it,) = feature.population
    assert (it.region, it.age_from, it.count) == ("", None, 5)


def test_age_groups() -> None:
    groups = ("0-4歳", "０～４歳", "85歳以上", "100+", "20", "総数", "", "5歳")
    assert [read_ages(text) for text in groups] == [
        (0, 4), (0, 4), (85, None), (100, None), (20, 20), (None, None), (None, None), (5, 5),
    ]  # fmt: skip
    for text in ("子ども", "4-0", "999", "-5", "0-4-8"):
        with pytest.raises(ValueError, match="age '"):
            read_ages(text)


def test_a_dash_is_zero_and_a_secret_is_no_number() -> None:
    assert [read_population(text) for text in ("－", "X", "", "1,234", "０")] == [
        0, None, None, 1_234, 0,
    ]  # fmt: skip


def test_the_standard_form(tmp_path: Path) -> None:
    header = (
        "市区町村コード,地域コード,地域名,調査年月日,総人口,男性,女性,0-4歳の男性,85歳以上の女性,"
    )
    header += "世帯数,備考"
    rows = (
        "131041,001,大久保,令和5年4月1日,30,10,20,1,－,15,\n131041,002,百人町,R5.4.1,9,5,5,,,X,\n"
    )
    features, report = read(tmp_path, f"{header}\n{rows}")
    assert [said(it) for it in features[0].population] == [
        ("2023-04-01", "people", "total", None, None, 30),
        ("2023-04-01", "people", "male", None, None, 10),
        ("2023-04-01", "people", "female", None, None, 20),
        ("2023-04-01", "people", "male", 0, 4, 1),
        ("2023-04-01", "people", "female", 85, None, 0),
        ("2023-04-01", "households", "total", None, None, 15),
    ]
    assert {(it.region_code, it.region) for it in features[0].population} == {("001", "大久保")}
    assert features[0].flags == ()
    assert features[1].flags == (FeatureFlag.SUMS_DIFFER,)
    assert [note.what for note in report.notes] == ["sums_differ"]


def test_a_long_table(tmp_path: Path) -> None:
    text = (
        "団体コード,年齢,性別,人口,調査年月日\n"
        '131041,0-4歳,男,"1,000",2025/1/1\n'
        "131041,０～４歳,女,950,2025/1/1\n"
        "131041,総数,総数,351000,2025/1/1\n"
        "131041,85歳以上,不詳,3,2025/1/1\n"
        "131041,0-4歳,男,多い,2025/1/1\n"
        "131041,0-4歳,男,5,いつか\n"
    )
    features, report = read(tmp_path, text)
    assert [said(it) for feature in features for it in feature.population] == [
        ("2025-01-01", "people", "male", 0, 4, 1_000),
        ("2025-01-01", "people", "female", 0, 4, 950),
        ("2025-01-01", "people", "total", None, None, 351_000),
    ]
    reasons = {note.line: note.detail for note in report.notes}
    assert "'不詳'" in reasons[5]
    assert "'多い'" in reasons[6]
    assert "'いつか'" in reasons[7]


def test_a_date_is_needed_and_can_be_named(tmp_path: Path) -> None:
    text = "市区町村コード,総人口\n131041,5\n"
    with pytest.raises(DatasetError, match="name it with --date"):
        read(tmp_path, text)
    options = Options(metadata=Metadata(date=stated("令和7年", "--date")))
    (it,), _ = read(tmp_path, text, options)
    assert said(it.population[0]) == ("2025", "people", "total", None, None, 5)
    with pytest.raises(DatasetError, match="no column counts people"):
        read(tmp_path, "市区町村コード,人口密度,世帯構成\n131041,5,6\n", options)


def test_two_columns_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    text = "市区町村コード,総人口,人口総数,調査年月日\n131041,5,6,2025/1/1\n"
    (it,), report = read(tmp_path, text)
    assert [one.count for one in it.population] == [5]
    assert "say 5 and 6" in report.notes[0].detail


def test_a_row_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    features, _ = read(tmp_path, "市区町村コード,総人口,調査年月日\n" + "131041,5,2025/1/1\n" * 2)
    assert [len(it.population) for it in features] == [1, 0]
    assert features[1].flags == (FeatureFlag.REPEATED,)


def test_tokyos_municipalities_equal_pandas(data_folder: Path) -> None:
    path = data_folder / "population" / "tokyo_population_by_municipality.csv"
    table = pd.read_csv(path, dtype={"code5": str, "code6": str})
    with DatasetFile(path) as file:
        features = list(file.features())
        assert file.report.lines()[0].startswith("62 rows: 62 taken (0 repaired, 0 with")
    assert [it.code for it in features] == list(table["code5"])
    columns = [name for name in table.columns if name.startswith(("census", "kurashi"))]
    for name in columns:
        wanted = count_column(name)
        assert wanted is not None
        counted = [
            one.count
            for it in features
            for one in it.population
            if (one.series, one.date, one.measure, one.sex)
            == (wanted.series, wanted.date, wanted.measure, wanted.sex)
        ]
        assert counted == list(table[name]), name
    assert sum(len(it.population) for it in features) == len(columns) * 62
    assert sum(it.fields["area_km2"] for it in features) == pytest.approx(table["area_km2"].sum())
