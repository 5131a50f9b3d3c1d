"""Files of strangers are taken apart row by row, whatever they hold, in the same memory however large."""

import csv
import gzip
import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tsuji_platform.imports.blocks import opened
from tsuji_platform.imports.files import FileRows, ReadingOptions, format_of
from tsuji_platform.imports.names import load_names
from tsuji_platform.imports.rejected_file import RejectedFile, copy_kept, free_path
from tsuji_platform.imports.rows import ImportFileError, JudgedRows, Place, Refused
from tsuji_platform.imports.things import load_things


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"", "nothing in its first line"),
        (b"thing,time,result\n", "no column observed_property"),
        (b"thing,thing,observed_property,time,result\n", "more than one column thing"),
        ("thing,observed_property".encode("utf-16"), "is UTF-16"),
        ("thing,observed_property".encode("utf-32"), "is UTF-32"),
        (b"thing,observed_property,time,result\ra,b,c,1\r", "lines end with that alone"),
        (
            b",".join(b"c%d" % n for n in range(30_000)) + b"\n",
            "no column thing, .* begins with 'c0, ",
        ),
        (b"\xff\xff,thing\n", "--encoding cp932"),
    ],
)
def test_a_header_that_lacks_something_says_what(tmp_path: Path, header: bytes, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(header)
    with pytest.raises(ImportFileError, match=said):
        FileRows(path, ReadingOptions())


def test_columns_are_known_by_name_with_any_delimiter_and_others_are_passed_over(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        " Result ;note;ＴＩＭＥ;thing;observed_property\n1.5;x;2026-03-01T09:00:00Z;a;rainfall\n"
    )
    with FileRows(path, ReadingOptions()) as file:
        (judged,) = file.rows(Place())
    assert (judged.names, judged.results.tolist()) == ([("a", "rainfall")], [1.5])


def test_the_twinlink_form_is_known_by_its_header_in_its_encoding(tmp_path: Path) -> None:
    path, mapping = tmp_path / "a.csv", tmp_path / "map.toml"
    path.write_text(
        "time,source,device_name,fragment.series,value,unit\r\n"
        "2023-06-29T13:00:00.000+09:00,1001,西新宿001,c8y_Temperature.T,34.9,℃\r\n",
        encoding="cp932",
        newline="",
    )
    mapping.write_text(
        '[things]\n"西新宿001" = "pole-001"\n[series]\n"c8y_Temperature.T" = "air_temperature"\n'
    )
    with FileRows(path, ReadingOptions(names=load_names(mapping), encoding="cp932")) as file:
        assert file.form == "twinlink"
        (judged,) = file.rows(Place())
    assert (judged.names, judged.results.tolist()) == ([("pole-001", "air_temperature")], [34.9])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[series]\na = 'warmth'\n", "'warmth' is not one of"),
        ("[series]\na = {observed_property = 'rainfall', factor = inf}\n", "finite"),
        ("[thing]\n", "thing: Extra inputs"),
        ("things = \n", "can't be read as TOML"),
    ],
)
def test_a_mapping_that_is_wrong_says_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text)
    with pytest.raises(ImportFileError, match=said):
        load_names(path)


def _big(rows: int) -> bytes:
    row = b"a,rainfall,2026-03-01T09:00:00Z,1\n"
    return b"thing,observed_property,time,result\n" + row * rows


@pytest.mark.parametrize("packed", ["gz", "zst"])
def test_packed_files_are_read_as_they_are(tmp_path: Path, packed: str) -> None:
    path = tmp_path / f"a.csv.{packed}"
    data = _big(1_000)
    path.write_bytes(
        gzip.compress(data[:500]) + gzip.compress(data[500:])
        if packed == "gz"
        else pa.Codec("zstd").compress(data, asbytes=True)
    )
    with FileRows(path, ReadingOptions()) as file:
        assert sum(len(judged.codes) for judged in file.rows(Place())) == 1_000
        assert file.share() == 1.0


