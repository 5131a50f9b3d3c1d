"""The rule of `contract.quality` once more, reading by reading, as its documentation states it."""

from collections.abc import Sequence
from datetime import datetime

from tsuji_platform.contract.quality import Flag, QualityRule

Series = Sequence[tuple[datetime, float]]


def flags_of(series: Series, rule: QualityRule) -> list[set[Flag]]:
    """The flags of each reading of one datastream, in the order of their times."""
    assert list(series) == sorted(series)
    found: list[set[Flag]] = []
    same_from = 0
    for i, (time, value) in enumerate(series):
        if series[same_from][1] != value:
            same_from = i
        flags = set()
        if is_step(series, i, rule):
            flags.add(Flag.STEP)
        stuck = rule.stuck
        if (
            stuck is not None
            and time - series[same_from][0] >= stuck.after
            and i - same_from + 1 >= stuck.readings
            and not (stuck.steady_up_to is not None and value <= stuck.steady_up_to)
            and not (stuck.steady_from is not None and value >= stuck.steady_from)
        ):
            flags.add(Flag.STUCK)
        found.append(flags)
    return found


def is_step(series: Series, i: int, rule: QualityRule) -> bool:
    """Whether reading `i` differs from most of the five before it."""
    if rule.step is None:
        return False
    time, value = series[i]
    before = [
        (then, other)
        for then, other in series[max(0, i - 5) : i]
        if time - then <= rule.step.longest_gap
    ]
    differing = 0
    for then, other in before:
        minutes = (time - then).total_seconds() / 60
        differing += abs(value - other) > rule.step.at_once + rule.step.per_minute * minutes
    return len(before) >= 2 and differing > len(before) / 2
