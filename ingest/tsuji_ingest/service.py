"""The ingest process: packets in, one transaction a batch, acknowledgement after commit."""

import contextlib
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from tsuji_ingest.batch import Batch
from tsuji_ingest.decoders import decode, refused
from tsuji_ingest.ledger import Ledger, value_count
from tsuji_ingest.metrics import Endpoint
from tsuji_ingest.packet import Packet
from tsuji_ingest.subscriber import Subscriber
from tsuji_ingest.things import ThingsFollower
from tsuji_ingest.upkeep import Upkeep
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.settings import BrokerAddress, IngestSettings
from tsuji_platform.store import DatabaseAwayError, RowRefusedError, SchemaError, StoreError, Writer
from tsuji_platform.store.records import Healable, Received, Tally

_log = logging.getLogger(__name__)
_HEAL_EVERY_S = 10.0
_HEAL_AT_ONCE = 500
_IDLE_S = 0.5
_SWITCH_S = 0.0005
"""How long a thread may keep the interpreter from the others. A transaction is a dozen short waits for
the database, and after each the usual 5 ms would go by while another thread decodes."""
_REPORT_EVERY_S = 2.0
_BATCH_BYTES = 4_000_000
"""Payload in one transaction at the most: hostile messages grow fiftyfold while they are read."""
_BATCHES_AHEAD = 2
"""Batches that are read while the database is busy with the one before."""
_RETRY_FIRST_S = 0.1
_RETRY_LONGEST_S = 5.0
_GONE = Rejection(
    reason=Reason.NOT_STORABLE, detail="read again, it does not hold any more what was waiting"
)


Work = Sequence[tuple[Packet, Received]]
"""Packets and what was read from them."""


