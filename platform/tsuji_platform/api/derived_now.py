"""Derived figures of areas at one moment: gathers their inputs from what the hub reads."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tsuji_platform.analytics import combine, gathering
from tsuji_platform.analytics.derivation import Derived, Inputs
from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.estimate import Estimate
from tsuji_platform.analytics.readings import FigureValue, Reading, Step
from tsuji_platform.analytics.typical import midnight, place_of
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.nearby import AreaFigures, distances
from tsuji_platform.api.typical_models import TypicalNow
from tsuji_platform.contract import Aggregation
from tsuji_platform.store import floor_to_step
from tsuji_platform.store.records import ThingRow

_HOUR = timedelta(hours=1)
_STEP = timedelta(minutes=5)
_BOTH_WAYS = ("pedestrians_in", "pedestrians_out")
_MADE_OF = {
    "pedestrian_flow": ("footfall",),
    "typical_percent": ("footfall",),
    "winds": ("wind_speed", "wind_from_direction"),
}
"""Inputs that are no figures themselves, and the figures that they come from."""
_USED: dict[str | None, tuple[str, ...]] = {
    "pedestrian_density": ("pedestrian_density",),
    "pedestrian_flow": ("pedestrian_flow",),
    "percent_of_capacity": DERIVED["percent_of_capacity"].inputs,
    "percent_of_typical": DERIVED["percent_of_typical"].inputs,
}
"""What figures that choose among several are made of, by the rule that they chose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known of the areas of a set at one moment.

    Attributes:
        time: which.
        newest: the newest observation of each datastream.
        totals: sums of the hour.
        made_of: length of the sums that stand in for observations that are gone, see `Moment`.
        rows: all things by id.
        membership: ids of the things in each area.
        figures: of each area, estimated ones among them.
        usual: what is usual for them.
    """

    time: datetime
    newest: Sequence[Reading]
    totals: Sequence[Reading]
    made_of: timedelta | None
    rows: Mapping[str, ThingRow]
    membership: Mapping[str, Sequence[str]]
    figures: AreaFigures
    usual: Mapping[str, Mapping[str, TypicalNow]]


def situation_of(
    hub: Hub, area_set: str, at: datetime | None, code: str | None = None
) -> Situation:
    """Read what is known of all areas of a set, or of the one, now or at a past moment."""
    with hub.database.held():
        readings = hub.readings(at)
        membership = hub.areas.membership(area_set, code)
        rows = {row.thing.thing_id: row for row in hub.things()}
        figures = hub.nearby.figures(area_set, readings.newest, readings.totals, membership, code)
    time = at or hub.clock()
    return Situation(
        time=time,
        newest=readings.newest,
        totals=readings.totals,
        made_of=readings.made_of,
        rows=rows,
        membership=membership,
        figures=figures,
        usual=hub.usual.of_areas(readings.totals, membership, time),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedNow:
    """A derived figure of an area.

    Attributes:
        derived: the figure.
        time: of its oldest input, None without any.
        estimated: distances to the nearest and the farthest thing of which estimated inputs are made;
            None where all are measured.
    """

    derived: Derived
    time: datetime | None
    estimated: dict[str, float] | None


def of_areas(hub: Hub, moment: Situation, codes: Sequence[str]) -> dict[str, dict[str, DerivedNow]]:
    """Every derived figure of some areas, by area code and figure id."""
    things = combine.of_things(moment.newest, moment.totals)
    widths = {one: row.thing.effective_width_m for one, row in moment.rows.items()}
    flows = gathering.flows(moment.totals, widths)
    hours = _hours(hub, moment)
    inside = _inside(hub, moment)
    found = {}
    for code in codes:
        members = moment.membership.get(code, ())
        figures = moment.figures.get(code, {})
        known = gathering.values({name: it.value for name, it in figures.items()}, flows, members)
        places = [one for one in members if one in inside]
        inputs = Inputs(
            values=known
            | _typical(moment.usual.get(code, {}).get("footfall"))
            | gathering.people_inside(
                {one: inside[one][0] for one in places},
                {one: inside[one][1] for one in places},
                {one: moment.rows[one].thing.capacity for one in places},
            ),
            winds=gathering.winds(things, members) or _estimated_wind(figures),
            pm2_5_hours=_means(hours, members),
        )
        found[code] = {
            figure.id: _told(figure.derive(inputs), figure.inputs, inputs, figures)
            for figure in DERIVED.values()
        }
    return found


def _told(
    derived: Derived,
    names: Sequence[str],
    inputs: Inputs,
    figures: Mapping[str, FigureValue],
) -> DerivedNow:
    behind: list[FigureValue] = []
    if derived.value is not None or derived.band is not None:
        rule = derived.rule
        if rule == "level_of_service":
            dense = "pedestrian_density" in inputs.values
            rule = "pedestrian_density" if dense else "pedestrian_flow"
        asked = _USED.get(rule, names)
        used = [name for name in asked if name in inputs.values or name == "winds"]
        made_of = {one for name in used for one in _MADE_OF.get(name, (name,))}
        behind = [figures[one] for one in sorted(made_of) if one in figures]
    return DerivedNow(
        derived=derived,
        time=min((it.time for it in behind), default=None),
        estimated=distances(*behind),
    )


def _typical(usual: TypicalNow | None) -> dict[str, float]:
    if usual is None:
        return {}
    percent = {} if usual.percent is None else {"typical_percent": usual.percent}
    return percent | {
        "typical_q1": usual.q1,
        "typical_median": usual.median,
        "typical_q3": usual.q3,
    }


def _estimated_wind(figures: Mapping[str, FigureValue]) -> list[tuple[float, float]]:
    """Of an area without any wind of its own; a mean of measured parts of different things is none."""
    speed, direction = figures.get("wind_speed"), figures.get("wind_from_direction")
    if isinstance(speed, Estimate) and isinstance(direction, Estimate):
        return [(speed.value, direction.value)]
    return []


def _hours(hub: Hub, moment: Situation) -> dict[str, dict[datetime, float]]:
    """Means of the hours of the last whole Tokyo day, of the things that measure PM2.5, by thing."""
    members = {one for its in moment.membership.values() for one in its}
    asked = [one for one in members if "pm2_5" in moment.rows[one].thing.datastreams]
    if not asked:
        return {}
    end = midnight(place_of(moment.time + timedelta(microseconds=1))[0])
    steps = hub.reader.steps(sorted(asked), ["pm2_5"], end - timedelta(days=1), end, _HOUR)
    found: defaultdict[str, dict[datetime, float]] = defaultdict(dict)
    for step in steps:
        mean = combine.step_value(step, Aggregation.MEAN)
        if mean is not None:
            found[step.thing_id][step.end] = mean
    return dict(found)


def _means(hours: Mapping[str, Mapping[datetime, float]], members: Sequence[str]) -> list[float]:
    """Of each hour the mean over the things that have one."""
    told: defaultdict[datetime, list[float]] = defaultdict(list)
    for one in members:
        for end, mean in hours.get(one, {}).items():
            told[end].append(mean)
    return [sum(means) / len(means) for _, means in sorted(told.items())]


def _inside(hub: Hub, moment: Situation) -> dict[str, tuple[float, float]]:
    """People counted in and out since midnight in Tokyo, of the places with a capacity, by thing."""
    members = {one for its in moment.membership.values() for one in its}
    asked = [
        one
        for one in members
        if moment.rows[one].thing.capacity
        and set(_BOTH_WAYS) <= set(moment.rows[one].thing.datastreams)
    ]
    start = midnight(place_of(moment.time)[0])
    end = floor_to_step(moment.time, _STEP)
    if not asked or end <= start:
        return {}
    sums: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for step in hub.reader.steps(sorted(asked), _BOTH_WAYS, start, end, _STEP):
        _add(sums[step.thing_id], step)
    return {
        one: (its[_BOTH_WAYS[0]], its[_BOTH_WAYS[1]]) for one, its in sums.items() if len(its) == 2
    }


def _add(sums: dict[str, float], step: Step) -> None:
    sums[step.observed_property] = sums.get(step.observed_property, 0) + step.total
