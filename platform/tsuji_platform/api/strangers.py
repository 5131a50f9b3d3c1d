"""Made-up keys cost next to nothing, however many come: their ids are compared with those that there are.

What is remembered is what there is, never what strangers make up, so that it is bounded by the operators.
"""

import threading
from collections.abc import Callable

from tsuji_platform.store.keys import Keys

_AT_ONCE = 20
"""Ids that are looked up right away in a second: a new key opens at once where nobody makes up any."""
_SECOND_S = 1.0


class Strangers:
    """Tells ids that may be those of keys from those that are none.

    Args:
        keys: of the database.
        clock: monotonic seconds.
    """

    def __init__(self, keys: Keys, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._began_at = clock()
        self._looked_up = 0
        self._ids: frozenset[str] = frozenset()
        self._ids_of: float | None = None

    def may_be(self, key_id: str) -> bool:
        """Whether it is worth a look: always for some in a second, then where there is such an id.

        The ids are read once a second at the most, by one thread; others wait for it.
        """
        with self._lock:
            now = self._clock()
            if now - self._began_at >= _SECOND_S:
                self._began_at, self._looked_up = now, 0
            if self._looked_up < _AT_ONCE:
                self._looked_up += 1
                return True
            if self._ids_of is None or now - self._ids_of >= _SECOND_S:
                self._ids, self._ids_of = frozenset(self._keys.ids()), now
            return key_id in self._ids
