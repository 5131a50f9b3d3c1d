"""docs/datasets.md follows the tables in the code."""

from pathlib import Path

import pytest

from tsuji_geo.opendata import tables
from tsuji_geo.opendata.forms import common, forms
from tsuji_platform.contract.features import FeatureFlag

_TEXT = (Path(__file__).resolve().parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", forms().values(), ids=lambda form: form.id)
def test_every_form_and_column_is_documented(form) -> None:
    assert f"| `{form.id}` {form.title} |" in _TEXT
    for name, field in form.fields.items():
        assert f"`{name}` ({field.type}) | {'; '.join(field.names)} |" in _TEXT
    for name, names in common().items():
        assert f"| `{name}` | {'; '.join(names)} |" in _TEXT


def test_every_flag_is_documented_and_repairs_are_called_so() -> None:
    for flag in FeatureFlag:
        (row,) = [line for line in _TEXT.splitlines() if line.startswith(f"| `{flag.value}` |")]
        assert row.endswith("(repaired) |") == flag.is_repair


def test_the_limits_are_documented() -> None:
    for limit in (tables.MAX_ROWS, tables.MAX_COLUMNS, tables.MAX_CELL, tables.MAX_LINE):
        assert f"{limit:,}" in _TEXT
    assert f"{tables.MAX_BYTES >> 20} MiB" in _TEXT