class Ingest:
    """Runs until stopped.

    One thread speaks to the broker and enqueues, one decodes, this one stores and has what is
    committed acknowledged: decoding and the database's work overlap. What is not
    acknowledged stays with the broker, which is the back-pressure: the queue can't grow beyond the
    broker's in-flight window.

    Args:
        database_url: PostgreSQL address.
        broker: MQTT address.
        settings: batch sizes and the client id.
        on_things_changed: called in a thread of its own after things were registered or moved;
            may raise `DatabaseAwayError`, then it is called again.
    """

    def __init__(
        self,
        database_url: str,
        broker: BrokerAddress,
        settings: IngestSettings,
        on_things_changed: Callable[[], None] | None = None,
    ) -> None:
        self._packets: queue.SimpleQueue[Packet] = queue.SimpleQueue()
        self._subscriber = Subscriber(
            broker, settings.ingest_id, self._packets.put, settings.ingest_group
        )
        self._ledger = Ledger()
        self._writer = Writer(database_url, settings.ingest_id, self._ledger.state)
        self._settings = settings
        self._batch: Batch[Packet] = Batch(
            settings.ingest_batch,
            settings.ingest_wait_ms / 1000,
            time.monotonic,
            max_weight=_BATCH_BYTES,
            weigh=lambda packet: len(packet.payload),
        )
        self._decoded: queue.Queue[Work] = queue.Queue(_BATCHES_AHEAD)
        self._defect: Exception | None = None
        self._stop = threading.Event()
        self._things = ThingsFollower(on_things_changed)
        self._upkeep = Upkeep(database_url, settings)
        self._noted = ""
        self._heal_due = 0.0
        self._report_due = 0.0

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the subscription."""
        return self._subscriber.connected

    def stop(self) -> None:
        """Ask `run` to end; what is not committed stays with the broker."""
        self._stop.set()

    @property
    def ledger(self) -> Ledger:
        """What became of what was received."""
        return self._ledger

    def run(self) -> None:
        """Take in messages until `stop` is called.

        Raises:
            EndpointError: where it can't say how it fares on the address that was asked for.
        """
        with contextlib.ExitStack() as stack:
            if self._settings.ingest_port is not None:
                endpoint = Endpoint(
                    self._settings.ingest_host,
                    self._settings.ingest_port,
                    self._settings.ingest_id,
                    self._ledger,
                    self._subscriber,
                )
                stack.callback(endpoint.close)
            self._run()

    def _run(self) -> None:
        sys.setswitchinterval(_SWITCH_S)
        decoder = threading.Thread(target=self._decode, name="decode", daemon=True)
        decoder.start()
        self._things.start()
        self._upkeep.start()
        self._subscriber.start()
        try:
            while not self._stop.is_set():
                self._step()
        finally:
            self._stop.set()
            self._subscriber.stop()
            self._writer.close()
            self._things.stop()
            self._upkeep.stop()
            decoder.join(timeout=5)
        if self._defect is not None:
            raise self._defect

    def _step(self) -> None:
        if not self._subscriber.is_alive:
            raise RuntimeError("the thread that listens to the broker has ended")
        try:
            work = self._decoded.get(timeout=_IDLE_S)
        except queue.Empty:
            pass
        else:
            if self._store(work):
                self._subscriber.acknowledge([packet for packet, _ in work])
        now = time.monotonic()
        if now >= self._heal_due:
            self._heal()
        if now >= self._report_due:
            self._report()

    def _decode(self) -> None:
        """Gather and read packets while the database is busy with those before."""
        try:
            while not self._stop.is_set():
                try:
                    self._batch.add(self._packets.get(timeout=self._batch.wait_s(_IDLE_S)))
                except queue.Empty:
                    pass
                else:
                    self._fill()
                if self._batch.due:
                    work = [(packet, decode(packet)) for packet in self._batch.take()]
                    self._ledger.took([received for _, received in work])
                    self._hand_over(work)
        except Exception as error:  # noqa: BLE001 - raised again by `run`, which must not wait for ever
            self._defect = error
            self._stop.set()

    def _hand_over(self, work: Work) -> None:
        while not self._stop.is_set():
            try:
                self._decoded.put(work, timeout=_IDLE_S)
            except queue.Full:
                continue
            return

    def _fill(self) -> None:
        """Take what is waiting already, without waiting for more."""
        while not self._batch.due:
            try:
                self._batch.add(self._packets.get_nowait())
            except queue.Empty:
                return

    def _store(self, work: Work) -> bool:
        """Store messages, however long the database is away; False when stopped meanwhile."""
        received = [one for _, one in work]
        values = sum(map(value_count, received))
        delay = _RETRY_FIRST_S
        while not self._stop.is_set():
            self._ledger.storing(values)
            try:
                saved = self._writer.save(received)
            except (DatabaseAwayError, SchemaError) as error:
                self._note_away(error)
                self._stop.wait(delay)
                delay = min(delay * 2, _RETRY_LONGEST_S)
                continue
            except StoreError as error:
                return self._store_apart(work, str(error))
            self._note_back()
            self._settle(work, values, saved.tally)
            if saved.things_changed:
                self._heal_due = 0.0
                self._things.changed()
            return True
        return False

    def _settle(self, work: Work, values: int, tally: Tally) -> None:
        elapsed_s, now = time.monotonic(), datetime.now(UTC)
        self._ledger.settled(
            values,
            tally,
            [elapsed_s - packet.arrived_s for packet, _ in work if not packet.retained],
            [
                (now - one.observations[-1].phenomenon_time).total_seconds()
                for _, one in work
                if one.observations
            ],
        )
        self._report_due = elapsed_s + _REPORT_EVERY_S

    def _store_apart(self, work: Work, why: str) -> bool:
        """One of these can't be kept: halve until it stands alone, and keep that as rejected."""
        if len(work) > 1:
            half = len(work) // 2
            return self._store(work[:half]) and self._store(work[half:])
        ((packet, received),) = work
        _log.error("the database refuses a message on %r: %s", packet.topic, why)
        refusal = refused(packet, None, f"the database refuses it: {why}", value_count(received))
        while not self._stop.is_set():
            self._ledger.storing(value_count(received))
            try:
                saved = self._writer.save([refusal])
            except StoreError as error:  # not even that: then there is no way on but to wait
                self._note_away(error)
                self._stop.wait(_RETRY_LONGEST_S)
                continue
            self._settle(work, value_count(received), saved.tally)
            return True
        return False

    def _report(self) -> None:
        """Let the database know how we fare where nothing has been stored for a while."""
        self._report_due = time.monotonic() + _REPORT_EVERY_S
        self._ledger.storing(0)
        try:
            self._writer.report()
        except StoreError as error:
            self._note_away(error)
        else:
            self._note_back()

    def _heal(self) -> None:
        """Bring in what was rejected only because its thing was not known yet."""
        self._heal_due = time.monotonic() + _HEAL_EVERY_S
        self._ledger.storing(0)
        try:
            healable = self._writer.healable(_HEAL_AT_ONCE)
            if not healable:
                return
            saved = self._writer.heal([(message, _decode_again(message)) for message in healable])
            self._ledger.healed(saved.tally)
            _log.info(
                "%d rejected messages could be read now, %d values stored",
                len(healable),
                saved.tally.stored,
            )
            if len(healable) == _HEAL_AT_ONCE:
                self._heal_due = 0.0  # there may be more, after what has arrived meanwhile
        except RowRefusedError as error:
            _log.error("rejected messages could be read now, but not stored: %s", error)
        except StoreError as error:
            self._note_away(error)

    def _note_away(self, error: StoreError) -> None:
        self._ledger.away(str(error))
        # once for an outage, whatever it shows of itself; other causes once each, not per attempt
        cause = "away" if isinstance(error, DatabaseAwayError) else str(error)
        if cause != self._noted:
            self._noted = cause
            _log.error("%s; messages wait at the broker until it returns", error)

    def _note_back(self) -> None:
        away_s = self._ledger.back()
        if away_s is not None:
            _log.info("the database is back after %.1f s", away_s)
            self._noted = ""


def _decode_again(message: Healable) -> Received:
    received = decode(
        Packet(
            topic=message.topic,
            payload=message.payload,
            received_at=message.received_at,
        )
    )
    wanted = frozenset(message.observed_properties)
    chosen = [o for o in received.observations if not wanted or o.observed_property in wanted]
    if not chosen:  # another decoder, or another mapping, than when it came: keep it for them
        return replace(received, observations=(), rejections=received.rejections or [_GONE])
    # what is refused beside them is kept already, each under its own reason
    return replace(received, observations=chosen, rejections=())
