"""The table of thresholds is whole, makes sense, and is the one that is documented."""

from datetime import timedelta
from pathlib import Path

import pytest

from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.contract.messages import FUTURE_TOLERANCE
from tsuji_platform.contract.quality import COMPARED, QUALITY_RULES, QualityRule

_DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "quality.md").read_text(
    encoding="utf-8"
)


def test_every_observed_property_has_a_row_and_nothing_else_has() -> None:
    assert list(QUALITY_RULES) == list(OBSERVED_PROPERTIES)


@pytest.mark.parametrize("rule", QUALITY_RULES.values(), ids=lambda it: it.observed_property)
def test_every_limit_can_be_passed_by_a_plausible_reading(rule: QualityRule) -> None:
    known = OBSERVED_PROPERTIES[rule.observed_property]
    if rule.step is not None:
        at_most = rule.step.at_once + rule.step.per_minute * rule.step.longest_gap.seconds / 60
        assert 0 < rule.step.at_once <= at_most < known.high - known.low
    assert rule.stuck is not None
    assert rule.stuck.after > timedelta(0)
    assert rule.stuck.readings > COMPARED
    natural = [rule.stuck.steady_up_to, rule.stuck.steady_from]
    assert all(known.low <= value < known.high for value in natural if value is not None)


def _row(rule: QualityRule) -> str:
    known = OBSERVED_PROPERTIES[rule.observed_property]
    step, stuck = "–", "–"
    natural = []
    if rule.step is not None:
        more = f" + {rule.step.per_minute:g}/min" if rule.step.per_minute else ""
        step = f"{rule.step.at_once:g}{more}"
    if rule.stuck is not None:
        stuck = f"{rule.stuck.after / timedelta(hours=1):g} h, {rule.stuck.readings} readings"
        if rule.stuck.steady_up_to is not None:
            natural.append(f"{rule.stuck.steady_up_to:g} and less")
        if rule.stuck.steady_from is not None:
            natural.append(f"{rule.stuck.steady_from:g} and more")
    return (
        f"| `{known.id}` | `{known.unit}` | {known.low:g} to {known.high:g} | {step} | {stuck} "
        f"| {', '.join(natural) or 'never'} |"
    )


def test_the_documented_table_is_the_one_in_force() -> None:
    rows = [line for line in _DOCUMENT.splitlines() if line.startswith("| `")]
    assert rows == [_row(rule) for rule in QUALITY_RULES.values()]
    gaps = {rule.step.longest_gap for rule in QUALITY_RULES.values() if rule.step}
    (gap,) = gaps
    assert (
        f"with the {COMPARED} readings before it that are at most {gap.seconds // 60} minutes"
        in (_DOCUMENT.replace("\n", " "))
    )
    assert f"more than {FUTURE_TOLERANCE.seconds // 60} minutes ahead" in _DOCUMENT
