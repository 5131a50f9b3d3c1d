"""Fleets of a scenario: things one by one or by number and layout, and each of them filled in."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from typing import Annotated, Self

import numpy as np
from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from tsuji_platform.contract import OBSERVED_PROPERTIES, Thing
from tsuji_platform.contract.rejection import quote
from tsuji_platform.contract.topics import THING_ID
from tsuji_simulators.ground import Place
from tsuji_simulators.layout import Layout
from tsuji_simulators.part import Part
from tsuji_simulators.randomness import key, uniform

PERIOD_S = 60
"""Of whoever says nothing else: a report a minute."""
_GOLDEN = 0.618
_SIMULATED = tuple(name for name in OBSERVED_PROPERTIES if name != "pedestrian_density")

_MOST = 10_000_000
_People = Annotated[float, Field(ge=1, le=_MOST)]
_Longitude = Annotated[float, Field(ge=-180, le=180)]
_Latitude = Annotated[float, Field(ge=-90, le=90)]


def _known(name: str) -> str:
    if name not in _SIMULATED:
        raise ValueError(
            f"{quote(name)} is not an observed property that can be simulated; known are "
            + ", ".join(_SIMULATED)
        )
    return name


_Property = Annotated[str, AfterValidator(_known), WithJsonSchema({"enum": list(_SIMULATED)})]


class ThingRow(Part):
    """One thing of a fleet; what is left out is as its fleet says."""

    id: str = Field(pattern=f"^{THING_ID.pattern}$", description="In topics and addresses.")
    name: str = Field(min_length=1, max_length=200)
    name_en: str = Field("", max_length=200)
    longitude: _Longitude
    latitude: _Latitude
    height_m: float = Field(0.0, ge=-430, le=9000, description="Above the sea.")
    place: str | None = Field(None, description="Its kind of place.")
    also: tuple[_Property, ...] = Field((), description="Observed properties beside its fleet's.")
    people_per_day: float | None = Field(
        None,
        gt=0,
        le=_MOST,
        description="Who pass on a dry weekday; needed where people are counted.",
    )
    effective_width_m: float | None = Field(None, gt=0)
    capacity: int | None = Field(None, gt=0)


class Fleet(Part):
    """Things of one kind and what they measure: either a list, or a number of them in some layout."""

    kind: str = Field(min_length=1, max_length=200, description="Such as smart_pole.")
    owner: str = Field("", max_length=200)
    place: str | None = Field(None, description="Kind of place of things that say none.")
    datastreams: tuple[_Property, ...] = Field(min_length=1, description="Observed properties.")
    interval_s: int = Field(
        PERIOD_S, ge=60, le=3600, multiple_of=60, description="Seconds between two reports."
    )
    things: tuple[ThingRow, ...] = Field((), description="One by one.")
    number: int | None = Field(None, ge=1, le=200_000, description="So many, in the layout.")
    layout: Layout | None = None
    id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,55}$",
        description="What the ids of numbered things begin with; a number follows.",
    )
    name: str = Field("", max_length=180, description="Likewise of their names.")
    places: tuple[str, ...] = Field((), description="Kinds of place that they take in turn.")
    people_per_day: tuple[_People, _People] | None = Field(
        None, description="From, to: numbered counters have something between."
    )
    effective_width_m: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        if bool(self.things) == (self.number is not None):
            raise ValueError('a fleet has either "things" or "number", with "layout" and "id"')
        if self.number is None:
            return self
        if self.layout is None or self.id is None:
            raise ValueError('a fleet with a "number" needs "layout" and "id"')
        if counts_people(self.datastreams) and self.people_per_day is None:
            raise ValueError('numbered things that count people need "people_per_day" = [from, to]')
        if self.people_per_day is not None and self.people_per_day[0] > self.people_per_day[1]:
            raise ValueError(f"people_per_day {list(self.people_per_day)} must be [from, to]")
        return self

    def rows(self) -> Iterator[ThingRow]:
        """Its things one by one."""
        if self.number is None or self.layout is None:
            yield from self.things
            return
        digits = len(str(self.number))
        for index, (longitude, latitude) in enumerate(self.layout.positions(self.number)):
            number = f"{index + 1:0{digits}}"
            thing_id = f"{self.id}{number}"
            yield ThingRow.model_construct(
                id=thing_id,
                name=f"{self.name} {number}" if self.name else thing_id,
                longitude=longitude,
                latitude=latitude,
                place=self.places[index % len(self.places)] if self.places else self.place,
                people_per_day=self._people(thing_id),
                effective_width_m=self.effective_width_m,
            )

    def _people(self, thing_id: str) -> float | None:
        if self.people_per_day is None:
            return None
        low, high = self.people_per_day
        share = float(uniform(key("people per day", thing_id), np.zeros(1, dtype=np.int64))[0])
        return float(round(low * (high / low) ** share))


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One thing, everything filled in.

    Attributes:
        thing: as it registers itself.
        site: where it stands, for the weather.
        place: its kind of place.
        people_per_day: who pass on a dry weekday; None where it counts nobody.
        interval_s: seconds between two reports.
        offset_s: the second of the interval at which it reports.
    """

    thing: Thing
    site: Place
    place: str
    people_per_day: float | None
    interval_s: int = PERIOD_S
    offset_s: int

    @property
    def id(self) -> str:
        """The thing's id."""
        return self.thing.thing_id

    @property
    def datastreams(self) -> tuple[str, ...]:
        """The observed properties that it reports."""
        return self.thing.datastreams


def member(fleet: Fleet, row: ThingRow, index: int, utc_offset_s: int) -> Member:
    """A thing of a fleet, the `index`-th of its scenario.

    Each reports at its own second of the interval. The second hangs on the position in the file alone,
    and they spread evenly: what is added at the end moves none.
    """
    return Member(
        thing=Thing(
            thing_id=row.id,
            name=row.name,
            name_en=row.name_en,
            kind=fleet.kind,
            longitude=row.longitude,
            latitude=row.latitude,
            datastreams=tuple(dict.fromkeys((*fleet.datastreams, *row.also))),
            effective_width_m=row.effective_width_m,
            capacity=row.capacity,
            owner=fleet.owner,
        ),
        site=Place(
            latitude=row.latitude,
            longitude=row.longitude,
            height_m=row.height_m,
            utc_offset_s=utc_offset_s,
        ),
        place=row.place or fleet.place or "",
        people_per_day=row.people_per_day,
        interval_s=fleet.interval_s,
        offset_s=index * _stride(fleet.interval_s) % fleet.interval_s,
    )


def counts_people(datastreams: tuple[str, ...]) -> bool:
    """Whether any of the observed properties is a count of people."""
    return any(OBSERVED_PROPERTIES[name].is_count for name in datastreams)


def _stride(interval_s: int) -> int:
    """A step that comes by every second before it comes back, in the golden ratio: 37 of 60."""
    stride = round(interval_s * _GOLDEN)
    while gcd(stride, interval_s) > 1:
        stride += 1
    return stride
