"""Has things assigned to their areas after they were registered or moved, beside everything else."""

import logging
import threading
from collections.abc import Callable

from tsuji_platform.store import StoreError

_log = logging.getLogger(__name__)
_CROWD_S = 0.2
"""Registrations come in crowds."""
_AGAIN_S = 5.0


class ThingsFollower:
    """A thread of its own that calls once for many changes, and again until that succeeds.

    Args:
        on_changed: what to call; may raise. None calls nothing.
    """

    def __init__(self, on_changed: Callable[[], None] | None) -> None:
        self._on_changed = on_changed
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="things", daemon=True)

    def start(self) -> None:
        """Begin, with a first call: an ingest that was killed may have left things unassigned."""
        self._changed.set()
        self._thread.start()

    def changed(self) -> None:
        """Things were registered or moved."""
        self._changed.set()

    def stop(self) -> None:
        """End; what is running is waited for, for a while."""
        self._stop.set()
        self._changed.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._changed.wait()
            self._stop.wait(_CROWD_S)
            self._changed.clear()
            if self._stop.is_set() or self._on_changed is None:
                continue
            try:
                self._on_changed()
            except Exception as error:  # noqa: BLE001 - whatever it is, things must not stay unassigned
                _log.warning(
                    "things are not assigned to areas yet: %s",
                    error,
                    exc_info=not isinstance(error, StoreError),
                )
                self._stop.wait(_AGAIN_S)
                self._changed.set()
