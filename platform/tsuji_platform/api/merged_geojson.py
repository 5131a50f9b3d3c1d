"""The merged view of many areas as GeoJSON: values and times; methods and sources stand beside them."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tsuji_platform.analytics import merged
from tsuji_platform.api import shape
from tsuji_platform.api.derived_now import DerivedNow
from tsuji_platform.api.merging import NO_PLACES, Merged, km2
from tsuji_platform.store.dataset_records import FeatureTally, PopulationTotal
from tsuji_platform.store.datasets import SHELTERS
from tsuji_platform.store.records import Area


def feature(known: Merged, area: Area) -> dict[str, Any]:
    """One area as a GeoJSON feature, plain JSON values: sets have thousands of areas."""
    code, moment = area.code, known.moment
    figures = moment.figures.get(code, {})
    people = known.people.get(code)
    residents = None if people is None else people.count
    footfall = None if "footfall" not in figures else figures["footfall"].told
    members = moment.membership.get(code, ())
    return {
        "type": "Feature",
        "id": code,
        "bbox": area.bbox,
        "geometry": area.geometry,
        "properties": {
            "code": code,
            "name": area.name,
            "name_en": area.name_en,
            "km2": km2(known.sizes.get(code)),
            "figures": shape.figures(figures, moment.usual.get(code, {})),
            "derived": {name: derived_value(it) for name, it in known.derived[code].items()},
            "population": _counted(people),
            "households": _counted(known.households.get(code)),
            "density": merged.density(residents, known.sizes.get(code)).value,
            "counted_per_resident": merged.counted_per_resident(footfall, residents).value,
            "shelters": list(_shelters(known, code, residents)),
            "facilities": list(_facilities(known, code)),
            "sensors": Counter(known.states[one]["state"] for one in members),
        },
    }


def derived_value(it: DerivedNow) -> dict[str, Any]:
    """A derived figure of one area, plain JSON values."""
    told, band = it.derived, it.derived.band
    return {
        "value": told.value,
        "band": band and {"id": band.id, "label": band.label, "label_ja": band.label_ja},
        "rule": told.rule,
        "reason": told.reason,
        "reason_ja": told.reason_ja,
        "time": None if it.time is None else shape.iso(it.time),
        "estimated": it.estimated,
    }


def _counted(it: PopulationTotal | None) -> dict[str, Any] | None:
    if it is None:
        return None
    return {"count": it.count, "date": str(it.date), "dataset": it.dataset_id}


def _listed(known: Merged, tally: FeatureTally, join: str) -> dict[str, Any]:
    return {
        "kind": known.datasets[tally.dataset_id].kind,
        "features": tally.features,
        "join": join,
        "dataset": tally.dataset_id,
    }


def _shelters(known: Merged, code: str, residents: int | None) -> Iterator[dict[str, Any]]:
    for tally, join in known.tallies.get(code, ()):
        if known.datasets[tally.dataset_id].kind in SHELTERS:
            yield _listed(known, tally, join) | {
                "with_capacity": tally.with_capacity,
                "capacity": tally.capacity,
                "capacity_per_resident": merged.capacity_per_resident(
                    tally.capacity, residents
                ).value,
            }


def _facilities(known: Merged, code: str) -> Iterator[dict[str, Any]]:
    for tally, join in known.tallies.get(code, ()):
        if known.datasets[tally.dataset_id].kind not in NO_PLACES | set(SHELTERS):
            yield _listed(known, tally, join)
