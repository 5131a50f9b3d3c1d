"""What is usual beside the counts of 24 hours: which days to ask for, the chart's band, and its words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tsuji_dashboard.client import Series, Typical, instant
from tsuji_dashboard.texts import Lang, text
from tsuji_platform.analytics.figures import FOOTFALL_PROPERTIES
from tsuji_platform.analytics.quarters import TOKYO

PEOPLE = frozenset({"footfall", *FOOTFALL_PROPERTIES})
"""Figures and observed properties whose charts show what is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is usual in the steps of a series, None where nothing is known.

    Attributes:
        q1: lower quartiles.
        median: medians.
        q3: upper quartiles.
        said: the same in words: what the band is, and how many days stand behind it.
    """

    q1: tuple[float | None, ...]
    median: tuple[float | None, ...]
    q3: tuple[float | None, ...]
    said: tuple[str, ...]

    @property
    def known(self) -> bool:
        """Whether there is anything to draw."""
        return any(value is not None for value in self.median)


def days_of(at: str | None) -> list[date]:
    """The Tokyo days that 24 hours up to a moment, or up to now, lie in."""
    end = instant(at) or datetime.now(UTC)
    days = [time.astimezone(TOKYO).date() for time in (end - timedelta(days=1), end)]
    return list(dict.fromkeys(days))


def beside(series: Series, days: Iterable[Typical | None], lang: Lang) -> Usual | None:
    """What is usual beside a series; None where that is not known, or steps are of another length."""
    known = [day for day in days if day is not None and day.step_s == series.step_s]
    if not known:
        return None
    cells = {
        time: (day.q1[i], day.median[i], day.q3[i])
        for day in known
        for i, time in enumerate(day.times)
    }
    nothing = (None, None, None)
    q1, median, q3 = zip(*(cells.get(time, nothing) for time in series.times), strict=True)
    return Usual(q1=q1, median=median, q3=q3, said=tuple(_said(series, known, lang)))


def _said(series: Series, days: Sequence[Typical], lang: Lang) -> Iterable[str]:
    """One sentence on the kinds of day that have enough days, and one on those that have not."""
    shown = set(series.times)
    enough: dict[str, set[int]] = {}
    few: dict[str, int] = {}
    for day in days:
        seen = [i for i, time in enumerate(day.times) if time in shown]
        behind = {day.days[i] for i in seen if day.median[i] is not None}
        if behind:
            enough.setdefault(day.kind, set()).update(behind)
        elif seen:
            few[day.kind] = max(few.get(day.kind, 0), *(day.days[i] for i in seen))
    if enough:
        kinds = _kinds(enough, lang)
        yield text("usual.band", lang, weeks=days[0].weeks, kinds=kinds)
    missing = {kind: {n} for kind, n in few.items() if kind not in enough}
    if missing:
        kinds = _kinds(missing, lang)
        yield text("usual.few", lang, least=days[0].minimum_days, kinds=kinds)


def _kinds(numbers: Mapping[str, set[int]], lang: Lang) -> str:
    """Kinds of days with how many of each."""
    return text("usual.and", lang).join(
        text("usual.kind", lang, kind=text(f"usual.{kind}", lang), n=_range(n))
        for kind, n in numbers.items()
    )


def _range(numbers: set[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low}–{high}"
