"""Publishes as real devices do, over MQTT at QoS 1 unless told otherwise.

It speaks 3.1.1, which every broker knows, or 5 where the caller has found that the broker knows it: then
the broker says of each message whether anybody has subscribed to it. What `publish` has accepted is kept
until the broker has acknowledged it, and sent again after every reconnection; the number of such messages
is bounded, and `publish` waits at the bound.

What was acknowledged just before a connection was lost is sent once more as well: Mosquitto (2.1.2,
with its SQLite plugin) acknowledges about a millisecond before it commits, at QoS 2, too, so a broker
that is killed can forget what it has acknowledged. To send a message again is harmless, as ingest knows
what it has, as long as no older value goes out behind a newer one: everything goes out again in its
first order.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from secrets import token_hex
from time import monotonic
from types import TracebackType
from typing import Any

from paho.mqtt.client import MQTT_ERR_QUEUE_SIZE, Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tsuji_platform.contract import Observation, Thing, encode_observations, encode_thing
from tsuji_platform.contract.topics import observations_topic, thing_topic
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.settings_broker import trouble
from tsuji_simulators.mqtt5 import NOBODY_LISTENS, Mqtt5
from tsuji_simulators.outbox import Message, Outbox, Receipt
from tsuji_simulators.wire import WireClient

logger = logging.getLogger(__name__)

MAX_UNACKNOWLEDGED = 1_000
"""Far below the 65,535 message ids of MQTT, beyond which paho refuses a message without raising."""
RESEND_S = 2.0
"""A thousand times as long as the broker may need from its acknowledgement to its commit."""
_RESEND_MOST = 5_000
"""Together with the largest window fewer than there are message ids."""
_STOP_CHECK_S = 0.2
_AROUND_BYTES = 10
"""Of a packet, around topic and payload, at the most."""
_ROOM = 8
"""Whoever waits for room goes on once there is that part of the window, not for each message again."""


class PublisherClosedError(RuntimeError):
    """The publisher was closed while something waited for it."""


class PublishError(RuntimeError):
    """paho would not take a message; nothing of it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a publisher has done so far: messages taken, and of these acknowledged by the broker."""

    published: int
    acknowledged: int
    sent_again: int = 0
    """Acknowledged messages that were sent once more after a lost connection."""
    unheard: int | None = None
    """Acknowledged messages that reached no subscriber and were not retained; None where the broker
    doesn't say. Of QoS 1 only."""
    refused: int = 0
    """Acknowledged messages that the broker did not take, as far as it says."""

    @property
    def unacknowledged(self) -> int:
        """Messages taken that the broker has not acknowledged yet."""
        return self.published - self.acknowledged


@lru_cache(maxsize=65_536)
def _encoded(topic: str) -> bytes:
    """The bytes of a topic.

    Raises:
        ValueError: nothing can be published on it.
    """
    encoded = topic.encode()
    if not topic or any(one in topic for one in "+#\0") or len(encoded) > 65_535:
        raise ValueError(
            f"a message can't be published on {topic[:200]!r}: name one topic, no filter"
        )
    return encoded


