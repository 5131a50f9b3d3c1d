"""Writes down what a broker carries, as it comes, without standing in anybody's way.

paho's thread takes messages in, whoever calls `run` writes them, twice a second, each time as one block
that is on disk before the next. Where the disk can't follow, taking in waits at a bound, and the broker
keeps the rest for us as far as it keeps anything.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from tsuji_platform.contract.topics import DROPPED
from tsuji_platform.settings import BrokerAddress
from tsuji_simulators.mqtt5 import Mqtt5
from tsuji_simulators.tape.blocks import Note
from tsuji_simulators.tape.choice import check_filter
from tsuji_simulators.tape.message import Carried, TapeError, as_time, as_us
from tsuji_simulators.tape.writer import TapeWriter

_PROPERTIES: Any = Properties  # which has no types
_log = logging.getLogger(__name__)
FLUSH_S = 0.5
"""What a kill can cost, together with the time that the disk needs."""
SESSION_KEPT_S = 86_400
"""For so long a broker that speaks MQTT 5 keeps what comes while a lasting session is away."""
_FLUSH_BYTES = 4 * 2**20
_MOST_BYTES = 64 * 2**20
_QOS = 2
"""Nothing is delivered at more than that at which it was published, so this shows each one's own."""
_CLOCK_STEP_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordProgress:
    """How a recording fares.

    Attributes:
        messages: that came.
        written: of these on disk.
        payload_bytes: of those that came.
        bytes: of all files.
        files: how many there are.
        path: the one that is being written.
        is_connected: whether the broker is there and has taken our subscriptions.
        was_connected: whether it ever was.
        away_s: seconds without the broker, from which nothing may be recorded.
        gaps: how many such times there were.
        dropped: messages that the broker had no room for meanwhile, for us or for others; None where
            it doesn't say.
        left_out: messages whose topic is empty or no UTF-8.
    """

    messages: int
    written: int
    payload_bytes: int
    bytes: int
    files: int
    path: str
    is_connected: bool
    was_connected: bool
    away_s: float
    gaps: int
    dropped: int | None
    left_out: int


@dataclass(slots=True)
class _Taken:
    """Messages on their way from the network to the disk."""

    messages: list[Carried]
    receipts: list[tuple[int, int, int]]
    """Connection, message id and quality of service of what is to be acknowledged by hand."""
    bytes: int = 0


