"""Derived figures of areas at one moment: gathers their inputs from what the hub reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tsuji_platform.analytics import combine, gathering
from tsuji_platform.analytics.derivation import Derived, Inputs, absent
from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.estimate import Estimate
from tsuji_platform.analytics.readings import FigureValue, Reading
from tsuji_platform.analytics.suppression import COUNT_INPUTS, SUPPRESSED
from tsuji_platform.analytics.usual import Usual
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.nearby import AreaFigures, distances
from tsuji_platform.api.typical_models import TypicalNow
from tsuji_platform.store.day_inputs import BOTH_WAYS, PM2_5
from tsuji_platform.store.records import ThingRow

_MADE_OF = {
    "pedestrian_flow": ("footfall",),
    "typical_percent": ("footfall",),
    "winds": ("wind_speed", "wind_from_direction"),
}
"""Inputs that are no figures themselves, and the figures that they come from."""
_OF_COUNTS = frozenset({"pedestrian_flow", "typical_percent", "people_inside"})
"""Inputs that are made of counts, all of which must be told."""
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
    known = _known(hub, moment)
    hidden = {it.thing_id for it in moment.totals if it.left_out}
    found = {}
    for code in codes:
        members = moment.membership.get(code, ())
        figures = moment.figures.get(code, {})
        usual = moment.usual.get(code, {}).get("footfall")
        inputs = gathering.inputs_of(
            known,
            {name: it.value for name, it in figures.items()},
            members,
            None if usual is None else Usual(**usual.model_dump()),
            _estimated_wind(figures),
        )
        found[code] = {
            figure.id: _told(figure.derive(inputs), figure.inputs, inputs, figures)
            for figure in DERIVED.values()
        }
        if not hidden.isdisjoint(members):
            found[code] = {name: _suppressed(name, it) for name, it in found[code].items()}
    return found


def _suppressed(name: str, it: DerivedNow) -> DerivedNow:
    """Why there is no value where it would be made of counts some of which are withheld."""
    if it.derived.value is not None or it.derived.band is not None:
        return it
    if COUNT_INPUTS.isdisjoint(DERIVED[name].inputs):
        return it
    return replace(it, derived=absent(SUPPRESSED.english, SUPPRESSED.japanese))


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


def _estimated_wind(figures: Mapping[str, FigureValue]) -> list[tuple[float, float]]:
    """Of an area without any wind of its own; a mean of measured parts of different things is none."""
    speed, direction = figures.get("wind_speed"), figures.get("wind_from_direction")
    if isinstance(speed, Estimate) and isinstance(direction, Estimate):
        return [(speed.value, direction.value)]
    return []


def _known(hub: Hub, moment: Situation) -> gathering.Known:
    members = {one for its in moment.membership.values() for one in its}
    things = {one: moment.rows[one].thing for one in members}
    places = [
        one for one, it in things.items() if it.capacity and set(BOTH_WAYS) <= set(it.datastreams)
    ]
    air = [one for one, it in things.items() if PM2_5 in it.datastreams]
    widths = {one: row.thing.effective_width_m for one, row in moment.rows.items()}
    return gathering.Known(
        things=combine.of_things(moment.newest, moment.totals),
        flows=gathering.flows(moment.totals, widths),
        inside=hub.day_inputs.inside(places, moment.time),
        capacities={one: it.capacity for one, it in things.items()},
        hours=hub.day_inputs.pm2_5_hours(air, moment.time),
    )
