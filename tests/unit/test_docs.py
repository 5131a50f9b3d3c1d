"""Documentation that follows the code."""

from pathlib import Path

import pytest

import recipes
from tsuji_platform.analytics.gaps import Absence
from tsuji_platform.contract import OBSERVED_PROPERTIES, Reason

_ROOT = Path(__file__).resolve().parents[2]
_MESSAGES = (_ROOT / "docs" / "messages.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("one", OBSERVED_PROPERTIES.values(), ids=lambda one: one.id)
def test_every_observed_property_is_documented(one) -> None:
    aggregation = one.aggregation.value.replace("_", " ")
    row = f"| `{one.id}` | `{one.unit}` | {one.low:g} to {one.high:g} | {aggregation} |"
    assert row in _MESSAGES


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_documented(reason: Reason) -> None:
    assert f"| `{reason.value}` |" in _MESSAGES


def test_the_sources_never_shadow_pythons_own_platform() -> None:
    assert not (_ROOT / "platform" / "__init__.py").exists()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_lock_files_hold_hashes_and_no_addresses(name: str) -> None:
    text = (_ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in line for line in pins)
    assert text.count("--hash=sha256:") >= len(pins)


def test_every_image_in_the_readme_is_there() -> None:
    import re

    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    images = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert images
    assert [image for image in images if not (_ROOT / image).is_file()] == []


def test_links_between_documents_lead_somewhere() -> None:
    import re

    for document in [_ROOT / "README.md", *sorted((_ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_reason_of_a_gap_is_documented() -> None:
    text = (_ROOT / "docs" / "history.md").read_text(encoding="utf-8")
    assert [one.value for one in Absence if f"| `{one.value}` |" not in text] == []


def test_all_recipes_are_in_languages_that_are_run() -> None:
    marked = [one for one in recipes.DOCS.glob("*.md") for _ in recipes.recipes_of(one)]
    assert {one.name for one in marked} >= {"api.md", "downloads.md", "keys.md"}
    assert len(marked) == len(recipes.recipes("sh", "python", "js"))
