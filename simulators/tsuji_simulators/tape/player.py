"""Sends recorded messages again: at their moments, faster or slower, or as fast as the broker takes them."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tsuji_simulators.outbox import Receipt
from tsuji_simulators.publish import Counts, Publisher, PublisherClosedError
from tsuji_simulators.tape.choice import Choice
from tsuji_simulators.tape.message import Carried, Span, TapeError, Track, as_us
from tsuji_simulators.tape.shift import carries_time, shifted

_PROGRESS_EVERY_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a replay has come.

    Attributes:
        passes: finished before this one.
        messages: of this pass that the broker has acknowledged, without a gap.
    """

    passes: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How a recording is sent.

    Attributes:
        choice: what of it.
        speed: times the original; None is as fast as the broker takes it.
        to_now: move the times inside of payloads, by as many seconds for each: so that the last message
            is sent at its own moment, and none before it.
        passes: how often; None is without end.
        start: where to go on.
    """

    choice: Choice = field(default_factory=Choice)
    speed: float | None = 1.0
    to_now: bool = False
    passes: int | None = 1
    start: Position = field(default_factory=Position)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayProgress:
    """How a replay fares.

    Attributes:
        position: how far it has come.
        sent: messages since it was started.
        acknowledged: of these by the broker.
        unheard: of these that reached no subscriber; None where the broker doesn't say.
        refused: of these that the broker did not take.
        time_us: arrival of the last one that was sent, in the recording.
        latest_s: how late, at the most, a message was sent; 0 at full speed.
        timeless: messages of a known format in which no time was found to be moved.
        unknown: messages of unknown formats, whose times, if any, were not moved.
        unsendable: messages that MQTT or the broker does not allow, which were passed over.
        is_complete: whether all is sent and acknowledged.
    """

    position: Position
    sent: int
    acknowledged: int
    unheard: int | None
    refused: int
    time_us: int | None
    latest_s: float
    timeless: int
    unknown: int
    unsendable: int
    is_complete: bool


class Player:
    """Sends a track over a publisher.

    Args:
        track: what is sent.
        publisher: over which.
        how: how.
        stop: ends it early.
        on_progress: called now and then, and at the end.
    """

    def __init__(
        self,
        track: Track,
        publisher: Publisher,
        how: How,
        *,
        stop: threading.Event,
        on_progress: Callable[[PlayProgress], None] | None = None,
    ) -> None:
        if how.speed is not None and not how.speed > 0:
            raise TapeError(f"speed must be above 0, got {how.speed}")
        self._track, self._publisher, self._how, self._stop = track, publisher, how, stop
        self._on_progress = on_progress
        self._before: Counts = publisher.counts
        self._open: deque[tuple[Position, Receipt]] = deque()
        self._position = how.start
        self._latest_s = 0.0
        self._timeless = self._unknown = self._unsendable = 0
        self.trouble = ""
        """Why the last one that could not be sent could not."""
        self._time_us: int | None = None
        self._shown = time.monotonic()
        self._span: Span | None = None

    def play(self) -> PlayProgress:
        """Send everything, and wait until the broker has acknowledged it.

        Raises:
            TapeError: where a file can't be read on; what was sent before is acknowledged by then.
        """
        complete = False
        done = self._how.start.passes
        skip = self._how.start.messages
        try:
            while self._how.passes is None or done < self._how.passes:
                if not self._pass(done, skip):
                    break
                done, skip = done + 1, 0
            if not self._stop.is_set():
                self._publisher.flush()
                complete = True
        except PublisherClosedError:
            pass
        except TapeError:
            self._settle()
            raise
        final = self._progress(complete)
        if self._on_progress is not None:
            self._on_progress(final)
        return final

    def _settle(self) -> None:
        try:
            self._publisher.flush(timeout_s=10)
        except PublisherClosedError:
            return
        if self._on_progress is not None:
            self._on_progress(self._progress(False))

    def _pass(self, number: int, skip: int) -> bool:
        """Send it once; False where it was stopped, or there is nothing to send."""
        messages = self._how.choice.of(self._track)
        for _ in range(skip):
            next(messages, None)
        shift_s: int | None = None
        begun, first_us, at = time.monotonic(), 0, skip
        for message in messages:
            if at == skip:
                first_us = message.time_us
                if self._how.to_now:
                    shift_s = self._shift(first_us)
                begun = time.monotonic()
            if self._how.speed is not None:
                due = begun + (message.time_us - first_us) / 1e6 / self._how.speed
                self._wait(due)
            if self._stop.is_set():
                return False
            at += 1
            self._send(message, shift_s, Position(passes=number, messages=at))
        return at > 0 and not self._stop.is_set()

    def _wait(self, due: float) -> None:
        """Wait for a moment, and go on telling how it fares meanwhile."""
        while (left := due - time.monotonic()) > 0 and not self._stop.is_set():
            self._stop.wait(min(left, _PROGRESS_EVERY_S))
            if left > _PROGRESS_EVERY_S:
                self._tell()
        self._latest_s = max(self._latest_s, time.monotonic() - due)

    def _send(self, message: Carried, shift_s: int | None, position: Position) -> None:
        payload = message.payload
        if shift_s is not None:
            payload, found = shifted(message, shift_s)
            if not found and not message.retain:
                known = carries_time(message.topic)
                self._timeless += known
                self._unknown += not known
        try:
            receipt = self._publisher.publish(
                message.topic, payload, retain=message.retain, qos=message.qos
            )
        except ValueError as error:
            self._unsendable += 1
            self.trouble = str(error)
            receipt = Receipt()
            receipt.acknowledged_at = time.monotonic()  # there is nothing to wait for
        self._open.append((position, receipt))
        self._time_us = message.time_us
        self._tell()

    def _shift(self, first_us: int) -> int:
        """Seconds by which times move, so that no message speaks of a time behind its own sending."""
        if self._span is None:
            self._span = self._track.span()
        last_us = max(first_us, self._span.last_us if self._span else first_us)
        if self._how.choice.end_us is not None:
            last_us = max(first_us, min(last_us, self._how.choice.end_us))
        now_us = as_us(datetime.now(UTC))
        speed = self._how.speed
        if speed is None:
            return (now_us - last_us) // 1_000_000
        if speed < 1:
            return (now_us - first_us) // 1_000_000
        return int(now_us + (last_us - first_us) / speed - last_us) // 1_000_000

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._shown > _PROGRESS_EVERY_S:
            self._shown = now
            progress = self._progress(False)
            if self._on_progress is not None:
                self._on_progress(progress)

    def _progress(self, complete: bool) -> PlayProgress:
        counts = self._publisher.counts
        while self._open and self._open[0][1].is_acknowledged:
            self._position = self._open.popleft()[0]
        unheard = counts.unheard
        if unheard is not None:
            unheard -= self._before.unheard or 0
        return PlayProgress(
            position=self._position,
            sent=counts.published - self._before.published,
            acknowledged=counts.acknowledged - self._before.acknowledged,
            unheard=unheard,
            refused=counts.refused - self._before.refused,
            time_us=self._time_us,
            latest_s=self._latest_s,
            timeless=self._timeless,
            unknown=self._unknown,
            unsendable=self._unsendable,
            is_complete=complete,
        )
