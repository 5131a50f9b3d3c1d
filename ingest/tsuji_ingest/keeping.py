"""Stores what was read, whatever the database is up to, and has what is committed acknowledged."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

from msgspec.structs import replace

from tsuji_ingest.decoders import refused
from tsuji_ingest.ledger import Ledger, value_count
from tsuji_ingest.packet import Packet
from tsuji_platform.contract.readings import Readings
from tsuji_platform.insight import traces
from tsuji_platform.insight.logs import batch_id, within
from tsuji_platform.store import (
    ConflictError,
    DatabaseAwayError,
    RowRefusedError,
    SchemaError,
    StoreError,
)
from tsuji_platform.store.records import Received, Tally
from tsuji_platform.store.writer import Writer

_log = logging.getLogger(__name__)
_REPORT_EVERY_S = 2.0
_RETRY_FIRST_S = 0.1
_RETRY_LONGEST_S = 5.0
_DEFECTS = 5
"""So many failures of a kind that we don't know, and we look whether it is the messages or the database."""
_SUSPECTS = 16
"""So many messages that are refused one by one, while none is taken, and it is the database."""

Work = Sequence[tuple[Packet, Received]]
"""Packets and what was read from them."""
_Key = tuple[str, str, datetime] | tuple[str]


def _batch_ids() -> Iterator[str]:
    """Names for what is stored in one go, of which no two processes give the same."""
    begun = uuid4().hex[:8]
    return (f"{begun}-{number}" for number in count(1))


