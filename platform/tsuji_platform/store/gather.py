"""The rows of a batch as they come from messages, each key once, and the newest of each datastream."""

from collections.abc import Sequence
from operator import itemgetter

import psycopg
from psycopg.rows import DictRow

from tsuji_platform.store import copy_format
from tsuji_platform.store.changed import note_changed
from tsuji_platform.store.copy_format import Row
from tsuji_platform.store.put import Key, text_arrays
from tsuji_platform.store.records import Tally

_KEY, _TIME = itemgetter(0), itemgetter(2)
"""Of a row: its datastream and its phenomenon time."""


class RowList:
    """Rows as tuples, one by one (see `Rows`).

    A writer appends to `rows` what is newer than `newest` of its datastream, which is nearly all, and
    gives the rest to `settle`: that spares a look-up by time for each value.

    Args:
        rows: each key once.

    Attributes:
        rows: the rows.
        newest_rows: the newest of each datastream.
    """

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows: list[Row] = list(rows)
        self.newest_rows: dict[int, Row] = {}
        self._places: dict[Key, int] = {}
        for row in self.rows:
            self._advance(row)

    def __len__(self) -> int:
        return len(self.rows)

    def settle(self, row: Row, tally: Tally) -> None:
        """Take a row that may be there already; of two with the same key the later is right.

        Args:
            row: to take.
            tally: where a row that says the same, or corrects another, is counted.
        """
        for place in range(len(self._places), len(self.rows)):
            one = self.rows[place]
            self._places[one[0], one[2]] = place
        place = self._places.setdefault((row[0], row[2]), len(self.rows))
        if place == len(self.rows):
            self.rows.append(row)
            self._advance(row)
            return
        earlier = self.rows[place]
        if (earlier[1], earlier[3]) == (row[1], row[3]):
            tally.duplicate += 1
            return
        tally.corrected += 1
        self.rows[place] = row
        if self.newest_rows[row[0]] is earlier:
            self.newest_rows[row[0]] = row

    def _advance(self, row: Row) -> None:
        held = self.newest_rows.get(row[0])
        if held is None or held[2] < row[2]:
            self.newest_rows[row[0]] = row

    def observations(self) -> bytes:
        """See `Rows`."""
        return copy_format.observations(self.rows)

    def staged(self) -> bytes:
        """See `Rows`."""
        return copy_format.staged(self.rows)

    def newest(self) -> dict[str, str]:
        """See `Rows`."""
        found = self.newest_rows.values()
        return text_arrays(
            self.newest_rows,
            [row[1] for row in found],
            [row[2] for row in found],
            [row[3] for row in found],
            [row[4] for row in found],
        )

    def note(self, cursor: psycopg.Cursor[DictRow]) -> None:
        """See `Rows`."""
        note_changed(cursor, map(_KEY, self.rows), map(_TIME, self.rows))

    def only(self, keys: set[Key]) -> "RowList":
        """See `Rows`."""
        return RowList([row for row in self.rows if (row[0], row[2]) in keys])
