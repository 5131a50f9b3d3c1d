"""Datasets: put whole or not at all, replaced, and placed in areas that come before or later."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest

from samples import area_set, square
from tsuji_platform.contract.features import (
    Feature,
    FeatureFlag,
    PopulationCount,
    StatedDate,
)
from tsuji_platform.store import Areas, Database, RowRefusedError
from tsuji_platform.store.assigning import Point, Shape
from tsuji_platform.store.dataset_records import FeatureFilter, NewDataset
from tsuji_platform.store.datasets import Datasets
from tsuji_platform.store.errors import TookTooLongError


def by_corners(
    points: Sequence[Point], shapes: Sequence[Shape], kind: str
) -> list[tuple[int, str]]:
    """Enough of an assignment for squares."""
    pairs = []
    for key, geometry in shapes:
        (west, south), _, (east, north), *_ = geometry["coordinates"][0]
        pairs += [(key, i) for i, lon, lat in points if west <= lon < east and south <= lat < north]
    return pairs


def feature(number: int, code: str | None = "13104", longitude: float | None = 139.005, **more):
    return Feature(
        number=number,
        line=number + 1,
        name=more.pop("name", f"No. {number}"),
        code=code,
        code_span=more.pop("code_span", None if code is None else (code, code)),
        longitude=longitude,
        latitude=None if longitude is None else 35.005,
        **more,
    )


def described(dataset_id: str = "shelters", kind: str = "evacuation_center") -> NewDataset:
    return NewDataset(
        dataset_id=dataset_id,
        kind=kind,
        title="避難所",
        publisher="東京都",
        licence="CC BY 4.0",
        source="here",
        date=None,
        file_name="list.csv",
        encoding="cp932",
        report={"rows": 3, "notes": []},
        columns={"name": ["名称"]},
    )


def put(datasets: Datasets, features: Iterator[Feature] | list[Feature], **more: str) -> None:
    it = described(**more)
    datasets.put(it.dataset_id, features, lambda: it, by_corners)


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with Database(store_url, size=4, timeout_s=60) as database:
        yield database


@pytest.fixture
def datasets(database: Database) -> Datasets:
    return Datasets(database)


@pytest.fixture
def wards(database: Database) -> Areas:
    """13101 and 13104 side by side."""
    areas = Areas(database)
    squares = [square("13101", 139.01, 35), square("13104", 139.0, 35)]
    areas.put(area_set("wards", *squares, kind="municipality"), by_corners)
    return areas


def numbers(datasets: Datasets, **wanted) -> list[int]:
    return [it.number for it in datasets.features("shelters", FeatureFilter(**wanted))]


@pytest.mark.usefixtures("wards")
def test_a_dataset_is_read_as_it_was_put(datasets: Datasets) -> None:
    rows = [
        feature(1, flags=(FeatureFlag.WIDE_DIGITS,), capacity=5, fields={"id": "a", "flood": True}),
        feature(2, longitude=None, properties={"備考": "一行目\n二行目\t\\N"}, address="住所"),
        feature(3, code=None, name_en="Three"),
    ]
    put(datasets, rows)
    (stored,) = datasets.datasets()
    assert {name: getattr(stored, name) for name in NewDataset.__dataclass_fields__} == {
        name: getattr(described(), name) for name in NewDataset.__dataclass_fields__
    }
    assert stored.features == 3
    read = datasets.features("shelters")
    for it, row in zip(read, rows, strict=True):
        for name in ("number", "line", "name", "name_en", "address", "code", "longitude",
                     "latitude", "capacity", "flags", "fields", "properties"):  # fmt: skip
            assert getattr(it, name) == getattr(row, name)
    assert [it.position_code for it in read] == ["13104", None, "13104"]
    assert datasets.features("shelters", limit=1, after=1) == read[1:2]
    assert datasets.datasets("nothing") == datasets.features("nothing") == []


def test_replacing_is_whole_or_not_at_all(datasets: Datasets) -> None:
    put(datasets, [feature(1), feature(2)])
    before = datasets.features("shelters"), datasets.datasets()

    def broken() -> Iterator[Feature]:
        yield feature(1, name="new")
        raise LookupError("the file ends in the middle")

    with pytest.raises(LookupError):
        put(datasets, broken())
    with pytest.raises(RowRefusedError):
        put(datasets, [feature(1), feature(1)])
    with pytest.raises(RowRefusedError):
        put(datasets, [feature(1, name="nul \x00")])
    assert (datasets.features("shelters"), datasets.datasets()) == before
    put(datasets, [feature(7)])
    assert numbers(datasets) == [7]
    assert datasets.remove("shelters")
    assert not datasets.remove("shelters")
    assert datasets.datasets() == []


def test_areas_that_come_later_or_go_take_features_along(
    datasets: Datasets, database: Database
) -> None:
    put(datasets, [feature(1), feature(2, longitude=139.015), feature(3, code=None)])
    assert datasets.contradicting() == {}
    areas = Areas(database)
    squares = [square("13101", 139.01, 35), square("13104", 139.0, 35)]
    areas.put(area_set("wards", *squares, kind="municipality"), by_corners)
    assert datasets.contradicting() == {"shelters": 1}
    assert numbers(datasets, flag=FeatureFlag.POSITION_CONTRADICTS_CODE) == [2]
    assert numbers(datasets, area=("wards", "13104"), join="code") == [1, 2]
    assert numbers(datasets, area=("wards", "13104"), join="position") == [1, 3]
    assert numbers(datasets, area=("wards", "13101"), join="position") == [2]
    areas.put(area_set("grid", square("5", 139.0, 35, 0.02), kind="mesh"), by_corners)
    assert numbers(datasets, area=("grid", "5")) == [1, 2, 3]
    assert numbers(datasets, area=("grid", "6")) == []
    # a newer set of municipalities has the last word, and when it goes, the older one
    areas.put(area_set("later", square("13104", 139.0, 35, 0.02), kind="municipality"), by_corners)
    assert datasets.contradicting() == {}
    areas.remove("later")
    assert datasets.contradicting("shelters") == {"shelters": 1}
    areas.remove("wards")
    assert datasets.contradicting() == {}
    assert numbers(datasets) == [1, 2, 3]


@pytest.mark.usefixtures("wards")
def test_a_city_and_a_prefecture_hold_what_lies_in_them(datasets: Datasets) -> None:
    rows = [
        feature(1, code="13000", code_span=("13001", "13999")),
        feature(2, code="13100", code_span=("13100", "13199")),
        feature(3, code="14000", code_span=("14001", "14999")),
        feature(4, code="13101"),
    ]
    put(datasets, rows)
    assert numbers(datasets, flag=FeatureFlag.POSITION_CONTRADICTS_CODE) == [3, 4]
    assert numbers(datasets, flagged=False) == [1, 2]


@pytest.mark.usefixtures("wards")
def test_features_and_capacity_are_counted_by_area_in_both_ways(datasets: Datasets) -> None:
    rows = [feature(1, capacity=100), feature(2), feature(3, "13101", capacity=7)]
    put(datasets, rows)
    put(datasets, [feature(1, longitude=139.015)], dataset_id="toilets", kind="public_toilet")

    def tallies(**more):
        found = datasets.tallies("wards", **more)
        return {
            code: [(it.dataset_id, it.features, it.with_capacity, it.capacity) for it in of_area]
            for code, of_area in found.items()
        }

    assert tallies(join="code") == {
        "13101": [("shelters", 1, 1, 7)],
        "13104": [("shelters", 2, 1, 100), ("toilets", 1, 0, None)],
    }
    assert tallies(join="position") == {
        "13101": [("toilets", 1, 0, None)],
        "13104": [("shelters", 3, 2, 107)],
    }
    assert tallies(join="code", kinds=["public_toilet"]) == {"13104": [("toilets", 1, 0, None)]}
    assert tallies(join="position", code="13101") == {"13101": [("toilets", 1, 0, None)]}
    assert list(datasets.shelters("wards", join="position")) == ["13104"]


@pytest.mark.usefixtures("wards")
def test_what_no_area_has_by_code_is_counted_by_position_but_not_against_its_code(
    datasets: Datasets,
) -> None:
    rows = [
        feature(1),
        feature(2, code=None),
        feature(3, code="13100", code_span=("13100", "13199")),
        feature(4, code="13000", code_span=("13001", "13999"), longitude=139.015),
        feature(5, code="14101", code_span=("14101", "14101")),
        feature(6, code="13101", code_span=("13101", "13101")),
    ]
    put(datasets, rows)
    found = datasets.tallies("wards", join="position", uncoded=True)
    assert {code: [it.features for it in its] for code, its in found.items()} == {
        "13101": [1],
        "13104": [2],
    }


def stated(text: str) -> StatedDate:
    return StatedDate(first_day=date.fromisoformat(text))


@pytest.mark.usefixtures("wards")
@pytest.mark.parametrize(
    ("counts", "people", "regions"),
    [
        ([{"count": 10}, {"count": 9, "day": "2020-01-01"}], 10, 0),
        ([{"sex": "male", "count": 4}, {"sex": "female", "count": 5}], 9, 0),
        ([{"sex": "male", "count": 4}], None, 0),
        ([{"sex": "male", "age_from": 0, "count": 4}, {"age_from": 0, "count": 9}], 9, 0),
        ([{"age_from": 0, "age_to": 9, "count": 4}, {"age_from": 10, "count": 5}], 9, 0),
        (
            [
                {"sex": "male", "age_from": 0, "count": 4},
                {"sex": "female", "age_from": 0, "count": 6},
            ],
            10,
            0,
        ),
        ([{"region": "東", "count": 3}, {"region": "西", "count": 4}], 7, 2),
        ([{"region": "東", "count": 3}, {"region": "西", "count": 4}, {"count": 8}], 8, 0),
        ([{"measure": "households", "count": 3}, {"count": 8}], 8, 0),
        ([{"count": 8}, {"count": 5, "day": "2199-10-01"}], 8, 0),
    ],
)
def test_the_newest_number_of_people_however_a_table_says_it(
    datasets: Datasets, counts: list[dict], people: int | None, regions: int
) -> None:
    said = [
        PopulationCount(date=stated(it.pop("day", "2025-01-01")), **it) for it in map(dict, counts)
    ]
    row = feature(1, longitude=None, fields={"area_km2": 18.22}, population=tuple(said))
    put(datasets, [row], kind="population")
    found = datasets.population("wards")
    assert [one.counted for one in datasets.counts("13104")] == said
    if people is None:
        assert found == {}
        return
    assert list(found) == ["13104"]
    it = found["13104"]
    assert (it.count, it.regions, it.dataset_id, it.area_km2) == (
        people,
        regions,
        "shelters",
        18.22,
    )
    assert str(it.date) == "2025-01-01"
    assert datasets.population("wards", code="13101") == {}
    datasets.remove("shelters")
    assert datasets.population("wards") == {}


def test_areas_do_not_go_while_features_are_placed_in_them(
    wards: Areas, datasets: Datasets, store_url: str
) -> None:
    def in_between(points: Sequence[Point], shapes: Sequence[Shape], kind: str):
        with Database(store_url, size=1, query_s=0.5) as other, pytest.raises(TookTooLongError):
            Areas(other).remove("wards")
        return by_corners(points, shapes, kind)

    it = described()
    datasets.put(it.dataset_id, [feature(1)], lambda: it, in_between)
    assert list(datasets.tallies("wards", join="position")) == ["13104"]
    assert wards.remove("wards")
    assert datasets.tallies("wards", join="position") == {}


def test_the_same_dataset_may_be_put_by_two_and_areas_at_the_same_time(
    datasets: Datasets, database: Database
) -> None:
    areas = Areas(database)
    squares = [square("13101", 139.01, 35), square("13104", 139.0, 35)]

    def repeatedly(what: Callable[[], None]) -> None:
        for _ in range(8):
            what()

    rows = [feature(number, longitude=139.005 + number % 2 / 100) for number in range(1, 200)]
    work = [
        lambda: put(datasets, rows),
        lambda: put(datasets, [replace(it, name="other") for it in rows]),
        lambda: areas.put(area_set("wards", *squares, kind="municipality"), by_corners),
    ]
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(repeatedly, what) for what in work]:
            done.result()
    assert datasets.contradicting() == {"shelters": 100}
    assert len({it.name for it in datasets.features("shelters")} - {"other"}) in (0, 199)
