"""Keeps sums by five minutes, hour and Tokyo day equal to the observations, whatever came in what order.

Writers append to the log `changed`, in the transaction of the rows themselves (see `changed`). A
refresh takes rows off the log and makes the buckets that they name anew: five minutes from the
observations, the hours around them from their five minutes, the days from their hours. It replaces
and never adds up, so late, doubled, corrected and deleted observations need no rules of their own.

Why the sums equal the observations once the log is empty, and why every bucket that the log does not
name equals them at any moment, for a reader with one snapshot:

- A refresh is one transaction of several statements at READ COMMITTED: it gets the lock (one at a
  time in a database; nobody waits for it), then takes rows off the log, then, in a *later* statement
  and so with a newer snapshot, reads the observations and replaces the bucket.
- A log row that it took was written by a transaction that had committed by then, so the observations
  of that transaction are in the newer snapshot. What commits after that leaves a log row that this
  refresh has not seen and does not delete.
- Refreshes of the same bucket follow one another: the second has the lock only after the first has
  committed (locks are released after a commit becomes visible), and its snapshot is newer. So an
  older state never replaces a newer one.
- Log, observations and sums are in the same database: a reader's snapshot holds the sums of a refresh
  exactly if it lacks the log rows that this refresh took.
- Where observations are no longer kept, sums stay as they were when the last of them was dropped (see
  `late`).
- A crash at any point undoes all of the transaction: the rows are back in the log.

Equality is exact for n, lowest, highest, periods, and totals of whole numbers. The order in which
other floating point numbers are added differs: their totals equal within 1e-9 of the sum of the
magnitudes that went in.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from tsuji_platform.contract import OBSERVED_PROPERTIES, Aggregation
from tsuji_platform.store import queries
from tsuji_platform.store.changed import BUCKET_S, Run, members_of, note_runs
from tsuji_platform.store.database import Connection, connect
from tsuji_platform.store.errors import StoreError, translated
from tsuji_platform.store.finished_days import make_profiles, note_stale
from tsuji_platform.store.horizon import horizons
from tsuji_platform.store.late import Sieve, days_kept, mark

_log = logging.getLogger(__name__)
_SQL = queries.load("rollups")
_DIRECTIONS = [
    p.id for p in OBSERVED_PROPERTIES.values() if p.aggregation is Aggregation.CIRCULAR_MEAN
]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_HOUR = 12
_PER_DAY = 288
_TOKYO = 108
"""Buckets by which a day in Tokyo begins earlier than in Greenwich."""

_ROWS_AT_ONCE = 20_000
_BUCKETS_AT_ONCE = 50_000
_DAYS_AT_ONCE = 200
_REST_S = 1.0
_REST_TIMES = 4
"""Rest so many times as long as the work took: ingest comes first, and under load more changes share
the work."""
_PAUSE_S = 5.0


class Refresher:
    """Refreshes the rollups of one database, slice by slice; used by one thread at a time.

    Any number may run, in any processes: at any time one of them works.

    Args:
        url: PostgreSQL address.
        buckets_at_once: five-minute buckets in one transaction at the most.
    """

    def __init__(self, url: str, *, buckets_at_once: int = _BUCKETS_AT_ONCE) -> None:
        self._url = url
        self._budget = buckets_at_once
        self._connection: Connection | None = None
        self._blocks = {False: 0, True: 0}
        self._sieve = Sieve()

    def close(self) -> None:
        """Let the connection go; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def refresh(self) -> int | None:
        """Refresh one slice: what is new first, then what is late, each in turns by datastream.

        Returns:
            The number of five-minute buckets looked at, 0 when all was up to date, None when
            another refresher is at it.

        Raises:
            DatabaseAwayError: nothing was done; try again.
        """
        return self._alone(self._slice)

    def profile(self) -> int | None:
        """Make some of the finished days anew that have changed, for typical values (see `profiles`).

        Returns:
            How many, 0 when all were up to date, None when another refresher is at it.

        Raises:
            DatabaseAwayError: nothing was done; try again.
        """
        return self._alone(lambda connection: make_profiles(connection, _DAYS_AT_ONCE))

    def _alone(self, work: Callable[[Connection], int]) -> int | None:
        """Do something in one transaction that no other refresher works in."""
        try:
            with translated():
                connection = self._open()
                with connection.transaction():
                    return work(connection) if _is_ours(connection) else None
        except StoreError:
            self.close()
            raise

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, "tsuji rollups")
            # who stops in the middle, held by a debugger or a lost network, must not keep the lock
            self._connection.execute(_SQL["limit_idleness"])
        return self._connection

    def _slice(self, connection: Connection) -> int:
        runs = self._take(connection, self._budget, late=False)
        late = self._take(connection, max(self._budget // 2, self._budget - _size(runs)), late=True)
        runs = _merged([*runs, *late])
        if not runs:
            return 0
        looked_at, kept = _size(runs), horizons(connection)
        runs = self._sieve.makeable(connection, runs, kept)
        if runs:
            _replace(connection, _SQL["refresh_5min"], _SQL["forget_5min"], runs, 1, 0)
            hours = _merged(_coarser(runs, _PER_HOUR, 0))
            _replace(connection, _SQL["refresh_hour"], _SQL["forget_hour"], hours, _PER_HOUR, 0)
            days = _merged(_coarser(runs, _PER_DAY, _TOKYO))
            _replace(connection, _SQL["refresh_day"], _SQL["forget_day"], days, _PER_DAY, _TOKYO)
            mark(connection, kept, runs, hours, days)
            if days := days_kept(days, kept):
                note_stale(connection, days)
        return looked_at

    def _take(self, connection: Connection, budget: int, *, late: bool) -> list[Run]:
        """Take so many buckets off the log; what a row holds beyond that goes back."""
        taken, left = _divided(_merged(self._claim(connection, late=late)), budget)
        if left:
            with connection.cursor() as cursor:
                note_runs(cursor, left)
            self._blocks[late] = left[0][0] >> 5
        return taken

    def _claim(self, connection: Connection, *, late: bool) -> list[Run]:
        """Take rows off the log, on from where the last slice ended, and from the beginning again."""
        rows: list[dict[str, Any]] = []
        begin, self._blocks[late] = self._blocks[late], 0
        for block in dict.fromkeys((begin, 0)):
            values = {"late": late, "block": block, "limit": _ROWS_AT_ONCE - len(rows)}
            claimed = connection.execute(_SQL["claim_changed"], values).fetchall()
            rows += claimed
            if len(rows) == _ROWS_AT_ONCE:
                self._blocks[late] = 1 + max(row["datastream_block"] for row in claimed)
                break
        return [
            (datastream_id, row["first_bucket"], row["last_bucket"])
            for row in rows
            for datastream_id in members_of(row["datastream_block"], row["members"])
        ]

    def run(self, stop: threading.Event) -> None:
        """Refresh until stopped, whatever happens to the database meanwhile."""
        noted = ""
        while not stop.is_set():
            begun = time.monotonic()
            try:
                done = self.refresh()
                full = done is not None and done >= self._budget // 2  # then there is more to do
                if not full:
                    full = self.profile() == _DAYS_AT_ONCE
            except StoreError as error:
                if str(error) != noted:
                    noted = str(error)
                    _log.warning("rollups wait, readers take the observations: %s", error)
                stop.wait(_PAUSE_S)
                continue
            noted = ""
            worked = time.monotonic() - begun
            stop.wait(_REST_TIMES * worked if full else max(_REST_S, _REST_TIMES * worked))
        self.close()


@contextmanager
def kept_fresh(url: str) -> Iterator[None]:
    """Refresh in a thread of its own meanwhile.

    A thread is enough: nearly all of the work is the database's. It looks at the log every second
    and does not listen for changes, since it would rest for as long anyway.
    """
    stop = threading.Event()
    thread = threading.Thread(target=Refresher(url).run, args=(stop,), name="rollups", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)


def _is_ours(connection: Connection) -> bool:
    (row,) = connection.execute(_SQL["lock_refresh"]).fetchall()
    return bool(row["mine"])


def _replace(
    connection: Connection,
    refresh: LiteralString,
    forget: LiteralString,
    runs: Sequence[Run],
    per: int,
    shift: int,
) -> None:
    """Make the buckets of some runs anew, `per` five-minute buckets each."""
    # the outer bounds are constants, so that chunks beyond them are not even planned for
    bounds = {
        "start": _moment((min(first for _, first, _ in runs) - 1) * per - shift),
        "end": _moment(max(last for _, _, last in runs) * per - shift),
    }
    ids, firsts, lasts = (list(column) for column in zip(*runs, strict=True))
    values = {"datastream_ids": ids, "firsts": firsts, "lasts": lasts, "directions": _DIRECTIONS}
    gone = connection.execute(refresh, values | bounds).fetchall()
    if gone:
        keys = {
            "datastream_ids": [row["datastream_id"] for row in gone],
            "ends": [row["bucket_end"] for row in gone],
        }
        connection.execute(forget, keys | bounds)


def _moment(bucket: int) -> datetime:
    return _EPOCH + bucket * timedelta(seconds=BUCKET_S)


def _size(runs: Iterable[Run]) -> int:
    return sum(last - first + 1 for _, first, last in runs)


def _merged(runs: Iterable[Run]) -> list[Run]:
    """The same buckets, each once."""
    merged: list[Run] = []
    for datastream_id, first, last in sorted(runs):
        if merged and merged[-1][0] == datastream_id and first <= merged[-1][2] + 1:
            merged[-1] = datastream_id, merged[-1][1], max(last, merged[-1][2])
        else:
            merged.append((datastream_id, first, last))
    return merged


def _divided(runs: Iterable[Run], budget: int) -> tuple[list[Run], list[Run]]:
    """The first so many buckets, and the rest."""
    taken, left = [], []
    for datastream_id, first, last in runs:
        cut = min(last, first + budget - 1)
        if cut >= first:
            taken.append((datastream_id, first, cut))
            budget -= cut - first + 1
        if cut < last:
            left.append((datastream_id, cut + 1, last))
    return taken, left


def _coarser(runs: Iterable[Run], per: int, shift: int) -> Iterator[Run]:
    """The coarser buckets that some runs lie in; each is made of `per`, numbered by its end, too."""
    for datastream_id, first, last in runs:
        yield datastream_id, -(-(first + shift) // per), -(-(last + shift) // per)
