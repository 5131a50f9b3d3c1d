"""An export takes the place of an earlier one whole, and of nothing else, whenever it is killed."""

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tsuji_platform.exports.files import ExportFileError, csv_draft, folder_draft


def _export(target: Path, text: str, *, force: bool = True) -> None:
    with folder_draft(target, force=force) as folder:
        (folder / "_tsuji.json").write_text(text)
        (folder / "date=2026-04-01").mkdir()
        (folder / "date=2026-04-01" / "part-0.parquet").write_text(text)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["out.old", "out.replaced"])
def test_a_neighbour_of_an_export_stays(tmp_path: Path, name: str) -> None:
    target, neighbour = tmp_path / "out", tmp_path / name
    _export(neighbour, "backup")
    for text in ("1", "2"):
        _export(target, text)
    shutil.rmtree(target)
    _export(target, "3", force=False)
    assert (neighbour / "_tsuji.json").read_text() == "backup"
    assert _names(tmp_path) == sorted(["out", name])


@pytest.mark.parametrize("left", ["whole", "marker", "empty"])
def test_a_kill_before_the_replaced_export_is_gone_does_not_stop_the_next(
    tmp_path: Path, left: str
) -> None:
    target, old = tmp_path / "out", tmp_path / ".out.tsuji-replaced"
    _export(target, "1")
    shutil.copytree(target, old)
    if left != "whole":
        shutil.rmtree(old / "date=2026-04-01")
    if left == "empty":
        (old / "_tsuji.json").unlink()
    _export(target, "2")
    assert (target / "_tsuji.json").read_text() == "2"
    assert _names(tmp_path) == ["out"]


def test_a_kill_between_the_renames_gives_the_earlier_export_back(tmp_path: Path) -> None:
    target = tmp_path / "out"
    _export(target, "1")
    target.rename(tmp_path / ".out.tsuji-replaced")
    with pytest.raises(ExportFileError, match="is there already"):
        _export(target, "2", force=False)
    assert (target / "_tsuji.json").read_text() == "1"
    assert _names(tmp_path) == ["out"]


def test_all_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, synced = tmp_path / "out", set()
    real = os.fsync

    def fsync(handle: int) -> None:
        if not target.exists():
            synced.add(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    _export(target, "1")
    assert {path.stat().st_ino for path in [tmp_path, target, *target.rglob("*")]} == synced


def test_what_is_not_ours_is_not_removed_although_it_has_our_name(tmp_path: Path) -> None:
    target, old = tmp_path / "out", tmp_path / ".out.tsuji-replaced"
    _export(target, "1")
    old.mkdir()
    (old / "thesis.txt").write_text("years")
    with pytest.raises(ExportFileError, match="is in the way"):
        _export(target, "2")
    assert (old / "thesis.txt").read_text() == "years"
    assert (target / "_tsuji.json").read_text() == "1"


_HEADER = b"thing,observed_property,time,result,unit,period_s"


@pytest.mark.parametrize(
    "earlier", [b"", _HEADER + b"\n", b"\xef\xbb\xbf" + _HEADER + b",n,sum\na,b\n"]
)
def test_an_earlier_export_in_csv_is_replaced(tmp_path: Path, earlier: bytes) -> None:
    target = tmp_path / "out.csv"
    target.write_bytes(earlier)
    with csv_draft(target, force=True) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("mine", [b"years", b"thing,observed_property,time\n"])
def test_a_file_that_is_no_export_is_not_replaced(tmp_path: Path, mine: bytes) -> None:
    target = tmp_path / "thesis.txt"
    target.write_bytes(mine)
    with (
        pytest.raises(ExportFileError, match=r"thesis\.txt is there and is no export of Tsuji"),
        csv_draft(target, force=True) as file,
    ):
        file.write(b"new")
    assert target.read_bytes() == mine
    assert _names(tmp_path) == ["thesis.txt"]


@pytest.mark.parametrize("kind", ["file", "export", "link to a file", "folder", "link to a folder"])
@pytest.mark.parametrize("draft", [csv_draft, folder_draft])
def test_what_has_the_name_of_a_draft_and_is_none_stays_as_it_is(
    tmp_path: Path, kind: str, draft: Callable[..., AbstractContextManager[object]]
) -> None:
    mine = tmp_path / "out.partial"
    if kind.startswith("link"):
        mine.symlink_to(tmp_path / "precious")
        mine = tmp_path / "precious"
    thesis = mine / "thesis.txt" if kind.endswith("folder") else mine
    thesis.parent.mkdir(exist_ok=True)
    thesis.write_bytes(_HEADER + b"\nof a whole export" if kind == "export" else b"years")
    before = thesis.read_bytes()
    with (
        pytest.raises(ExportFileError, match=r"out\.partial is in the way"),
        draft(tmp_path / "out", force=True),
    ):
        pytest.fail("it was taken for a draft")
    assert thesis.read_bytes() == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("left", [[], ["made-by-tsuji-export"], ["made-by-tsuji-export", "rows"]])
@pytest.mark.parametrize("draft", [csv_draft, folder_draft])
def test_what_a_killed_export_left_is_cleared_away(
    tmp_path: Path, left: list[str], draft: Callable[..., AbstractContextManager[object]]
) -> None:
    (tmp_path / "out.partial").mkdir()
    for name in left:
        (tmp_path / "out.partial" / name).touch()
    with draft(tmp_path / "out", force=False) as target:
        if isinstance(target, Path):
            (target / "_tsuji.json").touch()
    assert _names(tmp_path) == ["out"]


@pytest.mark.parametrize("draft", [csv_draft, folder_draft])
def test_two_exports_at_once_don_t_share_a_draft(
    tmp_path: Path, draft: Callable[..., AbstractContextManager[object]]
) -> None:
    with draft(tmp_path / "out", force=False):
        held = sorted(tmp_path.rglob("*"))
        with (
            pytest.raises(ExportFileError, match="another export writes"),
            draft(tmp_path / "out", force=False),
        ):
            pytest.fail("both write")
        assert sorted(tmp_path.rglob("*")) == held
    assert _names(tmp_path) == ["out"]


@pytest.mark.parametrize("draft", [csv_draft, folder_draft])
@pytest.mark.parametrize("name", ["", ".", "/", ".."])
def test_what_names_nothing_new_is_refused(
    name: str, draft: Callable[..., AbstractContextManager[object]]
) -> None:
    with pytest.raises(ExportFileError, match="is no name for"), draft(Path(name), force=True):
        pytest.fail("it was written")
