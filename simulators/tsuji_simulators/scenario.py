"""A simulated city as a data file: kinds of place, fleets, and what happens; checked when loaded.

Scenarios are TOML. Those that ship with Tsuji stand in `scenarios/` and go by their bare name; any
other is named by its path. A file may build on others with `extends` (docs/scenarios.md).
"""

from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from tsuji_simulators.fleet import Fleet, Member, counts_people, member
from tsuji_simulators.happenings import ChangeTable, GatheringTable, SpellTable, TyphoonTable
from tsuji_simulators.part import Moment, Part, aware, seconds
from tsuji_simulators.people import DAY_KINDS, Bump, Calendar, DayKind, Days, Shape
from tsuji_simulators.sky import Climate, Sky

_Share = Annotated[float, Field(ge=0, le=1)]
_Effect = Annotated[float, Field(ge=-1, le=1)]
_BumpRow = tuple[
    Annotated[float, Field(ge=0, lt=24)],
    Annotated[float, Field(ge=0.01, le=12)],
    Annotated[float, Field(ge=0, le=100)],
    _Share,
]
_Day = Annotated[tuple[_BumpRow, ...], Field(min_length=1)]
_Twelve = Field(None, min_length=12, max_length=12)


class KindOfPlace(Part):
    """How people use one kind of place; each row of a day is [hour, width in hours, share, inward]."""

    rain: _Effect = Field(description="What steady rain does to the number of people.")
    heat: _Effect = Field(0.0, description="The same of 38 °C; it begins at 32 °C.")
    wind: _Effect = Field(0.0, description="The same of a wind of 20 m/s; it begins at 8 m/s.")
    dispersion: float = Field(ge=2, le=1e6, description="Variance is mean + mean² / dispersion.")
    visitors_inward: _Share = Field(
        0.5, description="Of those who come to a gathering nearby, the part that walks inward here."
    )
    season: tuple[Annotated[float, Field(ge=0, le=100)], ...] | None = Field(
        None, min_length=12, max_length=12, description="Times the number of people, by month."
    )
    weekday: _Day
    saturday: _Day
    holiday: _Day

    def shape(self, name: str) -> Shape:
        """The same for the signals."""
        rows: dict[DayKind, tuple[_BumpRow, ...]] = {
            "weekday": self.weekday,
            "saturday": self.saturday,
            "holiday": self.holiday,
        }
        return Shape(
            name=name,
            days={kind: tuple(Bump(*row) for row in rows[kind]) for kind in DAY_KINDS},
            dispersion=self.dispersion,
            rain=self.rain,
            heat=self.heat,
            wind=self.wind,
            season=self.season or (),
            visitors_inward=self.visitors_inward,
        )


class ClimateTable(Part):
    """What is normal month by month, January first; what is left out is that of Tokyo."""

    air_temperature: tuple[Annotated[float, Field(ge=-60, le=60)], ...] | None = _Twelve
    relative_humidity: tuple[Annotated[float, Field(ge=1, le=100)], ...] | None = _Twelve
    rainfall: tuple[Annotated[float, Field(ge=1, le=1000)], ...] | None = _Twelve
    air_pressure: tuple[Annotated[float, Field(ge=900, le=1100)], ...] | None = _Twelve
    wind_from_direction: tuple[Annotated[float, Field(ge=0, le=360)], ...] | None = _Twelve

    def climate(self) -> Climate:
        """The same for the signals."""
        return Climate(**self.model_dump(exclude_none=True))


