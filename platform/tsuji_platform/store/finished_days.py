"""Makes finished days by their quarter hours, for the refresher of the rollups; `profiles` reads them."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from tsuji_platform.analytics.quarters import PROFILED, midnight
from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation
from tsuji_platform.store import queries
from tsuji_platform.store.changed import Run
from tsuji_platform.store.database import Connection

_SQL = queries.load("profiles")
_KINDS = {
    "maxima": [p.id for p in OBSERVED_PROPERTIES.values() if p.aggregation is Aggregation.MAXIMUM],
    "counts": [p.id for p in OBSERVED_PROPERTIES.values() if p.is_count],
}
DAY = timedelta(days=1)

Key = tuple[int, date]
"""A datastream and a Tokyo day."""


def note_stale(connection: Connection, days: Iterable[Run]) -> None:
    """Say which days have changed; to be called in the transaction that changes their buckets.

    Args:
        connection: of the refresher.
        days: runs of days, numbered as the rollups number them: n ends n days after 1970-01-01 began
            in Tokyo.
    """
    ids, firsts, lasts = (list(column) for column in zip(*days, strict=True))
    values = {"datastream_ids": ids, "firsts": firsts, "lasts": lasts, "profiled": list(PROFILED)}
    connection.execute(_SQL["note_stale"], values)


def make_profiles(connection: Connection, limit: int) -> int:
    """Make some finished days anew that have changed; to be called under the refresher's lock.

    Returns:
        How many were made.
    """
    rows = connection.execute(_SQL["take_stale"], {"limit": limit}).fetchall()
    if rows:
        values = asked([(row["datastream_id"], row["day"]) for row in rows])
        connection.execute(_SQL["make_profiles"], values)
        connection.execute(_SQL["forget_profiles"], values)
    return len(rows)


def asked(keys: Sequence[Key]) -> dict[str, Any]:
    """The parameters of queries about these days."""
    days = [day for _, day in keys]
    return {
        "datastream_ids": [datastream_id for datastream_id, _ in keys],
        "days": days,
        # the outer bounds are constants, so that chunks beyond them are not even planned for
        "start": midnight(min(days)),
        "end": midnight(max(days)) + DAY,
        **_KINDS,
    }
