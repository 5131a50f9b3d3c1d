"""Ingests that are started alike: different numbers at the same time, and the same again for a successor."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tsuji.slots import numbered, slot
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.settings import IngestSettings

_HOLD = """
import sys
from pathlib import Path
from tsuji.slots import slot
with slot(Path(sys.argv[1])) as number:
    print(number, flush=True)
    sys.stdin.read()
"""


def test_each_gets_a_number_of_its_own_and_the_next_takes_what_is_free(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "by itself"
    with ExitStack() as first, ExitStack() as others:
        assert first.enter_context(slot(folder)) == 1
        assert [others.enter_context(slot(folder)) for _ in range(2)] == [2, 3]
        first.close()
        assert others.enter_context(slot(folder)) == 1
        assert others.enter_context(slot(folder)) == 4


def test_the_number_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"1\n"
        with slot(tmp_path) as number:
            assert number == 2
        holder.kill()
        holder.wait()
        with slot(tmp_path) as number:
            assert number == 1


def test_ids_carry_the_number_where_a_folder_is_named(tmp_path: Path) -> None:
    with numbered(IngestSettings(ingest_id="hub", ingest_slots=tmp_path)) as settings:
        assert settings.ingest_id == "hub-1"
    with numbered(IngestSettings(ingest_id="hub")) as settings:
        assert settings.ingest_id == "hub"


def test_a_folder_that_cannot_be_had_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="TSUJI_INGEST_SLOTS") as refused, slot(tmp_path / "file"):
        pass
    assert str(tmp_path / "file") in str(refused.value)


def test_what_goes_wrong_while_a_number_is_held_is_not_taken_for_a_fault_of_the_folder(
    tmp_path: Path,
) -> None:
    with pytest.raises(FileNotFoundError), slot(tmp_path):
        raise FileNotFoundError