@pytest.mark.parametrize("packed", ["gz", "zst"])
def test_a_packed_file_that_is_cut_off_gives_what_is_whole_and_says_so(
    tmp_path: Path, packed: str
) -> None:
    path = tmp_path / f"a.csv.{packed}"
    data = b"".join(
        b"a,rainfall,2026-03-01T09:00:00Z,%d\n" % (hash((n, n)) % 500) for n in range(400_000)
    )
    data = b"thing,observed_property,time,result\n" + data
    whole = gzip.compress(data) if packed == "gz" else pa.Codec("zstd").compress(data, asbytes=True)
    path.write_bytes(whole[: len(whole) // 2])
    found = 0
    with FileRows(path, ReadingOptions()) as file:
        try:
            for judged in file.rows(Place()):
                found += len(judged.codes)
        except ImportFileError as error:
            assert "is it complete" in str(error)  # noqa: PT017
        else:
            pytest.fail("nothing was said")
    assert found > 10_000


def test_a_bomb_of_rows_costs_no_memory_and_one_without_lines_is_refused(tmp_path: Path) -> None:
    rows, line = tmp_path / "rows.csv.gz", tmp_path / "line.csv.gz"
    rows.write_bytes(gzip.compress(_big(1_000_000)))  # 34 MB
    with gzip.open(line, "wb") as file:
        file.write(b"thing,observed_property,time,result\n")
        for _ in range(100):
            file.write(bytes(1 << 20))
    with FileRows(rows, ReadingOptions()) as opened_rows:
        for _ in opened_rows.rows(Place()):
            tracemalloc.start()  # from the second block on
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 30 << 20
    with (
        FileRows(line, ReadingOptions()) as opened_line,
        pytest.raises(ImportFileError, match="a line of more than 64 MiB"),
    ):
        list(opened_line.rows(Place()))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", "csv"), ("a.CSV.gz", "csv"), ("a.b.jsonl.zst", "jsonl"), ("a.parquet", "parquet"),
        ("-", "csv"),
    ],
)  # fmt: skip
def test_the_name_says_the_format(name: str, form: str) -> None:
    assert format_of(Path(name)) == form


def test_a_name_that_says_nothing_asks_for_the_format() -> None:
    with pytest.raises(ImportFileError, match="--format"):
        format_of(Path("data"))


