"""The ingest process: packets in, one transaction a batch, acknowledgement after commit."""

import contextlib
import gc
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable

from tsuji_ingest.batch import Batch
from tsuji_ingest.decoders import decode
from tsuji_ingest.healing import Healer
from tsuji_ingest.inbox import Inbox
from tsuji_ingest.keeping import Keeper, Work
from tsuji_ingest.leaving import Leaver
from tsuji_ingest.ledger import Ledger
from tsuji_ingest.membership import Membership
from tsuji_ingest.metrics import endpoint
from tsuji_ingest.packet import Packet
from tsuji_ingest.subscriber import Subscriber
from tsuji_ingest.things import ThingsFollower
from tsuji_ingest.upkeep import Upkeep
from tsuji_platform.settings import BrokerAddress, IngestSettings
from tsuji_platform.store import StoreError
from tsuji_platform.store.writer import Writer

_log = logging.getLogger(__name__)
_IDLE_S = 0.5
_SWITCH_S = 0.0005
"""How long a thread may keep the interpreter from the others. A transaction is a dozen short waits for
the database, and after each the usual 5 ms would go by while another thread decodes."""
_GARBAGE_AFTER = 20_000
"""Containers made before the next look for cycles. There are hardly any; a look for every 700 went over
the same waiting messages again and again."""
_BATCH_BYTES = 4_000_000
"""Payload in one transaction at the most: hostile messages grow fiftyfold while they are read."""
_BATCHES_AHEAD = 2
"""Batches that are read while the database is busy with the one before."""
_STOP_PATIENCE_S = 3.0


class Ingest:
    """Runs until stopped.

    One thread speaks to the broker and enqueues, one decodes, this one stores and has what is
    committed acknowledged: decoding and the database's work overlap. What is not
    acknowledged stays with the broker, which is the back-pressure; what is held here is bounded
    (see `Subscriber`).

    Args:
        database_url: PostgreSQL address.
        broker: MQTT address.
        settings: batch sizes and the client id.
        on_things_changed: called in a thread of its own after things were registered or moved;
            may raise `DatabaseAwayError`, then it is called again.
        leave: store what the broker keeps for this id, end its session there, and end.
    """

    def __init__(
        self,
        database_url: str,
        broker: BrokerAddress,
        settings: IngestSettings,
        on_things_changed: Callable[[], None] | None = None,
        *,
        leave: bool = False,
    ) -> None:
        self._packets = Inbox()
        self._subscriber = (Leaver if leave else Subscriber)(
            broker, settings.ingest_id, self._packets, settings.ingest_group
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
        self._healer = Healer(database_url, settings.ingest_id, self._ledger)
        self._upkeep = Upkeep(database_url, settings, ledger=self._ledger)
        self._membership = Membership(database_url, settings.ingest_id, self._subscriber)
        self._ended = threading.Event()
        self._keeper = Keeper(
            self._writer,
            self._ledger,
            self._stop,
            acknowledge=self._subscriber.acknowledge,
            things_changed=self._on_things_changed,
            following=self._following,
        )

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the subscription."""
        return self._subscriber.connected

    @property
    def subscriber(self) -> Subscriber:
        """What speaks to the broker."""
        return self._subscriber

    def stop(self) -> None:
        """Ask `run` to end; what is not committed stays with the broker."""
        self._stop.set()
        patience = threading.Timer(_STOP_PATIENCE_S, self._give_up)
        patience.daemon = True
        patience.start()

    def _give_up(self) -> None:
        """A database that neither answers nor hangs up must not keep us from ending."""
        if not self._ended.is_set():
            self._writer.abandon()

    @property
    def ledger(self) -> Ledger:
        """What became of what was received."""
        return self._ledger

    def run(self) -> None:
        """Take in messages until `stop` is called.

        Raises:
            ListenError: where it can't say how it fares on the address that was asked for.
        """
        with contextlib.ExitStack() as stack:
            if self._settings.ingest_port is not None:
                said = endpoint(
                    self._settings.ingest_host,
                    self._settings.ingest_port,
                    self._settings.ingest_id,
                    self._ledger,
                    self._subscriber,
                )
                stack.callback(said.close)
            self._run()

    def _run(self) -> None:
        sys.setswitchinterval(_SWITCH_S)
        gc.freeze()
        gc.set_threshold(_GARBAGE_AFTER, *gc.get_threshold()[1:])
        decoder = threading.Thread(target=self._decode, name="decode", daemon=True)
        decoder.start()
        self._things.start()
        self._healer.start()
        self._membership.start()
        self._upkeep.start()
        self._subscriber.start()
        try:
            while not self._stop.is_set():
                self._step()
        finally:
            self._stop.set()
            self._subscriber.stop()
            with contextlib.suppress(StoreError):
                self._ledger.forget_waiting()  # the broker keeps it for the next
                self._writer.report()
            self._ended.set()
            self._writer.close()
            for helper in (self._things, self._healer, self._upkeep, self._membership):
                helper.stop()
            decoder.join(timeout=5)
        if self._defect is not None:
            raise self._defect

    def _step(self) -> None:
        alive = self._subscriber.is_alive
        if self._subscriber.left.is_set():
            self._stop.set()
            return
        if not alive:
            raise RuntimeError("the thread that listens to the broker has ended")
        try:
            work = self._decoded.get(timeout=_IDLE_S)
        except queue.Empty:
            pass
        else:
            self._keeper.store(work)
        self._keeper.report()

    def _on_things_changed(self) -> None:
        self._healer.look()
        self._things.changed()

    def _following(self) -> Work | None:
        try:
            return self._decoded.get_nowait()
        except queue.Empty:
            return None

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
