"""Puts rows into the table of observations: straight where none of them is there, otherwise by a stage.

Every way in goes through here: `latest` and the log of what has changed follow in the same transaction.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, Self

import psycopg
from psycopg.rows import DictRow

from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection

_SQL = queries.load("writing")
_LONGEST_DETOUR = 63
Key = tuple[int, datetime]
"""Of an observation: its datastream and its phenomenon time."""


class Rows(Protocol):
    """Rows of which no two have the same key, however they are held."""

    def __len__(self) -> int: ...

    def observations(self) -> bytes:
        """Their first four columns in the format of `copy_format`."""

    def staged(self) -> bytes:
        """All their columns in the format of `copy_format`."""

    def newest(self) -> dict[str, str]:
        """The newest row of each datastream, as the columns of `advance_latest`: texts of arrays."""

    def note(self, cursor: psycopg.Cursor[DictRow]) -> None:
        """Say that these observations are not what they were."""

    def only(self, keys: set[Key]) -> Self:
        """Those with one of these keys."""


def text_arrays(
    datastream_ids: Iterable[int],
    periods: Iterable[int | None],
    times: Iterable[datetime],
    results: Iterable[float],
    received: Iterable[datetime],
) -> dict[str, str]:
    """What `Rows.newest` returns.

    As texts, since psycopg looks up how to write each element of a list: nine parts in ten of the
    time that this takes.
    """
    return {
        "datastream_ids": _array(map(str, datastream_ids)),
        "periods": _array("null" if period is None else str(period) for period in periods),
        "times": _array(map(datetime.isoformat, times)),
        "results": _array(map(repr, map(float, results))),
        "received": _array(map(datetime.isoformat, received)),
    }


def _array(elements: Iterable[str]) -> str:
    return "{" + ",".join(elements) + "}"


class Putter:
    """The way into the table over one connection that has a stage."""

    def __init__(self) -> None:
        self._detour = 0
        self._longest_detour = 0

    def put(self, connection: Connection, rows: Rows, *, keep: bool = False) -> tuple[int, int]:
        """Insert rows, or correct those that are there; the newer message is right.

        Args:
            connection: in a transaction.
            rows: to put.
            keep: what is there is right, not these.

        Returns:
            How many were inserted, and how many replaced others.
        """
        if self._copied(connection, rows):
            return len(rows), 0
        with connection.cursor() as cursor:
            copy_stage(cursor, rows)
            if keep:
                return len(insert_waiting(cursor, rows)), 0
            counted = cursor.execute(_SQL["put_observations"]).fetchone() or {}
            inserted, corrected = counted["inserted"], counted["corrected"]
            cursor.execute(_SQL["update_latest"])
            if inserted or corrected:
                rows.note(cursor)
        return inserted, corrected

    def _copied(self, connection: Connection, rows: Rows) -> bool:
        """Copy straight into the table; False, with nothing done, where a row is there already.

        After such a conflict the next batches don't try, since duplicates come in crowds.
        """
        if self._detour > 0:
            self._detour -= 1
            return False
        try:
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy(_SQL["copy_observations"]) as copy:
                    copy.write(rows.observations())
                cursor.execute(_SQL["advance_latest"], rows.newest())
                rows.note(cursor)
        except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected):
            self._longest_detour = min(2 * self._longest_detour + 1, _LONGEST_DETOUR)
            self._detour = self._longest_detour
            return False
        self._longest_detour = 0
        return True


def copy_stage(cursor: psycopg.Cursor[DictRow], rows: Rows) -> None:
    """Bring rows to the connection's landing place."""
    with cursor.copy(_SQL["copy_stage"]) as copy:
        copy.write(rows.staged())


def insert_waiting(cursor: psycopg.Cursor[DictRow], rows: Rows) -> set[Key]:
    """Insert those rows of the stage that are not in the table; `latest` follows. Returns their keys."""
    inserted = {
        (row["datastream_id"], row["phenomenon_time"])
        for row in cursor.execute(_SQL["insert_waiting"])
    }
    if inserted:
        new = rows.only(inserted)
        cursor.execute(_SQL["advance_latest"], new.newest())
        new.note(cursor)
    return inserted