def test_a_missing_file_and_a_folder_are_said_to_be_none(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.csv"):
        with pytest.raises(ImportFileError, match="is not a file"), opened(path):
            pass


def _refused(line: int) -> Refused:
    return Refused(line=line, reason="bad_time", detail='a "detail", two', row="a,b\r\nc")


def test_rejected_rows_are_cut_back_to_what_was_committed(tmp_path: Path) -> None:
    beside = tmp_path / "a.csv"
    path = free_path(beside)
    kept = RejectedFile(path, 0, beside)
    kept.add([_refused(1), _refused(2)])
    size, whole = kept.size, path.read_bytes()
    kept.add([_refused(3)])
    kept.close()
    again = RejectedFile(path, size, beside)
    again.close()
    assert path.read_bytes() == whole
    with path.open(newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["line", "1", "2"]


def test_a_strangers_file_of_rejected_rows_stays(tmp_path: Path) -> None:
    beside = tmp_path / "a.csv"
    path = free_path(beside)
    path.write_text("mine")
    for size in (0, 100):
        kept = RejectedFile(path, size, beside)
        kept.add([_refused(1)])
        kept.close()
        assert path.read_text() == "mine"
        assert kept.path != path
        assert kept.path.exists()


def test_rows_that_another_import_kept_apart_stay(tmp_path: Path) -> None:
    path, beside = tmp_path / "apart.csv", tmp_path / "b.csv"
    first = RejectedFile(path, 0, tmp_path / "a.csv")
    first.add([_refused(1), _refused(2)])
    first.close()
    whole = path.read_bytes()
    empty = RejectedFile(path, 0, beside)  # of which no row is refused
    empty.close()
    second = RejectedFile(path, 0, beside)
    second.add([_refused(7)])
    second.close()
    assert path.read_bytes() == whole
    assert second.path.read_bytes().count(b"bad_time") == 1


def test_two_at_a_time_never_write_the_same_file(tmp_path: Path) -> None:
    path, beside = tmp_path / "apart.csv", tmp_path / "a.csv"
    first = RejectedFile(path, 0, beside)
    first.add([_refused(1)])
    second = RejectedFile(path, 0, beside)  # which would write the same
    second.add([_refused(1), _refused(2)])
    assert second.path != path
    whole = path.read_bytes()
    with pytest.raises(ImportFileError, match="another import writes"):
        RejectedFile(path, first.size, beside)
    assert path.read_bytes() == whole
    first.close()
    second.close()
    RejectedFile(path, first.size, beside).close()


def test_rejected_rows_go_on_in_another_file_with_those_kept_before(tmp_path: Path) -> None:
    path, other = tmp_path / "full.csv", tmp_path / "other.csv"
    first = RejectedFile(path, 0, tmp_path / "a.csv")
    first.add([_refused(1)])
    size = first.size
    first.add([_refused(2)])  # of a batch that was never committed
    first.close()
    copy_kept(path, size, other)
    second = RejectedFile(other, size, tmp_path / "a.csv")
    second.add([_refused(3)])
    second.close()
    with other.open(newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["line", "1", "3"]
    before = other.read_bytes()
    with pytest.raises(ImportFileError, match="File exists; --rejected names another"):
        copy_kept(path, size, other)
    assert other.read_bytes() == before


def test_what_a_killed_import_left_uncommitted_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.rejected.csv"
    killed = RejectedFile(path, 0, tmp_path / "a.csv")
    killed.add([_refused(1), _refused(2)])
    killed.close()
    whole = path.read_bytes()
    for left in (0, 9, len(whole) - 5, len(whole)):
        path.write_bytes(whole[:left])
        again = RejectedFile(path, 0, tmp_path / "a.csv")
        again.add([_refused(1), _refused(2)])
        again.close()
        assert (again.path, path.read_bytes(), again.size) == (path, whole, len(whole))


def test_no_file_stays_where_nothing_was_refused(tmp_path: Path) -> None:
    kept = RejectedFile(tmp_path / "a", 0, tmp_path / "a.csv")
    kept.add([])
    kept.close()
    assert list(tmp_path.iterdir()) == []


_THING = (
    '{"thing_id": "a", "location": {"type": "Point", "coordinates": [139.7, 35.6]},'
    ' "datastreams": ["rainfall"]}'
)


@pytest.mark.parametrize(
    "text",
    [
        f"[{_THING}]",
        _THING,
        f"{_THING}\n\n{_THING.replace('rainfall', 'rainfall')}\n",
        '{"a": ' + _THING.replace('"thing_id": "a", ', "") + "}",
    ],
)
def test_things_are_described_in_any_of_the_usual_forms(tmp_path: Path, text: str) -> None:
    path = tmp_path / "things.json"
    path.write_text(text)
    assert {name: one.datastreams for name, one in load_things(path).items()} == {
        "a": ("rainfall",)
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "describes no thing"),
        ("[1]", "thing 1 must be an object"),
        (_THING.replace('"a"', '"-"'), "thing id"),
        (_THING.replace("139.7", "239.7"), "swapped"),
        ("{", "line 1 is not JSON"),
        ('[{"name": "x"}, {"thing_id": "b"}]', "no thing_id"),
    ],
)
def test_a_description_that_is_wrong_says_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "things.json"
    path.write_text(text)
    with pytest.raises(ImportFileError, match=said):
        load_things(path)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_rows_can_be_parted_behind_any_of_them(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a.{form}"
    row = {"thing": "a", "observed_property": "rainfall", "time": "2026-03-01T09:00:00Z"}
    results = [1.0, -5.0, 2.0, 3.0, -6.0]
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist([row | {"result": one} for one in results]), path)
    elif form == "jsonl":
        path.write_text("\n\n".join(json.dumps(row | {"result": one}) for one in results))
    else:
        lines = [f"{','.join(row.values())},{one}" for one in results]
        path.write_text("thing,observed_property,time,result\n" + "\n\n".join(lines))

    def read(place: Place) -> list[tuple[int, float | None]]:
        """Line and result, none where it is refused."""
        found: list[tuple[int, float | None]] = []
        with FileRows(path, ReadingOptions()) as file:
            for judged in file.rows(place):
                found += contents(judged)
        return found

    def contents(judged: JudgedRows) -> list[tuple[int, float | None]]:
        held = dict.fromkeys((one.line for one in judged.refused), None)
        return sorted((held | dict(zip(judged.lines, judged.results, strict=True))).items())

    whole = read(Place())
    assert [result for _, result in whole] == [1, None, 2, 3, None]
    with FileRows(path, ReadingOptions()) as file:
        (judged,) = file.rows(Place())
    for number, (line, _) in enumerate(whole, 1):
        first = judged.upto(line)
        assert contents(first) == whole[:number]
        assert (first.end.rows, read(first.end)) == (number, whole[number:])
