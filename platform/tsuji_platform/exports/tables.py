"""A table that was made as a whole, such as a page of things, in the formats that other programs read."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tsuji_platform.exports import geoparquet
from tsuji_platform.exports.geoparquet import Geometry

TEXT, WHOLE, NUMBER, TRUTH = pa.string(), pa.int64(), pa.float64(), pa.bool_()
TIME, DAY, TEXTS = pa.timestamp("us", tz="UTC"), pa.date32(), pa.list_(pa.string())
GEOMETRY = "geometry"

_BOM = "\ufeff"
_SUFFIXES = {"_s": "s", "_m": "m", "_km2": "km2"}
"""Names that say their unit already, in UCUM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Attributes:
        name: as in JSON, parts of parts joined by `_`.
        kind: one of the types above, or any of Arrow's that holds plain values.
        meaning: what its values are.
        unit: UCUM code; empty where it has none, or each row says its own.
    """

    name: str
    kind: pa.DataType
    meaning: str = ""
    unit: str = ""

    @property
    def title(self) -> str:
        """The name as a header says it, with the unit behind it unless the name says that."""
        if not self.unit or any(
            self.name.endswith(end) and unit == self.unit for end, unit in _SUFFIXES.items()
        ):
            return self.name
        return f"{self.name} [{self.unit}]"


def unit_of_name(name: str) -> str:
    """The UCUM code that a name such as `period_s` says; empty where it says none."""
    return next((unit for end, unit in _SUFFIXES.items() if name.endswith(end)), "")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows with the meanings of their columns.

    Attributes:
        columns: in order; longitude and latitude stand in columns of their own where places are points.
        rows: values in the order of the columns.
        geometries: one for each row, None where it is nowhere; None for what is not on the map.
        about: credits, licence and what else goes wherever the rows go; plain JSON values.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    geometries: Sequence[Geometry | None] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def names(self) -> list[str]:
        """Of the columns."""
        return [one.name for one in self.columns]

    def to_csv(self, *, bom: bool = False) -> bytes:
        """UTF-8, a header with units, RFC 3339 times; texts of a list are divided by spaces.

        Args:
            bom: begins with a mark, by which spreadsheets know UTF-8.
        """
        text = io.StringIO()
        text.write(_BOM if bom else "")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([one.title for one in self.columns])
        writer.writerows([_cell(value) for value in row] for row in self.rows)
        return text.getvalue().encode("utf-8", "replace")

    def to_json_lines(self) -> bytes:
        """One object a line, all of the same fields."""
        return b"".join(orjson.dumps(one) + b"\n" for one in self._objects())

    def to_geojson(self) -> bytes:
        """A FeatureCollection (RFC 7946); what goes with all rows stands beside the features."""
        places = self.geometries or [None] * len(self.rows)
        return orjson.dumps(
            {
                "type": "FeatureCollection",
                "about": dict(self.about),
                "features": [
                    {"type": "Feature", "geometry": place, "properties": row}
                    for place, row in zip(places, self._objects(), strict=True)
                ],
            }
        )

    def to_parquet(self) -> bytes:
        """Parquet with meanings and units in the schema; GeoParquet where there is geometry."""
        arrays = [
            pa.array([row[place] for row in self.rows], one.kind)
            for place, one in enumerate(self.columns)
        ]
        fields = [pa.field(one.name, one.kind, metadata=_described(one)) for one in self.columns]
        told = {"tsuji": orjson.dumps(dict(self.about))}
        if self.geometries is not None:
            arrays.append(geoparquet.column(self.geometries))
            fields.append(pa.field(GEOMETRY, pa.binary()))
            told |= geoparquet.metadata(GEOMETRY, self.geometries)
        table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=told))
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        return bytes(sink.getvalue())

    def _objects(self) -> Iterable[dict[str, Any]]:
        for row in self.rows:
            yield {name: _plain(value) for name, value in zip(self.names, row, strict=True)}


def _described(column: Column) -> dict[str, str]:
    told = {"meaning": column.meaning, "unit": column.unit}
    return {name: text for name, text in told.items() if text}


def _plain(value: Any) -> Any:
    """Times with a Z, as everywhere."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value.isoformat() if type(value) is date else _plain(value)
