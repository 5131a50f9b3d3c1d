"""How many downloads one worker serves at once, of all callers and of one, and how long one may take."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tsuji_platform.api.errors import BusyError, TooManyError

OF_ONE = (
    "{} downloads of yours are under way, as many as one caller may have at once: try again when one has "
    "ended"
)


@dataclass(frozen=True, kw_only=True)
class Room:
    """The room of one worker: each download holds a connection and the database's view of a moment.

    Attributes:
        at_once: downloads of all callers.
        of_one: downloads of one caller, of all workers on one database together.
        seconds: so long one may take; what is not sent by then is cut off.
    """

    at_once: int = 4
    of_one: int = 2
    seconds: float = 3_600.0
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _held: Counter[str] = field(default_factory=Counter, init=False)

    @property
    def held(self) -> int:
        """How many downloads are under way."""
        with self._lock:
            return self._held.total()

    @contextmanager
    def place(self, caller: str | None) -> Iterator[None]:
        """A place for the time of the block.

        Args:
            caller: whose; None for somebody whose downloads nobody counts.

        Raises:
            TooManyError: the caller has as many as one may have.
            BusyError: all places are taken.
        """
        name = "" if caller is None else caller
        with self._lock:
            if self._held.total() >= self.at_once:
                raise BusyError(
                    f"{self.at_once} downloads are under way here, as many as are served at once: "
                    "try again"
                )
            if caller is not None and self._held[name] >= self.of_one:
                raise TooManyError(OF_ONE.format(self.of_one))
            self._held[name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[name] -= 1
                if not self._held[name]:
                    del self._held[name]
