"""Administrative open data: put whole or not at all, read by page, counted by area in both ways."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any

from psycopg.types.json import Jsonb

from tsuji_platform.contract.features import (
    Feature,
    FeatureFlag,
    Measure,
    PopulationCount,
    StatedDate,
)
from tsuji_platform.store import places, queries
from tsuji_platform.store.assigning import Assign
from tsuji_platform.store.counting import Way, count
from tsuji_platform.store.database import Connection, Database
from tsuji_platform.store.dataset_records import (
    CountedRow,
    DatasetRow,
    FeatureFilter,
    FeatureRow,
    FeatureTally,
    Join,
    NewDataset,
    PopulationTotal,
)

_SQL = queries.load("datasets")
_POPULATION = queries.load("population")
_AREAS = queries.load("areas")
_STAGED = 10_000
"""Counts that wait in memory for their rows, which go in through another COPY."""

SHELTERS = ("evacuation_space", "evacuation_center")
"""Kinds of datasets whose features people flee to."""


class Datasets:
    """Access to the datasets of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self,
        dataset_id: str,
        features: Iterable[Feature],
        describe: Callable[[], NewDataset],
        assign: Assign,
    ) -> None:
        """Store a dataset, replacing one of the same id; all of it or, whatever is raised, nothing.

        Args:
            dataset_id: of the dataset; `describe` gives the same.
            features: its rows in their order, read while they are stored.
            describe: called when all are read.
            assign: says which point lies in which area.

        Raises:
            RowRefusedError: a value that can't be kept.
            DatabaseAwayError: the database can't be reached.
        """
        named = {"dataset_id": dataset_id}
        with self._database.transaction() as connection:
            connection.execute(_SQL["stage_features"])
            connection.execute(_SQL["stage_population"])
            _copy(connection, features)
            dataset = describe()
            # held from here on: areas that are put at the same time come before all this or behind it
            connection.execute(_AREAS["lock_assignment"])
            connection.execute(_SQL["drop_dataset"], named)
            connection.execute(_SQL["put_dataset"], _described(dataset))
            connection.execute(_SQL["put_features"], named)
            connection.execute(_SQL["put_population"], named)
            places.of_dataset(connection, dataset_id, assign)
            connection.execute(_SQL["analyze"])

    def remove(self, dataset_id: str) -> bool:
        """Remove a dataset with its features; says whether there was one."""
        with self._database.transaction() as connection:
            connection.execute(_AREAS["lock_assignment"])
            rows = connection.execute(_SQL["drop_dataset"], {"dataset_id": dataset_id})
            return bool(rows.fetchall())

    def datasets(self, dataset_id: str | None = None) -> list[DatasetRow]:
        """All datasets by id, or the one."""
        rows = self._database.rows(_SQL["datasets"], {"dataset_id": dataset_id})
        return [_dataset(row) for row in rows]

    def features(
        self,
        dataset_id: str,
        wanted: FeatureFilter | None = None,
        *,
        limit: int = 1_000,
        after: int = 0,
    ) -> list[FeatureRow]:
        """Rows of a dataset in their order, beginning behind the number `after`."""
        values = self._asked(dataset_id, wanted or FeatureFilter(), limit, after)
        if values is None:
            return []
        return [_feature(row) for row in self._database.rows(_SQL["features"], values)]

    def count_features(self, dataset_id: str, wanted: FeatureFilter, way: Way) -> int:
        """How many rows of a dataset are wanted."""
        values = self._asked(dataset_id, wanted, 1, 0)
        return 0 if values is None else count(self._database, _SQL["features"], values, way)

    def _asked(
        self, dataset_id: str, wanted: FeatureFilter, limit: int, after: int
    ) -> dict[str, Any] | None:
        """The query's parameters; None where its area is not there."""
        values: dict[str, Any] = {
            "dataset_id": dataset_id,
            "limit": limit,
            "after": after,
            "flagged": wanted.flagged,
            "flag": None if wanted.flag is None else wanted.flag.value,
            "area_id": None,
            "area_code": None,
        }
        corners = wanted.bbox or (None, None, None, None)
        values.update(zip(("west", "south", "east", "north"), corners, strict=True))
        if wanted.area is not None:
            area_set_id, code = wanted.area
            named = {"area_set_id": area_set_id, "code": code}
            found = self._database.rows(_SQL["area_id"], named)
            if not found:
                return None
            if wanted.join == "code":
                values["area_code"] = code
            else:
                values["area_id"] = found[0]["area_id"]
        return values

    def contradicting(self, dataset_id: str | None = None) -> dict[str, int]:
        """How many features lie elsewhere than their code says, of each dataset that has such."""
        rows = self._database.rows(_SQL["contradicting"], {"dataset_id": dataset_id})
        return {row["dataset_id"]: row["features"] for row in rows}

    def tallies(
        self,
        area_set_id: str,
        *,
        join: Join,
        kinds: Sequence[str] | None = None,
        code: str | None = None,
        uncoded: bool = False,
    ) -> dict[str, list[FeatureTally]]:
        """Features of each area of a set that has any, dataset by dataset, by area code.

        Two datasets may list the same places, as those of shelters of a prefecture and its
        municipalities do: they are not added up.

        Args:
            area_set_id: which set.
            join: by the code that features carry (municipalities only), or by where they are.
            kinds: of datasets, such as `SHELTERS`; None for all.
            code: only of this area.
            uncoded: by position only those that no area of the set has by code.
        """
        rows = self._database.rows(
            _SQL["counts_by_code" if join == "code" else "counts_by_position"],
            {
                "area_set_id": area_set_id,
                "code": code,
                "kinds": None if kinds is None else list(kinds),
                "uncoded": uncoded,
            },
        )
        found: defaultdict[str, list[FeatureTally]] = defaultdict(list)
        for row in rows:
            found[row.pop("area_code")].append(FeatureTally(**row))
        return dict(found)

    def shelters(
        self, area_set_id: str, *, join: Join = "code", code: str | None = None
    ) -> dict[str, list[FeatureTally]]:
        """Shelters and their capacity in each area of a set that has any, see `tallies`."""
        return self.tallies(area_set_id, join=join, kinds=SHELTERS, code=code)

    def population(
        self, area_set_id: str, *, code: str | None = None, measure: Measure = "people"
    ) -> dict[str, PopulationTotal]:
        """The newest count of each area of a set that has any, all ages and sexes, by area code."""
        rows = self._database.rows(
            _POPULATION["newest_totals"],
            {"area_set_id": area_set_id, "code": code, "measure": measure},
        )
        return {
            row["code"]: PopulationTotal(
                dataset_id=row["dataset_id"],
                series=row["series"],
                date=_stated(row["count_date"], row["count_date_precision"]),
                measure=measure,
                count=row["count"],
                regions=row["regions"],
                area_km2=row["area_km2"],
            )
            for row in rows
        }

    def counts(
        self,
        code: str,
        *,
        dataset_id: str | None = None,
        day: date | None = None,
        limit: int = 10_000,
        after: int = 0,
    ) -> list[CountedRow]:
        """All that tables of population count of a code, in the order of the tables.

        Args:
            code: five digits.
            dataset_id: only of this dataset.
            day: only of this date; of a month or year its first day.
            limit: most rows.
            after: key of the row before the first.
        """
        rows = self._database.rows(
            _POPULATION["population_of_code"],
            {
                "code": code,
                "dataset_id": dataset_id,
                "count_date": day,
                "limit": limit,
                "after": after,
            },
        )
        return [
            CountedRow(
                key=row.pop("population_id"),
                dataset_id=row.pop("dataset_id"),
                counted=PopulationCount(
                    date=_stated(row.pop("count_date"), row.pop("count_date_precision")), **row
                ),
            )
            for row in rows
        ]


