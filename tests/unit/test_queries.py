"""SQL stands in files, and every query in them is used."""

import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import tsuji_platform
from tsuji_platform.store import queries

_PACKAGE = Path(str(files(tsuji_platform)))
_FILES = sorted(path.stem for path in (_PACKAGE / "store" / "sql").glob("*.sql"))


def _code() -> str:
    return "\n".join(path.read_text() for path in (_PACKAGE / "store").rglob("*.py"))


def _asked_for() -> set[str]:
    """Queries that are taken from a file by their name."""
    return set(re.findall(r'(?:_SQL|queries\.load\("\w+"\))\["(\w+)"\]', _code()))


def _is_used(name: str) -> bool:
    """Whether a query is named somewhere, in whole or with a part that is filled in."""
    code = _code()
    if f'"{name}"' in code:
        return True
    parts = re.findall(r'f"(\w*\{[^"]*)"', code)
    return any(re.fullmatch(re.sub(r"\{[^}]*\}", r"\\w+", part), name) for part in parts)


def test_there_are_queries() -> None:
    assert {"areas", "reading", "schema", "writing"} <= set(_FILES)


@pytest.mark.parametrize("file", _FILES)
def test_every_query_is_used_and_holds_one_statement(file: str) -> None:
    loaded = queries.load(file)
    text = (_PACKAGE / "store" / "sql" / f"{file}.sql").read_text()
    assert len(loaded) == text.count("-- name:"), "two queries of the same name, or an odd header"
    assert [name for name in loaded if not _is_used(name)] == []
    for name, body in loaded.items():
        bare = re.sub(r"--.*", "", body)
        assert bare.strip(), name
        # the server takes values for one statement at a time; what is composed takes none, such as grants
        is_composed = "%(" not in bare and re.search(r"\{\w+\}", bare)
        assert is_composed or ";" not in bare, f"{name} holds more than one statement"


def test_every_query_that_is_asked_for_exists() -> None:
    assert _asked_for() <= {name for file in _FILES for name in queries.load(file)}


def test_no_other_module_holds_sql() -> None:
    verbs = re.compile(r'"(SELECT|INSERT|UPDATE|DELETE|CREATE|COPY|TRUNCATE|DROP) ')
    offenders = [
        str(path.relative_to(_PACKAGE))
        for path in _PACKAGE.rglob("*.py")
        if verbs.search(path.read_text()) and path.parent.name != "runtime"
    ]
    assert offenders == []


def test_commands_that_write_no_observations_do_not_wait_for_numpy() -> None:
    code = "import sys, tsuji.cli, tsuji_platform.store; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
