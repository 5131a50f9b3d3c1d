"""Publishes alerts to the broker over a connection of its own: retained while they are on."""

import logging
import threading
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tsuji_ingest.alerting.courier import Courier
from tsuji_platform.contract.topics import alert_topic
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store.alert_outbox import Due, Letter

_log = logging.getLogger(__name__)
TARGET = "mqtt"
_AT_ONCE = 100
_PATIENCE_S = 10.0
_AGAIN_AFTER_S = 1.0


class MqttCourier(Courier):
    """To the broker, at QoS 1.

    An alert that begins is published retained; one that ends is published and what was retained is
    taken away. A broker may have forgotten what it kept while it was away, so after each connection
    the alerts that are on, and what was delivered just before, are published once more.

    Args:
        database_url: PostgreSQL address.
        broker: MQTT address.
        client_id: of this connection.
    """

    def __init__(self, database_url: str, broker: BrokerAddress, client_id: str) -> None:
        super().__init__(database_url, TARGET, _AT_ONCE)
        self._broker = broker
        self._client_id = client_id
        self._connected = threading.Event()
        self._again = threading.Event()
        self._client: mqtt.Client | None = None

    def prepare(self) -> bool:
        """Connect; say anew what the broker may have forgotten."""
        if self._client is None:
            self._client = self._connect()
        if not self._connected.is_set():
            return False
        if self._again.is_set():
            self._again.clear()  # before: it may connect once more meanwhile
            try:
                self.outbox.say_again()
            except BaseException:
                self._again.set()
                raise
        return True

    def deliver(self, due: Due) -> bool:
        """Publish in order, and wait for the acknowledgements."""
        client = self._client
        if client is None:
            return False
        sent = [(letter, _publish(client, letter)) for letter in due.letters]
        deadline = time.monotonic() + _PATIENCE_S
        taken: list[Letter] = []
        for letter, infos in sent:
            if not all(_is_taken(info, deadline) for info in infos):
                break
            taken.append(letter)
        if taken:
            due.delivered(taken)
        if len(taken) == len(sent):
            return len(sent) == _AT_ONCE
        problem = "the broker has not acknowledged it"
        due.postponed(sent[len(taken)][0], problem, _AGAIN_AFTER_S, give_up=False)
        self._hang_up()  # what the client still holds must not come after what is sent next
        return False

    def close(self) -> None:
        """Disconnect."""
        self._hang_up()
        super().close()

    def _connect(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=self._client_id, protocol=mqtt.MQTTv311
        )
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        client.reconnect_delay_set(min_delay=1, max_delay=5)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.connect_async(self._broker.host, self._broker.port, keepalive=30)
        client.loop_start()
        return client

    def _hang_up(self) -> None:
        client, self._client = self._client, None
        self._connected.clear()
        if client is not None:
            client.on_connect = client.on_disconnect = None
            client.disconnect()
            client.loop_stop()

    def _on_connect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            _log.error("the broker refuses the connection for alerts: %s", reason)
            return
        self._again.set()
        self._connected.set()

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, _reason: Any, _properties: Any
    ) -> None:
        self._connected.clear()


def _publish(client: mqtt.Client, letter: Letter) -> list[mqtt.MQTTMessageInfo]:
    topic = alert_topic(letter.alert_id)
    told = client.publish(topic, letter.body, qos=1, retain=not letter.ends)
    return [told, client.publish(topic, b"", qos=1, retain=True)] if letter.ends else [told]


def _is_taken(info: mqtt.MQTTMessageInfo, deadline: float) -> bool:
    try:
        info.wait_for_publish(max(0.0, deadline - time.monotonic()))
        return info.is_published()
    except (RuntimeError, ValueError):  # no connection, or its queue is full
        return False
