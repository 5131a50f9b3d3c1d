"""The page on security names tests and settings that there are, and all settings that hold a secret."""

import re
from pathlib import Path

from tsuji_platform.settings import CONCERNS, describe
from tsuji_platform.settings_files import file_variable, is_secret

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = (_ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_each_measure_names_a_test_that_there_is() -> None:
    named = re.findall(r"`(\w+/test_\w+\.py)`", _PAGE)
    assert len(named) > 20
    assert [one for one in named if not (_ROOT / "tests" / one).is_file()] == []


def test_every_setting_that_is_named_is_one_and_every_secret_is_named_with_its_file() -> None:
    known = {name for name, _, _ in describe()}
    assert set(re.findall(r"`(TSUJI_\w+)", _PAGE)) <= known
    for concern in CONCERNS:
        for name, field in concern.model_fields.items():
            if is_secret(field):
                variable = f"TSUJI_{name.upper()}"
                assert f"`{variable}`" in _PAGE
                assert f"`{file_variable(variable)}`" in _PAGE
