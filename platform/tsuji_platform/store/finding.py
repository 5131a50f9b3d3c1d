"""Which things a caller means: by id, kind, place, area and what they measure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tsuji_platform.analytics.suppression import OPEN, Gate, withholds
from tsuji_platform.store import queries
from tsuji_platform.store.counting import Way, count
from tsuji_platform.store.database import Database

_SQL = queries.load("finding")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingFilter:
    """Which things are wanted; what is None or empty is not looked at.

    Attributes:
        thing_ids: only these.
        kind: only of this kind.
        bbox: west, south, east, north, degrees.
        area_set: only what stands in areas of this set.
        areas: codes; only in these of `area_set`.
        observed_properties: only what measures one of these now.
    """

    thing_ids: Sequence[str] = ()
    kind: str | None = None
    bbox: tuple[float, float, float, float] | None = None
    area_set: str | None = None
    areas: Sequence[str] = ()
    observed_properties: Sequence[str] = ()

    def is_empty(self) -> bool:
        """Whether all things meet it."""
        return self == ThingFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatastreamRow:
    """A datastream that its thing lists, with its newest observation; None before the first, or withheld."""

    thing_id: str
    observed_property: str
    phenomenon_time: datetime | None
    result: float | None
    period_s: int | None
    suppressed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What is measured, where and when.

    Attributes:
        observed_property: what.
        bbox: of the things that measure it: west, south, east, north, degrees.
        first_day: day in Tokyo on which the first value ends that there is.
        last_day: and the newest.
    """

    observed_property: str
    bbox: tuple[float, float, float, float]
    first_day: date
    last_day: date


class Finding:
    """Finds things and datastreams of one database.

    Args:
        database: which.
        gate: withholds small counts.
    """

    def __init__(self, database: Database, gate: Gate = OPEN) -> None:
        self._database = database
        self._gate = gate

    def observed(self) -> dict[str, Observed]:
        """What things measure now, where, and from which day to which, by observed property."""
        return {
            row["observed_property"]: Observed(
                observed_property=row["observed_property"],
                bbox=(row["west"], row["south"], row["east"], row["north"]),
                first_day=row["first_day"],
                last_day=row["last_day"],
            )
            for row in self._database.rows(_SQL["observed"])
        }

    def things(self, wanted: ThingFilter) -> list[str]:
        """Ids of the things that are wanted, in order."""
        west, south, east, north = wanted.bbox or (None, None, None, None)
        values: dict[str, Any] = {
            "thing_ids": list(wanted.thing_ids) or None,
            "kind": wanted.kind,
            "west": west,
            "south": south,
            "east": east,
            "north": north,
            "area_set_id": wanted.area_set,
            "codes": list(wanted.areas) or None,
            "observed_properties": list(wanted.observed_properties) or None,
        }
        return [row["thing_id"] for row in self._database.rows(_SQL["chosen_things"], values)]

    def has_thing(self, thing_id: str) -> bool:
        """Whether there is a thing of this id."""
        return bool(self._database.rows(_SQL["has_thing"], {"thing_id": thing_id}))

    def thing_ids(self) -> list[str]:
        """Of all things."""
        return [row["name"] for row in self._database.rows(_SQL["thing_ids"])]

    def area_codes(self, area_set_id: str) -> list[str]:
        """Of all areas of a set."""
        rows = self._database.rows(_SQL["area_codes"], {"area_set_id": area_set_id})
        return [row["name"] for row in rows]

    def count_observations(
        self,
        thing_id: str,
        start: datetime,
        end: datetime,
        way: Way,
        observed_property: str | None = None,
    ) -> int:
        """How many observations a thing has with start < phenomenon time ≤ end."""
        asked = {
            "thing_id": thing_id,
            "start": start,
            "end": end,
            "observed_property": observed_property,
        }
        return count(self._database, _SQL["observations_of_thing"], asked, way)

    def datastreams(
        self,
        *,
        limit: int,
        after: tuple[str, str] | None = None,
        thing_ids: Sequence[str] | None = None,
        observed_properties: Sequence[str] = (),
    ) -> list[DatastreamRow]:
        """One page of the datastreams that things list, by thing and observed property."""
        after_thing, after_property = after or (None, None)
        asked = self._of_datastreams(thing_ids, observed_properties) | {
            "limit": limit,
            "after_thing": after_thing,
            "after_property": after_property,
        }
        return [_datastream(row) for row in self._database.rows(_SQL["datastreams"], asked)]

    def count_datastreams(
        self,
        way: Way,
        thing_ids: Sequence[str] | None = None,
        observed_properties: Sequence[str] = (),
    ) -> int:
        """How many datastreams things list."""
        asked = self._of_datastreams(thing_ids, observed_properties)
        nowhere = {"after_thing": None, "after_property": None}
        return count(self._database, _SQL["datastreams"], asked | nowhere, way)

    def _of_datastreams(
        self, thing_ids: Sequence[str] | None, observed_properties: Sequence[str]
    ) -> dict[str, Any]:
        return {
            "thing_ids": None if thing_ids is None else list(thing_ids),
            "observed_properties": list(observed_properties) or None,
            **self._gate.parameters(),
        }


def _datastream(row: dict[str, Any]) -> DatastreamRow:
    limit = row.pop("small_below")
    if row["result"] is not None and withholds(row["result"], limit):
        return DatastreamRow(**{**row, "result": None}, suppressed=True)
    return DatastreamRow(**row)
