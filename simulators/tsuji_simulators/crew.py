"""Things that are alike, computed together: a call for ten thousand costs little more than one for one."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tsuji_simulators.fleet import Member
from tsuji_simulators.ground import Degrees, Place
from tsuji_simulators.people import STREAMS
from tsuji_simulators.randomness import Floats, key


class Crew:
    """Members with the same observed properties, kind of place and interval.

    What differs between them are columns: arrays with a row for each and one entry, which broadcast with
    times along the last axis.

    Args:
        members: of which the first speaks for what they have in common.

    Attributes:
        members: in the order given.
        site: where they stand.
        people_per_day: who pass; 0 where nobody is counted.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        first = members[0]
        self.members = tuple(members)
        self.place = first.place
        self.datastreams = first.datastreams
        self.interval_s = first.interval_s
        self.site = Place(
            latitude=_column(one.site.latitude for one in members),
            longitude=_column(one.site.longitude for one in members),
            height_m=_column(one.site.height_m for one in members),
            utc_offset_s=first.site.utc_offset_s,
        )
        self.people_per_day = _column(one.people_per_day or 0.0 for one in members)
        self.offset_s = np.array([one.offset_s for one in members], dtype=np.int64)
        self._keys: dict[tuple[object, ...], NDArray[np.uint64]] = {}

    def __len__(self) -> int:
        return len(self.members)

    def keys(self, seed: int, purpose: str, detail: str | None = None) -> NDArray[np.uint64]:
        """The random stream of each member for some purpose."""
        named = (seed, purpose, detail)
        if named not in self._keys:
            more = () if detail is None else (detail,)
            drawn = [key(seed, purpose, one.id, *more) for one in self.members]
            self._keys[named] = np.array(drawn, dtype=np.uint64)[:, None]
        return self._keys[named]

    def counting(self, seed: int) -> dict[str, NDArray[np.uint64]]:
        """The random streams of counters."""
        return {name: self.keys(seed, name) for name in STREAMS}

    def some(self, rows: NDArray[np.int64]) -> "Crew":
        """Only these of them."""
        return Crew([self.members[row] for row in rows.tolist()])


def crews(members: Iterable[Member]) -> list[Crew]:
    """Members in crews, in the order in which the first of each comes."""
    alike: dict[tuple[object, ...], list[Member]] = {}
    for one in members:
        alike.setdefault(
            (one.datastreams, one.place, one.interval_s, one.site.utc_offset_s), []
        ).append(one)
    return [Crew(found) for found in alike.values()]


def _column(values: Iterable[Degrees]) -> Floats:
    return np.array(list(values), dtype=np.float64)[:, None]
