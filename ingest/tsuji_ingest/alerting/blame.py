"""Keeps a rule that can't be evaluated from stopping the others: it rests, and is tried again later."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tsuji_platform.analytics.alert_rules import Rule
from tsuji_platform.store.errors import DatabaseAwayError, StoreError, TookTooLongError, translated

_log = logging.getLogger(__name__)
_FIRST_REST_S = 60.0
_LONGEST_REST_S = 3_600.0
_MOST_TEXT = 300


class RuleError(Exception):
    """Rules could not be evaluated, for the reason that is its cause; nothing of the turn may be kept.

    Attributes:
        rules: one of these is the reason.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        super().__init__(", ".join(rule.id for rule in rules))
        self.rules = list(rules)

    @property
    def said(self) -> str:
        """What went wrong."""
        cause = self.__cause__
        text = str(cause) if isinstance(cause, StoreError) else f"{type(cause).__name__}: {cause}"
        return text[:_MOST_TEXT]


@contextmanager
def blamed_on(rules: Sequence[Rule]) -> Iterator[None]:
    """What goes wrong within is these rules' fault, unless the database is away.

    Raises:
        RuleError: it went wrong.
        DatabaseAwayError: no rule can be evaluated now.
    """
    try:
        with translated():
            yield
    except TookTooLongError as error:
        raise RuleError(rules) from error
    except DatabaseAwayError:
        raise
    except Exception as error:
        raise RuleError(rules) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    problem: str
    rest_s: float
    until: float


class Resting:
    """The rules that rest, since they could not be evaluated.

    Args:
        steady: monotonic seconds.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._faults: dict[str, _Fault] = {}

    def clear(self) -> None:
        """There are other rules."""
        self._faults.clear()

    def has(self, rule: Rule) -> bool:
        """Whether a rule rests."""
        fault = self._faults.get(rule.id)
        return fault is not None and self._steady() < fault.until

    def add(self, rule: Rule, error: RuleError) -> None:
        """Let a rule rest: twice as long as the last time. Its problem is logged once."""
        before = self._faults.get(rule.id)
        rest_s = _FIRST_REST_S if before is None else min(_LONGEST_REST_S, 2 * before.rest_s)
        self._faults[rule.id] = _Fault(
            problem=error.said, rest_s=rest_s, until=self._steady() + rest_s
        )
        if before is None or before.problem != error.said:
            is_defect = not isinstance(error.__cause__, StoreError)
            _log.error(
                "the alert rule %s can't be evaluated and is left out, the others go on: %s",
                rule.id,
                error.said,
                exc_info=error if is_defect else None,
            )

    def problem(self, rule: Rule) -> str:
        """Why a rule rests; empty where it doesn't."""
        if not self.has(rule):
            return ""
        return f"it can't be evaluated, and is tried again later: {self._faults[rule.id].problem}"

    def said(self, rules: Sequence[Rule]) -> str:
        """Which of some rules rest, and why the first does; empty where none does."""
        resting = [rule for rule in rules if self.has(rule)]
        if not resting:
            return ""
        more = f" (and {len(resting) - 1} more)" if len(resting) > 1 else ""
        return f"rule {resting[0].id}{more}: {self.problem(resting[0])}"
