"""Publishes alerts to the broker over a connection of its own: retained while they are on."""

import time

import paho.mqtt.client as mqtt

from tsuji_ingest.alerting.courier import Courier
from tsuji_ingest.line import Line, taken
from tsuji_platform.contract.topics import alert_topic
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store.alert_outbox import Due, Letter

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
        self._line = Line(broker, client_id, "alerts")

    def prepare(self) -> bool:
        """Connect; say anew what the broker may have forgotten."""
        if not self._line.open():
            return False
        if self._line.renewed.is_set():
            self._line.renewed.clear()  # before: it may connect once more meanwhile
            try:
                self.outbox.say_again()
            except BaseException:
                self._line.renewed.set()
                raise
        return True

    def deliver(self, due: Due) -> bool:
        """Publish in order, and wait for the acknowledgements."""
        sent = [(letter, self._publish(letter)) for letter in due.letters]
        deadline = time.monotonic() + _PATIENCE_S
        there: list[Letter] = []
        for letter, infos in sent:
            if not taken(infos, deadline):
                break
            there.append(letter)
        if there:
            due.delivered(there)
        if len(there) == len(sent):
            return len(sent) == _AT_ONCE
        problem = "the broker has not acknowledged it"
        due.postponed(sent[len(there)][0], problem, _AGAIN_AFTER_S, give_up=False)
        self._line.hang_up()  # what the client still holds must not come after what is sent next
        return False

    def close(self) -> None:
        """Disconnect."""
        self._line.hang_up()
        super().close()

    def _publish(self, letter: Letter) -> list[mqtt.MQTTMessageInfo]:
        topic = alert_topic(letter.alert_id)
        told = self._line.publish(topic, letter.body, retain=not letter.ends)
        return [told, self._line.publish(topic, b"", retain=True)] if letter.ends else [told]
