"""What the columns of a CSV are, as CSV on the Web says it: https://www.w3.org/TR/tabular-metadata/."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from tsuji_platform.exports.tables import Column

_TYPES: tuple[tuple[Any, dict[str, Any]], ...] = (
    (pa.types.is_timestamp, {"datatype": "dateTimeStamp"}),
    (pa.types.is_date, {"datatype": "date"}),
    (pa.types.is_integer, {"datatype": "integer"}),
    (pa.types.is_floating, {"datatype": "number"}),
    (pa.types.is_boolean, {"datatype": "boolean"}),
    (pa.types.is_list, {"datatype": "string", "separator": " "}),
)
_UNIT = "http://qudt.org/schema/qudt/ucumCode"


def document(address: str, columns: Iterable[Column], about: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of one CSV.

    Args:
        address: of the CSV, absolute or from the same host.
        columns: in order.
        about: what goes with the rows; `licence`, `publisher` and `source` are said in words of others.
    """
    told: dict[str, Any] = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": address,
        "dialect": {"delimiter": ",", "header": True, "encoding": "utf-8"},
        "tableSchema": {"columns": [_column(one) for one in columns]},
    }
    for ours, theirs in _SAID.items():
        if text := about.get(ours):
            told[theirs] = text
    return told


_SAID = {
    "licence": "dc:license",
    "publisher": "dc:publisher",
    "source": "dc:source",
    "title": "dc:title",
    "made_at": "dc:created",
}


def _column(column: Column) -> dict[str, Any]:
    told: dict[str, Any] = {"name": column.name, "titles": column.title}
    told |= next((said for is_one, said in _TYPES if is_one(column.kind)), {"datatype": "string"})
    if column.meaning:
        told["dc:description"] = column.meaning
    if column.unit:
        told[_UNIT] = column.unit
    return told
