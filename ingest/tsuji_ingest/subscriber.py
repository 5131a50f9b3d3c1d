"""Where ingest listens to the broker: takes packets in, acknowledges those that are committed."""

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Collection, Iterable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from tsuji_ingest.decoders import filters, own
from tsuji_ingest.inbox import Inbox
from tsuji_ingest.intake import Intake
from tsuji_ingest.network import BufferedClient, BufferedSocket, Publish
from tsuji_ingest.packet import Packet
from tsuji_platform.contract.topics import DROPPED, THINGS_FILTER
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.settings_broker import trouble

_log = logging.getLogger(__name__)
_QOS = 1
_REFUSED = 0x80
_SUBSCRIBE_AGAIN_S = 10.0
_RECONNECT_FIRST_S = 0.2
_RECONNECT_LONGEST_S = 4.0
_SOON_S = 10.0
_MANY_TIMES = 3
"""So many connections in a row that end so soon after they were made look like two with one client id."""
_NOT_UTF_8 = b"\xff"
_PACKETS_AT_ONCE = 2_000
"""Received before the next look at acknowledgements and the keep-alive."""


class Subscriber:
    """A persistent MQTT 3.1.1 session at QoS 1 with acknowledgement by hand.

    The broker keeps what we have not acknowledged and what comes while we are away. MQTT 3.1.1,
    since paho builds property tables for every MQTT 5 message, at half the speed.

    What ingest holds is bounded, whatever the broker sends (see `Intake`): what is passed over is had again
    by connecting anew once there is room.

    In a group the members divide the messages among them (`$share/group/filter`); registrations go
    to each of them, since the broker hands out what it has retained to an ordinary subscription only
    and each is to end with the newest.

    Args:
        address: the broker.
        client_id: must stay the same, the broker keeps the session under it.
        inbox: takes what comes; its packets are settled by `acknowledge`.
        group: of the shared subscription; None takes all messages.
    """

    leaves = False
    """Whether it is here to end the session."""

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        inbox: Inbox,
        group: str | None = None,
    ) -> None:
        self._address = address
        self._inbox = inbox
        self._client_id = client_id
        self._intake = Intake(inbox, grouped=group is not None)
        self._ungrouped = filters()
        self.filters = tuple(
            one if group is None or one == THINGS_FILTER else f"$share/{group}/{one}"
            for one in self._ungrouped
        )
        """What it subscribes to."""
        self._answered = False
        self._since = 0.0
        self._ended_soon = 0
        self._session_since = 1
        self._subscription: int | None = None
        self._subscribed = False
        self._recalled: tuple[tuple[str, ...], bool] | None = None
        self._unsubscription: int | None = None
        self.tidied = threading.Event()
        """Whether the session subscribes to nothing else any more."""
        self.left = threading.Event()
        """Whether the session is ended for good."""
        self._session_had = False
        self._session_new = False
        self.sessions_lost = 0
        """How often the broker did not have the session any more."""
        self._asked_for_dropped: int | None = None
        self._may_ask_for_dropped = True
        self.dropped: int | None = None
        """Messages that the broker says to have dropped since its start, for whomever; None where it
        does not say."""
        self._connected = threading.Event()
        self._subscribe_due: float | None = None
        client = BufferedClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=mqtt.MQTTv311,
            manual_ack=True,
        )
        address.introduce(client)
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.on_message = self._on_message
        self._client = client
        self._committed: queue.SimpleQueue[list[Packet]] = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stop = threading.Event()
        self._away = False
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and our subscriptions."""
        return self._connected.is_set()

    @property
    def no_room(self) -> int:
        """Messages of QoS 0 that were dropped here."""
        return self._intake.no_room

    @property
    def is_alive(self) -> bool:
        """Whether the network thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to connect, and to connect again whenever the connection is lost."""
        self._client.connect_async(self._address.host, self._address.port, keepalive=30)
        self._thread.start()

    def stop(self) -> None:
        """Disconnect; the broker goes on collecting for this session."""
        self._stop.set()
        self._wake()
        self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def recall(self, filters: Collection[str], *, existed: bool) -> None:
        """Say what the session of this id may have subscribed to before, once that is known.

        What of it is not wanted any more is unsubscribed from: the broker would go on delivering it.

        Args:
            filters: as noted by earlier runs.
            existed: whether the broker has had such a session.
        """
        self._recalled = tuple(filters), existed
        self._wake()

    def acknowledge(self, packets: Iterable[Packet]) -> None:
        """Acknowledge committed packets, of whatever quality of service; they are held no longer.

        Those of an earlier connection are passed over: the broker sends them again, and the table
        knows them already.
        """
        self._committed.put(list(packets))
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b".")

    # What follows runs in the network thread.

    def _run(self) -> None:
        delay = _RECONNECT_FIRST_S
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                self._client.reconnect()
                if self._follow():
                    continue
            except OSError as error:
                if not self._away:
                    self._away = True
                    _log.warning(
                        "the broker at %s can't be reached (%s); trying until it can",
                        self._address,
                        trouble(error),
                    )
            except Exception:  # noqa: BLE001 - without this thread ingest would be deaf
                _log.exception("a defect was met while listening to the broker")
            if time.monotonic() - begun > _RECONNECT_LONGEST_S:
                delay = _RECONNECT_FIRST_S
            self._stop.wait(delay)
            delay = min(delay * 2, _RECONNECT_LONGEST_S)

    def _follow(self) -> bool:
        """Take in what comes over one connection, until it ends; whether it is to begin anew at once."""
        client = self._client
        while isinstance(connection := client.socket(), BufferedSocket):
            self._send_acknowledgements()
            if self._stop.is_set() or self._intake.wants_again:
                client.disconnect()
                return self._intake.passed_over
            if self._subscribe_due is not None and time.monotonic() >= self._subscribe_due:
                self._subscribe()
            self._tidy()
            if client.want_write():  # what callbacks have asked to send
                client.loop_write()
            connection.flush()
            connection.wait(self._wake_read, 1.0)
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 65_536)
            self._take_in(connection)
            client.loop_misc()
        return False

    def _take_in(self, connection: BufferedSocket) -> None:
        """What has come, in its order: messages here, all else by paho."""
        connection.receive()
        self._intake.arrives()
        number, left = self._intake.connection, _PACKETS_AT_ONCE
        while left > 0 and self._intake.connection == number:  # paho may connect anew by itself
            for publish in connection.publishes(left):
                left -= 1
                self._take(publish)
            if left < _PACKETS_AT_ONCE:
                self._client.heard()
            if left <= 0 or not connection.ready():
                return
            left -= 1
            if self._client.loop_read() != mqtt.MQTT_ERR_SUCCESS:
                return

    def _send_acknowledgements(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                packets = self._committed.get_nowait()
                self._inbox.settle(packets)
                for packet in packets:
                    if packet.connection == self._intake.connection and packet.qos > 0:
                        self._client.ack(packet.mid, packet.qos)

    def _on_pre_connect(self, _client: mqtt.Client, _userdata: Any) -> None:
        self._intake.begin()
        self._answered = False
        self._unsubscription = None
        self._connected.clear()

    def _on_connect(
        self,
        _client: mqtt.Client,
        _userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Any,
    ) -> None:
        self._answered = True
        if reason.is_failure:
            _log.error(
                "the broker at %s refuses us: %s; check TSUJI_BROKER_URL, and user and password "
                "(TSUJI_BROKER_USER, TSUJI_BROKER_PASSWORD_FILE)",
                self._address,
                reason,
            )
            return
        self._away = False
        self._since = time.monotonic()
        _log.info(
            "connected to the broker, %s",
            "the earlier session goes on" if flags.session_present else "with a new session",
        )
        if flags.session_present:
            self._inbox.withdraw(self._session_since)  # of this it sends all again
        else:
            self._session_since = self._intake.connection
            self._session_new = True
            if self._session_had:
                self._note_lost()
        self._begin(session_present=flags.session_present)

    def _begin(self, *, session_present: bool) -> None:
        if session_present and self._subscribed:
            self._connected.set()  # to subscribe again would bring all that is retained again
            return
        self._subscribed = False
        self._subscribe()

    def _subscribe(self) -> None:
        self._subscribe_due = None
        _, self._subscription = self._client.subscribe([(topic, _QOS) for topic in self.filters])

    def _on_subscribe(
        self, _client: mqtt.Client, _userdata: Any, mid: int, reasons: list[ReasonCode], _: Any
    ) -> None:
        if mid == self._asked_for_dropped:
            self._asked_for_dropped = None  # if it does not let us, then it does not
        if mid != self._subscription:
            return
        refused = [
            topic
            for topic, reason in zip(self.filters, reasons, strict=True)
            if reason.value >= _REFUSED
        ]
        if refused:
            _log.error(
                "the broker does not let us subscribe to %s; check our rights there", refused
            )
        # without the other formats ingest goes on
        if any(topic.endswith(own.DECODER.filters) for topic in refused):
            self._subscribe_due = time.monotonic() + _SUBSCRIBE_AGAIN_S
            return
        self._subscribed = not refused
        self._session_had = True
        self._connected.set()
        if self._may_ask_for_dropped:
            _, self._asked_for_dropped = self._client.subscribe(DROPPED, 0)

    def _tidy(self) -> None:
        """End what earlier runs have subscribed to and this one does not, once that is known."""
        if (
            self._recalled is None
            or self._unsubscription is not None
            or self.tidied.is_set()
            or not self._connected.is_set()
        ):
            return
        before, existed = self._recalled
        if existed and self._session_new:
            self._note_lost()
        # before anything was noted it may have been one that took all
        others = {*before, *self._ungrouped}.difference(self.filters)
        if others and not self._session_new:
            _, self._unsubscription = self._client.unsubscribe(sorted(others))
        else:
            self.tidied.set()

    def _on_unsubscribe(
        self, _client: mqtt.Client, _userdata: Any, mid: int, _reasons: Any, _properties: Any
    ) -> None:
        if mid == self._unsubscription:
            self.tidied.set()

    def _note_lost(self) -> None:
        self.sessions_lost += 1
        _log.warning(
            "the broker no longer has the session of %s: what it kept for this ingest, and what was "
            "published since it lost it, is gone, but for what publishers send again. A broker that "
            "keeps sessions on disk does not lose them by a restart, and keeps them for as long as "
            "its persistent_client_expiration",
            self._client_id,
        )

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _: Any
    ) -> None:
        self._connected.clear()
        if not reason.is_failure:
            return
        soon = self._answered and time.monotonic() - self._since < _SOON_S
        self._ended_soon = self._ended_soon + 1 if soon else 0
        if self._asked_for_dropped is not None:  # brokers without it may end the connection for it
            self._asked_for_dropped, self._may_ask_for_dropped = None, False
            _log.info(
                "the broker ended the connection when asked how many messages it has dropped; it is "
                "not asked again"
            )
        elif self._unsubscription is not None and not self.tidied.is_set() and not self.leaves:
            self._recalled = None
            _log.warning(
                "the broker ended the connection when asked to end what %s had subscribed to before; it "
                "is not asked again, and what comes by that is stored, too",
                self._client_id,
            )
        elif not self._answered and self._address.tls is None:
            _log.warning(
                "the broker at %s ended the connection before it had answered; connecting again. Where it "
                "wants TLS, let TSUJI_BROKER_URL begin with mqtts://",
                self._address,
            )
        elif self._ended_soon >= _MANY_TIMES:
            _log.warning(
                "the connection to the broker is lost (%s) soon after it was made, %d times now; connecting "
                "again. Where another ingest runs with our id %s, they end each other's: give each its own "
                "(TSUJI_INGEST_ID)",
                reason,
                self._ended_soon,
                self._client_id,
            )
        else:
            _log.warning("the connection to the broker is lost (%s); connecting again", reason)

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        """Of a quality of service that we don't ask for, but a broker may deliver."""
        try:
            topic = message.topic.encode()
        except UnicodeDecodeError:
            topic = _NOT_UTF_8
        payload = bytes(message.payload)
        self._take(Publish(topic, payload, message.mid, message.qos, message.retain))

    def _take(self, publish: Publish) -> None:
        try:
            topic = publish.topic.decode()
        except UnicodeDecodeError:  # a broker must not pass such a topic on; ours is to say so
            topic = "a topic that is not UTF-8"
        if not self._is_own(topic, publish):
            self._intake.take(topic, publish)

    def _is_own(self, topic: str, publish: Publish) -> bool:
        """Whether this was for us and not for the database."""
        if topic == DROPPED:
            self._note_dropped(publish.payload)
        return topic == DROPPED

    def _note_dropped(self, payload: bytes) -> None:
        try:
            dropped = int(payload[:20])
        except ValueError:
            return
        if dropped > (self.dropped or 0):
            _log.error(
                "the broker has dropped %d messages since its start, those of other clients included: "
                "what it may keep is full (max_queued_bytes, max_queued_messages)",
                dropped,
            )
        self.dropped = dropped
