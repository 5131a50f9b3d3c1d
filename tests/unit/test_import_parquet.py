"""Parquet of strangers, whatever it says of itself, is read in bounded memory, or refused in a sentence."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tsuji_platform.imports.files import FileRows, ReadingOptions
from tsuji_platform.imports.rows import ImportFileError, JudgedRows, Place

_ROW = {
    "thing": "a", "observed_property": "rainfall", "time": "2026-03-01T09:00:00Z", "result": "1",
}  # fmt: skip


def _write(path: Path, rows: int = 1, **columns: object) -> Path:
    table = {name: pa.array([value] * rows) for name, value in _ROW.items()} | columns
    pq.write_table(pa.table(table), path, compression="zstd", dictionary_pagesize_limit=1 << 30)
    return path


def _read(path: Path) -> list[JudgedRows]:
    with FileRows(path, ReadingOptions()) as file:
        return list(file.rows(Place()))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"x" * 1000])
def test_what_is_no_parquet_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    with pytest.raises(ImportFileError, match="can't be read as Parquet"):
        FileRows(path, ReadingOptions())


@pytest.mark.parametrize("name", ["Result", " result"])
def test_parquet_with_two_columns_of_a_name_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.parquet"
    columns = {"thing": ["a"], "observed_property": ["rainfall"], "time": ["x"], "result": [1.0]}
    pq.write_table(pa.table({**columns, name: [99.0]}), path)
    with pytest.raises(ImportFileError, match="more than one column result"):
        FileRows(path, ReadingOptions())


_MEASURED = """
import resource, sys
from pathlib import Path
from tsuji_platform.imports.files import FileRows, ReadingOptions
from tsuji_platform.imports.rows import Place

resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # a failure is one, not the machine's end
for name in sys.argv[1:]:
    with FileRows(Path(name), ReadingOptions()) as file:
        parts = [(len(one.codes), [len(each.row) for each in one.refused]) for one in file.rows(Place())]
    rows = [octets for _, held in parts for octets in held]
    print(sum(good for good, _ in parts), len(rows), max(rows, default=0))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _measured(paths: Sequence[Path]) -> tuple[list[list[int]], int]:
    """For each file rows that are well, refused ones, and the longest of these; and the peak in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *map(str, paths)], capture_output=True, check=True
    )
    *files, peak = done.stdout.decode().splitlines()
    return [[int(number) for number in line.split()] for line in files], int(peak)


def test_a_text_of_megabytes_in_every_row_costs_its_size_once(tmp_path: Path) -> None:
    rows = 5_000
    huge = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * 20_000_000])
    good = _write(tmp_path / "good.parquet", rows)
    bad = [_write(tmp_path / f"{name}.parquet", rows, **{name: huge}) for name in _ROW]
    bad.append(_write(tmp_path / "unit.parquet", rows, unit=huge))
    assert max(path.stat().st_size for path in bad) < 10_000
    found, usual = _measured([good])
    assert found == [[rows, 0, 0]]
    found, peak = _measured(bad)
    assert [one[:2] for one in found] == [[0, rows]] * len(bad)
    assert all(longest < 2_001 for _, _, longest in found)
    assert peak < usual + 300 * 1024


def test_a_number_that_is_too_long_is_not_read_by_its_beginning(tmp_path: Path) -> None:
    (judged,) = _read(_write(tmp_path / "a.parquet", result=pa.array(["0" * 20_000 + "12"])))
    ((refused, *_),) = [judged.refused]
    assert (refused.reason, len(judged.codes)) == ("not_a_number", 0)


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.binary()])
def test_text_of_any_kind_is_text(tmp_path: Path, kind: pa.DataType) -> None:
    columns = {name: pa.array([value], pa.string()).cast(kind) for name, value in _ROW.items()}
    (judged,) = _read(_write(tmp_path / "a.parquet", **columns))
    assert (judged.names, judged.results.tolist()) == ([("a", "rainfall")], [1])


def test_what_is_no_utf_8_is_refused_alone(tmp_path: Path) -> None:
    things = pa.array([b"a", b"\xff\xfe", b"a"], pa.binary())
    (judged,) = _read(_write(tmp_path / "a.parquet", 3, thing=things))
    ((line, reason),) = [(one.line, one.reason) for one in judged.refused]
    assert (line, reason, len(judged.codes)) == (2, "bad_thing", 2)


@pytest.mark.parametrize("value", [["a"], {"a": 1}])
def test_what_is_no_single_value_is_refused_at_once(tmp_path: Path, value: object) -> None:
    path = _write(tmp_path / "a.parquet", thing=pa.array([value]))
    with pytest.raises(ImportFileError, match=r"column thing holds .*, not one value in each row"):
        _read(path)


def test_row_groups_with_too_much_text_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tsuji_platform.imports.parquet._MAX_GROUP_BYTES", 1 << 20)
    things = pa.array([f"{number}" + "x" * 3_000 for number in range(1_000)])
    path = _write(tmp_path / "a.parquet", 1_000, thing=things)
    with pytest.raises(
        ImportFileError, match="row group 1 holds 2 MiB in column thing, over 1: write"
    ):
        _read(path)


def test_long_texts_come_in_small_pieces_and_in_order(tmp_path: Path) -> None:
    things = pa.array([f"{number}" + "x" * 5_000 for number in range(5_000)])
    found = _read(_write(tmp_path / "a.parquet", 5_000, thing=things))
    assert len(found) > 2
    lines = [one.line for judged in found for one in judged.refused]
    assert lines == list(range(1, 5_001))
    assert [judged.end.rows for judged in found] == [
        max(one.line for one in judged.refused) for judged in found
    ]
