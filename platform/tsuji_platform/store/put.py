"""Puts rows into the table of observations: straight where none of them is there, otherwise by a stage.

Every way in goes through here: `latest` and the log of what has changed follow in the same transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Protocol, Self

import psycopg
from psycopg.rows import DictRow

from tsuji_platform.store import copy_format, queries
from tsuji_platform.store.changed import note_changed
from tsuji_platform.store.copy_format import Row
from tsuji_platform.store.database import Connection

_SQL = queries.load("writing")
_LONGEST_DETOUR = 63
_KEY, _TIME = itemgetter(0), itemgetter(2)
"""Of a row: its datastream and its phenomenon time."""

Key = tuple[int, datetime]
"""Of an observation: its datastream and its phenomenon time."""


class Rows(Protocol):
    """Rows of which no two have the same key, however they are held."""

    def __len__(self) -> int: ...

    def observations(self) -> bytes:
        """Their first four columns in the format of `copy_format`."""

    def staged(self) -> bytes:
        """All their columns in the format of `copy_format`."""

    def newest(self) -> dict[str, list[object]]:
        """The newest row of each datastream, as the columns of `advance_latest`."""

    def note(self, cursor: psycopg.Cursor[DictRow]) -> None:
        """Say that these observations are not what they were."""

    def only(self, keys: set[Key]) -> Self:
        """Those with one of these keys."""


class RowList:
    """Rows as tuples, one by one."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def observations(self) -> bytes:
        """See `Rows`."""
        return copy_format.observations(self._rows)

    def staged(self) -> bytes:
        """See `Rows`."""
        return copy_format.staged(self._rows)

    def newest(self) -> dict[str, list[object]]:
        """See `Rows`."""
        newest: dict[int, Row] = {}
        for row in self._rows:
            held = newest.get(row[0])
            if held is None or held[2] < row[2]:
                newest[row[0]] = row
        found = newest.values()
        return {
            "datastream_ids": list(newest),
            "periods": [row[1] for row in found],
            "times": [row[2] for row in found],
            "results": [float(row[3]) for row in found],
            "received": [row[4] for row in found],
        }

    def note(self, cursor: psycopg.Cursor[DictRow]) -> None:
        """See `Rows`."""
        note_changed(cursor, map(_KEY, self._rows), map(_TIME, self._rows))

    def only(self, keys: set[Key]) -> "RowList":
        """See `Rows`."""
        return RowList([row for row in self._rows if (row[0], row[2]) in keys])


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
