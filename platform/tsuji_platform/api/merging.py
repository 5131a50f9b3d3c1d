"""Merges what is measured in areas with what administrative open data says of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tsuji_platform.analytics import merged
from tsuji_platform.analytics.derived import DERIVED
from tsuji_platform.analytics.figures import WINDOW
from tsuji_platform.api import links, models, shape
from tsuji_platform.api.derived_now import DerivedNow, Situation, of_areas, situation_of
from tsuji_platform.api.explain import explained
from tsuji_platform.api.hub import Hub
from tsuji_platform.api.models import profile
from tsuji_platform.store.dataset_records import DatasetRow, FeatureTally, PopulationTotal
from tsuji_platform.store.datasets import SHELTERS, Datasets
from tsuji_platform.store.records import Area, AreaSet

Join = Literal["code", "position"]

NO_PLACES = frozenset({"population", "open_data_list"})
"""Datasets whose rows are no places."""
_SIZE_METHOD = "Area of the exact shape on the ellipsoid of JGD2011 (GRS 80)."
_SIZE_METHOD_JA = "正確な形状の面積(JGD2011の楕円体GRS80上)。"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """All that is known of the areas of a set, or of one of them, at one moment.

    Attributes:
        area_set: which set.
        moment: what is measured.
        derived: by area code and figure id.
        states: state and newest time of every thing, by id.
        sizes: m² by area code.
        people: newest count of residents by area code.
        households: the same of households.
        tallies: what datasets list, by area code, and how these places belong to the area.
        datasets: all datasets by id.
    """

    area_set: AreaSet
    moment: Situation
    derived: Mapping[str, Mapping[str, DerivedNow]]
    states: Mapping[str, Mapping[str, Any]]
    sizes: Mapping[str, float]
    people: Mapping[str, PopulationTotal]
    households: Mapping[str, PopulationTotal]
    tallies: Mapping[str, Sequence[tuple[FeatureTally, Join]]]
    datasets: Mapping[str, DatasetRow] = field(repr=False)


def merge(
    hub: Hub,
    area_set: AreaSet,
    codes: Sequence[str],
    *,
    at: datetime | None,
    join: Join | None,
    code: str | None = None,
) -> Merged:
    """Read all that is known.

    Args:
        hub: to read from.
        area_set: which set.
        codes: of its areas that are asked for.
        at: a past moment; None for now. What open data says does not depend on it.
        join: how listed places belong to areas; None for `_tallies`' choice.
        code: where only this area is asked for; None for all.
    """
    name = area_set.area_set_id
    moment = situation_of(hub, name, at, code)
    open_data = hub.datasets
    rows = list(moment.rows.values())
    states = (
        shape.thing_states(rows, (), moment.time)
        if at is None
        else shape.thing_states_at(rows, moment.newest)
    )
    with hub.database.held():
        derived = of_areas(hub, moment, codes)
        sizes = hub.neighbours.sizes(name, code)
        people = open_data.population(name, code=code)
        households = open_data.population(name, code=code, measure="households")
        tallies = _tallies(open_data, area_set, join, code)
        datasets = {row.dataset_id: row for row in open_data.datasets()}
    # one that was removed since its numbers were read is gone: nobody could be credited with them
    return Merged(
        area_set=area_set,
        moment=moment,
        derived=derived,
        states=states,
        sizes=sizes,
        people={area: it for area, it in people.items() if it.dataset_id in datasets},
        households={area: it for area, it in households.items() if it.dataset_id in datasets},
        tallies={
            area: [(it, by) for it, by in its if it.dataset_id in datasets]
            for area, its in tallies.items()
        },
        datasets=datasets,
    )


def _tallies(
    open_data: Datasets, area_set: AreaSet, join: Join | None, code: str | None
) -> dict[str, list[tuple[FeatureTally, Join]]]:
    """What is listed in each area: in municipalities by code, what none has by code by position."""
    name = area_set.area_set_id
    mixed = join is None and area_set.kind == "municipality"
    joins: tuple[Join, ...] = ("code", "position") if mixed else (join or "position",)
    found: defaultdict[str, list[tuple[FeatureTally, Join]]] = defaultdict(list)
    for by in joins:
        for area, its in open_data.tallies(name, join=by, code=code, uncoded=mixed).items():
            found[area] += [(it, by) for it in its]
    return dict(found)


def area_profile(known: Merged, area: Area) -> profile.AreaProfile:
    """One area with everything that is known of it."""
    code, moment = area.code, known.moment
    figures = moment.figures.get(code, {})
    people = known.people.get(code)
    residents = None if people is None else people.count
    footfall = figures.get("footfall")
    shelters, facilities = [], []
    for tally, join in known.tallies.get(code, ()):
        kind = known.datasets[tally.dataset_id].kind
        if kind in NO_PLACES:
            continue
        if kind in SHELTERS:
            shelters.append(_shelters(known, tally, join, residents))
        else:
            facilities.append(
                profile.Listed(
                    kind=kind,
                    features=tally.features,
                    join=join,
                    source=_source(known, tally.dataset_id),
                )
            )
    return profile.AreaProfile(
        area_set=known.area_set.area_set_id,
        code=code,
        name=area.name,
        name_en=area.name_en,
        time=moment.time,
        window_s=int(WINDOW.total_seconds()),
        size=profile.Size(
            km2=km2(known.sizes.get(code)),
            source=known.area_set.source,
            method=_SIZE_METHOD,
            method_ja=_SIZE_METHOD_JA,
        ),
        figures=explained(
            figures,
            moment.usual.get(code, {}),
            moment.time,
            moment.made_of,
            (known.area_set.area_set_id, code),
        ),
        links=links.area(known.area_set.area_set_id, code),
        derived={
            name: profile.ExplainedDerived(**_derived(it), **kind_of(name))
            for name, it in known.derived[code].items()
        },
        population=profile.Population(
            people=None if people is None else _counted(known, people),
            households=_counted(known, known.households[code])
            if code in known.households
            else None,
            density=_rate(merged.density(residents, known.sizes.get(code))),
            counted_per_resident=_rate(
                merged.counted_per_resident(
                    None if footfall is None else footfall.value,
                    residents,
                    suppressed=footfall is not None and footfall.suppressed,
                )
            ),
        ),
        shelters=shelters,
        facilities=facilities,
        sensors=[_sensor(known, one) for one in moment.membership.get(code, ())],
    )


def sources(known: Merged) -> dict[str, Any]:
    """The datasets that features of this answer name, by id."""
    used = {tally.dataset_id for its in known.tallies.values() for tally, _ in its}
    used |= {it.dataset_id for its in (known.people, known.households) for it in its.values()}
    return {name: _source(known, name).model_dump(mode="json") for name in sorted(used)}


def kind_of(name: str) -> dict[str, Any]:
    """How a derived figure is made, as the answers show it."""
    it = DERIVED[name]
    return {
        "id": it.id,
        "label": it.label,
        "label_ja": it.label_ja,
        "unit": it.unit,
        "unit_label": it.unit_label,
        "decimals": it.decimals,
        "inputs": list(it.inputs),
        "source": it.source,
        "method": it.method,
        "method_ja": it.method_ja,
    }


def _derived(it: DerivedNow) -> dict[str, Any]:
    band = it.derived.band
    return {
        "value": it.derived.value,
        "band": band and profile.Band(id=band.id, label=band.label, label_ja=band.label_ja),
        "rule": it.derived.rule,
        "reason": it.derived.reason,
        "reason_ja": it.derived.reason_ja,
        "time": it.time,
        "estimated": None if it.estimated is None else models.Estimated(**it.estimated),
    }


def km2(square_metres: float | None) -> float | None:
    """Square metres as km², to 100 m²."""
    return None if square_metres is None else round(square_metres / 1e6, 4)


def _rate(it: merged.Rate) -> profile.Rate:
    return profile.Rate(
        value=it.value,
        unit=it.kind.unit,
        unit_label=it.kind.unit_label,
        reason=it.reason,
        reason_ja=it.reason_ja,
        method=it.kind.method,
        method_ja=it.kind.method_ja,
    )


def _source(known: Merged, dataset_id: str) -> profile.DatasetSource:
    row = known.datasets[dataset_id]
    return profile.DatasetSource(
        dataset=row.dataset_id,
        title=row.title,
        title_en=row.title_en,
        publisher=row.publisher,
        licence=row.licence,
        source=row.source,
        date=None if row.date is None else str(row.date),
        imported_at=row.imported_at,
    )


def _counted(known: Merged, it: PopulationTotal) -> profile.Counted:
    return profile.Counted(
        count=it.count,
        date=str(it.date),
        series=it.series,
        parts=it.regions,
        source=_source(known, it.dataset_id),
    )


def _shelters(
    known: Merged, tally: FeatureTally, join: Join, residents: int | None
) -> profile.Shelters:
    return profile.Shelters(
        kind=known.datasets[tally.dataset_id].kind,
        features=tally.features,
        join=join,
        source=_source(known, tally.dataset_id),
        with_capacity=tally.with_capacity,
        capacity=tally.capacity,
        capacity_per_resident=_rate(merged.capacity_per_resident(tally.capacity, residents)),
    )


def _sensor(known: Merged, thing_id: str) -> profile.Sensor:
    it, state = known.moment.rows[thing_id].thing, known.states[thing_id]
    return profile.Sensor(
        id=thing_id,
        name=it.name,
        name_en=it.name_en,
        kind=it.kind,
        owner=it.owner,
        state=state["state"],
        last_observed_at=state["last_observed_at"],
        datastreams=list(it.datastreams),
    )
