"""How many rows a query would have: counted, or as the planner thinks."""

from collections.abc import Mapping
from typing import Any, Literal, LiteralString

from psycopg import ClientCursor

from tsuji_platform.store.database import Database

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
    with database.transaction() as connection:
        if way == "exact":
            found = connection.execute(
                b"SELECT count(*) AS n FROM (" + query.encode() + b") AS counted", whole
            ).fetchone()
            return 0 if found is None else int(found["n"])
        cursor = ClientCursor(connection)  # the planner is to see the values
        cursor.execute(b"EXPLAIN (FORMAT JSON) " + query.encode(), whole)
        told = cursor.fetchone()
        return 0 if told is None else int(told["QUERY PLAN"][0]["Plan"]["Plan Rows"])
