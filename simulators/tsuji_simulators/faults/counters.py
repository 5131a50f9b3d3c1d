"""The fault of what counts: a restart that forgets what was counted."""

from typing import ClassVar, Literal

from pydantic import model_validator

from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_simulators.faults.base import Fault, Surroundings
from tsuji_simulators.faults.report import Draft
from tsuji_simulators.faults.windows import Span

_WRAPPED = 65_536.0


class Restart(Fault):
    """The device is off while the fault is on, and has lost its counter when it comes back.

    Its first report afterwards still claims to cover the whole period. `reports` says what it holds of
    counts and rain: what came since the restart (`lost`), the difference from the forgotten counter
    (`negative`), or that in 16 bits (`wrapped`).
    """

    is_of_messages: ClassVar[bool] = True
    fault: Literal["restart"] = "restart"
    reports: Literal["lost", "negative", "wrapped"] = "lost"

    @model_validator(mode="after")
    def _ends(self) -> "Restart":
        if self.end is None and self.every is None:
            raise ValueError('a restart needs a "to", at which the device is back')
        return self

    def span(self, draft: Draft) -> Span | None:
        """When the device is off, or was within the report's own period."""
        report = draft.report
        off = self.window.latest(report.time)
        return off if off is not None and report.time - report.period_s < off.end else None

    def touch(self, draft: Draft, names: set[str], span: Span, around: Surroundings) -> set[str]:  # noqa: ARG002
        """Be silent, or report too little."""
        report = draft.report
        if report.time < span.end:
            draft.sends.clear()
            return names
        share = min((report.time - span.end) / report.period_s, 1.0)
        touched = set()
        for name in names:
            is_count = OBSERVED_PROPERTIES[name].is_count
            if is_count or name == "rainfall":
                value = draft.results[name]
                kept = float(int(value * share)) if is_count else int(value * share * 10.0) / 10.0
                if self.reports != "lost":
                    kept -= value
                if self.reports == "wrapped" and kept < 0:
                    kept += _WRAPPED
                draft.results[name] = round(kept, 1)
                touched.add(name)
        return touched