class Recorder:
    """One recording of what a broker carries.

    Args:
        address: the broker; it is connected to in the background, and again after every loss.
        writer: takes the messages.
        filters: topics to subscribe to.
        mqtt5: what the broker grants those who speak MQTT 5; None for 3.1.1, in which a broker doesn't
            say of what it delivers at once whether it was published as retained.
        session: client id of a lasting session, in which the broker keeps what comes while we are away;
            None takes one that nobody has, and that ends with the connection.
        on_progress: called about once a second, and at the end.

    Raises:
        TapeError: where a filter is none.
    """

    def __init__(
        self,
        address: BrokerAddress,
        writer: TapeWriter,
        filters: Sequence[str] = ("#",),
        *,
        mqtt5: Mqtt5 | None,
        session: str | None = None,
        on_progress: Callable[[RecordProgress], None] | None = None,
    ) -> None:
        self._filters = [check_filter(one) for one in filters]
        self._address, self._writer, self._mqtt5 = address, writer, mqtt5
        self._lasts = session is not None
        self._on_progress = on_progress
        self._changed = threading.Condition()
        self._taken = _Taken([], [])
        self._messages = self._payload_bytes = self._gaps = self._connection = 0
        self._away_s = 0.0
        self._left_out = 0
        self._notes: list[Note] = []
        self._away_since: float | None = None
        self._was_there = False
        self._dropped_first: int | None = None
        self._dropped: int | None = None
        self._failure = ""
        self._closed = self._session_present = False
        self._answers = 0  # to subscriptions
        self._asks_for_dropped = False
        self._may_ask_for_dropped = mqtt5 is not None  # old brokers have no $SYS, and may hang up
        self._step_s = 0.0
        # Arrivals are told by the clock that nobody sets, from where the other one stood at the start.
        self._wall_us = as_us(datetime.now(UTC)) - round(time.monotonic() * 1e6)
        self._client = self._make_client(session or f"tsuji-record-{token_hex(6)}")

    def _make_client(self, client_id: str) -> Client:
        is_5 = self._mqtt5 is not None
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if is_5 else not self._lasts,
            protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
            manual_ack=self._lasts,
        )
        client.reconnect_delay_set(min_delay=1, max_delay=4)
        self._address.introduce(client)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def run(self, stop: threading.Event) -> RecordProgress:
        """Record until `stop` is set.

        Returns:
            How it stood at the end.

        Raises:
            TapeError: where the disk takes no more, or the broker refuses a filter; what was written
                before stays readable.
        """
        extra: dict[str, Any] = {}
        if self._mqtt5 is not None:
            properties = _PROPERTIES(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = SESSION_KEPT_S if self._lasts else 0
            extra = {"clean_start": not self._lasts, "properties": properties}
        self._client.connect_async(self._address.host, self._address.port, keepalive=30, **extra)
        self._client.loop_start()
        told = 0.0
        try:
            while not stop.is_set() and not self._failure:
                self._wait(stop)
                self._write()
                if self._on_progress is not None and time.monotonic() - told > 1:
                    told = time.monotonic()
                    self._on_progress(self._progress())
            self._disconnect()
            self._write()
            self._note_dropped()
            self._writer.close()
        finally:
            self._disconnect()
            self._writer.abandon()  # without its end, where that is not written yet
        if self._failure:
            raise TapeError(self._failure)
        final = self._progress()
        if self._on_progress is not None:
            self._on_progress(final)
        return final

    def _wait(self, stop: threading.Event) -> None:
        """Wait until there is something to be written: in a lasting session anything at all.

        There the broker sends only so many messages before it wants the first to be acknowledged, and
        they are acknowledged when they are on disk.
        """
        until = time.monotonic() + FLUSH_S
        with self._changed:
            while (left := until - time.monotonic()) > 0 and not stop.is_set():
                if self._failure or self._taken.bytes > _FLUSH_BYTES:
                    return
                if self._lasts and self._taken.messages:
                    return
                self._changed.wait(min(left, 0.1))

    def _write(self) -> None:
        with self._changed:
            taken, self._taken = self._taken, _Taken([], [])
            notes, self._notes = self._notes, []
            self._changed.notify_all()
        self._look_at_the_clock(notes)
        self._writer.write(taken.messages)
        for note in notes:
            self._writer.note(note)
        for connection, mid, qos in taken.receipts:
            if connection == self._connection:  # another one knows nothing of them
                self._client.ack(mid, qos)

    def _look_at_the_clock(self, notes: list[Note]) -> None:
        now = time.monotonic()
        step_s = (as_us(datetime.now(UTC)) - round(now * 1e6) - self._wall_us) / 1e6
        if abs(step_s - self._step_s) > _CLOCK_STEP_S:
            self._step_s = step_s
            at = self._time_us(now)
            text = (
                f"at {as_time(at):%Y-%m-%d %H:%M:%S} UTC the recorder's clock was set, and is off by "
                f"{step_s:+.1f} s since then; arrivals go on by the old one"
            )
            _log.warning("%s", text)
            notes.append(Note(from_us=at, until_us=at, text=text))

    def _disconnect(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._client.disconnect()
        self._client.loop_stop()

    def _note_dropped(self) -> None:
        dropped = self._progress().dropped
        if dropped:
            now = self._time_us(time.monotonic())
            text = f"the broker had no room for {dropped:,} messages meanwhile, for whomever"
            self._writer.note(Note(from_us=now, until_us=now, text=text))

    def _progress(self) -> RecordProgress:
        with self._changed:
            away = 0.0 if self._away_since is None else time.monotonic() - self._away_since
            dropped = None
            if self._dropped is not None and self._dropped_first is not None:
                dropped = max(self._dropped - self._dropped_first, 0)
            return RecordProgress(
                messages=self._messages,
                written=self._writer.messages,
                payload_bytes=self._payload_bytes,
                bytes=self._writer.bytes,
                files=self._writer.files,
                path=str(self._writer.path),
                is_connected=self._was_there and self._away_since is None,
                was_connected=self._was_there,
                away_s=self._away_s + away,
                gaps=self._gaps,
                dropped=dropped,
                left_out=self._left_out,
            )

    def _time_us(self, monotonic_s: float) -> int:
        return self._wall_us + round(monotonic_s * 1e6)

    # What follows runs in paho's thread.

    def _on_connect(self, client: Client, _data: Any, flags: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            _log.warning("the broker refused us: %s; trying again", reason)
            return
        with self._changed:
            self._connection += 1
            self._session_present = bool(flags.session_present)
        self._answers = 0
        for topic in self._filters:
            self._subscribe(client, topic)

    def _subscribe(self, client: Client, topic: str) -> None:
        if self._mqtt5 is not None:
            client.subscribe(topic, options=SubscribeOptions(qos=_QOS, retainAsPublished=True))
        else:
            client.subscribe(topic, _QOS)

    def _on_subscribe(self, client: Client, _data: Any, _mid: int, reasons: Any, _p: Any) -> None:
        place, self._answers = self._answers, self._answers + 1
        if place >= len(self._filters):
            self._asks_for_dropped = False  # answered, whatever the answer is
            return
        with self._changed:
            if reasons[0].is_failure:
                self._failure = f"the broker refuses {self._filters[place]!r}: {reasons[0]}"
            elif self._answers == len(self._filters):
                self._note_return()
            self._changed.notify_all()
        if self._answers == len(self._filters) and self._may_ask_for_dropped:
            self._asks_for_dropped = True
            self._subscribe(client, DROPPED)

    def _note_return(self) -> None:
        now = time.monotonic()
        if self._away_since is not None:
            since, self._away_since = self._away_since, None
            if not (self._lasts and self._session_present):
                self._gaps += 1
                self._away_s += now - since
                begin, end = self._time_us(since), self._time_us(now)
                text = (
                    f"nothing is recorded from {as_time(begin):%Y-%m-%d %H:%M:%S} to "
                    f"{as_time(end):%H:%M:%S} UTC: the broker was away"
                )
                self._notes.append(Note(from_us=begin, until_us=end, text=text))
                _log.warning("%s", text)
        self._was_there = True

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        _log.debug("no broker answers")

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: Any, reason: Any, _p: Any
    ) -> None:
        if self._asks_for_dropped:  # some brokers hang up on whoever asks for $SYS
            self._asks_for_dropped = self._may_ask_for_dropped = False
        with self._changed:
            if self._closed or not self._was_there or self._away_since is not None:
                return
            self._away_since = time.monotonic()
        _log.warning("the broker is gone (%s); trying again", reason)

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # which few brokers let through
            topic = ""
        if not topic:
            with self._changed:
                self._left_out += 1
            if message.qos and self._lasts:
                client.ack(message.mid, message.qos)
            return
        if topic == DROPPED:
            self._note_dropped_count(message.payload)
            if message.qos and self._lasts:
                client.ack(message.mid, message.qos)
            return
        one = Carried(
            self._time_us(message.timestamp), topic, bytes(message.payload), message.qos,
            bool(message.retain),
        )  # fmt: skip
        size = len(one.payload) + len(one.topic) + 16
        with self._changed:
            while self._taken.bytes > _MOST_BYTES and not self._closed:
                self._changed.wait(0.5)
            self._messages += 1
            self._payload_bytes += len(one.payload)
            taken = self._taken
            taken.messages.append(one)
            taken.bytes += size
            if self._lasts and one.qos:
                taken.receipts.append((self._connection, message.mid, one.qos))
                self._changed.notify_all()
            elif taken.bytes > _FLUSH_BYTES:
                self._changed.notify_all()

    def _note_dropped_count(self, payload: bytes | bytearray) -> None:
        try:
            count = int(payload)
        except ValueError:
            return
        with self._changed:
            self._dropped = count
            if self._dropped_first is None or count < self._dropped_first:  # the broker began anew
                self._dropped_first = count
