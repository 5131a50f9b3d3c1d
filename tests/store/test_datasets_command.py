"""`tsuji datasets` as people type it: what it says, and that a file is taken whole or not at all."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tsuji.datasets import app
from tsuji.mistakes import NotThereError

Run = Callable[..., str]

TOILETS = """\
公衆便所一覧
市区町村コード,名称,緯度,経度,男性トイレ総数
131041,駅前,35.69,139.70,３
131041,\x1b[31m公園,139.71,35.69,多数
131042,橋の下,,,1
"""


@pytest.fixture
def tsuji(hub_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("TSUJI_DATABASE_URL", hub_url)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == code, done.output
        return done.output if code else done.stdout

    return run


def test_a_dataset_from_check_to_removal(tsuji: Run, tmp_path: Path) -> None:
    (tmp_path / "toilet.csv").write_text(TOILETS, encoding="cp932")
    said = ("--publisher", "新宿区", "--licence", "CC BY 4.0", "--date", "令和7年4月", "--id", "wc")
    report = [
        "3 rows: 2 taken (2 repaired, 1 with something in doubt), 1 refused",
        "  coordinates_swapped: 1",
        "  value_refused: 1",
        "  wide_digits: 1",
        "line 5: refused: code '131042' should end in the check digit 1",
        "line 4: coordinates_swapped: latitude 139.71 and longitude 35.69 stand in each other's place",
        "line 4: value_refused: men: '多数' is not a number",
        "line 3: wide_digits: men '３' was read as 3",
        "公衆トイレ (public_toilet)",
        "  publisher: 新宿区",
        "  licence: CC BY 4.0",
        "  source: toilet.csv",
        "  date: 2025-04",
    ]
    assert tsuji("import", "toilet.csv", "--check", *said).splitlines() == [
        *report,
        "nothing was stored; without --check it is dataset wc",
    ]
    assert tsuji("list") == ""
    assert tsuji("import", "toilet.csv", *said).splitlines() == [
        *report,
        "imported 2 features as dataset wc",
    ]
    assert tsuji("list") == ("wc  public_toilet  2 features  公衆トイレ  新宿区  CC BY 4.0\n")
    # what can't be taken leaves what is there
    (tmp_path / "cut.csv").write_text(TOILETS + '131041,"開く,35,139,1\n', encoding="cp932")
    refused = subprocess.run(
        [sys.executable, "-m", "tsuji", "datasets", "import", "cut.csv", *said],
        env=os.environ | {"TSUJI_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "tsuji: cut.csv: the row from line 6 on opens a quotation mark that is never closed\n"
    )
    shown = tsuji("show", "wc", "--flagged").splitlines()
    assert shown[:5] == report[8:]
    assert "rows 3, taken 2, repaired 2, doubtful 1, refused 1" in shown
    assert "line 4: \\x1b[31m公園: code 13104, position 35.69, 139.71 in no municipality " in (
        "\n".join(shown)
    )
    assert tsuji("remove", "wc") == "removed wc\n"
    with pytest.raises(NotThereError, match="there is no dataset 'wc'"):
        CliRunner().invoke(app, ["remove", "wc"], catch_exceptions=False)


def test_a_column_is_named_as_pairs(tsuji: Run) -> None:
    said = tsuji("import", "--check", "x.csv", "--column", "latitude", code=2)
    assert "'latitude' is not of the form latitude=Y" in said
