"""The merged view of an area as the API tells it: derived figures, residents, shelters, facilities."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFigure:
    """A derived figure with how it is made; without a value it has the reason.

    `label`, `band`, `reason` and `method` are (Japanese, English); `away` is how far the nearest and the
    farthest thing is of which estimated inputs are made, metres; `state` says what a value was kept back for.
    """

    id: str
    label: tuple[str, str]
    value: float | None
    unit_label: str
    decimals: int
    band: tuple[str, str] | None
    rule: str | None
    reason: tuple[str, str]
    time: datetime | None
    away: tuple[float, float] | None
    source: str
    method: tuple[str, str]

    @classmethod
    def read(cls, it: Mapping[str, Any]) -> Self:
        """Take what the API answered."""
        band, near = it["band"], it["estimated"]
        return cls(
            id=it["id"],
            label=(it["label_ja"], it["label"]),
            value=it["value"],
            unit_label=it["unit_label"],
            decimals=it["decimals"],
            band=None if band is None else (band["label_ja"], band["label"]),
            rule=it["rule"],
            reason=(it["reason_ja"], it["reason"]),
            time=_moment(it["time"]),
            away=None if near is None else (near["distance_m"], near["farthest_m"]),
            source=it["source"],
            method=(it["method_ja"], it["method"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which dataset says it; titles are (Japanese, English)."""

    title: tuple[str, str]
    publisher: str
    licence: str
    source: str
    date: str | None

    @classmethod
    def read(cls, it: Mapping[str, Any]) -> Self:
        """Take what the API answered."""
        return cls(
            title=(it["title"], it["title_en"] or it["title"]),
            publisher=it["publisher"],
            licence=it["licence"],
            source=it["source"],
            date=it["date"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A rate, or none and the reason; texts are (Japanese, English)."""

    value: float | None
    unit_label: str
    reason: tuple[str, str]
    method: tuple[str, str]

    @classmethod
    def read(cls, it: Mapping[str, Any]) -> Self:
        """Take what the API answered."""
        return cls(
            value=it["value"],
            unit_label=it["unit_label"],
            reason=(it["reason_ja"], it["reason"]),
            method=(it["method_ja"], it["method"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A count of people or households, as of its own date."""

    count: int
    date: str
    source: Source

    @classmethod
    def read(cls, it: Mapping[str, Any] | None) -> Self | None:
        """Take what the API answered."""
        if it is None:
            return None
        return cls(count=it["count"], date=it["date"], source=Source.read(it["source"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a dataset lists in the area; of shelters with their capacity."""

    kind: str
    features: int
    join: str
    source: Source
    with_capacity: int = 0
    capacity: int | None = None
    per_resident: Rate | None = None

    @classmethod
    def read(cls, it: Mapping[str, Any]) -> Self:
        """Take what the API answered."""
        rate = it.get("capacity_per_resident")
        return cls(
            kind=it["kind"],
            features=it["features"],
            join=it["join"],
            source=Source.read(it["source"]),
            with_capacity=it.get("with_capacity", 0),
            capacity=it.get("capacity"),
            per_resident=None if rate is None else Rate.read(rate),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All that is known of an area beside its figures."""

    km2: float | None
    derived: Mapping[str, DerivedFigure]
    people: Counted | None
    households: Counted | None
    density: Rate
    per_resident: Rate
    shelters: tuple[Listed, ...]
    facilities: tuple[Listed, ...]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Take what the API answered."""
        population = body["population"]
        return cls(
            km2=body["size"]["km2"],
            derived={key: DerivedFigure.read(it) for key, it in body["derived"].items()},
            people=Counted.read(population["people"]),
            households=Counted.read(population["households"]),
            density=Rate.read(population["density"]),
            per_resident=Rate.read(population["counted_per_resident"]),
            shelters=tuple(map(Listed.read, body["shelters"])),
            facilities=tuple(map(Listed.read, body["facilities"])),
        )
