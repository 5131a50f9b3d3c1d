"""What couriers have in common: a thread for each target, so that a dead one does not hold up the others."""

import logging
import threading
from abc import ABC, abstractmethod

from tsuji_platform.store import StoreError
from tsuji_platform.store.alert_outbox import Due, Outbox

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.5
_AGAIN_AFTER_S = 2.0
_DEFECT_S = 10.0


class Courier(ABC):
    """Brings the messages of one target in their order, at least once each.

    In several ingests there is one of each for the same target: one of them works at a time.

    Args:
        database_url: PostgreSQL address.
        target: its name in the outbox.
        at_once: so many messages are taken at a time.
    """

    def __init__(self, database_url: str, target: str, at_once: int) -> None:
        self.target = target
        self.outbox = Outbox(database_url, target)
        self._at_once = at_once
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"to {target}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """End soon; nobody waits for it."""
        self._stop.set()

    def stop(self) -> None:
        """End; what is not delivered is delivered by the next."""
        self._stop.set()
        self._thread.join(timeout=3)

    def prepare(self) -> bool:
        """Before a look at the outbox; whether there is a way to the target."""
        return True

    @abstractmethod
    def deliver(self, due: Due) -> bool:
        """Deliver what is due, and say so; whether to look again at once."""

    def close(self) -> None:
        """Let everything go."""
        self.outbox.close()

    def _run(self) -> None:
        noted = ""
        try:
            while not self._stop.is_set():
                try:
                    again = self._look()
                    noted = ""
                except StoreError as error:
                    if str(error) != noted:
                        noted = str(error)
                        _log.warning("what is to go to %s waits: %s", self.target, error)
                    self._stop.wait(_AGAIN_AFTER_S)
                    continue
                except Exception:  # noqa: BLE001 - without this thread nothing would be delivered
                    _log.exception("a defect was met on the way to %s", self.target)
                    self._stop.wait(_DEFECT_S)
                    continue
                if not again:
                    self._stop.wait(_LOOK_EVERY_S)
        finally:
            self.close()

    def _look(self) -> bool:
        if not self.prepare():
            return False
        with self.outbox.due(self._at_once) as due:
            if due is None or not due.letters or not due.letters[0].is_due:
                return False
            return self.deliver(due)
