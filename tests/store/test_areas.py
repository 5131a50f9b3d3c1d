"""Area sets: put, replaced and removed as a whole, with the things that stand in them."""

from collections.abc import Iterator, Sequence

import pytest

from samples import area_set, registration, square
from tsuji_platform.store import Areas, Database, RowRefusedError
from tsuji_platform.store.areas import Point, Shape
from tsuji_platform.store.writer import Writer


def by_corners(
    points: Sequence[Point], shapes: Sequence[Shape], kind: str
) -> list[tuple[int, str]]:
    """Enough of an assignment for squares."""
    assert kind in ("polygon", "mesh", "municipality")
    pairs = []
    for key, geometry in shapes:
        (west, south), _, (east, north), *_ = geometry["coordinates"][0]
        pairs += [(key, i) for i, lon, lat in points if west <= lon < east and south <= lat < north]
    return pairs


@pytest.fixture
def areas(store_url: str) -> Iterator[Areas]:
    with Database(store_url, size=1) as database:
        yield Areas(database)


@pytest.fixture
def three_things(writer: Writer) -> Writer:
    writer.save(
        [
            registration("a", longitude=139.001, latitude=35.001),
            registration("b", longitude=139.002, latitude=35.002),
            registration("c", longitude=139.011, latitude=35.001),
        ]
    )
    return writer


@pytest.mark.usefixtures("three_things")
def test_an_area_set_is_read_as_it_was_put(areas: Areas) -> None:
    squares = [square("1", 139, 35), square("2", 139.01, 35), square("3", 140, 36)]
    areas.put(area_set("squares", *squares), by_corners)
    (known,) = areas.sets()
    assert (known.area_set_id, known.name, known.name_en, known.kind, known.areas) == (
        "squares",
        "集合squares",
        "Set squares",
        "polygon",
        3,
    )
    assert (known.source, known.licence) == ("test data", "CC0-1.0")
    assert known.bbox == pytest.approx((139, 35, 140.01, 36.01))
    stored = areas.areas("squares")
    assert [(it.code, it.name, it.name_en, it.things) for it in stored] == [
        ("1", "区域1", "Area 1", 2),
        ("2", "区域2", "Area 2", 1),
        ("3", "区域3", "Area 3", 0),
    ]
    assert stored[1].geometry == squares[1].display_geometry
    assert stored[1].bbox == squares[1].bbox
    assert [it.code for it in areas.areas("squares", "2")] == ["2"]
    assert areas.membership("squares") == {"1": ["a", "b"], "2": ["c"]}
    assert areas.membership("squares", "2") == {"2": ["c"]}
    assert areas.of_thing("c") == [
        {"area_set": "squares", "code": "2", "name": "区域2", "name_en": "Area 2"}
    ]


@pytest.mark.usefixtures("three_things")
def test_put_again_replaces_all_of_it(areas: Areas) -> None:
    areas.put(area_set("squares", square("1", 139, 35), square("2", 139.01, 35)), by_corners)
    areas.put(area_set("squares", square("9", 139.01, 35), kind="mesh"), by_corners)
    assert [(it.area_set_id, it.kind, it.areas) for it in areas.sets()] == [("squares", "mesh", 1)]
    assert areas.membership("squares") == {"9": ["c"]}


@pytest.mark.usefixtures("three_things")
def test_what_cannot_be_put_leaves_what_was_there(areas: Areas) -> None:
    areas.put(area_set("squares", square("1", 139, 35)), by_corners)
    with pytest.raises(RowRefusedError):
        areas.put(area_set("squares", square("5", 139, 35), square("5", 140, 35)), by_corners)
    with pytest.raises(RowRefusedError):
        areas.put(area_set("squares", square("5", 139, 35), kind="galaxy"), by_corners)
    assert areas.membership("squares") == {"1": ["a", "b"]}


@pytest.mark.usefixtures("three_things")
def test_removing_a_set_leaves_things_and_other_sets(areas: Areas) -> None:
    for name in ("one", "other"):
        areas.put(area_set(name, square("1", 139, 35)), by_corners)
    assert areas.remove("one")
    assert not areas.remove("one")
    assert [it.area_set_id for it in areas.sets()] == ["other"]
    assert areas.membership("other") == {"1": ["a", "b"]}
    assert areas.areas("one") == []


def test_things_that_appear_or_move_are_assigned_anew(areas: Areas, three_things: Writer) -> None:
    for name in ("one", "other"):
        areas.put(area_set(name, square("1", 139, 35), square("2", 139.01, 35)), by_corners)
    three_things.save(
        [
            registration("a", longitude=139.015, latitude=35.001),
            registration("b", longitude=150, latitude=35.001),
            registration("d", longitude=139.001, latitude=35.001),
        ]
    )
    areas.assign_all(by_corners)
    for name in ("one", "other"):
        assert areas.membership(name) == {"1": ["d"], "2": ["a", "c"]}


def test_municipalities_come_first_then_polygons_then_meshes(areas: Areas) -> None:
    for name, kind in [("b", "mesh"), ("c", "polygon"), ("a", "mesh"), ("d", "municipality")]:
        areas.put(area_set(name, square("1", 139, 35), kind=kind), by_corners)
    assert [it.area_set_id for it in areas.sets()] == ["d", "c", "a", "b"]
    areas.put(area_set("empty", kind="polygon"), by_corners)
    assert areas.sets("empty")[0].bbox is None