class Scenario(Part):
    """A simulated city, and what happens in it.

    Attributes:
        start: where a simulation of it begins unless told otherwise; None of one that has no date.
        end: where it ends.
        faults: as they stand in the file, for whoever breaks things; times are aware.
    """

    extends: str | tuple[str, ...] = Field(
        (), description="What it builds on: shipped ones by name, others by path from this file."
    )
    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$", description="What its notes and client id go by."
    )
    title: str = Field(description="One sentence.")
    country: str = Field(
        pattern=r"^[A-Z]{2}$", description="ISO code, whose public holidays count as Sundays."
    )
    utc_offset_h: float = Field(ge=-12, le=14, description="Of the local clock, all year.")
    holidays: tuple[date, ...] = Field((), description="Days that count as Sundays, too.")
    history_days: float | None = Field(
        None,
        ge=0,
        le=3_660,
        description="At most so many days before a first live start are published.",
    )
    start: Moment | None = Field(None, alias="from", description="Where it begins.")
    end: Moment | None = Field(None, alias="to", description="Where it ends.")
    climate: ClimateTable = ClimateTable()
    places: dict[str, KindOfPlace] = Field(description="Kinds of place.")
    fleets: tuple[Fleet, ...] = Field(min_length=1)
    spells: tuple[SpellTable, ...] = ()
    typhoons: tuple[TyphoonTable, ...] = ()
    gatherings: tuple[GatheringTable, ...] = ()
    changes: tuple[ChangeTable, ...] = ()
    faults: tuple[dict[str, Any], ...] = ()

    @field_validator("country")
    @classmethod
    def _has_holidays(cls, country: str) -> str:
        import holidays

        known = sorted(holidays.list_supported_countries(include_aliases=False))
        if country not in known:
            raise ValueError(
                f"no public holidays are known of {country!r}; known are {', '.join(known)}"
            )
        return country

    @model_validator(mode="after")
    def _whole(self) -> Self:
        seen: set[str] = set()
        for fleet in self.fleets:
            for kind in fleet.places:
                self._check_kind(kind, f"fleet {fleet.id!r} names")
            for row in fleet.things:
                self._check_kind(row.place or fleet.place, f"thing {row.id!r} stands in")
                if counts_people((*fleet.datastreams, *row.also)) and row.people_per_day is None:
                    raise ValueError(f'thing {row.id!r} counts people and needs "people_per_day"')
            if fleet.number is not None and not fleet.places:
                self._check_kind(fleet.place, f"fleet {fleet.id!r} stands in")
            for row in fleet.rows():
                if row.id in seen:
                    raise ValueError(f"two things have the id {row.id!r}")
                seen.add(row.id)
        for change in self.changes:
            for kind in (*change.people, *change.after):
                self._check_kind(kind, f"change {change.name!r} names")
        if self.start is not None and self.end is not None and self.start_s >= self.end_s:
            raise ValueError(f'"from" {self.start} must be before "to" {self.end}')
        if (self.start is None) != (self.end is None):
            raise ValueError('"from" and "to" belong together')
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, of which what hangs on its fields is made anew."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("shapes", "days", "members"):
            copied.__dict__.pop(name, None)
        return copied

    def _check_kind(self, kind: str | None, who: str) -> None:
        if kind not in self.places:
            raise ValueError(
                f"{who} a place of kind {kind!r}, which is not one of {', '.join(self.places)}"
            )

    @property
    def utc_offset_s(self) -> int:
        """Of the local clock."""
        return round(self.utc_offset_h * 3600)

    @property
    def start_s(self) -> int:
        """Seconds since 1970 UTC; only of one that has a date."""
        assert self.start is not None  # noqa: S101 - the caller has looked
        return seconds(self.start, self.utc_offset_s)

    @property
    def end_s(self) -> int:
        """Likewise."""
        assert self.end is not None  # noqa: S101 - the caller has looked
        return seconds(self.end, self.utc_offset_s)

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The kinds of place, for the signals."""
        return {name: place.shape(name) for name, place in self.places.items()}

    @cached_property
    def days(self) -> Days:
        """What makes its days, for the signals."""
        offset_s = self.utc_offset_s
        return Days(
            calendar=Calendar(country=self.country, more=frozenset(self.holidays)),
            sky=Sky(
                climate=self.climate.climate(),
                spells=tuple(one.spell(offset_s) for one in self.spells),
                typhoons=tuple(one.typhoon(offset_s) for one in self.typhoons),
            ),
            changes=tuple(one.change(offset_s) for one in self.changes),
            gatherings=tuple(one.gathering(offset_s) for one in self.gatherings),
        )

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Every thing, in the file's order."""
        rows = [(fleet, row) for fleet in self.fleets for row in fleet.rows()]
        return tuple(
            member(fleet, row, index, self.utc_offset_s) for index, (fleet, row) in enumerate(rows)
        )

    @property
    def faults_aware(self) -> list[Mapping[str, Any]]:
        """The tables of faults with aware times."""
        return [
            {
                name: aware(value, self.utc_offset_s) if isinstance(value, datetime) else value
                for name, value in table.items()
            }
            for table in self.faults
        ]