class Keeper:
    """Used by one thread.

    A message is never rejected for the state of the database: only where the database refuses a value,
    or fails at one message in a way that we don't know while it takes others.

    Args:
        writer: the way into the database.
        ledger: what became of what was received.
        stop: once it is set, nothing is tried again.
        acknowledge: called with packets that are committed.
        things_changed: called after things were registered or changed.
        following: more that has been read, or None.
    """

    def __init__(
        self,
        writer: Writer,
        ledger: Ledger,
        stop: threading.Event,
        *,
        acknowledge: Callable[[Iterable[Packet]], None],
        things_changed: Callable[[], None],
        following: Callable[[], Work | None],
    ) -> None:
        self._writer = writer
        self._ledger = ledger
        self._stop = stop
        self._acknowledge = acknowledge
        self._things_changed = things_changed
        self._following = following
        self._noted = ""
        self._report_due = 0.0
        self._batch_ids = _batch_ids()

    def store(self, work: Work) -> None:
        """Store messages, however long the database is away; what is committed is acknowledged."""
        one = next(self._batch_ids)
        with (
            within(batch_id, one),
            traces.span(
                "store a batch", tsuji__batch_id=one, messaging__batch__message_count=len(work)
            ),
        ):
            self._store(work)

    def _store(self, work: Work) -> None:
        delay, defects = _RETRY_FIRST_S, 0
        while work and not self._stop.is_set():
            try:
                self._save(work)
            except RowRefusedError as error:
                self._store_apart(work, str(error))
                return
            except ConflictError:
                continue
            except StoreError as error:
                self._note_away(error)
                if not isinstance(error, (DatabaseAwayError, SchemaError)):
                    defects += 1
                    if defects % _DEFECTS == 0:
                        work = self._store_around(self._with_next(work), str(error))
                        continue
                self._stop.wait(delay)
                delay = min(delay * 2, _RETRY_LONGEST_S)
            else:
                return

    def _save(self, work: Work) -> None:
        received = [one for _, one in work]
        values = sum(map(value_count, received))
        self._ledger.storing(values)
        saved = self._writer.save(received)
        self._note_back()
        self._settle(work, values, saved.tally)
        if saved.things_changed:
            self._things_changed()

    def _with_next(self, work: Work) -> Work:
        """These and what has been read behind them, for company."""
        return [*work, *(self._following() or ())]

    def _store_around(self, work: Work, why: str) -> Work:
        """The database fails in a way that says neither that it is away nor that it refuses a value.

        Where it takes others of these messages and fails at one again then, it is the message: that is
        kept as rejected. Where it takes none, it is the database, and nothing is rejected for its state.

        Returns:
            what is still to be stored.
        """
        left: list[tuple[Packet, Received]] = []
        behind: list[set[_Key]] = []
        """Of what is left, what was stored behind it."""
        taken = False
        parts = [work]
        while parts and not self._stop.is_set():
            part = parts.pop()
            if not taken and len(left) >= _SUSPECTS:
                left += part
                continue
            try:
                self._save(part)
            except StoreError:
                if len(part) == 1:
                    left += part
                    behind.append(set())
                else:
                    half = len(part) // 2
                    parts += [part[half:], part[:half]]
            else:
                stored = {key for _, one in part for key in _keys(one)}
                taken = taken or any(one.observations for _, one in part)
                for keys in behind:
                    keys |= stored
        for part in reversed(parts):
            left += part
        if not taken or self._stop.is_set():
            return left
        undecided: list[tuple[Packet, Received]] = []
        for one, keys in zip(left, behind, strict=True):
            again = keys.isdisjoint(_keys(one[1]))
            # what is newer must not be stored before what could not be asked about
            if (again and undecided) or not self._is_judged(one, why, again=again):
                undecided.append(one)
        return undecided

    def _is_judged(self, one: tuple[Packet, Received], why: str, *, again: bool) -> bool:
        """Store or reject one at which the database has failed while it took others.

        Args:
            one: the message.
            why: what the database said.
            again: try once more, since the database may have been put right meanwhile; not where
                something newer of the same moment, or thing, is stored already.

        Returns:
            False where the database can't be asked now.
        """
        if again:
            try:
                self._save([one])
            except (DatabaseAwayError, SchemaError):
                return False
            except StoreError:
                pass
            else:
                return True
        self._reject([one], why)
        return True

    def _settle(self, work: Work, values: int, tally: Tally) -> None:
        """What is committed may be acknowledged."""
        self._acknowledge([packet for packet, _ in work])
        elapsed_s, now = time.monotonic(), datetime.now(UTC)
        self._ledger.settled(
            values,
            tally,
            [elapsed_s - packet.arrived_s for packet, _ in work if not packet.retained],
            [
                (now - Readings.of(one.observations).newest_time).total_seconds()
                for _, one in work
                if one.observations and not one.retained
            ],
        )
        self._report_due = elapsed_s + _REPORT_EVERY_S

    def _store_apart(self, work: Work, why: str) -> None:
        """One of these can't be kept: halve until it stands alone, and keep that as rejected."""
        if len(work) > 1:
            half = len(work) // 2
            self._store(work[:half])
            self._store(work[half:])
        else:
            self._reject(work, why)

    def _reject(self, work: Work, why: str) -> None:
        """Keep one message as rejected; if not even that can be kept, keep that there was one."""
        ((packet, received),) = work
        _log.error("the database refuses a message on %r: %s", packet.topic, why)
        values = value_count(received)
        refusal = refused(packet, None, f"the database refuses it: {why}", values)
        while not self._stop.is_set():
            self._ledger.storing(values)
            try:
                saved = self._writer.save([refusal])
            except RowRefusedError as error:
                shown = replace(packet, topic=ascii(packet.topic), payload=b"")
                refusal = refused(
                    shown, None, f"not even its refusal can be kept: {error!a}", values
                )
                self._note_away(error)
                self._stop.wait(_RETRY_FIRST_S)
            except StoreError as error:
                self._note_away(error)
                self._stop.wait(_RETRY_LONGEST_S)
            else:
                self._note_back()
                self._settle(work, values, saved.tally)
                return

    def report(self) -> None:
        """Let the database know how we fare where nothing has been stored for a while."""
        if time.monotonic() < self._report_due:
            return
        self._report_due = time.monotonic() + _REPORT_EVERY_S
        self._ledger.storing(0)
        try:
            self._writer.report()
        except StoreError as error:
            self._note_away(error)
        else:
            self._note_back()

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


def _keys(message: Received) -> set[_Key]:
    """What its values are of, and the thing that it registers."""
    values: set[_Key] = {
        (one.thing_id, one.observed_property, one.phenomenon_time) for one in message.observations
    }
    return values if message.thing is None else {*values, (message.thing.thing_id,)}