def _copy(connection: Connection, features: Iterable[Feature]) -> None:
    waiting: list[tuple[Any, ...]] = []
    source = iter(features)
    more = True
    with connection.cursor() as cursor:
        while more:
            more = False
            with cursor.copy(_SQL["copy_features"]) as copy:
                for it in source:
                    copy.write_row(_row(it))
                    waiting += [_counted(it, one) for one in it.population]
                    if len(waiting) >= _STAGED:
                        more = True
                        break
            if waiting:
                with cursor.copy(_SQL["copy_population"]) as copy:
                    for row in waiting:
                        copy.write_row(row)
                waiting = []


def _row(it: Feature) -> tuple[Any, ...]:
    code_from, code_to = it.code_span or (None, None)
    return (
        it.number, it.line, it.name, it.name_en, it.address, it.code, code_from, code_to,
        it.longitude, it.latitude, it.capacity, [flag.value for flag in it.flags],
        Jsonb(dict(it.fields)), Jsonb(dict(it.properties)),
    )  # fmt: skip


def _counted(it: Feature, one: PopulationCount) -> tuple[Any, ...]:
    return (
        it.number, it.code, one.region_code, one.region, one.series, one.date.first_day,
        one.date.precision, one.measure, one.sex, one.age_from, one.age_to, one.count,
    )  # fmt: skip


def _described(dataset: NewDataset) -> dict[str, Any]:
    return {
        "dataset_id": dataset.dataset_id,
        "kind": dataset.kind,
        "title": dataset.title,
        "title_en": dataset.title_en,
        "publisher": dataset.publisher,
        "licence": dataset.licence,
        "source": dataset.source,
        "data_date": None if dataset.date is None else dataset.date.first_day,
        "data_date_precision": None if dataset.date is None else dataset.date.precision,
        "file_name": dataset.file_name,
        "encoding": dataset.encoding,
        "report": Jsonb(dataset.report),
        "columns": Jsonb(dataset.columns),
    }


def _dataset(row: dict[str, Any]) -> DatasetRow:
    day, precision = row.pop("data_date"), row.pop("data_date_precision")
    return DatasetRow(date=None if day is None else _stated(day, precision), **row)


def _feature(row: dict[str, Any]) -> FeatureRow:
    flags = tuple(FeatureFlag(flag) for flag in row.pop("flags"))
    if row.pop("contradicts"):
        flags = (FeatureFlag.POSITION_CONTRADICTS_CODE, *flags)
    return FeatureRow(flags=flags, **row)


def _stated(day: date, precision: Any) -> StatedDate:
    return StatedDate(first_day=day, precision=precision)