class Publisher:
    """One connection to a broker that loses nothing that it has taken while the process lives.

    It connects in the background and keeps trying; `publish` may be called before that and from
    several threads.

    Args:
        address: the broker, and who we are there.
        client_id: fixed ids push each other off the broker, so the default ends in random digits.
        max_unacknowledged: `publish` waits while so many messages are unacknowledged.
        resend_s: what was acknowledged at most so long before the last acknowledgement of a connection
            that was lost is sent once more over the next one, seconds; 0 trusts the broker with it.
        mqtt5: what the broker grants those who speak MQTT 5; None for 3.1.1.
        stop: once it is set, what waits raises `PublisherClosedError`.
        on_progress: called after each message's acknowledgement, mostly from the network thread: it
            must be quick.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str = "tsuji-simulators",
        max_unacknowledged: int = MAX_UNACKNOWLEDGED,
        resend_s: float = RESEND_S,
        mqtt5: Mqtt5 | None = None,
        stop: threading.Event | None = None,
        on_progress: Callable[[Counts], None] | None = None,
    ) -> None:
        if not 1 <= max_unacknowledged <= 60_000:
            raise ValueError(f"max_unacknowledged must be 1 to 60000, got {max_unacknowledged}")
        self._stop = stop or threading.Event()
        self._window = max_unacknowledged
        self._low = max_unacknowledged - max(max_unacknowledged // _ROOM, 1)
        self._largest = (mqtt5 or Mqtt5()).largest_packet
        self._on_progress = on_progress
        self._changed = threading.Condition()
        self._waiting = 0  # threads, for anything
        self._for_room = 0  # of these for room in the window
        self._published = 0
        self._acknowledged = 0
        self._sent_again = 0
        self._unheard: int | None = 0 if mqtt5 else None
        self._refused = 0
        self.refusal = ""
        """Why the broker last refused a message, in its words."""
        self._taken = 0  # and not acknowledged: also those that are about to be put into the outbox
        self._outbox = Outbox(resend_s, _RESEND_MOST)
        self._sending = threading.Lock()  # whoever gives messages to paho, in the outbox's order
        self._on_their_way: dict[int, Message] = {}  # by their ids on this connection
        self._early: dict[int, Any] = {}  # acknowledged before we knew the message's id
        self._connected = False
        self._answered = False
        self._is_secured = address.tls is not None
        self._said_absent = False
        self._closed = False
        self._client = WireClient(
            CallbackAPIVersion.VERSION2,
            client_id=f"{client_id}-{token_hex(4)}",
            protocol=MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311,
        )
        self._client.max_queued_messages_set(0)
        # In 3.1.1 there is no limit, and what is sent again comes on top of our window; a broker of 5
        # hangs up on whoever goes beyond its own. 0 is for none: where there is one, paho looks through
        # all messages at each acknowledgement.
        most = max_unacknowledged + _RESEND_MOST
        limit = mqtt5.receive_maximum if mqtt5 and mqtt5.receive_maximum < most else 0
        self._client.max_inflight_messages_set(limit)
        self._is_unlimited = not limit
        self._client.reconnect_delay_set(min_delay=1, max_delay=5)
        address.introduce(self._client)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._shown = str(address)
        self._client.connect_async(address.host, address.port, keepalive=30)
        self._client.loop_start()

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def counts(self) -> Counts:
        """What was done so far."""
        with self._changed:
            return self._counts()

    def _counts(self) -> Counts:
        return Counts(
            published=self._published,
            acknowledged=self._acknowledged,
            sent_again=self._sent_again,
            unheard=self._unheard,
            refused=self._refused,
        )

    @property
    def is_connected(self) -> bool:
        """Whether the broker has let us in and not gone since."""
        return self._connected

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> Receipt:
        """Take one message; waits while too many are unacknowledged.

        Raises:
            PublisherClosedError: closed before there was room.
            PublishError: paho refused the message.
            ValueError: nothing can be published on this topic, or the message is too large: a broker
                would hang up, and would do so again after each connection.
        """
        if len(payload) + len(_encoded(topic)) + _AROUND_BYTES > self._largest:
            raise ValueError(
                f"a message of {len(payload):,} bytes can't be published: the broker takes packets of "
                f"{self._largest:,} bytes"
            )
        message = Message(topic=topic, payload=payload, retain=retain, qos=qos)
        with self._changed:
            self._wait_for_room()
            self._taken += 1
        with self._sending:
            with self._changed:
                self._outbox.add(message)
                self._published += 1
                connected = self._connected
            # Before there is a connection it waits in the outbox, whose turn comes first.
            if connected and not self._send(message):
                with self._changed:
                    self._outbox.withdraw(message)
                    self._published -= 1
                    self._taken -= 1
                    self._changed.notify_all()
                raise PublishError(f"paho refused a message on {topic}: it has too many already")
        return message.receipt

    def _send(self, message: Message) -> bool:
        """Give one message to paho; False where it would not take it."""
        mid: int | None
        if message.qos == 1 and self._is_unlimited:
            mid = self._client.publish_once(
                _encoded(message.topic), message.payload, message.retain
            )
            if mid is None:
                return False
        else:
            info = self._client.publish(
                message.topic, message.payload, qos=message.qos, retain=message.retain
            )
            # Any other code (no connection, connection lost) means that it goes out over the next one.
            if info.rc == MQTT_ERR_QUEUE_SIZE:
                return False
            mid = info.mid
        with self._changed:
            if mid not in self._early:
                self._on_their_way[mid] = message
                return True
            reason = self._early.pop(mid)
        self._confirm(message, reason)
        return True

    def publish_things(self, things: Iterable[Thing]) -> None:
        """Say, retained, what each thing is, and wait until the broker has all of it."""
        for thing in things:
            self.publish(thing_topic(thing.thing_id), encode_thing(thing), retain=True)
        self.flush()

    def publish_observations(self, thing_id: str, observations: Iterable[Observation]) -> Receipt:
        """Publish observations of one thing as one message."""
        return self.publish(observations_topic(thing_id), encode_observations(observations))

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until the broker has acknowledged everything, what has to be sent again included.

        Returns:
            False where it had not within `timeout_s`.

        Raises:
            PublisherClosedError: closed meanwhile.
        """
        with self._changed:
            return self._wait_for(lambda: self._taken == 0 and self._outbox.waiting == 0, timeout_s)

    def wait(self, receipts: Sequence[Receipt]) -> None:
        """Wait until the broker has acknowledged these.

        Raises:
            PublisherClosedError: closed meanwhile.
        """
        with self._changed:
            self._wait_for(lambda: all(one.is_acknowledged for one in receipts))

    def close(self) -> None:
        """Disconnect; what waits is woken, what is unacknowledged is given up."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._client.disconnect()
        self._client.loop_stop()

    def _wait_for_room(self) -> None:
        """Wait under the lock while the window is full, and behind those who do already."""
        if self._taken < self._window and not self._for_room and not self._closed:
            return
        self._for_room += 1
        try:
            self._wait_for(lambda: self._taken <= self._low)
        finally:
            self._for_room -= 1

    def _wait_for(self, done: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait under the lock; an event can't wake a condition, so that one is looked at regularly."""
        until = None if timeout_s is None else monotonic() + timeout_s
        self._waiting += 1
        try:
            while not done():
                if self._closed or self._stop.is_set():
                    raise PublisherClosedError("the publisher was closed")
                left = _STOP_CHECK_S if until is None else min(_STOP_CHECK_S, until - monotonic())
                if left <= 0:
                    return False
                self._changed.wait(left)
        finally:
            self._waiting -= 1
        if self._closed:
            raise PublisherClosedError("the publisher was closed")
        return True

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _p: Any) -> None:
        self._answered = True
        if reason.is_failure:
            logger.warning("broker %s refused us: %s; trying again", self._shown, reason)
            return
        with self._sending:
            client.drop_out_messages()  # paho would send these first, and what came before them never
            with self._changed:
                self._on_their_way.clear()
                self._early.clear()
                self._outbox.lose()  # once more: an acknowledgement may have been noted late
                self._connected = True
                messages = self._outbox.all()
                again = sum(message.receipt.is_acknowledged for message in messages)
                self._sent_again += again
            for message in messages:
                self._send(message)
        self._said_absent = False
        logger.info("connected to broker %s", self._shown)
        if again:
            logger.info(
                "%d messages that the broker may have acknowledged too early are sent once more",
                again,
            )

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        if not self._said_absent:
            self._said_absent = True
            why = trouble(sys.exception())  # paho calls this while it handles the error
            logger.warning("no broker answers at %s (%s); trying until one does", self._shown, why)

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: Any, reason: Any, _p: Any
    ) -> None:
        with self._changed:
            was_connected, self._connected = self._connected, False
            answered, self._answered = self._answered, False
            if was_connected and not self._closed:
                self._outbox.lose()
        if was_connected and not self._closed:
            logger.warning("broker %s is gone (%s); trying again", self._shown, reason)
        if not answered and not self._closed and not self._said_absent:
            self._said_absent = True
            logger.warning(
                "broker %s ended the connection before it had answered%s; trying again",
                self._shown,
                "" if self._is_secured else " (where it wants TLS, name it mqtts://)",
            )

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: Any, _p: Any) -> None:
        # paho holds its lock over outgoing messages here: take no other lock than ours, which is
        # never held while paho is called.
        with self._changed:
            message = self._on_their_way.pop(mid, None)
            if message is None:
                self._early[mid] = reason
                return
        self._confirm(message, reason)

    def _confirm(self, message: Message, reason: Any) -> None:
        with self._changed:
            is_first = self._outbox.confirm(message, monotonic())
            self._acknowledged += is_first
            self._taken -= is_first
            if is_first and self._unheard is not None:
                self._hear(message, reason)
            counts = self._counts() if is_first and self._on_progress is not None else None
            if self._waiting > self._for_room or self._taken <= self._low:
                self._changed.notify_all()
        if counts is not None and self._on_progress is not None:
            self._on_progress(counts)

    def _hear(self, message: Message, reason: Any) -> None:
        """Note what a broker that speaks MQTT 5 says of a message."""
        if reason.is_failure:
            self._refused += 1
            self.refusal = str(reason)
        elif reason.value == NOBODY_LISTENS and not message.retain:
            self._unheard = (self._unheard or 0) + 1
