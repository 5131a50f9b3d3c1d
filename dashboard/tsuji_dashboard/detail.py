"""What the detail panel needs of the API for one selection, gathered at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Literal

from tsuji_dashboard.asking import all_of, or_none
from tsuji_dashboard.client import (
    Api,
    Area,
    Series,
    Thing,
    Typical,
    instant,
)
from tsuji_dashboard.profile import Profile
from tsuji_dashboard.shown import SHOWN
from tsuji_dashboard.texts import DEFAULT, LANGUAGES, Lang
from tsuji_dashboard.usual import PEOPLE, days_of
from tsuji_platform.analytics.figures import FIGURES, Figure
from tsuji_platform.contract import OBSERVED_PROPERTIES

NEIGHBOURS_S = 3.0
"""How long the list of things is kept: a panel asks for it once per refresh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the reader has chosen, as the browser's store holds it.

    Attributes:
        kind: `area` or `thing`.
        area_set: the area set on the map.
        id: the area's code or the thing's id.
        figure: the figure on the map; its chart comes first.
        at: the past moment shown, RFC 3339, or None for live.
    """

    kind: Literal["area", "thing"]
    area_set: str
    id: str
    figure: str
    lang: Lang
    theme: Literal["light", "dark"]
    at: str | None

    @classmethod
    def read(cls, data: Mapping[str, Any] | None) -> "Selection | None":
        """Take the store's content; None where nothing or nothing sensible is selected."""
        if not data or data.get("kind") not in ("area", "thing") or not data.get("id"):
            return None
        at = data.get("at")
        try:
            instant(at)
        except (ValueError, TypeError):
            at = None
        return cls(
            kind="area" if data["kind"] == "area" else "thing",
            area_set=str(data.get("set") or ""),
            id=str(data["id"]),
            figure=str(data.get("figure") or ""),
            lang=next((lang for lang in LANGUAGES if lang == data.get("lang")), DEFAULT),
            theme="dark" if data.get("theme") == "dark" else "light",
            at=at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A thing as the list in an area's detail shows it."""

    id: str
    name: str
    name_en: str
    kind: str
    state: str
    measures: frozenset[str]
    last_observed_at: str | None


Typicals = Mapping[str, Sequence[Typical | None]]
"""What is usual on the days of a series, by figure or observed property; None where that failed."""
Part = Literal["first", "others", "moment"]
"""Which series: that of the chosen figure, which the panel leads with, all the others, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaDetail:
    """An area, its things, what they measure, and the series asked for (None where one failed)."""

    area: Area
    things: tuple[Neighbour, ...]
    measures: tuple[str, ...]
    series: Mapping[str, Series | None]
    typical: Typicals = field(default_factory=dict)
    profile: Profile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingDetail:
    """A thing, what it measures, and the series asked for (None where one failed)."""

    thing: Thing
    measures: tuple[str, ...]
    series: Mapping[str, Series | None]
    typical: Typicals = field(default_factory=dict)


class Details:
    """Gathers details from the API.

    Args:
        api: the data API.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._things: Mapping[str, Neighbour] = {}
        self._things_until = 0.0

    async def of(self, selection: Selection, part: Part) -> AreaDetail | ThingDetail:
        """The selected area or thing with a part of its series.

        Raises:
            UnknownError: where there is no such area or thing.
            ApiAwayError: where the API can't be reached.
        """
        if selection.kind == "thing":
            return await self._thing(selection, part)
        return await self._area(selection, part)

    async def _area(self, selection: Selection, part: Part) -> AreaDetail:
        area, everything = await asyncio.gather(
            self._api.area(selection.area_set, selection.id, selection.at), self._neighbours()
        )
        things = tuple(everything[i] for i in area.things if i in everything)
        measured = frozenset[str]().union(*(thing.measures for thing in things))
        measures = sorted(
            (
                figure.id
                for figure in FIGURES.values()
                if figure.id in area.figures or measured.intersection(figure.properties)
            ),
            key=lambda key: (key != selection.figure, _apart(key, selection.figure)),
        )
        wanted = _part(measures, part)
        where = selection.area_set, selection.id
        found, typical, profile = await asyncio.gather(
            all_of(self._api.area_series(*where, key, selection.at) for key in wanted),
            _typicals(wanted, selection.at, partial(self._api.area_typical, *where)),
            self._profile(selection, part),
        )
        return AreaDetail(
            area=area,
            things=things,
            measures=tuple(measures),
            series=dict(zip(wanted, found, strict=True)),
            typical=typical,
            profile=profile,
        )

    async def _profile(self, selection: Selection, part: Part) -> Profile | None:
        """What else is known of the area; what comes later than the panel's first part has no use for it."""
        if part == "others":
            return None
        return await or_none(self._api.area_profile(selection.area_set, selection.id, selection.at))

    async def _thing(self, selection: Selection, part: Part) -> ThingDetail:
        thing = await self._api.thing(selection.id)
        shown = FIGURES.get(selection.figure)
        order = list(OBSERVED_PROPERTIES)
        measures = sorted(
            (stream for stream in thing.datastreams if stream in OBSERVED_PROPERTIES),
            key=lambda stream: (_aside(shown, stream), order.index(stream)),
        )
        wanted = _part(measures, part)
        found, typical = await asyncio.gather(
            all_of(self._api.thing_series(thing.id, key, selection.at) for key in wanted),
            _typicals(wanted, selection.at, partial(self._api.thing_typical, thing.id)),
        )
        return ThingDetail(
            thing=thing,
            measures=tuple(measures),
            series=dict(zip(wanted, found, strict=True)),
            typical=typical,
        )

    async def _neighbours(self) -> Mapping[str, Neighbour]:
        if time.monotonic() > self._things_until:
            body = await self._api.get("/v1/things.geojson")
            self._things = {thing.id: thing for thing in map(_neighbour, body["features"])}
            self._things_until = time.monotonic() + NEIGHBOURS_S
        return self._things


def _neighbour(feature: Mapping[str, Any]) -> Neighbour:
    known = feature["properties"]
    name = known.get("name") or known["id"]
    return Neighbour(
        id=known["id"],
        name=name,
        name_en=known.get("name_en") or name,
        kind=known["kind"],
        state=known["state"],
        measures=frozenset(known.get("latest") or ()),
        last_observed_at=known.get("last_observed_at"),
    )


def _part(measures: Sequence[str], part: Part) -> Sequence[str]:
    return {"first": measures[:1], "others": measures[1:], "moment": ()}[part]


def _apart(key: str, chosen: str) -> bool:
    """Whether a figure has nothing to do with the derived one on the map."""
    shown = SHOWN.get(chosen)
    return shown is None or not set(shown.properties).intersection(FIGURES[key].properties)


def _aside(figure: Figure | None, stream: str) -> bool:
    return figure is None or stream not in figure.properties


async def _typicals(
    wanted: Sequence[str],
    at: str | None,
    ask: Callable[[str, date], Awaitable[Typical]],
) -> Typicals:
    """What is usual for the counts among what is wanted, on the days that their charts show."""
    people, days = [key for key in wanted if key in PEOPLE], days_of(at)
    found = await all_of(ask(key, day) for key in people for day in days)
    return {key: found[i * len(days) : (i + 1) * len(days)] for i, key in enumerate(people)}
