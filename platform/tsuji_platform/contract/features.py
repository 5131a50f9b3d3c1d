"""What one row of administrative open data becomes, whoever published it and in whatever form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Literal

Precision = Literal["day", "month", "year"]
Measure = Literal["people", "households"]
Sex = Literal["total", "male", "female"]


class FeatureFlag(StrEnum):
    """What is to be known about a row before it is used; the value is what is stored and shown."""

    POSITION_CONTRADICTS_CODE = "position_contradicts_code"
    COORDINATES_SWAPPED = "coordinates_swapped"
    CODE_COMPLETED = "code_completed"
    WIDE_DIGITS = "wide_digits"
    NUMBER_CLEANED = "number_cleaned"
    CODE_REFUSED = "code_refused"
    POSITION_REFUSED = "position_refused"
    VALUE_REFUSED = "value_refused"
    SUMS_DIFFER = "sums_differ"
    REPEATED = "repeated"

    @property
    def is_repair(self) -> bool:
        """Whether it says that something was mended, rather than that something is in doubt."""
        return self in _REPAIRS


_REPAIRS = frozenset(
    {
        FeatureFlag.COORDINATES_SWAPPED,
        FeatureFlag.CODE_COMPLETED,
        FeatureFlag.WIDE_DIGITS,
        FeatureFlag.NUMBER_CLEANED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedDate:
    """A day, a month or a year, as exactly as the publisher says it.

    Attributes:
        first_day: the day itself, or the first of its month or year.
        precision: how much of that is said.
    """

    first_day: date
    precision: Precision = "day"

    def __str__(self) -> str:
        """ISO 8601: 2025-04-01, 2025-04 or 2025."""
        return self.first_day.isoformat()[: {"day": 10, "month": 7, "year": 4}[self.precision]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationCount:
    """One number of people or households.

    Attributes:
        region_code: of a part of the municipality (町丁字), empty for all of it.
        region: its name.
        series: what tells counts of different origin in one table apart, such as `census`.
        date: of the count.
        age_from: youngest age counted, years; None for all ages.
        age_to: oldest age counted, years; None where there is no upper limit.
    """

    region_code: str = ""
    region: str = ""
    series: str = ""
    date: StatedDate
    measure: Measure = "people"
    sex: Sex = "total"
    age_from: int | None = None
    age_to: int | None = None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One row of a dataset.

    Attributes:
        number: place of the row in the file, from 1; title lines and empty rows are not counted.
        line: where it begins in the file; for GeoJSON the same as `number`.
        name: as the publisher writes it.
        name_en: English name, empty where none was given.
        address: as the publisher writes it.
        code: five-digit municipality code (of a prefecture: its number and 000).
        code_span: first and last code of what lies within `code`: the wards of a designated city, the
            municipalities of a prefecture; otherwise the code itself twice.
        longitude: degrees, WGS 84; None where there is no believable position.
        latitude: the same.
        capacity: people that it holds.
        flags: what was repaired and what is in doubt.
        fields: the recognised columns by their own names: whole numbers, truth values, texts, dates.
        properties: all cells as the publisher writes them, by the file's own column names.
        population: for tables of population what the row says.
    """

    number: int
    line: int
    name: str = ""
    name_en: str = ""
    address: str = ""
    code: str | None = None
    code_span: tuple[str, str] | None = None
    longitude: float | None = None
    latitude: float | None = None
    capacity: int | None = None
    flags: tuple[FeatureFlag, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    population: tuple[PopulationCount, ...] = ()
