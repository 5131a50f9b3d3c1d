"""How many rows a query would have: counted, or as the planner thinks."""

from collections.abc import Mapping
from typing import Any, Literal, LiteralString

from psycopg import ClientCursor

from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection, Database

_SQL = queries.load("counting")
Way = Literal["estimated", "exact"]


def count(database: Database, query: LiteralString, values: Mapping[str, Any], way: Way) -> int:
    """The number of rows of all pages of a query that takes a `limit`.

    Args:
        database: to ask.
        query: a page of it.
        values: of its parameters; the limit does not matter, and no page is begun behind anything.
        way: exact reads all rows; estimated asks the planner, which knows what was last analysed.
    """
    whole = {**values, "limit": None}

    def read(connection: Connection) -> int:
        if way == "exact":
            found = connection.execute(_around(query, way), whole).fetchone()
            return 0 if found is None else int(found["n"])
        cursor = ClientCursor(connection)  # the planner is to see the values
        cursor.execute(_around(query, way), whole)
        told = cursor.fetchone()
        return 0 if told is None else int(told["QUERY PLAN"][0]["Plan"]["Plan Rows"])

    return database.reading(read)


def _around(query: LiteralString, way: Way) -> bytes:
    """Both texts are shipped with the package and hold no value from outside."""
    return _SQL[way].replace("$query", query).encode()
