"""Which tables a backup holds, in which order and with which columns: found in the database, not listed.

All tables that our migrations make and that outlast a crash are in it, unless `LEFT_OUT` says why not; so a
table of a later migration can't be forgotten.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from psycopg import sql

from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection
from tsuji_platform.store.migrate import made_by_us

_SQL = queries.load("backup")

LEFT_OUT = {
    "backup_run": "it tells of this database, not of the one that is restored",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a backup.

    Attributes:
        name: its name.
        columns: that are kept; those that name transactions are not: these are numbered anew elsewhere.
        next_numbers: what its identity columns give next.
    """

    name: str
    columns: tuple[str, ...]
    next_numbers: dict[str, int] = field(default_factory=dict)


def identifiers(names: Iterable[str]) -> sql.Composed:
    """Names as SQL has them, divided by commas."""
    return sql.SQL(", ").join(map(sql.Identifier, names))


def kept_names(connection: Connection) -> list[str]:
    """The tables that a backup of this database holds, those first to which others refer."""
    wanted = [name for name in made_by_us() if name not in LEFT_OUT]
    found = connection.execute(_SQL["own_tables"], {"names": wanted}).fetchall()
    names = [row["name"] for row in found]
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(names, ()))
    for row in connection.execute(_SQL["references"], {"names": names}):
        order.add(row["referring"], row["referred"])
    return list(order.static_order())


def tables_of(connection: Connection, names: Sequence[str], *, numbers: bool = True) -> list[Table]:
    """These tables as they are in this database.

    Args:
        connection: within a transaction.
        names: in the order of the answer.
        numbers: whether what comes next in identity columns is wanted.
    """
    columns: dict[str, list[str]] = {name: [] for name in names}
    identities: dict[str, list[str]] = {name: [] for name in names}
    for row in connection.execute(_SQL["own_columns"], {"names": list(names)}):
        columns[row["name"]].append(row["column_name"])
        if row["identity"]:
            identities[row["name"]].append(row["column_name"])
    return [
        Table(
            name=name,
            columns=tuple(columns[name]),
            next_numbers={
                column: _next(connection, name, column) for column in identities[name] if numbers
            },
        )
        for name in names
    ]


def _next(connection: Connection, table: str, column: str) -> int:
    (row,) = connection.execute(_SQL["sequence"], {"table": table, "column": column}).fetchall()
    query = sql.SQL(_SQL["next_number"]).format(sequence=sql.Identifier(row["schema"], row["name"]))
    (found,) = connection.execute(query).fetchall()
    return int(found["next"])
