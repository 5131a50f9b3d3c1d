"""Puts rows into the table of observations: straight where none of them is there, otherwise by a stage.

Every way in goes through here: `latest` and the log of what has changed follow in the same transaction.
"""

import psycopg
from psycopg.rows import DictRow

from tsuji_platform.store import queries
from tsuji_platform.store.columns import Columns, Key
from tsuji_platform.store.database import Connection

_SQL = queries.load("writing")
_LONGEST_DETOUR = 63


class Putter:
    """The way into the table over one connection that has a stage."""

    def __init__(self) -> None:
        self._detour = 0
        self._longest_detour = 0

    def put(self, connection: Connection, rows: Columns, *, keep: bool = False) -> tuple[int, int]:
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

    def _copied(self, connection: Connection, rows: Columns) -> bool:
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


def copy_stage(cursor: psycopg.Cursor[DictRow], rows: Columns) -> None:
    """Bring rows to the connection's landing place."""
    with cursor.copy(_SQL["copy_stage"]) as copy:
        copy.write(rows.staged())


def insert_waiting(cursor: psycopg.Cursor[DictRow], rows: Columns) -> set[Key]:
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
