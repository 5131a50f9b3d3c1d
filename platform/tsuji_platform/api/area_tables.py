"""Areas and their figures as tables with shapes, for maps and spreadsheets."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tsuji_platform.analytics.figures import FIGURES
from tsuji_platform.api import models
from tsuji_platform.api.tables import columns_of, of_items, values_of
from tsuji_platform.exports.tables import TEXT, Column, Table
from tsuji_platform.store.records import Area

_NAMED = (
    Column(name="code", kind=TEXT, meaning="code of the area"),
    Column(name="name", kind=TEXT, meaning="as its publisher gives it"),
    Column(name="name_en", kind=TEXT, meaning="English name, empty where none is known"),
)
_TYPICAL = "typical_"


def of_areas(body: models.AreaList, areas: Sequence[Area], about: Mapping[str, Any]) -> Table:
    """Areas with their shapes."""
    table = of_items(models.AreaItem, body.items, about=about)
    return Table(
        columns=table.columns,
        rows=table.rows,
        geometries=[area.geometry for area in areas],
        about=about,
    )


def of_snapshot(
    snapshot: models.Snapshot, areas: Sequence[Area], about: Mapping[str, Any]
) -> Table:
    """One row for each area, figures side by side; areas without any are there, too.

    Args:
        snapshot: as JSON has it.
        areas: the rows.
        about: see `Table`.
    """
    figures = {area.code: area.figures for area in snapshot.areas}
    columns = {figure_id: list(_columns(figure_id)) for figure_id in FIGURES}
    rows = []
    for area in areas:
        row: list[Any] = [area.code, area.name, area.name_en]
        for figure_id, wanted in columns.items():
            found = figures.get(area.code, {}).get(figure_id)
            row += [None] * len(wanted) if found is None else values_of(wanted, found)
        rows.append(row)
    return Table(
        columns=[*_NAMED, *(column for wanted in columns.values() for column, _ in wanted)],
        rows=rows,
        geometries=[area.geometry for area in areas],
        about=about,
    )


def _columns(figure_id: str) -> Iterator[tuple[Column, tuple[str, ...]]]:
    """Those of one figure: its value under its own name, what else is said of it behind that."""
    known = FIGURES[figure_id]
    for column, path in columns_of(models.FigureValue):
        if column.name == "value":
            meaning = f"{known.label}; {known.method}"
            yield (
                Column(name=figure_id, kind=column.kind, meaning=meaning, unit=known.unit),
                path,
            )
        elif not column.name.startswith(_TYPICAL):
            yield (
                Column(
                    name=f"{figure_id}_{column.name}",
                    kind=column.kind,
                    meaning=column.meaning,
                    unit=column.unit,
                ),
                path,
            )
