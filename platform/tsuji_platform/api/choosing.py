"""The filters that lists of things, datastreams and observations share: they name what there isn't."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated

from fastapi import Depends, Query
from pydantic import StringConstraints

from tsuji_platform.api.bbox import parse_bbox
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.hub import Hub, HubDep
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.contract.topics import THING_ID
from tsuji_platform.store.finding import ThingFilter
from tsuji_platform.store.live import Live

MOST_NAMES = 1_000
_SHOWN = 20
ThingId = Annotated[str, StringConstraints(pattern=f"^{THING_ID.pattern}$")]
Name = Annotated[str, StringConstraints(max_length=64)]
Kind = Annotated[
    str | None,
    Query(max_length=64, description="only of things of this kind", examples=["smart_pole"]),
]
BoxQuery = Annotated[
    str | None,
    Query(
        max_length=200,
        description="west,south,east,north in degrees, WGS 84: only what lies within",
        examples=["139.69,35.68,139.71,35.70"],
    ),
]
AreaSetQuery = Annotated[
    str | None,
    Query(
        min_length=1,  # an empty one must not mean all
        max_length=64,
        description="only of things that stand in areas of this set",
        examples=["mesh500-central"],
    ),
]
AreaQuery = Annotated[
    list[Name] | None,
    Query(
        description="codes: only of things in these areas of `area_set`; may be repeated",
        examples=[["533945373"]],
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a list is narrowed to.

    Attributes:
        thing_ids: only of these things; None for all.
        observed_properties: only of these; empty for all.
    """

    thing_ids: Sequence[str] | None
    observed_properties: Sequence[str]


def _chosen(
    hub: HubDep,
    thing: Annotated[
        list[ThingId] | None,
        Query(description="only of these things; may be repeated", examples=[["pole-001"]]),
    ] = None,
    kind: Kind = None,
    observed_property: Annotated[
        list[Name] | None,
        Query(description="only of these; may be repeated", examples=[["air_temperature"]]),
    ] = None,
    area_set: AreaSetQuery = None,
    area: AreaQuery = None,
    bbox: BoxQuery = None,
) -> Chosen:
    for name in observed_property or ():
        if name not in OBSERVED_PROPERTIES:
            raise BadParameterError(
                f"observed_property {name!r:.80} is not one of " + ", ".join(OBSERVED_PROPERTIES)
            )
    wanted = ThingFilter(
        thing_ids=thing or (),
        kind=kind,
        bbox=parse_bbox(bbox),
        area_set=area_set,
        areas=area or (),
        observed_properties=observed_property or (),
    )
    return Chosen(
        thing_ids=None if wanted.is_empty() else chosen_things(hub, wanted),
        observed_properties=observed_property or (),
    )


ChosenDep = Annotated[Chosen, Depends(_chosen)]


def chosen_things(hub: Hub, wanted: ThingFilter) -> list[str]:
    """Ids of the things that are wanted; what names one or a kind that there isn't is refused."""
    for name, asked in (("thing", wanted.thing_ids), ("area", wanted.areas)):
        if len(asked) > MOST_NAMES:
            raise BadParameterError(f"{name}: {len(asked)} values are over {MOST_NAMES}")
    if wanted.area_set is not None:
        check_areas(hub, wanted.area_set, wanted.areas)
    elif wanted.areas:
        raise BadParameterError(
            f"area {wanted.areas[0]!r:.80} needs the `area_set` that it belongs to"
        )
    found = hub.finding.things(wanted)
    if wanted.thing_ids and not set(wanted.thing_ids) <= set(found):
        _check("thing", wanted.thing_ids, hub.finding.thing_ids(), "/v1/things")
    if wanted.kind is not None and not found:
        _check_kind(wanted.kind, Live(hub.database).kinds())
    return found


def _check_kind(kind: str, known: Sequence[str]) -> None:
    """Refuse a kind that no thing is of; where there are no things yet, any may come."""
    if known and kind not in known:
        there_are = ", ".join(sorted(known)[:_SHOWN])
        raise BadParameterError(f"kind {kind!r:.80} is not known; there are: {there_are}")


def check_areas(hub: Hub, area_set: str, areas: Sequence[str]) -> None:
    """Refuse an area set, or areas of it, that there aren't."""
    known = [it.area_set_id for it in hub.areas.sets()]
    _check("area_set", [area_set], known, "/v1/area-sets")
    if areas:
        _check(
            "area",
            areas,
            hub.finding.area_codes(area_set),
            f"/v1/area-sets/{area_set}/areas",
        )


def check_thing(hub: Hub, thing_id: str) -> None:
    """Refuse a thing that there isn't."""
    if not hub.finding.things(ThingFilter(thing_ids=[thing_id])):
        _check("thing", [thing_id], hub.finding.thing_ids(), "/v1/things")


def _check(name: str, wanted: Sequence[str], known: Sequence[str], where: str) -> None:
    there_are = set(known)
    for one in wanted:
        if one not in there_are:
            near = get_close_matches(one, known, n=3, cutoff=0.6)
            hint = f"did you mean {', '.join(near)}?" if near else f"{where} lists what there is"
            raise BadParameterError(f"{name} {one!r:.80} is not known; {hint}")
