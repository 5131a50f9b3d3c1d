"""What ingest does beside its stream: forgets what is old, and sets right what a wrong clock left."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

from msgspec import structs

from tsuji_ingest.clock import ClockWatch, Step
from tsuji_ingest.decoders import decode
from tsuji_ingest.ledger import Ledger
from tsuji_ingest.packet import Packet
from tsuji_platform.contract.messages import FUTURE_TOLERANCE
from tsuji_platform.settings import IngestSettings, RetentionSettings
from tsuji_platform.store import StoreError
from tsuji_platform.store.clock import ClockRepair
from tsuji_platform.store.history_retention import Dropped, HistoryRetention, ages
from tsuji_platform.store.records import Amount, Received, Retried, Retryable
from tsuji_platform.store.retention import Extent, Limits, Retention
from tsuji_platform.store.retry import RetryWriter
from tsuji_platform.uptime import uptime_s

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 1.0
_AGAIN_AFTER_S = 5.0
_FORGET_EVERY_S = 60.0
_FLOOD_LOOK_EVERY_S = 5.0
_DROP_EVERY_S = 600.0
"""How often to look for history that is old enough; while there is some, at every look."""
_FLOOD = 0.05
"""As much of what may be kept has come since the last time: don't wait for the minute to end."""
_AGE_BELIEVED_AFTER_S = 3600.0
"""A clock that jumped a year ahead must not make everything old: age counts once it has stood the hour."""
_MIB = 2**20


def _now() -> datetime:
    return datetime.now(UTC)


class Upkeep:
    """Runs in a thread of its own, with connections of its own: the stream doesn't wait for it.

    Args:
        database_url: PostgreSQL address.
        settings: how much of rejected messages is kept, and under which name this ingest counts.
        ledger: is told how values moved.
        wall: the hub's clock.
        steady: seconds since the machine's boot.
    """

    def __init__(
        self,
        database_url: str,
        settings: IngestSettings,
        *,
        ledger: Ledger | None = None,
        wall: Callable[[], datetime] = _now,
        steady: Callable[[], float] = uptime_s,
    ) -> None:
        self._ledger = ledger
        self._wall = wall
        self._steady = steady
        self._watch = ClockWatch(wall, steady)
        self._limits = Limits(
            age=timedelta(days=settings.rejected_days),
            messages=settings.rejected_messages,
            octets=settings.rejected_mib * _MIB,
        )
        self._retention = Retention(database_url, settings.ingest_id, self._limits)
        self._history = HistoryRetention(database_url, ages(RetentionSettings()))
        self._repair = ClockRepair(database_url, settings.ingest_id)
        self._retrier = RetryWriter(database_url, settings.ingest_id)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self._astray = True  # the one before may have been killed before it had set all right
        self._begun = False
        self._repair_due = self._look_due = self._forget_due = self._drop_due = self._steady()
        self._checked = 0, 0
        self._extent = Extent(newest_id=0, room=0)
        self._forgotten = Amount(messages=0, value_count=0)
        self._tell_due = self._steady()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is not done is done by the next."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._step()
                self._stop.wait(_LOOK_EVERY_S)
        finally:
            for one in (self._retention, self._history, self._repair, self._retrier):
                one.close()

    def _step(self) -> None:
        """Whatever goes wrong must not end it: without the clock's watch good values stay refused."""
        step = self._watch.look()
        if step is not None:
            _say(step)
            self._astray = True
            self._repair_due = self._steady()
        try:
            if self._astray and self._steady() >= self._repair_due:
                self._repair_due = self._steady() + _AGAIN_AFTER_S
                self._set_right()
            if self._steady() >= self._look_due:
                self._look_due = self._steady() + _FLOOD_LOOK_EVERY_S
                extent = self._retention.extent()
                self._check(extent.newest_id)
                self._forget_in_time(extent)
            if self._steady() >= self._drop_due and self._age_counts():
                self._drop()
        except StoreError as error:  # away, which the stream says loudly: later
            _log.debug("the upkeep waits for the database: %s", error)
        except Exception:  # noqa: BLE001 - see above
            _log.exception("a defect was met in the upkeep")
            self._repair_due = self._look_due = self._steady() + _FORGET_EVERY_S

    def _set_right(self) -> None:
        if not self._begun:
            self._doubt_the_clock()
            self._begun = True
        now = self._wall()
        changed = self._repair.settle_latest(now, now + FUTURE_TOLERANCE)
        if changed:
            _log.info(
                "the newest observations of %d datastreams were chosen anew, now that it is %s",
                changed,
                f"{now:%Y-%m-%dT%H:%M:%SZ}",
            )
        self._astray = not self._take_back()

    def _take_back(self, after: int = 0) -> bool:
        """Read what was misjudged again, of what has an id above `after`; whether that was all."""
        outcome = Retried()
        for page in self._repair.misjudged(self._wall(), self._steady(), after=after):
            if self._stop.is_set():
                return False
            now = self._wall(), monotonic()  # for all of them, which may have come at one moment
            read = [_read_again(one, *now) for one in page]
            done = self._retrier.retry_apart(read, _note_refusal)
            if self._ledger is not None:
                self._ledger.healed(done.tally)
            outcome.add(done)
        if outcome.settled or outcome.changed:
            _log.info(
                "%d messages had been refused as from the future while the hub's clock was behind; read "
                "again, %d values were stored",
                outcome.settled + outcome.changed,
                outcome.tally.stored,
            )
        return True

    def _doubt_the_clock(self) -> None:
        """A clock that was wrong before this began shows itself only by what others have written."""
        stored_at, now = self._repair.last_stored_at(), self._wall()
        if stored_at is not None and stored_at > now + FUTURE_TOLERANCE:
            _log.warning(
                "the hub's clock says %s, but something was stored at %s already: where it is behind, good "
                "observations are refused as from the future, until it is set; they come in by themselves "
                "then",
                f"{now:%Y-%m-%dT%H:%M:%SZ}",
                f"{stored_at:%Y-%m-%dT%H:%M:%SZ}",
            )

    def _check(self, newest_id: int) -> None:
        """A step to and fro between two looks is none to the watch, but what was refused meanwhile shows it.

        What came since the look before the last is looked at: ids are given before they are committed.
        """
        if newest_id > self._checked[1]:
            self._take_back(after=self._checked[0])
        self._checked = self._checked[1], newest_id

    def _forget_in_time(self, extent: Extent) -> None:
        flood = (
            extent.newest_id - self._extent.newest_id > _FLOOD * self._limits.messages
            or extent.room - self._extent.room > _FLOOD * self._limits.octets
        )
        if not flood and self._steady() < self._forget_due:
            return
        forgotten = self._retention.forget(
            self._wall(),
            by_age=self._age_counts(),
            stopped=self._stop.is_set,
        )
        self._extent = self._retention.extent()
        self._forget_due = self._steady() + _FORGET_EVERY_S
        self._forgotten = Amount(
            messages=self._forgotten.messages + forgotten.messages,
            value_count=self._forgotten.value_count + forgotten.value_count,
        )
        if self._forgotten.messages and self._steady() >= self._tell_due:
            self._tell_due = self._steady() + _FORGET_EVERY_S
            _log.warning(
                "forgot the oldest %d rejected messages, with %d values: no more than %d messages and "
                "%d MiB are kept, and none for more than %g days (TSUJI_REJECTED_…)",
                self._forgotten.messages,
                self._forgotten.value_count,
                self._limits.messages,
                self._limits.octets // _MIB,
                self._limits.age / timedelta(days=1),
            )
            self._forgotten = Amount(messages=0, value_count=0)

    def _age_counts(self) -> bool:
        return self._watch.believed_for_s >= _AGE_BELIEVED_AFTER_S

    def _drop(self) -> None:
        """One step of what is old enough; the rest at the next look, so that all else goes on."""
        done = self._history.drop_some(self._wall())
        for one in done:
            _say_dropped(one)
        if not any(one.until for one in done):
            self._drop_due = self._steady() + _DROP_EVERY_S


