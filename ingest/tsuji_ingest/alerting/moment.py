"""The figures of things and areas at one moment, for rules: the same as snapshots of that moment show."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tsuji_platform.analytics import combine, gathering
from tsuji_platform.analytics.alert_rules import Rule, Source
from tsuji_platform.analytics.derivation import Inputs
from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.figures import FIGURES, FOOTFALL_PROPERTIES, WINDOW
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation
from tsuji_platform.store.alert_turn import Turn

_WINDS = ("wind_speed", "wind_from_direction")
_INPUT_PROPERTIES = {"pedestrian_flow": FOOTFALL_PROPERTIES, "winds": _WINDS}


def properties_of(rules: Iterable[Rule]) -> list[str]:
    """The observed properties that the figures of some rules are made of."""
    wanted: set[str] = set()
    for rule in rules:
        if rule.source is not Source.FIGURES or rule.figure is None:
            continue
        if rule.figure in FIGURES:
            wanted.update(FIGURES[rule.figure].properties)
        else:
            for name in DERIVED[rule.figure].inputs:
                wanted.update(_INPUT_PROPERTIES.get(name, (name,)))
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
        totals = turn.totals(summed, WINDOW, at) if summed else []
        self._things = combine.of_things(newest, totals)
        flows = any("pedestrian_flow" in _inputs(rule) for rule in rules)
        self._flows = gathering.flows(totals, turn.widths()) if flows else {}
        self._areas: dict[str, dict[str, dict[str, float]]] = {}
        self._members: dict[str, dict[str, list[str]]] = {}

    def of_things(self, figure: str, thing_ids: Iterable[str]) -> dict[str, float]:
        """A figure of each of some things that has it."""
        found = {}
        for thing_id in thing_ids:
            said = self._things.get(thing_id)
            if said is not None:
                value = self._value(
                    figure, {name: one.value for name, one in said.items()}, [thing_id]
                )
                if value is not None:
                    found[thing_id] = value
        return found

    def of_areas(self, figure: str, area_set_id: str) -> dict[str, float]:
        """A figure of each area of a set that has it, by code."""
        if area_set_id not in self._areas:
            members = self._members[area_set_id] = self._turn.membership(area_set_id)
            self._areas[area_set_id] = {
                code: {name: one.value for name, one in figures.items()}
                for code, figures in combine.of_areas(self._things, members).items()
            }
        found = {}
        for code, figures in self._areas[area_set_id].items():
            value = self._value(figure, figures, self._members[area_set_id][code])
            if value is not None:
                found[code] = value
        return found

    def _value(
        self, figure: str, figures: Mapping[str, float], members: Sequence[str]
    ) -> float | None:
        if figure in FIGURES:
            return figures.get(figure)
        winds = gathering.winds(self._things, members) if "winds" in DERIVED[figure].inputs else ()
        values = gathering.values(figures, self._flows, members)
        value = DERIVED[figure].derive(Inputs(values=values, winds=winds)).value
        return None if value is None else float(value)  # a level may be a whole number


def _inputs(rule: Rule) -> tuple[str, ...]:
    known = DERIVED.get(rule.figure or "")
    return () if known is None else known.inputs
