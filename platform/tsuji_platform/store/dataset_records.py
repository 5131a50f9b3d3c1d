"""What the store says of datasets, their features and populations."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tsuji_platform.contract.features import FeatureFlag, Measure, PopulationCount, StatedDate

Join = Literal["code", "position"]
"""How features belong to areas: by the code that they carry, or by where they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDataset:
    """A dataset to be stored, as far as it is known once all its rows are read.

    Attributes:
        dataset_id: lower-case letters, digits and hyphens.
        kind: id of its form, such as `evacuation_space`.
        title: Japanese name.
        title_en: English name, empty where there is none.
        publisher: who published it, empty where nobody said.
        licence: terms of use, empty where nobody said.
        source: where it comes from.
        date: of the data.
        file_name: that was imported.
        encoding: of it.
        report: what the import did with the rows.
        columns: the file's names of recognised columns by ours.
    """

    dataset_id: str
    kind: str
    title: str
    title_en: str = ""
    publisher: str = ""
    licence: str = ""
    source: str = ""
    date: StatedDate | None = None
    file_name: str
    encoding: str
    report: dict[str, Any]
    columns: dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRow(NewDataset):
    """A dataset that is stored.

    Attributes:
        features: how many rows it has.
        imported_at: when it was last replaced.
    """

    features: int
    imported_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRow:
    """A row of a dataset.

    Attributes:
        position_code: of the municipality at its position; None without a position, or where no area
            set of municipalities has one there.
        flags: with `position_contradicts_code` where the two codes contradict each other.

    The others are those of `contract.features.Feature`.
    """

    number: int
    line: int
    name: str
    name_en: str
    address: str
    code: str | None
    position_code: str | None
    longitude: float | None
    latitude: float | None
    capacity: int | None
    flags: tuple[FeatureFlag, ...]
    fields: dict[str, Any]
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFilter:
    """Which features are wanted; what is None is not looked at.

    Attributes:
        bbox: west, south, east, north, degrees; without a position there is none inside.
        area: area set and code of an area.
        join: how features belong to that area.
        flagged: whether anything is flagged.
        flag: that is among the flags.
    """

    bbox: tuple[float, float, float, float] | None = None
    area: tuple[str, str] | None = None
    join: Join = "position"
    flagged: bool | None = None
    flag: FeatureFlag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureTally:
    """Features of one dataset in one area.

    Attributes:
        dataset_id: which dataset.
        features: how many.
        with_capacity: how many of these say how many people they hold.
        capacity: people that these hold together; None where none says it.
    """

    dataset_id: str
    features: int
    with_capacity: int
    capacity: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRow:
    """One number of a table of population.

    Attributes:
        key: ascending in the order of the tables.
    """

    key: int
    dataset_id: str
    counted: PopulationCount


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationTotal:
    """The newest number of people or households of one area.

    Attributes:
        dataset_id: that it is from.
        series: of that dataset, empty where it has one only.
        date: of the count.
        measure: people or households.
        count: how many.
        regions: of how many parts of the municipality it is the sum; 0 where the table says it itself.
        area_km2: the area's size where the table says that, too.
    """

    dataset_id: str
    series: str
    date: StatedDate
    measure: Measure
    count: int
    regions: int
    area_km2: float | None
