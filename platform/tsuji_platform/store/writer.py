"""Writes batches of received messages: each batch is one transaction, counters and refusals included."""

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import psycopg

from tsuji_platform.contract import Reason, Thing
from tsuji_platform.contract.readings import Reading, Readings
from tsuji_platform.store import queries
from tsuji_platform.store.columns import Settled
from tsuji_platform.store.database import Connection, connect
from tsuji_platform.store.errors import StoreError, translated
from tsuji_platform.store.gather import Gathered
from tsuji_platform.store.put import Putter
from tsuji_platform.store.records import Healable, IngestState, Received, Saved, Tally
from tsuji_platform.store.refusals import keep, refusals
from tsuji_platform.store.registry import Registry

_SQL = queries.load("writing")


class Writer:
    """One ingest's way into the database; used by one thread at a time.

    Args:
        url: PostgreSQL address.
        ingest_id: under which name the counters are kept.
        state: says how the ingest fares, for its row among the counters; None leaves that as it is.
    """

    def __init__(
        self, url: str, ingest_id: str, state: Callable[[], IngestState] | None = None
    ) -> None:
        self._url = url
        self._ingest_id = ingest_id
        self._state = state
        self._connection: Connection | None = None
        self._registry = Registry()
        self._putter = Putter()

    def close(self) -> None:
        """Let the connection go; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._registry.forget()

    def save(self, batch: Sequence[Received]) -> Saved:
        """Store a batch in one transaction.

        When this returns, everything in it is committed: stored, found to be there already,
        corrected, or kept as rejected.

        Raises:
            DatabaseAwayError: nothing was kept; try again.
            RowRefusedError: the database refuses something in it; nothing was kept.
        """
        return self._transact(batch, Tally(messages=len(batch)), ())

    def abandon(self) -> None:
        """From another thread: end the wait for a database that does not answer, as an error there."""
        connection = self._connection
        with contextlib.suppress(OSError, psycopg.Error):
            if connection is not None and not connection.closed:
                with socket.socket(fileno=os.dup(connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)

    def report(self) -> None:
        """Keep how the ingest fares, without anything to store.

        Raises:
            DatabaseAwayError: nothing was kept.
        """
        try:
            with translated():
                self._count(self._open(), Tally())
        except StoreError:
            self.close()
            raise

    def healable(self, limit: int = 1000, octets: int = 1_000_000) -> list[Healable]:
        """Rejected messages whose thing or datastream has appeared since; of many the newest.

        At most `limit` of them, with payloads of `octets` together, but one in any case.

        They come in the order of their arrival: of values for the same time the last is right, and
        what is in the table already stays.
        """
        with translated():
            asked = {"limit": limit, "octets": octets}
            rows = self._open().execute(_SQL["healable"], asked).fetchall()
        return [Healable(received_at=row.pop("last_received_at"), **row) for row in reversed(rows)]

    def heal(self, messages: Sequence[tuple[Healable, Received]]) -> Saved:
        """Store rejected messages that can be read now, and take them off the rejected.

        Each stands beside what it decodes to. Values count as rejected no longer, but as what they
        have become; repetitions of the same message count as duplicates, and so does a value
        whose time has got another value meanwhile: the later message is right.
        """
        return self._transact([received for _, received in messages], Tally(), messages)

    def _transact(
        self,
        batch: Sequence[Received],
        tally: Tally,
        healed: Sequence[tuple[Healable, Received]],
    ) -> Saved:
        try:
            with translated():
                connection = self._open()
                with connection.transaction():
                    if healed:
                        batch = self._claim(connection, healed, tally)
                    else:
                        tally.received = sum(len(m.observations) + len(m.rejections) for m in batch)
                    self._registry.renew(connection)
                    changed = self._register(connection, batch)
                    self._store(connection, batch, tally, waited=bool(healed))
                    if not tally.balanced():
                        raise StoreError(f"the tally does not balance: {tally}")
                    self._count(connection, tally)
                    if changed or tally.stored or tally.corrected:
                        connection.execute(_SQL["announce"])
        except StoreError:
            self.close()
            raise
        return Saved(tally=tally, things_changed=changed)

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self.close()
            self._connection = connect(self._url, f"tsuji {self._ingest_id}")
            self._connection.execute(_SQL["create_stage"])
        return self._connection

    def _claim(
        self, connection: Connection, healed: Sequence[tuple[Healable, Received]], tally: Tally
    ) -> list[Received]:
        ids = [message.rejected_id for message, _ in healed]
        claimed = {
            row["rejected_id"]: row["value_count"]
            for row in connection.execute(_SQL["claim_rejected"], {"rejected_ids": ids})
        }
        batch = []
        for message, received in healed:
            if message.rejected_id not in claimed:
                continue
            batch.append(received)
            count = claimed[message.rejected_id]
            tally.rejected -= count
            repeated = count - len(received.observations) - len(received.rejections)
            tally.duplicate += max(repeated, 0)
            tally.received += max(-repeated, 0)  # today's rules find more in it than was counted
        return batch

    def _register(self, connection: Connection, batch: Sequence[Received]) -> bool:
        """Register or update the things of a batch; the last message of each counts."""
        things: dict[str, Thing] = {m.thing.thing_id: m.thing for m in batch if m.thing}
        changed = False
        for thing_id in sorted(things):
            thing = things[thing_id]
            values = {
                "thing_id": thing.thing_id,
                "name": thing.name,
                "name_en": thing.name_en,
                "kind": thing.kind,
                "longitude": thing.longitude,
                "latitude": thing.latitude,
                "effective_width_m": thing.effective_width_m,
                "capacity": thing.capacity,
                "owner": thing.owner,
                "observed_properties": list(thing.datastreams),
            }
            updated = connection.execute(_SQL["upsert_thing"], values).fetchall()
            declared = connection.execute(_SQL["declare_datastreams"], values).fetchall()
            if updated or declared:
                changed = True
        if changed:
            connection.execute(_SQL["registry_changed"])
            self._registry.forget()
        return changed

    def _store(
        self, connection: Connection, batch: Sequence[Received], tally: Tally, *, waited: bool
    ) -> None:
        gathered = Gathered()
        refused: list[dict[str, Any]] = []
        perhaps_old: list[dict[str, Any]] = []
        learned = False
        for message in batch:
            unknown: dict[Reason, list[str]] = {}
            received_at = message.received_at
            for reading in Readings.of(message.observations).readings:
                place = self._registry.place(reading)
                if place is None and not learned:
                    learned = True
                    self._learn(connection, batch)
                    place = self._registry.place(reading)
                if place is None:
                    self._gather_known(gathered, reading, received_at, unknown)
                else:
                    gathered.take(reading, place, received_at)
            if message.rejections or unknown:
                (perhaps_old if message.retained else refused).extend(
                    refusals(message, unknown, tally)
                )
        keep(connection, refused, perhaps_old, tally)
        if gathered:
            self._insert(connection, gathered.settled(), tally, waited=waited)

    def _gather_known(
        self,
        gathered: Gathered,
        reading: Reading,
        received_at: datetime,
        unknown: dict[Reason, list[str]],
    ) -> None:
        """Take the values of a reading that have a datastream; the others are listed."""
        known, others = self._registry.known_part(reading)
        for reason, names in others.items():
            unknown.setdefault(reason, []).extend(names)
        place = self._registry.place(known) if known.results else None
        if place is not None:
            gathered.take(known, place, received_at)

    def _learn(self, connection: Connection, batch: Sequence[Received]) -> None:
        """Look up the datastreams of things of which nothing, or not this, is known yet."""
        wanted = {
            reading.thing_id
            for message in batch
            for reading in Readings.of(message.observations).readings
            if self._registry.place(reading) is None
        }
        self._registry.learn(connection, wanted)

    def _insert(
        self, connection: Connection, settled: Settled, tally: Tally, *, waited: bool
    ) -> None:
        rows = settled.columns
        inserted, corrected = self._putter.put(connection, rows, keep=waited)
        tally.stored += inserted
        tally.corrected += corrected + settled.replaced
        tally.duplicate += len(rows) - inserted - corrected + settled.repeated

    def _count(self, connection: Connection, tally: Tally) -> None:
        state = None if self._state is None else self._state()
        connection.execute(
            _SQL["count"],
            {
                "ingest_id": self._ingest_id,
                "seen": state is not None,
                "waiting": 0 if state is None else state.waiting,
                "lag_s": None if state is None else state.lag_s,
                "messages": tally.messages,
                "received": tally.received,
                "stored": tally.stored,
                "duplicate": tally.duplicate,
                "corrected": tally.corrected,
                "rejected": tally.rejected,
            },
        )
