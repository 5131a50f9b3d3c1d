"""The one gate for small counts: what of the people that were counted the public may be told.

The rule decides on each stored count by itself, once, for all answers: a count above 0 and below the
limit is withheld. Every total, quotient and quantile that the public is told is made of the counts that are
told, and of nothing else. So no two of its figures can differ by what was withheld, however they overlap in
time, in space or in kind; `docs/small-counts.md` says why other rules were not taken.

Of a thing that counts both ways together and each way apart, one way is what the other two leave over:
it is told by what it counts both ways, and its single ways are withheld however many they are; that nobody
went one of them is told, as everywhere.
"""

import math
from dataclasses import dataclass
from typing import Any

from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.contract import OBSERVED_PROPERTIES

COUNTS = tuple(p.id for p in OBSERVED_PROPERTIES.values() if p.is_count)
"""Observed properties that count people."""
WHOLE = "pedestrians"
"""What is counted both ways together."""
PARTS = tuple(name for name in COUNTS if name != WHOLE)
"""What is counted each way apart."""
COUNT_INPUTS = frozenset({"pedestrian_flow", "typical_percent", "people_inside"})
"""Inputs of derived figures that are made of counts, all of which must be told."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Tells counts from small ones.

    Attributes:
        small: counts above 0 and below it are withheld; 0 withholds none.
    """

    small: int = 0

    def __bool__(self) -> bool:
        """Whether anything is withheld at all."""
        return self.small > 0

    def limit(self, observed_property: str, *, told_whole: bool) -> float:
        """Below which a count of a datastream is withheld; 0 for what counts nobody.

        Args:
            observed_property: of what.
            told_whole: whether its thing counts both ways together, too.
        """
        if not self.small or observed_property not in COUNTS:
            return 0.0
        return math.inf if told_whole and observed_property in PARTS else float(self.small)

    def parameters(self) -> dict[str, Any]:
        """The same for queries, which decide on rows where they lie."""
        return {
            "small": self.small,
            "counts": list(COUNTS) if self.small else [],
            "parts": list(PARTS) if self.small else [],
            "whole": WHOLE,
        }


@dataclass(frozen=True, slots=True)
class Reason:
    """Why there is no value, in two languages."""

    english: str
    japanese: str


SUPPRESSED = Reason(
    english="suppressed: made of counts that are too small to be told",
    japanese="少数のため非表示: 公表しない少数の計数による値",
)
"""Of figures that are made of withheld counts."""
OPEN = Gate()
"""Withholds nothing: for operators, and for callers who may see small counts."""


def withholds(count: float, limit: float) -> bool:
    """Whether a single count is withheld: nobody is told of, and so is a crowd; some people are not."""
    return 0 < count < limit


def withholds_sum(lowest: float, highest: float, limit: float) -> bool:
    """Whether a stored sum may hold a withheld count, which is all that its extremes tell.

    Args:
        lowest: of the counts in it.
        highest: of them.
        limit: see `Gate.limit`.
    """
    return highest > 0 and lowest < limit and limit > 0


def is_suppressed(total: float, left_out: int) -> bool:
    """Whether there is nothing to tell of a total: all that it has of people is withheld.

    Args:
        total: of the counts that are told.
        left_out: how many were withheld.
    """
    return left_out > 0 and total == 0


def counts_people(observed_property: str | None, figure: str | None) -> bool:
    """Whether what a rule for alerts looks at is made of counts of people.

    Args:
        observed_property: of the rule, None where it looks at a figure or at silence.
        figure: of the rule, else None.
    """
    if figure is not None and figure in DERIVED:
        return not COUNT_INPUTS.isdisjoint(DERIVED[figure].inputs)
    if figure is not None and figure in FIGURES:
        return not set(COUNTS).isdisjoint(FIGURES[figure].properties)
    return observed_property in COUNTS


def without_peak(alert: dict[str, Any]) -> dict[str, Any]:
    """An alert about people as the public is told of it: that there is one, and not how many they are.

    It was raised by all counts, small ones among them, so its figures would tell these by subtraction, and
    when there were most compares two sums of them: the start stands for that.

    Args:
        alert: as `contract.alert_messages.alert_document` makes it.
    """
    return alert | {"peak": {"value": None, "time": alert["start"], "suppressed": True}}
