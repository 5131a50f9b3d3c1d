"""Decides when the collected packets go to the database: pure, with a clock of the caller's."""

import math
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Batch(Generic[T]):
    """Collects items until there are enough or the oldest has waited long enough.

    Args:
        limit: items at the most.
        max_weight: sum of the items' weights at the most, but for the last one.
        weigh: an item's weight.
        max_age_s: how long the first item may wait, seconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        limit: int,
        max_age_s: float,
        clock: Callable[[], float],
        *,
        max_weight: float = math.inf,
        weigh: Callable[[T], float] = lambda _item: 0,
    ) -> None:
        self._limit = limit
        self._max_weight = max_weight
        self._weigh = weigh
        self._weight = 0.0
        self._max_age_s = max_age_s
        self._clock = clock
        self._items: list[T] = []
        self._begun = 0.0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: T) -> None:
        """Take one more."""
        if not self._items:
            self._begun = self._clock()
        self._items.append(item)
        self._weight += self._weigh(item)

    @property
    def due(self) -> bool:
        """Whether it is time to store what is here."""
        return bool(self._items) and (
            len(self._items) >= self._limit
            or self._weight >= self._max_weight
            or self.wait_s() <= 0
        )

    def wait_s(self, idle_s: float = 1.0) -> float:
        """How long the next item may be waited for: `idle_s` where nothing is here."""
        if not self._items:
            return idle_s
        return max(0.0, self._begun + self._max_age_s - self._clock())

    def take(self) -> list[T]:
        """Hand over what is here and begin anew."""
        items, self._items, self._weight = self._items, [], 0.0
        return items