def _say_dropped(one: Dropped) -> None:
    if one.until is None:
        _log.info("%s are old enough to be dropped, but that waits: %s", one.what, one.obstacle)
        return
    _log.info(
        "%s up to %s are no longer kept: %s dropped%s",
        one.what,
        f"{one.until:%Y-%m-%dT%H:%M:%SZ}",
        f"{one.chunks} chunks" if one.chunks else f"{one.rows} rows",
        f"; {one.too_late} of them had come too late for any rollup" if one.too_late else "",
    )


def _say(step: Step) -> None:
    shown = timedelta(seconds=round(abs(step.size).total_seconds()))
    if step.forward:
        _log.warning(
            "the hub's clock was set forward by %s, to %s: what it refused as from the future meanwhile is "
            "read again",
            shown,
            f"{step.now:%Y-%m-%dT%H:%M:%SZ}",
        )
    else:
        _log.warning(
            "the hub's clock was set back by %s, to %s: what was stored meanwhile stays, and what is ahead "
            "of the clock is not shown as the newest before its time has come",
            shown,
            f"{step.now:%Y-%m-%dT%H:%M:%SZ}",
        )


def _note_refusal(message: Received, why: str) -> None:
    _log.error("the database refuses a message on %r that is read again: %s", message.topic, why)


def _read_again(message: Retryable, now: datetime, monotonic_s: float) -> Received:
    """Judge by when it really came."""
    received = decode(
        Packet(topic=message.topic, payload=message.payload, received_at=message.last_received_at)
    )
    ago = now - message.last_received_at
    return structs.replace(received, arrived_s=monotonic_s - ago.total_seconds())
