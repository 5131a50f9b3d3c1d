"""Tells the subscriber what earlier runs of its id have subscribed to, and notes what it has itself."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from tsuji_ingest.subscriber import Subscriber
from tsuji_platform.store import StoreError
from tsuji_platform.store.sessions import IngestSessions

_log = logging.getLogger(__name__)
_AGAIN_S = 2.0
T = TypeVar("T")


class Membership:
    """A thread of its own, since the database may be away for long while the broker is there.

    Args:
        database_url: PostgreSQL address.
        ingest_id: the client id.
        subscriber: speaks to the broker.
    """

    def __init__(self, database_url: str, ingest_id: str, subscriber: Subscriber) -> None:
        self._sessions = IngestSessions(database_url, ingest_id)
        self._subscriber = subscriber
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="membership", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a session that has been ended for good is forgotten."""
        self._stop.set()
        self._thread.join(timeout=5)
        if self._subscriber.left.is_set():
            self._forget()

    def _forget(self) -> None:
        try:
            self._sessions.forget()
        except StoreError as error:
            _log.warning(
                "the session is ended, but the database still expects this ingest (%s): leave once more",
                error,
            )
        finally:
            self._sessions.close()

    def _run(self) -> None:
        try:
            self._note()
        finally:
            self._sessions.close()

    def _note(self) -> None:
        known = self._until_done(self._sessions.known)
        if known is None:
            return
        if self._subscriber.leaves:
            self._subscriber.recall(known.filters, existed=known.existed)
            return
        filters = self._subscriber.filters
        self._until_done(lambda: self._sessions.widen(filters))
        self._subscriber.recall(known.filters, existed=known.existed)
        while not self._stop.is_set():
            if self._subscriber.tidied.wait(0.5):
                self._until_done(lambda: self._sessions.settle(filters))
                return

    def _until_done(self, what: Callable[[], T]) -> T | None:
        """Try until the database serves; None where that is not before the end."""
        while not self._stop.is_set():
            try:
                return what()
            except StoreError as error:  # which the stream says loudly
                _log.debug("what is subscribed to is noted later: %s", error)
                self._stop.wait(_AGAIN_S)
        return None
