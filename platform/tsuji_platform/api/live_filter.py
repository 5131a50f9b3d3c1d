"""What one live stream carries: its filters, and which things, figures and alerts pass them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.api.bbox import BBox
from tsuji_platform.api.errors import BadParameterError
from tsuji_platform.api.hub import Hub
from tsuji_platform.contract import OBSERVED_PROPERTIES
from tsuji_platform.store.live import AlertMessage, Live
from tsuji_platform.store.records import ThingRow

_MOST_NAMES = 1_000
_SHOWN = 20


class Part(StrEnum):
    """What a stream may carry."""

    OBSERVATIONS = "observations"
    THINGS = "things"
    AREAS = "areas"
    ALERTS = "alerts"


Boxes = Mapping[str, BBox]
"""West, south, east and north of areas by code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Streams with equal filters get the same bytes.

    Attributes:
        parts: what comes.
        area_set: whose figures come.
        areas: only these of it, and the things in them; empty for all.
        bbox: only things within, and areas that it touches.
        things: only these; empty for all.
        kinds: only things of these; empty for all.
        properties: only these observed properties, and figures made of them; empty for all.
    """

    parts: frozenset[Part]
    area_set: str | None = None
    areas: frozenset[str] = frozenset()
    bbox: BBox | None = None
    things: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    properties: frozenset[str] = frozenset()
    figures: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        made_of = (one.id for one in FIGURES.values() if self.properties & set(one.properties))
        object.__setattr__(self, "figures", frozenset(made_of))

    @property
    def by_area(self) -> bool:
        """Whether things pass by where they stand: a set alone, with figures, chooses the figures only."""
        return bool(self.areas) or (self.area_set is not None and Part.AREAS not in self.parts)

    @property
    def chooses(self) -> bool:
        """Whether only some of all things pass."""
        return bool(self.by_area or self.bbox or self.things or self.kinds)

    def asked(self) -> str:
        """Equal for equal filters, in every process."""
        return "\n".join(
            (
                ",".join(sorted(self.parts)),
                self.area_set or "",
                ",".join(sorted(self.areas)),
                repr(self.bbox),
                ",".join(sorted(self.things)),
                ",".join(sorted(self.kinds)),
                ",".join(sorted(self.properties)),
            )
        )

    def chosen(
        self, rows: Iterable[ThingRow], membership: Mapping[str, Sequence[str]]
    ) -> frozenset[str] | None:
        """Ids of the things that pass; None for all that there are and will be.

        Args:
            rows: all things.
            membership: ids of things by area code, of the area set.
        """
        if not self.chooses:
            return None
        inside: set[str] | None = None
        if self.by_area:
            inside = {
                one
                for code, members in membership.items()
                if not self.areas or code in self.areas
                for one in members
            }
        west, south, east, north = self.bbox or (-180.0, -90.0, 180.0, 90.0)
        return frozenset(
            row.thing.thing_id
            for row in rows
            if (not self.things or row.thing.thing_id in self.things)
            and (not self.kinds or row.thing.kind in self.kinds)
            and (inside is None or row.thing.thing_id in inside)
            and west <= row.thing.longitude <= east
            and south <= row.thing.latitude <= north
        )

    def passes_property(self, observed_property: str) -> bool:
        """Whether observations of it come."""
        return not self.properties or observed_property in self.properties

    def passes_area(self, code: str, boxes: Boxes) -> bool:
        """Whether figures of an area of the set come."""
        if self.areas and code not in self.areas:
            return False
        return self.bbox is None or _touch(self.bbox, boxes.get(code))

    def figures_of(self, figures: Mapping[str, Any]) -> dict[str, Any]:
        """Those that come."""
        if not self.properties:
            return dict(figures)
        return {name: it for name, it in figures.items() if name in self.figures}

    def thing_of(self, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """What comes of a thing; None where it says nothing that comes."""
        if not self.properties:
            return dict(document)
        latest = {name: it for name, it in document["latest"].items() if name in self.properties}
        if not latest:
            return None
        newest = max(it["time"] for it in latest.values())
        return {**document, "last_observed_at": newest, "latest": latest}

    def passes_alert(
        self, message: AlertMessage, things: frozenset[str] | None, boxes: Boxes
    ) -> bool:
        """Whether an alert comes.

        Args:
            message: what is said of it, and what its rule looks at.
            things: those that pass.
            boxes: of the areas of the set.
        """
        if self.properties:
            figure = FIGURES.get(message.figure or "")
            of = {message.observed_property} if figure is None else set(figure.properties)
            if of != {None} and not of & self.properties:
                return False
        data = orjson.loads(message.body)["data"]
        if data["thing"] is not None:
            return things is None or data["thing"] in things
        if self.things or self.kinds:
            return False
        area = data["area"]
        if self.by_area and area["area_set"] != self.area_set:
            return False
        if area["area_set"] == self.area_set:
            return self.passes_area(area["code"], boxes)
        return self.bbox is None and not self.areas


def _touch(bbox: BBox, box: BBox | None) -> bool:
    if box is None:
        return False
    west, south, east, north = bbox
    return west <= box[2] and box[0] <= east and south <= box[3] and box[1] <= north


def checked(hub: Hub, which: Filter) -> Filter:
    """The filter, where everything that it names exists.

    Raises:
        NotFoundError: there is no such area set.
        BadParameterError: it names something else that does not exist, or asks for nothing.
    """
    if which.area_set is not None:
        hub.area_set(which.area_set)
    elif which.areas:
        raise BadParameterError(
            f"area {min(which.areas)!r:.80} needs the `area_set` that it belongs to"
        )
    elif Part.AREAS in which.parts:
        raise BadParameterError(
            "events=areas needs `area_set`, whose figures are to come; /v1/area-sets lists them"
        )
    live = Live(hub.database)
    if which.areas and which.area_set is not None:
        _known("area", which.areas, live.area_boxes(which.area_set), "/v1/area-sets/{id}/areas")
    _known("observed_property", which.properties, OBSERVED_PROPERTIES, "/v1/observed-properties")
    if which.kinds:
        _known("kind", which.kinds, live.kinds(), "/v1/things")
    if which.things:
        there = {row.thing.thing_id for row in hub.things()}
        _known("thing", which.things, there, "/v1/things")
    return which


def _known(name: str, asked: Iterable[str], there: Iterable[str], where: str) -> None:
    asked, there = set(asked), set(there)
    if len(asked) > _MOST_NAMES:
        raise BadParameterError(f"{len(asked)} values of {name} are over {_MOST_NAMES}")
    unknown = sorted(asked - there)
    if unknown:
        shown = sorted(there)[:_SHOWN]
        more = "" if len(there) <= _SHOWN else f" and {len(there) - _SHOWN} more"
        raise BadParameterError(
            f"{name} {unknown[0]!r:.80} is not known here; there are {', '.join(shown) or 'none'}"
            f"{more} ({where})"
        )
