"""The one file of ingest that speaks MQTT: takes packets in, acknowledges those that are committed."""

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from tsuji_ingest.decoders import filters, own
from tsuji_ingest.packet import Packet
from tsuji_platform.settings import BrokerAddress

_log = logging.getLogger(__name__)
_QOS = 1
_REFUSED = 0x80
_SUBSCRIBE_AGAIN_S = 10.0


class Subscriber:
    """A persistent MQTT 3.1.1 session at QoS 1 with acknowledgement by hand.

    The broker keeps what we have not acknowledged and what comes while we are away. MQTT 3.1.1,
    since paho builds property tables for every MQTT 5 message, at half the speed.

    Args:
        address: the broker.
        client_id: must stay the same, the broker keeps the session under it.
        deliver: called in the network thread for each packet; must only enqueue.
    """

    def __init__(
        self, address: BrokerAddress, client_id: str, deliver: Callable[[Packet], None]
    ) -> None:
        self._address = address
        self._deliver = deliver
        self._filters = filters()
        self._connection = 0
        self._connected = threading.Event()
        self._again: threading.Timer | None = None
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=mqtt.MQTTv311,
            manual_ack=True,
        )
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.reconnect_delay_set(min_delay=1, max_delay=8)
        self._client = client

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and our subscriptions."""
        return self._connected.is_set()

    def start(self) -> None:
        """Begin to connect, and to connect again whenever the connection is lost."""
        self._client.connect_async(self._address.host, self._address.port, keepalive=30)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect; the broker goes on collecting for this session."""
        if self._again is not None:
            self._again.cancel()
        self._client.disconnect()
        self._client.loop_stop()

    def acknowledge(self, packets: Iterable[Packet]) -> None:
        """Acknowledge committed packets.

        Those of an earlier connection are passed over: the broker sends them again, and the table
        knows them already.
        """
        for packet in packets:
            if packet.connection == self._connection and packet.qos > 0:
                self._client.ack(packet.mid, packet.qos)

    def _on_connect(
        self,
        _client: mqtt.Client,
        _userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Any,
    ) -> None:
        if reason.is_failure:
            _log.error(
                "the broker at %s:%d refuses us: %s; check TSUJI_BROKER_URL",
                self._address.host,
                self._address.port,
                reason,
            )
            return
        self._connection += 1
        _log.info(
            "connected to the broker, %s",
            "the earlier session goes on" if flags.session_present else "with a new session",
        )
        self._subscribe()

    def _subscribe(self) -> None:
        self._client.subscribe([(topic, _QOS) for topic in self._filters])

    def _on_subscribe(
        self, _client: mqtt.Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _: Any
    ) -> None:
        refused = [
            topic
            for topic, reason in zip(self._filters, reasons, strict=True)
            if reason.value >= _REFUSED
        ]
        if refused:
            _log.error(
                "the broker does not let us subscribe to %s; check our rights there", refused
            )
        if set(refused) & set(own.DECODER.filters):  # without the other formats ingest goes on
            self._again = threading.Timer(_SUBSCRIBE_AGAIN_S, self._subscribe)
            self._again.daemon = True
            self._again.start()
            return
        self._connected.set()

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _: Any
    ) -> None:
        self._connected.clear()
        if reason.is_failure:
            _log.warning("the connection to the broker is lost (%s); connecting again", reason)

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        self._deliver(
            Packet(
                topic=message.topic,
                payload=bytes(message.payload),
                received_at=datetime.now(UTC),
                mid=message.mid,
                qos=message.qos,
                connection=self._connection,
            )
        )
