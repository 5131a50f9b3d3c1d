"""Tables of a scenario file on what happens: spells of weather, typhoons, gatherings, changes."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tsuji_simulators.crowds import Change, Gathering
from tsuji_simulators.part import Moment, Part, aware, seconds
from tsuji_simulators.storms import Spell, Typhoon

_Longitude = Annotated[float, Field(ge=-180, le=180)]
_Latitude = Annotated[float, Field(ge=-90, le=90)]
_Times = Annotated[float, Field(ge=0, le=100)]


class _Span(Part):
    name: str = Field(min_length=1, max_length=200)
    start: Moment = Field(alias="from", description="From there it comes, within ramp_min.")
    end: Moment = Field(alias="to", description="From there it goes, as slowly.")
    ramp_min: float = Field(30.0, ge=0, le=10_080)

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if aware(self.start, 0) >= aware(self.end, 0):
            raise ValueError(f'"from" {self.start} must be before "to" {self.end}')
        return self


class SpellTable(_Span):
    """Days on which the weather is off its climate."""

    air_temperature: float = Field(0.0, ge=-40, le=40, description="°C more.")
    wetness: float = Field(
        0.0, ge=-5, le=5, description="-2: clear sky, no rain; 2: rain most of the time."
    )
    moisture: float = Field(1.0, ge=0, le=5, description="Times the water in the air.")
    wind: float = Field(1.0, ge=0, le=10, description="Times the wind's speed.")

    def spell(self, utc_offset_s: int) -> Spell:
        """The same for the signals."""
        return Spell(
            start_s=seconds(self.start, utc_offset_s),
            end_s=seconds(self.end, utc_offset_s),
            ramp_s=self.ramp_min * 60.0,
            air_temperature=self.air_temperature,
            wetness=self.wetness,
            moisture=self.moisture,
            wind=self.wind,
        )


class TyphoonTable(Part):
    """A tropical cyclone that passes on a straight line."""

    name: str = Field(min_length=1, max_length=200)
    at: Moment = Field(description="When its centre is at the position.")
    longitude: _Longitude
    latitude: _Latitude
    heading_deg: float = Field(ge=0, lt=360, description="Where it goes to, clockwise from north.")
    speed_kmh: float = Field(ge=0, le=150)
    pressure_hpa: float = Field(ge=850, le=1010, description="In the centre, at sea level.")
    radius_km: float = Field(50.0, gt=1, le=500, description="To the strongest wind.")
    wind_ms: float = Field(ge=0, le=90, description="The strongest wind near the ground.")
    rain: float = Field(4.0, ge=0, le=6, description="4 makes some 20 mm/h in the middle.")

    def typhoon(self, utc_offset_s: int) -> Typhoon:
        """The same for the signals."""
        return Typhoon(
            time_s=seconds(self.at, utc_offset_s),
            **self.model_dump(exclude={"name", "at"}),
        )


class GatheringTable(Part):
    """Something that many people come to, and leave together."""

    name: str = Field(min_length=1, max_length=200)
    longitude: _Longitude
    latitude: _Latitude
    reach_km: float = Field(
        1.0, ge=0.01, le=100, description="How far from it they are still many."
    )
    people: float = Field(gt=0, le=10_000_000, description="Who come.")
    begins: Moment
    ends: Moment = Field(description="When it lets out.")
    arrive_h: float = Field(2.0, ge=0.01, le=24, description="Most come within so long before it.")
    leave_h: float = Field(1.0, ge=0.01, le=24, description="Most are gone so long after it.")
    caught: float = Field(
        0.1, gt=0, le=1, description="The share of them that passes a counter at the venue itself."
    )

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if aware(self.begins, 0) >= aware(self.ends, 0):
            raise ValueError(f'"begins" {self.begins} must be before "ends" {self.ends}')
        return self

    def gathering(self, utc_offset_s: int) -> Gathering:
        """The same for the signals."""
        return Gathering(
            begins_s=seconds(self.begins, utc_offset_s),
            ends_s=seconds(self.ends, utc_offset_s),
            **self.model_dump(exclude={"name", "begins", "ends"}),
        )


class ChangeTable(_Span):
    """A time with other numbers of people than usual, such as a train stoppage."""

    people: dict[str, _Times] = Field(
        min_length=1, description="Times the usual number, by kind of place."
    )
    after: dict[str, _Times] = Field(
        {}, description="The same at the height of what follows: who was held back comes then."
    )
    after_h: float = Field(1.0, ge=0.01, le=48, description="How long that lasts, about.")
    longitude: _Longitude | None = Field(None, description="Where; everywhere without it.")
    latitude: _Latitude | None = None
    reach_km: float = Field(1.0, ge=0.01, le=1000, description="How far from there it is still so.")

    @model_validator(mode="after")
    def _has_a_place_or_none(self) -> Self:
        if (self.longitude is None) != (self.latitude is None):
            raise ValueError('"longitude" and "latitude" belong together')
        return self

    def change(self, utc_offset_s: int) -> Change:
        """The same for the signals."""
        return Change(
            start_s=seconds(self.start, utc_offset_s),
            end_s=seconds(self.end, utc_offset_s),
            ramp_s=self.ramp_min * 60.0,
            **self.model_dump(exclude={"name", "start", "end", "ramp_min"}),
        )
