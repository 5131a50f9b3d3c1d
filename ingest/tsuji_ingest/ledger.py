"""What became of every value that this process has received: nothing leaves the sum unexplained.

received = stored + duplicate + corrected + rejected + waiting, at any moment: the left side grows
when a message has been read, the right side when its transaction is committed. The two are counted by
different threads in different places, so that a value lost between them would show as waiting for ever.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from tsuji_ingest.histogram import Histogram, quantile
from tsuji_platform.store.records import IngestState, Received, Tally

_MINUTE_S = 60.0
_SHARE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The ledger at one moment; all since the process began.

    Attributes:
        messages: read.
        received: values read.
        decided: what became of them at first.
        healed: how values that had been rejected moved since: what `rejected` lost, others gained.
        waiting: values read and not committed.
        away_since: when the database was first missed, monotonic seconds; None while it serves.
        cause: how that showed.
    """

    messages: int = 0
    received: int = 0
    decided: Tally = field(default_factory=Tally)
    healed: Tally = field(default_factory=Tally)
    waiting: int = 0
    away_since: float | None = None
    cause: str = ""


class Ledger:
    """Shared by the threads of one ingest.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._account = Account()
        self._storing = 0
        self._lags: deque[tuple[float, Histogram]] = deque()
        self.lag = Histogram()
        """From arrival to commit."""
        self.age = Histogram()
        """From the newest phenomenon time of a message to its commit."""

    def took(self, messages: Iterable[Received]) -> None:
        """Messages have been read."""
        count = values = 0
        for one in messages:
            count += 1
            values += value_count(one)
        with self._lock:
            self._account = replace(
                self._account,
                messages=self._account.messages + count,
                received=self._account.received + values,
                waiting=self._account.waiting + values,
            )

    def storing(self, values: int) -> None:
        """So many of those that wait are being stored now."""
        with self._lock:
            self._storing = values

    def settled(self, values: int, tally: Tally, lags_s: list[float], ages_s: list[float]) -> None:
        """A transaction is committed.

        Args:
            values: how many it took off those that wait.
            tally: what became of them, and of retained values, which are received only if they are news.
            lags_s: of each message, from arrival to now.
            ages_s: of each message with observations, from its newest phenomenon time to now.
        """
        lags, ages = Histogram(), Histogram()
        lags.add(lags_s)
        ages.add(ages_s)
        with self._lock:
            self._recent().merge(lags)
            self.lag.merge(lags)
            self.age.merge(ages)
            self._storing = 0
            self._account = replace(
                self._account,
                received=self._account.received + tally.received - values,
                decided=self._account.decided + tally,
                waiting=self._account.waiting - values,
            )

    def healed(self, tally: Tally) -> None:
        """Values that had been rejected have found their place."""
        with self._lock:
            self._account = replace(self._account, healed=self._account.healed + tally)

    def forget_waiting(self) -> None:
        """We end: what waits here is the broker's again."""
        with self._lock:
            waiting = self._account.waiting
            self._account = replace(
                self._account, received=self._account.received - waiting, waiting=0
            )
            self._storing = 0

    def away(self, cause: str) -> None:
        """The database does not serve."""
        with self._lock:
            since = self._account.away_since
            since = self._clock() if since is None else since
            self._account = replace(self._account, away_since=since, cause=cause)

    def back(self) -> float | None:
        """The database serves; returns for how many seconds it had not, None if it always did."""
        with self._lock:
            since = self._account.away_since
            if since is not None:
                self._account = replace(self._account, away_since=None, cause="")
            return None if since is None else self._clock() - since

    @property
    def account(self) -> Account:
        """All of it at one moment."""
        with self._lock:
            return self._account

    def state(self) -> IngestState:
        """What is left once the batch that is being stored is committed, and how quick the last were."""
        with self._lock:
            self._recent()
            return IngestState(
                waiting=self._account.waiting - self._storing,
                lag_s=quantile([one for _, one in self._lags], _SHARE),
            )

    def _recent(self) -> Histogram:
        """Where the lags of this second go; those of over a minute ago are forgotten."""
        now = self._clock()
        while self._lags and self._lags[0][0] < now - _MINUTE_S:
            self._lags.popleft()
        if not self._lags or self._lags[-1][0] < now - 1:
            self._lags.append((now, Histogram()))
        return self._lags[-1][1]


def value_count(message: Received) -> int:
    """How many values a message brings; one that need not be news counts when it proves to be."""
    return 0 if message.retained else len(message.observations) + len(message.rejections)
