"""A simulated city as a data file: its kinds of place and its things, checked when loaded.

Scenarios are TOML. Those that ship with Tsuji stand in `scenarios/` and go by their bare name; any
other is named by its path.
"""

import tomllib
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tsuji_platform.contract import OBSERVED_PROPERTIES, Thing
from tsuji_platform.contract.topics import THING_ID
from tsuji_simulators.people import DAY_KINDS, Bump, DayKind, Shape
from tsuji_simulators.sky import Place

PERIOD_S = 60
"""Every thing reports once a minute."""

_Width = Annotated[float, Field(gt=0, le=12)]
_Share = Annotated[float, Field(ge=0, le=1)]
_BumpRow = tuple[
    Annotated[float, Field(ge=0, lt=24)], _Width, Annotated[float, Field(ge=0)], _Share
]


class ScenarioError(ValueError):
    """The scenario can't be used; the message names the file, the place in it and what is wrong."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KindOfPlace(_Part):
    """How people use one kind of place; each row of a day is [hour, width in hours, share, inward]."""

    rain: float = Field(ge=-1, le=1)
    dispersion: float = Field(ge=2)
    weekday: tuple[_BumpRow, ...] = Field(min_length=1)
    saturday: tuple[_BumpRow, ...] = Field(min_length=1)
    holiday: tuple[_BumpRow, ...] = Field(min_length=1)

    def shape(self) -> Shape:
        """The same for the signals."""
        rows: dict[DayKind, tuple[_BumpRow, ...]] = {
            "weekday": self.weekday,
            "saturday": self.saturday,
            "holiday": self.holiday,
        }
        return Shape(
            days={kind: tuple(Bump(*row) for row in rows[kind]) for kind in DAY_KINDS},
            rain=self.rain,
            dispersion=self.dispersion,
        )


class ThingRow(_Part):
    """One thing of a fleet; what is left out is as its fleet says."""

    id: str = Field(pattern=f"^{THING_ID.pattern}$")
    name: str = Field(min_length=1, max_length=200)
    name_en: str = Field("", max_length=200)
    longitude: float = Field(ge=-180, le=180)
    latitude: float = Field(ge=-90, le=90)
    height_m: float = Field(0.0, ge=-430, le=9000)
    place: str | None = None
    also: tuple[str, ...] = ()
    people_per_day: float | None = Field(None, gt=0)
    effective_width_m: float | None = Field(None, gt=0)
    capacity: int | None = Field(None, gt=0)


class Fleet(_Part):
    """Things of one kind and what they measure."""

    kind: str = Field(min_length=1, max_length=200)
    owner: str = ""
    place: str | None = None
    datastreams: tuple[str, ...] = Field(min_length=1)
    things: tuple[ThingRow, ...] = Field(min_length=1)


class Member(_Part):
    """One thing, everything filled in.

    Attributes:
        thing: as it registers itself.
        site: where it stands, for the weather.
        place: its kind of place.
        people_per_day: who pass on a dry weekday; None where it counts nobody.
        offset_s: the second of the minute at which it reports.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    thing: Thing
    site: Place
    place: str
    people_per_day: float | None
    offset_s: int

    @property
    def id(self) -> str:
        """The thing's id."""
        return self.thing.thing_id

    @property
    def datastreams(self) -> tuple[str, ...]:
        """The observed properties that it reports."""
        return self.thing.datastreams


class Scenario(_Part):
    """A simulated city.

    Attributes:
        name: short, used for the state file.
        title: one sentence.
        country: ISO code, whose public holidays count as Sundays.
        utc_offset_h: of the local clock; there is no daylight saving time.
        places: kinds of place by name.
        fleets: the things.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    title: str
    country: str = Field(pattern=r"^[A-Z]{2}$")
    utc_offset_h: float = Field(ge=-12, le=14)
    places: dict[str, KindOfPlace]
    fleets: tuple[Fleet, ...] = Field(min_length=1)

    @field_validator("fleets")
    @classmethod
    def _known_properties(cls, fleets: tuple[Fleet, ...]) -> tuple[Fleet, ...]:
        for fleet in fleets:
            for name in (*fleet.datastreams, *(n for t in fleet.things for n in t.also)):
                if name not in OBSERVED_PROPERTIES or name == "pedestrian_density":
                    raise ValueError(f"{name!r} is not an observed property that can be simulated")
        return fleets

    @model_validator(mode="after")
    def _whole(self) -> "Scenario":
        seen: set[str] = set()
        for fleet in self.fleets:
            for row in fleet.things:
                if row.id in seen:
                    raise ValueError(f"two things have the id {row.id!r}")
                seen.add(row.id)
                place = row.place or fleet.place
                if place not in self.places:
                    raise ValueError(
                        f"thing {row.id!r} stands in a place of kind {place!r}, which is not one of "
                        + ", ".join(self.places)
                    )
                if _counts((*fleet.datastreams, *row.also)) and row.people_per_day is None:
                    raise ValueError(f'thing {row.id!r} counts people and needs "people_per_day"')
        return self

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The kinds of place, for the signals."""
        return {name: place.shape() for name, place in self.places.items()}

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Every thing, in the file's order.

        Each reports at its own second of the minute. The second hangs on the position in the file
        alone (37 and 60 share no factor, so they spread evenly): what is added at the end moves none.
        """
        rows = [(fleet, row) for fleet in self.fleets for row in fleet.things]
        return tuple(
            self._member(fleet, row, index * 37 % PERIOD_S)
            for index, (fleet, row) in enumerate(rows)
        )

    def _member(self, fleet: Fleet, row: ThingRow, offset_s: int) -> Member:
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
                utc_offset_s=round(self.utc_offset_h * 3600),
            ),
            place=row.place or fleet.place or "",
            people_per_day=row.people_per_day,
            offset_s=offset_s,
        )


def _counts(datastreams: tuple[str, ...]) -> bool:
    return any(OBSERVED_PROPERTIES[name].is_count for name in datastreams)


def shipped() -> list[str]:
    """Names of the scenarios that ship with Tsuji."""
    folder = files("tsuji_simulators") / "scenarios"
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml"))


def load_scenario(name_or_path: str) -> Scenario:
    """Load a scenario.

    Args:
        name_or_path: a shipped scenario's name, or the path of a TOML file.

    Raises:
        ScenarioError: where there is none, it can't be read, or something in it is wrong.
    """
    if name_or_path in shipped():
        text = (files("tsuji_simulators") / "scenarios" / f"{name_or_path}.toml").read_text("utf-8")
    else:
        try:
            text = Path(name_or_path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ScenarioError(
                f"scenario {name_or_path!r} is neither one of {', '.join(shipped())} nor a file "
                f"that can be read: {error}"
            ) from error
    return parse_scenario(text, name_or_path)


def parse_scenario(text: str, source: str) -> Scenario:
    """Read a scenario's text; `source` is what error messages call it.

    Raises:
        ScenarioError: with every fault that was found.
    """
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"scenario {source}: not TOML: {error}") from error
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        faults = "\n".join(
            f"  {'.'.join(map(str, fault['loc'])) or 'scenario'}: {fault['msg']} "
            f"(got {fault['input']!r:.80})"
            for fault in error.errors()
        )
        raise ScenarioError(f"scenario {source} can't be used:\n{faults}") from error
