"""Brings in what was rejected only because its thing was not known yet, beside the stream."""

import logging
import threading
from collections.abc import Sequence

from msgspec.structs import replace

from tsuji_ingest.decoders import decode, refused
from tsuji_ingest.ledger import Ledger
from tsuji_ingest.packet import Packet
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.store import DatabaseAwayError, RowRefusedError, StoreError
from tsuji_platform.store.records import Healable, Received, Tally
from tsuji_platform.store.writer import Writer

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 10.0
_AT_ONCE = 500
_OCTETS_AT_ONCE = 1_000_000
"""Payload that is read again in one transaction: it grows fiftyfold while it is read."""
_GONE = Rejection(
    reason=Reason.NOT_STORABLE, detail="read again, it does not hold any more what was waiting"
)


class Healer:
    """A thread of its own, with a connection of its own: the stream doesn't wait for it.

    Args:
        database_url: PostgreSQL address.
        ingest_id: under which name this ingest counts.
        ledger: is told how values moved.
    """

    def __init__(self, database_url: str, ingest_id: str, ledger: Ledger) -> None:
        self._writer = Writer(database_url, ingest_id)
        self._ledger = ledger
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="healing", daemon=True)

    def start(self) -> None:
        """Begin, with a first look."""
        self._due.set()
        self._thread.start()

    def look(self) -> None:
        """Things have registered, or list more than before."""
        self._due.set()

    def stop(self) -> None:
        """End; what is not done is done by the next."""
        self._stop.set()
        self._due.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._due.wait(_LOOK_EVERY_S)
                self._due.clear()
                self._look()
        finally:
            self._writer.close()

    def _look(self) -> None:
        try:
            while not self._stop.is_set():
                waiting = self._writer.healable(_AT_ONCE, _OCTETS_AT_ONCE)
                if not waiting:
                    return
                tally = self._heal([(message, _read_again(message)) for message in waiting])
                _log.info(
                    "%d rejected messages could be read now, %d values stored",
                    len(waiting),
                    tally.stored,
                )
        except StoreError as error:  # the stream says loudly that it is away
            _log.debug("healing waits for the database: %s", error)
        except Exception:  # noqa: BLE001 - without this thread nothing would come in by itself any more
            _log.exception("a defect was met in healing")

    def _heal(self, work: Sequence[tuple[Healable, Received]]) -> Tally:
        """Store them; what the database refuses stays rejected, as that."""
        try:
            saved = self._writer.heal(work)
        except DatabaseAwayError:
            raise
        except RowRefusedError as error:
            if len(work) > 1:
                half = len(work) // 2
                # in the order of arrival: of values for the same time the last is right
                return self._heal(work[half:]) + self._heal(work[:half])
            ((message, _),) = work
            _log.error("the database refuses a message on %r: %s", message.topic, error)
            refusal = refused(
                _packet(message), None, f"the database refuses it: {error}", message.value_count
            )
            saved = self._writer.heal([(message, refusal)])
        self._ledger.healed(saved.tally)
        return saved.tally


def _packet(message: Healable) -> Packet:
    return Packet(topic=message.topic, payload=message.payload, received_at=message.received_at)


def _read_again(message: Healable) -> Received:
    received = decode(_packet(message))
    wanted = frozenset(message.observed_properties)
    chosen = [o for o in received.observations if not wanted or o.observed_property in wanted]
    if not chosen:  # another decoder, or another mapping, than when it came: keep it for them
        return replace(received, observations=(), rejections=received.rejections or [_GONE])
    # what is refused beside them is kept already, each under its own reason
    return replace(received, observations=chosen, rejections=())
