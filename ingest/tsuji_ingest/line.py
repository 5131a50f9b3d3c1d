"""A connection of its own over which the hub publishes: at QoS 1, and nothing behind anybody's back."""

import logging
import threading
import time
from collections.abc import Iterable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tsuji_platform.settings import BrokerAddress

_log = logging.getLogger(__name__)
_KEEPALIVE_S = 30
_AGAIN_AFTER_S = 2.0


class Line:
    """Used by one thread at a time.

    A connection that was lost is not taken up again by itself: what it still held would come after what is
    published next. Whoever publishes opens another, and says anew what matters.

    Args:
        broker: MQTT address.
        client_id: of this connection.
        purpose: for the log: what is published.
    """

    def __init__(self, broker: BrokerAddress, client_id: str, purpose: str) -> None:
        self._broker = broker
        self._client_id = client_id
        self._purpose = purpose
        self._client: mqtt.Client | None = None
        self._connected = threading.Event()
        self._lost = threading.Event()
        self._not_before = 0.0
        self._refused = ""
        self.renewed = threading.Event()
        """Set with each connection: the broker may have forgotten what it had before."""

    def open(self) -> bool:
        """Whether there is a connection; begins one where there is none."""
        if self._lost.is_set():
            self.hang_up()
            self._not_before = time.monotonic() + _AGAIN_AFTER_S
        if self._client is None and time.monotonic() >= self._not_before:
            self._client = self._connect()
        return self._connected.is_set()

    def publish(self, topic: str, body: str | bytes, *, retain: bool) -> mqtt.MQTTMessageInfo:
        """Send a message; see `taken` for what became of it."""
        if self._client is None:
            raise RuntimeError("publish needs an open line")
        return self._client.publish(topic, body, qos=1, retain=retain)

    def hang_up(self) -> None:
        """Disconnect; what was not acknowledged is forgotten here."""
        client, self._client = self._client, None
        self._connected.clear()
        self._lost.clear()
        if client is not None:
            client.on_connect = client.on_connect_fail = client.on_disconnect = None
            client.disconnect()
            client.loop_stop()

    def _connect(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        self._broker.introduce(client)
        client.max_inflight_messages_set(200)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.connect_async(self._broker.host, self._broker.port, keepalive=_KEEPALIVE_S)
        client.loop_start()
        return client

    def _on_connect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            if self._refused != str(reason):
                self._refused = str(reason)
                _log.error("the broker refuses the connection for %s: %s", self._purpose, reason)
            return
        self._refused = ""
        self.renewed.set()
        self._connected.set()

    def _on_connect_fail(self, _client: mqtt.Client, _userdata: Any) -> None:
        self._lost.set()

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, _reason: Any, _properties: Any
    ) -> None:
        self._connected.clear()
        self._lost.set()


def taken(infos: Iterable[mqtt.MQTTMessageInfo], deadline: float) -> bool:
    """Whether the broker has acknowledged all of these.

    Args:
        infos: of the messages.
        deadline: monotonic seconds until which to wait.
    """
    try:
        for info in infos:
            info.wait_for_publish(max(0.0, deadline - time.monotonic()))
            if not info.is_published():
                return False
    except (RuntimeError, ValueError):  # no connection, or its queue is full
        return False
    return True
