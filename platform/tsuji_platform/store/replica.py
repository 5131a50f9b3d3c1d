"""Reads from a replica as long as it keeps up, and from the primary otherwise; writers never see it.

How far a replica is behind is told by the primary's write-ahead log, not by clocks: once a second the
primary says how far its log has come; how old the oldest of these marks is that the replica has not reached
yet is its lag. So it is 0 at rest, and grows while the replica is cut off.

What follows the database (`Live`, LISTEN) asks the primary: a standby does not pass notifications on, and its
snapshots don't name the transactions that are under way.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, LiteralString, TypeVar

import psycopg
import psycopg_pool
from psycopg.rows import DictRow

from tsuji_platform.store import queries
from tsuji_platform.store.database import Connection, Database
from tsuji_platform.store.errors import DatabaseAwayError, StoreError, TookTooLongError
from tsuji_platform.store.session import Session

_SQL = queries.load("replica")
_log = logging.getLogger(__name__)
_EVERY_S = 1.0
_MARKS = 3_600
_WAIT_S = 2.0
"""For a connection to the replica: the primary is there as well."""
_T = TypeVar("_T")


class ReplicaState(StrEnum):
    """What is done with a replica."""

    USED = "used"
    BEHIND = "behind"
    AWAY = "away"
    OTHER = "another_database"


_MEANING = {
    ReplicaState.USED: "the replica is read from again",
    ReplicaState.BEHIND: "the replica is too far behind: the primary is read from until it has caught up",
    ReplicaState.AWAY: "the replica does not answer: the primary is read from until it does",
    ReplicaState.OTHER: "TSUJI_DATABASE_READ_URL is no replica of TSUJI_DATABASE_URL, but another database: "
    "it is not read from",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a server's log has come, bytes; and which database it is.

    Attributes:
        at: bytes.
        database: the same on a primary and on its replicas.
        own_since: when the server started, where it follows no other.
    """

    at: int
    database: str
    own_since: str | None

    def is_of(self, primary: "Position") -> bool:
        """Whether this is a replica of the other, or the very same server."""
        return self.database == primary.database and self.own_since in (None, primary.own_since)


class Pace:
    """How far one server is behind another, by what each says of its log.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque(maxlen=_MARKS)
        self.is_known = False
        """Whether a mark was ever reached: before, what is lacking may be far older than the first one."""

    def mark(self, primary: int) -> None:
        """The primary's log has come so far."""
        while self._marks and self._marks[-1][1] > primary:
            self._marks.pop()  # of a primary that another has replaced, which had not got so far
        self._marks.append((self._clock(), primary))

    def lag_s(self, replica: int) -> float:
        """How old is what a replica lacks that has come so far, seconds; 0 where it lacks nothing."""
        while self._marks and self._marks[0][1] <= replica:
            self._marks.popleft()
            self.is_known = True
        return self._clock() - self._marks[0][0] if self._marks else 0.0


class ReplicatedDatabase(Database):
    """A replica, and the primary where the replica can't be used.

    Args:
        primary: takes over; closed with this one.
        url: PostgreSQL address of the replica.
        size: connections at the most, to each.
        query_s: how long one statement may take; None sets no limit.
        most_lag_s: a replica that is further behind is not read from.
    """

    def __init__(
        self,
        primary: Database,
        url: str,
        *,
        size: int = 8,
        query_s: float | None = None,
        most_lag_s: float = 10.0,
    ) -> None:
        super().__init__(url, size=size, timeout_s=_WAIT_S, query_s=query_s)
        self._primary = primary
        self._most_lag_s = most_lag_s
        self._state = ReplicaState.AWAY
        self._is_other = False
        self._lag_s: float | None = None
        self._pace = Pace()
        self._sessions = [Session(one, "tsuji replica watch") for one in (primary.url, url)]
        self._stop = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._watch, name="replica", daemon=True)
        self._thread.start()

    @property
    def primary(self) -> Database:
        """What is written to, and followed."""
        return self._primary

    @property
    def reading_url(self) -> str:
        """Where to read much at once."""
        return self.url if self.state is ReplicaState.USED else self._primary.url

    @property
    def state(self) -> ReplicaState:
        """What is done with the replica now."""
        return self._state

    @property
    def lag_s(self) -> float | None:
        """How far it is behind at the least, seconds; None where that can't be told."""
        return self._lag_s

    def close(self) -> None:
        """Give all connections back."""
        self._stop.set()
        self._thread.join()
        for session in self._sessions:
            session.close()
        super().close()
        self._primary.close()

    def rows(self, query: LiteralString, values: Mapping[str, Any] | None = None) -> list[DictRow]:
        """Run one statement and return its rows; by the primary, where the replica ends it."""
        return self._by_either(lambda it: Database.rows(it, query, values))

    def reading(self, read: Callable[[Connection], _T]) -> _T:
        """Read in one transaction; anew on the primary, where the replica ends it."""
        return self._by_either(lambda it: Database.reading(it, read))

    def _by_either(self, ask: Callable[[Database], _T]) -> _T:
        if self._state is not ReplicaState.USED:
            return ask(self._primary)
        try:
            return ask(self)
        except TookTooLongError:
            raise  # the primary would take as long
        except DatabaseAwayError as error:
            _log.info("the primary answers instead of the replica: %s", error)
            return ask(self._primary)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with ExitStack() as stack:
            connection = None
            if self._state is ReplicaState.USED or hasattr(self._held, "connection"):
                try:
                    connection = stack.enter_context(super()._connection())
                except (psycopg_pool.PoolTimeout, psycopg.OperationalError) as error:
                    self._say(ReplicaState.AWAY, str(error))
            if connection is None:
                connection = stack.enter_context(self._primary._connection())
            yield connection

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_S):
            try:
                self._look()
            except Exception:  # noqa: BLE001 - a defect must not leave an old replica in use
                _log.exception("a defect was met in the watch of the replica")
                self._say(ReplicaState.AWAY, "")

    def _look(self) -> None:
        primary = self._position(0)
        if primary is not None:
            self._pace.mark(primary.at)
        replica = self._position(1)
        if replica is None:
            self._lag_s = None
            self._say(ReplicaState.AWAY, "")
        elif primary is None:  # how far it is nobody can tell; what it has is better than nothing
            self._lag_s = None
            self._say(ReplicaState.OTHER if self._is_other else ReplicaState.USED, "")
        elif not replica.is_of(primary):
            self._is_other, self._lag_s = True, None
            self._say(ReplicaState.OTHER, "")
        else:
            self._is_other = False
            self._lag_s = self._pace.lag_s(replica.at)
            behind = self._lag_s > self._most_lag_s or not self._pace.is_known
            self._say(ReplicaState.BEHIND if behind else ReplicaState.USED, f"{self._lag_s:.1f} s")

    def _position(self, which: int) -> Position | None:
        try:
            (row,) = self._sessions[which].rows(_SQL["position"])
        except StoreError:
            return None
        return None if row["at"] is None else Position(**row)

    def _say(self, state: ReplicaState, more: str) -> None:
        before, self._state = self._state, state
        if state is not before:
            level = logging.INFO if state is ReplicaState.USED else logging.WARNING
            _log.log(level, "%s%s", _MEANING[state], f" ({more})" if more else "")
