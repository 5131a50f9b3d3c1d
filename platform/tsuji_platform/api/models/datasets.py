"""Administrative open data: datasets with who published them, their features, and who lives where."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tsuji_platform.api.fields import AreaCode, AreaSetId, Linked, Name, NameEn, Page
from tsuji_platform.contract.features import FeatureFlag, Measure, Sex

Stated = Annotated[
    str,
    Field(
        description="a day, a month or a year (ISO 8601), as exactly as the publisher says it",
        examples=["2025-04-01"],
    ),
]
Flags = Annotated[
    list[FeatureFlag],
    Field(
        description="what was repaired and what is in doubt; empty where nothing is",
        examples=[["position_contradicts_code"]],
    ),
]


class Credit(BaseModel):
    """What is to be shown wherever a dataset is."""

    id: str = Field(description="of the dataset", examples=["130001-evacuation-center"])
    kind: str = Field(description="form of the table", examples=["evacuation_center"])
    title: str = Field(description="Japanese name", examples=["東京都避難所一覧"])
    title_en: str = Field(description="English name, empty where there is none")
    publisher: str = Field(description="empty where it is not stated")
    licence: str = Field(description="terms of use; empty where they are not stated")
    source: str = Field(description="where it comes from; empty where it is not stated")
    date: Stated | None = Field(
        description="of the data: a day, a month or a year (ISO 8601); null where it is not stated",
        examples=["2025-04-01"],
    )


class Dataset(Credit, Linked):
    """A dataset as lists show it."""

    features: int = Field(description="how many rows it has")
    imported_at: datetime = Field(description="when it was last replaced, RFC 3339, UTC")


class Datasets(Linked):
    """All datasets."""

    items: list[Dataset] = Field(description="by id")


class Note(BaseModel):
    """What the import did with one row."""

    line: int = Field(description="where the row begins in the file")
    what: str = Field(description="`refused`, or a flag")
    detail: str = Field(description="what was wrong, and what was done")


class Report(BaseModel):
    """What the import did with the rows: rows = taken + refused."""

    rows: int = Field(description="below the header that are not empty")
    taken: int = Field(description="rows that are features now")
    repaired: int = Field(description="taken rows in which something was mended")
    doubtful: int = Field(description="taken rows of which something was left out or is in doubt")
    refused: int = Field(description="rows that could not be taken")
    without_position: int = Field(description="taken rows by code only")
    without_code: int = Field(description="taken rows by position only")
    flags: dict[str, int] = Field(description="taken rows by flag")
    notes: list[Note] = Field(description="rows one by one, up to some hundreds of each sort")


class DatasetDetail(Dataset):
    """A dataset with what its import did."""

    file_name: str = Field(description="of the file that was imported")
    encoding: str = Field(description="of that file", examples=["cp932"])
    columns: dict[str, list[str]] = Field(
        description="the file's names of the columns that were recognised, by ours"
    )
    contradicting: int = Field(
        description="features that lie in another municipality than their code says"
    )
    report: Report = Field(description="what the import did with the rows")


class Feature(BaseModel):
    """One row of a dataset."""

    number: int = Field(description="place of the row in the file, from 1")
    line: int = Field(description="where it begins in the file")
    name: str = Field(description="as its publisher writes it")
    name_en: str = Field(description="English name, empty where there is none")
    address: str = Field(description="as its publisher writes it, empty where there is none")
    code: str | None = Field(
        description="municipality code of the row, five digits; null where it has none",
        examples=["13118"],
    )
    position_code: str | None = Field(
        description="code of the municipality at its position; null where that is not known",
        examples=["13116"],
    )
    coordinates: tuple[float, float] | None = Field(
        description="longitude, latitude, degrees, WGS 84"
    )
    capacity: int | None = Field(description="people that it holds")
    flags: Flags
    fields: dict[str, Any] = Field(description="recognised columns by our names")
    properties: dict[str, Any] = Field(description="all columns as published")


class Features(Page):
    """One page of features."""

    dataset: Credit = Field(description="to be shown wherever the features are")
    items: list[Feature] = Field(description="in the order of the file")


class PopulationCount(BaseModel):
    """One number of people or households."""

    dataset: str = Field(description="id of the dataset that says it")
    series: str = Field(description="tells counts of different origin in one table apart")
    region_code: str = Field(description="of a part of the municipality, empty for all of it")
    region: str = Field(description="its name, empty for all of the municipality")
    date: Stated
    measure: Measure = Field(description="what is counted")
    sex: Sex = Field(description="of the people that are counted")
    age_from: int | None = Field(description="youngest age, years; null for all ages")
    age_to: int | None = Field(description="oldest age, years; null where there is no limit")
    count: int = Field(description="people or households")


class PopulationTotal(BaseModel):
    """The newest count of all ages and both sexes."""

    dataset: str = Field(description="id of the dataset that says it")
    series: str = Field(description="of that dataset, empty where it has one only")
    date: Stated
    count: int = Field(description="people or households")
    regions: int = Field(
        description="of how many parts of the municipality it is the sum; 0 where the table says it itself"
    )


class Population(Page):
    """Who lives in an area, as tables of population say."""

    area_set: AreaSetId
    code: AreaCode
    name: Name
    name_en: NameEn
    join: Literal["code"] = Field("code", description="tables of population have codes only")
    people: PopulationTotal | None = Field(description="null where no dataset counts this code")
    households: PopulationTotal | None = Field(description="null where no dataset counts this code")
    items: list[PopulationCount] = Field(description="all counts, in the order of the tables")
    datasets: list[Credit] = Field(description="where the numbers are from")
