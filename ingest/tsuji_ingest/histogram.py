"""Counts durations by size, cheaply enough for every message; Prometheus reads them as a histogram."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
"""Upper bounds in seconds; what is longer than the last counts in a bin of its own."""


class Histogram:
    """Durations in seconds.

    Attributes:
        counts: for each of `BOUNDS_S` and beyond how many were that long and longer than the bound before.
        total_s: their sum.
    """

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0

    def add(self, durations_s: Iterable[float]) -> None:
        """Count durations; negative ones, from clocks that disagree, count as 0."""
        ordered = sorted(durations_s)  # of a batch they nearly are: quicker than a look-up for each
        counted = 0
        for place, bound in enumerate(BOUNDS_S):
            up_to = bisect_right(ordered, bound)
            self.counts[place] += up_to - counted
            counted = up_to
        self.counts[-1] += len(ordered) - counted
        self.total_s += sum(ordered[bisect_right(ordered, 0) :])

    def merge(self, other: "Histogram") -> None:
        """Count another's durations, too."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.total_s += other.total_s

    def cumulative(self) -> list[tuple[str, float]]:
        """(upper bound, how many up to it) as Prometheus has it, ending with +Inf."""
        reached = 0
        rows = []
        names = [*map(str, BOUNDS_S), "+Inf"]
        for name, count in zip(names, self.counts, strict=True):
            reached += count
            rows.append((name, float(reached)))
        return rows


def quantile(histograms: Sequence[Histogram], share: float) -> float | None:
    """The duration below which `share` of all lie, seconds, linear within its bin; None without any.

    As PromQL's histogram_quantile, the last bound stands for all that is longer.
    """
    merged = Histogram()
    for one in histograms:
        merged.merge(one)
    wanted = share * sum(merged.counts)
    if wanted <= 0:
        return None
    low = 0.0
    for bound, count in zip(BOUNDS_S, merged.counts, strict=False):
        if wanted <= count:
            return low + (bound - low) * wanted / count
        wanted -= count
        low = bound
    return low
