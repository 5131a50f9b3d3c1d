"""Tokyo's boundaries, population and shelters with the documented commands, against pandas and shapely."""

from collections.abc import Iterator
from pathlib import Path

import geopandas
import pandas as pd
import pytest
from pyproj import Geod
from typer.testing import CliRunner

from tsuji.cli import app
from tsuji_platform.contract.features import FeatureFlag
from tsuji_platform.store import Database
from tsuji_platform.store.dataset_records import FeatureFilter
from tsuji_platform.store.datasets import Datasets
from tsuji_platform.store.neighbours import Neighbours

_SHELTERS = "130001-evacuation-center"
_POPULATION = "tokyo-population-by-municipality"
_SET = "municipalities-13"


def tsuji(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(autouse=True)
def _database(hub_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSUJI_DATABASE_URL", hub_url)


@pytest.fixture
def datasets(hub_url: str) -> Iterator[Datasets]:
    with Database(hub_url, size=2) as database:
        yield Datasets(database)


@pytest.fixture
def shelters(data_folder: Path) -> pd.DataFrame:
    """The list with the code of the municipality in which each shelter lies."""
    folder = data_folder / "opendata"
    table = pd.read_csv(folder / "130001_evacuation_center.csv", dtype=str, encoding="utf-8-sig")
    points = geopandas.GeoDataFrame(
        table,
        geometry=geopandas.points_from_xy(table["経度"].astype(float), table["緯度"].astype(float)),
        crs=4326,
    )
    wards = geopandas.read_file(data_folder / "areas" / "N03-20210101_13_tokyo.geojson").to_crs(
        4326
    )
    joined = points.sjoin(wards[["N03_007", "geometry"]], how="left", predicate="intersects")
    assert len(joined) == 2_636
    return joined.assign(code=joined["地方公共団体コード"].str[:5], position=joined["N03_007"])


def test_all_of_tokyo_comes_in_with_one_command_each(
    hub_url: str, datasets: Datasets, shelters: pd.DataFrame, data_folder: Path
) -> None:
    # the areas come last, so that what is there already is placed in them
    said = tsuji("datasets", "import", data_folder / "opendata" / "130001_evacuation_center.csv")
    assert "2,636 rows: 2,636 taken" in said
    assert "東京都総務局" in said
    assert "CC BY 4.0" in said
    tsuji("areas", "import", data_folder / "areas" / "N03-20210101_13_tokyo.geojson")
    tsuji("datasets", "import", data_folder / "population" / "tokyo_population_by_municipality.csv")

    wards = geopandas.read_file(data_folder / "areas" / "N03-20210101_13_tokyo.geojson")
    shapes = wards.dissolve("N03_007").geometry
    geod = Geod(ellps="GRS80")
    with Database(hub_url, size=1) as database:
        areas = Neighbours(database).sizes(_SET)
    assert len(areas) == 62
    assert areas == pytest.approx(
        {code: abs(geod.geometry_area_perimeter(shape)[0]) for code, shape in shapes.items()},
        rel=1e-4,
    )

    by_code = {c: t[0].features for c, t in datasets.shelters(_SET, join="code").items()}
    assert by_code == shelters.groupby("code").size().to_dict()
    assert len(by_code) == 62
    by_position = {c: t[0].features for c, t in datasets.shelters(_SET, join="position").items()}
    assert by_position == shelters.groupby("position").size().to_dict()
    assert sum(by_code.values()) == sum(by_position.values()) == 2_636
    assert by_code["13118"] == 36 + by_position.get("13118", 0)

    table = pd.read_csv(
        data_folder / "population" / "tokyo_population_by_municipality.csv", dtype={"code5": str}
    ).set_index("code5")
    newest = datasets.population(_SET)
    assert {c: it.count for c, it in newest.items()} == table["kurashi2023_total"].to_dict()
    assert {str(it.date) for it in newest.values()} == {"2023"}
    assert {c: it.area_km2 for c, it in newest.items()} == table["area_km2"].to_dict()
    households = datasets.population(_SET, measure="households")
    assert sum(it.count for it in households.values()) == table["kurashi2023_households"].sum()
    for code in ("13104", "13421"):
        census = {
            it.counted.sex: it.counted.count
            for it in datasets.counts(code, dataset_id=_POPULATION)
            if it.counted.series == "census"
        }
        assert census == {
            sex: table.loc[code, f"census2020_{sex}"] for sex in ("total", "male", "female")
        }


def test_the_39_shelters_that_lie_elsewhere_are_listed_and_kept_under_both(
    datasets: Datasets, data_folder: Path
) -> None:
    tsuji("areas", "import", data_folder / "areas" / "N03-20210101_13_tokyo.geojson")
    said = tsuji(
        "datasets",
        "import",
        data_folder / "opendata" / "130001_evacuation_center.cp932.csv",
        "--notes",
        "39",
    )
    expected = pd.read_csv(
        data_folder / "opendata" / "130001_evacuation_center.boundary_mismatches.csv", dtype=str
    )
    listed = datasets.features(
        _SHELTERS, FeatureFilter(flag=FeatureFlag.POSITION_CONTRADICTS_CODE), limit=100
    )
    assert [(it.name, it.code, it.position_code) for it in listed] == list(
        zip(
            expected["避難所_名称"],
            expected["地方公共団体コード"].str[:5],
            expected["polygon_code5_N03_2021_s0010"],
            strict=True,
        )
    )
    assert len(listed) == 39
    assert "39 lie in another municipality than their code says" in said
    for it in listed:
        assert f"line {it.line}: {it.name}: code {it.code}, position " in said
    one = listed[2]  # 瑞光小学校 of 荒川区, placed in 豊島区
    for join, code in (("code", "13118"), ("position", "13116")):
        within = datasets.features(
            _SHELTERS, FeatureFilter(area=(_SET, code), join=join), limit=500
        )
        assert one in within
    flagged = tsuji("datasets", "show", _SHELTERS, "--flagged").splitlines()
    assert len([line for line in flagged if line.endswith("position_contradicts_code")]) == 39

    same = datasets.features(_SHELTERS, limit=3_000)
    tsuji("datasets", "import", data_folder / "opendata" / "130001_evacuation_center.csv")
    assert datasets.features(_SHELTERS, limit=3_000) == same
    (dataset,) = datasets.datasets()
    assert dataset.encoding == "utf-8-sig"
