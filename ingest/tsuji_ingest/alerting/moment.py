"""The figures of things and areas at one moment, for rules: the same as snapshots of that moment show."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tsuji_platform.analytics import combine, gathering
from tsuji_platform.analytics.alert_rules import Rule, Source
from tsuji_platform.analytics.derivation import Inputs
from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.figures import FIGURES, FOOTFALL_PROPERTIES, WINDOW
from tsuji_platform.analytics.usual import Usual
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation
from tsuji_platform.store.alert_turn import Turn

_TYPICAL = ("typical_percent", "typical_q1", "typical_median", "typical_q3")
_PLACE = ("people_inside", "capacity")
_DAY = "pm2_5_hours"
_OF_PROPERTIES = {
    "pedestrian_flow": FOOTFALL_PROPERTIES,
    "winds": ("wind_speed", "wind_from_direction"),
    **dict.fromkeys(_TYPICAL, FOOTFALL_PROPERTIES),
    **dict.fromkeys((*_PLACE, _DAY), ()),
}
"""Inputs that are no observed properties, and those of which the last hour is needed for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The values of a rule's figure.

    Attributes:
        values: by thing id or area code, of those that have one.
        reason: where none has: why most of them have not.
    """

    values: Mapping[str, float]
    reason: str = ""


def properties_of(rules: Iterable[Rule]) -> list[str]:
    """The observed properties that the figures of some rules are made of, of the last hour."""
    wanted: set[str] = set()
    for rule in rules:
        if rule.source is not Source.FIGURES or rule.figure is None:
            continue
        if rule.figure in FIGURES:
            wanted.update(FIGURES[rule.figure].properties)
        else:
            for name in DERIVED[rule.figure].inputs:
                wanted.update(_OF_PROPERTIES.get(name, (name,)))
    return sorted(wanted)


class Moment:
    """What can be known of a moment from the observations up to it.

    Args:
        turn: reads them.
        rules: whose figures are wanted.
        at: the moment.
    """

    def __init__(self, turn: Turn, rules: Sequence[Rule], at: datetime) -> None:
        self._turn = turn
        self.at = at
        wanted = properties_of(rules)
        summed = [n for n in wanted if OBSERVED_PROPERTIES[n].aggregation is Aggregation.SUM]
        rest = [name for name in wanted if name not in summed]
        newest = turn.newest_until(rest, at - WINDOW, at) if rest else []
        self._totals = turn.totals(summed, WINDOW, at) if summed else []
        self._things = combine.of_things(newest, self._totals)
        derived = {rule.figure or "" for rule in rules} & DERIVED.keys()
        self._inputs = {name for figure in derived for name in DERIVED[figure].inputs}
        self._known = self._more()
        self._areas: dict[str, _Subjects] = {}

    def _more(self) -> gathering.Known:
        """What derived figures need of more than the things' own figures."""
        flows, places, air = (
            not self._inputs.isdisjoint(names) for names in (("pedestrian_flow",), _PLACE, (_DAY,))
        )
        if not (flows or places or air):
            return gathering.Known(things=self._things)
        counting, day = self._turn.counters(), self._turn.past.day
        widths = {one.thing_id: one.effective_width_m for one in counting}
        both_ways = [one.thing_id for one in counting if one.capacity and one.both_ways]
        measuring = [one.thing_id for one in counting if one.pm2_5]
        return gathering.Known(
            things=self._things,
            flows=gathering.flows(self._totals, widths) if flows else {},
            inside=day.inside(both_ways, self.at) if places else {},
            capacities={one.thing_id: one.capacity for one in counting},
            hours=day.pm2_5_hours(measuring, self.at) if air else {},
        )

    def of_things(self, rule: Rule, thing_ids: Sequence[str]) -> Found:
        """A rule's figure of each of some things that has it."""
        figures = {
            one: {name: it.value for name, it in self._things[one].items()}
            for one in thing_ids
            if one in self._things
        }
        return self._found(rule, _Subjects(figures, {one: [one] for one in thing_ids}), thing_ids)

    def of_areas(self, rule: Rule, area_set_id: str) -> Found:
        """A rule's figure of each of its areas that has it, by code."""
        if area_set_id not in self._areas:
            members = self._turn.membership(area_set_id)
            figures = {
                code: {name: one.value for name, one in figures.items()}
                for code, figures in combine.of_areas(self._things, members).items()
            }
            self._areas[area_set_id] = _Subjects(figures, members)
        areas = self._areas[area_set_id]
        chosen = None if rule.areas is None else rule.areas.codes
        codes = areas.members if chosen is None else [c for c in chosen if c in areas.members]
        return self._found(rule, areas, codes)

    def _found(self, rule: Rule, subjects: "_Subjects", codes: Collection[str]) -> Found:
        name = rule.figure or ""
        if not codes:
            return Found(values={}, reason="no thing stands there")
        if name in FIGURES:
            figures = subjects.figures
            values = {c: figures[c][name] for c in codes if name in figures.get(c, ())}
            reason = f"nothing was measured of {name} in the last hour"
            return Found(values=values, reason="" if values else reason)
        if subjects.inputs is None:
            subjects.inputs = self._inputs_of(subjects)
        values, reasons = {}, Counter[str]()
        for code in codes:
            derived = DERIVED[name].derive(subjects.inputs[code])
            value = rule.value_of(derived)
            if value is None:
                reasons[derived.reason] += 1
            else:
                values[code] = value
        reason = "" if values else reasons.most_common(1)[0][0]
        return Found(values=values, reason=reason)

    def _inputs_of(self, subjects: "_Subjects") -> dict[str, Inputs]:
        members = subjects.members
        usual: Mapping[str, Usual] = {}
        if not self._inputs.isdisjoint(_TYPICAL):
            usual = self._turn.past.usual.of_areas(self._totals, members, self.at)
        return {
            code: gathering.inputs_of(
                self._known, subjects.figures.get(code, {}), its, usual.get(code)
            )
            for code, its in members.items()
        }


class _Subjects:
    """Things, or the areas of a set.

    Attributes:
        figures: of those that have any.
        members: ids of the things that speak for each.
        inputs: of derived figures; None until they are needed.
    """

    def __init__(
        self, figures: Mapping[str, Mapping[str, float]], members: Mapping[str, Sequence[str]]
    ) -> None:
        self.figures = figures
        self.members = members
        self.inputs: dict[str, Inputs] | None = None
