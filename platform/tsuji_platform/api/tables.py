"""Answers as tables: their fields become columns with the meanings and units that the document gives."""

import types
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import orjson
import pyarrow as pa
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tsuji_platform.analytics.gaps import Absence
from tsuji_platform.api.models import Series
from tsuji_platform.api.typical_models import Typical
from tsuji_platform.exports.tables import (
    DAY,
    NUMBER,
    TEXT,
    TEXTS,
    TIME,
    TRUTH,
    WHOLE,
    Column,
    Table,
    unit_of_name,
)

UNIT = "x-unit"
"""Where a field of an answer says its UCUM code."""
_LEFT_OUT = frozenset({"links", "location", "coordinates"})
"""What tables have otherwise: as geometry, or not at all."""
_KINDS: dict[type, pa.DataType] = {
    str: TEXT, int: WHOLE, float: NUMBER, bool: TRUTH, datetime: TIME, date: DAY,
}  # fmt: skip


def of_items(
    model: type[BaseModel],
    items: Sequence[BaseModel],
    *,
    about: Mapping[str, Any] | None = None,
    points: Sequence[tuple[float, float] | None] | None = None,
) -> Table:
    """A list of answers.

    Args:
        model: what each is.
        items: one for each row.
        about: see `Table`.
        points: longitude and latitude of each; None for what is not on the map.
    """
    columns = columns_of(model)
    rows = [list(values_of(columns, item)) for item in items]
    if points is None:
        return Table(columns=[one for one, _ in columns], rows=rows, about=about or {})
    for row, point in zip(rows, points, strict=True):
        row += point or (None, None)
    return Table(
        columns=[*(one for one, _ in columns), *PLACE],
        rows=rows,
        geometries=[
            None if point is None else {"type": "Point", "coordinates": point} for point in points
        ],
        about=about or {},
    )


def of_series(said: Mapping[str, str], series: Series) -> Table:
    """A series: one row for each step.

    Args:
        said: what all of it is about, in columns of their own.
        series: as JSON has it.
    """
    meaning = f"null where there are no observations; {series.unit_label}"
    hidden = {
        time
        for gap in series.gaps
        if gap.reason is Absence.SUPPRESSED
        for time in series.times
        if gap.start < time <= gap.end
    }
    left_out = series.left_out or [0] * len(series.times)
    rows = zip(series.times, series.values, left_out, strict=True)
    return Table(
        columns=[
            *(Column(name=name, kind=TEXT) for name in said),
            Column(name="time", kind=TIME, meaning="the END of the step, UTC"),
            Column(name="value", kind=NUMBER, meaning=meaning, unit=series.unit),
            Column(
                name="suppressed",
                kind=TRUTH,
                meaning="people were counted, too few to be told of: the value is null",
            ),
            Column(
                name="left_out",
                kind=WHOLE,
                meaning="how many small counts are withheld and no part of the value",
            ),
        ],
        rows=[[*said.values(), time, value, time in hidden, n] for time, value, n in rows],
        about={"step_s": series.step_s, "unit_label": series.unit_label},
    )


def of_typical(said: Mapping[str, str], typical: Typical) -> Table:
    """What is usual on a day: one row for each step."""
    of_day = f"of past days of the same kind; {typical.unit_label}"
    hidden = set(typical.suppressed)
    rows = zip(
        typical.times,
        typical.q1,
        typical.median,
        typical.q3,
        typical.days,
        (time in hidden for time in typical.times),
        strict=True,
    )
    return Table(
        columns=[
            *(Column(name=name, kind=TEXT) for name in said),
            Column(name="time", kind=TIME, meaning="the END of the step, UTC"),
            *(
                Column(name=name, kind=NUMBER, meaning=f"{what} {of_day}", unit=typical.unit)
                for name, what in (
                    ("q1", "lower quartile"),
                    ("median", "median"),
                    ("q3", "upper quartile"),
                )
            ),
            Column(name="days", kind=WHOLE, meaning="how many days stand behind it"),
            Column(
                name="suppressed",
                kind=TRUTH,
                meaning="there is no value because a small count stands behind it",
            ),
        ],
        rows=[[*said.values(), *row] for row in rows],
        about={"method": typical.method, "method_ja": typical.method_ja},
    )


PLACE = (
    Column(name="longitude", kind=NUMBER, meaning="WGS 84", unit="deg"),
    Column(name="latitude", kind=NUMBER, meaning="WGS 84", unit="deg"),
)


@cache
def columns_of(
    model: type[BaseModel], prefix: str = ""
) -> tuple[tuple[Column, tuple[str, ...]], ...]:
    """The columns of a model, and by which fields their values are reached."""
    return tuple(_columns(model, prefix))


def _columns(model: type[BaseModel], prefix: str) -> Iterator[tuple[Column, tuple[str, ...]]]:
    for name, field in model.model_fields.items():
        if name in _LEFT_OUT:
            continue
        shown = f"{prefix}{field.alias or name}"
        kind = _stripped(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for column, path in columns_of(kind, f"{shown}_"):
                yield column, (name, *path)
            continue
        yield _column(shown, kind, field), (name,)


def _column(name: str, kind: Any, field: FieldInfo) -> Column:
    extra = field.json_schema_extra
    unit = extra.get(UNIT) if isinstance(extra, dict) else None
    return Column(
        name=name,
        kind=_arrow(kind),
        meaning=field.description or "",
        unit=str(unit or unit_of_name(name)),
    )


def _stripped(annotation: Any) -> Any:
    """A type without `None` and without what is annotated."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [one for one in get_args(annotation) if one is not type(None)]
        return _stripped(rest[0]) if len(rest) == 1 else annotation
    return annotation


def _arrow(kind: Any) -> pa.DataType:
    if get_origin(kind) is list:
        return TEXTS if _arrow(_stripped(get_args(kind)[0])) == TEXT else TEXT
    if get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        return TEXT
    return _KINDS.get(kind, TEXT)


def values_of(columns: Sequence[tuple[Column, tuple[str, ...]]], item: BaseModel) -> Iterator[Any]:
    """What one answer has in these columns, as `columns_of` gives them."""
    for column, path in columns:
        value: Any = item
        for name in path:
            value = None if value is None else getattr(value, name)
        yield _fitting(value, column.kind)


def _fitting(value: Any, kind: pa.DataType) -> Any:
    """What has no place in a cell stands in it as JSON."""
    if isinstance(value, Enum):
        return value.value
    if kind == TEXTS and value is not None:
        return [str(getattr(one, "value", one)) for one in value]
    if kind == TEXT and value is not None and not isinstance(value, str):
        return orjson.dumps(value, default=_dumped).decode()
    return value


def _dumped(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value)} is no JSON")
