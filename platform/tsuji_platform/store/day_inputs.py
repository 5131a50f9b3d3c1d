"""What derived figures need of the whole day: people inside since midnight, PM2.5 of the day before."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from tsuji_platform.analytics.combine import step_value
from tsuji_platform.analytics.quarters import midnight, place_of
from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.contract import Aggregation
from tsuji_platform.store.cover import floor_to_step
from tsuji_platform.store.database import Database
from tsuji_platform.store.history import History

BOTH_WAYS = ("pedestrians_in", "pedestrians_out")
"""A place whose people are known counts both."""
PM2_5 = "pm2_5"
_STEP = timedelta(minutes=5)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class DayInputs:
    """Read access to them.

    Args:
        database: which.
        gate: withholds small counts.
    """

    def __init__(self, database: Database, gate: Gate = OPEN) -> None:
        self._history = History(database, gate)

    def inside(self, places: Sequence[str], at: datetime) -> dict[str, tuple[float, float]]:
        """People counted in and out since midnight in Tokyo, by thing, of those that have both.

        Where a small count is withheld the place is left out: a difference of parts would say nothing.

        Args:
            places: ids of things with a capacity that count both ways.
            at: the moment; the last full five minutes before it count.
        """
        start, end = midnight(place_of(at)[0]), floor_to_step(at, _STEP)
        if not places or end <= start:
            return {}
        sums: defaultdict[str, dict[str, float]] = defaultdict(dict)
        hidden: set[str] = set()
        for step in self._history.steps(sorted(places), BOTH_WAYS, start, end, _STEP):
            if step.left_out:
                hidden.add(step.thing_id)
            its = sums[step.thing_id]
            its[step.observed_property] = its.get(step.observed_property, 0) + step.total
        return {
            one: (its[BOTH_WAYS[0]], its[BOTH_WAYS[1]])
            for one, its in sums.items()
            if len(its) == len(BOTH_WAYS) and one not in hidden
        }

    def pm2_5_hours(
        self, thing_ids: Sequence[str], at: datetime
    ) -> dict[str, dict[datetime, float]]:
        """Means of the hours of the last whole Tokyo day, µg/m³, by thing and the hour's end.

        Args:
            thing_ids: of things that measure PM2.5.
            at: a day that ends with it is whole.
        """
        if not thing_ids:
            return {}
        end = midnight(place_of(at + timedelta(microseconds=1))[0])
        found: defaultdict[str, dict[datetime, float]] = defaultdict(dict)
        for step in self._history.steps(sorted(thing_ids), [PM2_5], end - _DAY, end, _HOUR):
            mean = step_value(step, Aggregation.MEAN)
            if mean is not None:
                found[step.thing_id][step.end] = mean
        return dict(found)
