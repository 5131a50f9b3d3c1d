"""Weather of areas without a sensor of their own: who speaks for them is looked up once and held."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tsuji_platform.analytics import combine, estimate
from tsuji_platform.analytics.estimate import Estimate, Neighbour
from tsuji_platform.analytics.readings import FigureValue, Reading
from tsuji_platform.store.neighbours import Neighbours

AreaFigures = dict[str, dict[str, FigureValue]]
"""Figures by area code, then by figure id; estimated ones are `Estimate`s."""
_Held = tuple[datetime | None, Mapping[str, Sequence[Neighbour]]]


class Nearby:
    """The things near each area, by area set, anew whenever geo has weighed them anew."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def of_set(self, area_set_id: str) -> Mapping[str, Sequence[Neighbour]]:
        """Neighbours by area code; areas in which everything is measured have none."""
        version = self._neighbours.version(area_set_id)
        with self._lock:
            held = self._held.get(area_set_id)
        if held is None or held[0] != version:
            # the version is the older one: what changes in between is looked up again
            held = version, {} if version is None else self._neighbours.of_set(area_set_id)
            with self._lock:
                self._held[area_set_id] = held
        return held[1]

    def figures(
        self,
        area_set_id: str,
        newest: Iterable[Reading],
        totals: Iterable[Reading],
        membership: Mapping[str, Sequence[str]],
        code: str | None = None,
    ) -> AreaFigures:
        """Measured figures of areas, and estimated ones where nothing is measured.

        Args:
            area_set_id: whose areas.
            newest: see `combine.of_things`.
            totals: see `combine.of_things`.
            membership: ids of the things in each area, of all or of the one.
            code: only of this area; None for all.
        """
        things = combine.of_things(newest, totals)
        measured = combine.of_areas(things, membership)
        near = self.of_set(area_set_id)
        if code is not None:
            near = {code: near.get(code, ())}
        for area, estimates in estimate.of_areas(things, near).items():
            measured[area] = {**estimates, **measured.get(area, {})}
        return measured


def distances(*figures: FigureValue) -> dict[str, float] | None:
    """How far away that is of which figures are made, metres; None where all are measured."""
    estimates = [one for one in figures if isinstance(one, Estimate)]
    if not estimates:
        return None
    return {
        "distance_m": round(min(one.distance_m for one in estimates)),
        "farthest_m": round(max(one.farthest_m for one in estimates)),
    }
