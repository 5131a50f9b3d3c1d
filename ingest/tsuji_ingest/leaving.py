"""Gives the broker's session of an ingest up without losing what is in it."""

import logging
import threading
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from tsuji_ingest.inbox import Inbox
from tsuji_ingest.network import Publish
from tsuji_ingest.subscriber import Subscriber
from tsuji_platform.contract.topics import leaving_topic
from tsuji_platform.settings import BrokerAddress

_log = logging.getLogger(__name__)
_QUIET_S = 1.0
"""After our mark has come back nothing should come; a cluster of brokers may take a moment."""
_QUIET_UNMARKED_S = 10.0
_LISTENED_S = 3.0
"""A look that is so much behind the one before was kept waiting itself: it looks every second."""
_ANSWER_WITHIN_S = 10.0
_AGAIN_S = 2.0
_LOSSES = 3
"""So many connections lost on the way, and it is no chance."""


class Leaver(Subscriber):
    """Takes in what the broker keeps for an id, and has it keep nothing any more.

    It unsubscribes from everything, so that nothing is added, and then publishes a mark to itself: a
    broker delivers what a session holds in its order, so once the mark has come back, all has been
    delivered. When all of that is committed and acknowledged, the session is ended: a connection under
    its id with a clean session discards it. Where the broker does not let the mark through, ten seconds
    without any message have to do, as long as it listens and after all was acknowledged: for what is not, a
    broker may hold the rest back. A lost connection begins all of this anew.

    Args:
        address: the broker.
        client_id: whose session it is; no ingest must run under it.
        inbox: takes what comes.
        group: of the shared subscription.
    """

    leaves = True

    def __init__(
        self, address: BrokerAddress, client_id: str, inbox: Inbox, group: str | None = None
    ) -> None:
        super().__init__(address, client_id, inbox, group)
        self._topic = leaving_topic(client_id)
        self._given_up = threading.Event()
        self._drained = False
        self._may_mark = True
        self._mark: bytes | None = None
        self._marked = False
        self._last_s = 0.0
        self._looked_s = 0.0
        self._losses = 0

    def stop(self) -> None:
        """Disconnect; where it had not left yet, the broker still has the session."""
        self._given_up.set()
        super().stop()

    # What follows runs in the network thread.

    def _run(self) -> None:
        super()._run()
        while self._drained and not self._given_up.is_set():
            if self._end_session():
                self.left.set()
                return
            self._given_up.wait(_AGAIN_S)

    def _end_session(self) -> bool:
        accepted = threading.Event()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=True,
            protocol=mqtt.MQTTv311,
        )
        self._address.introduce(client)

        def on_connect(_c: Any, _u: Any, _flags: Any, reason: ReasonCode, _p: Any) -> None:
            if not reason.is_failure:
                accepted.set()

        client.on_connect = on_connect
        until = time.monotonic() + _ANSWER_WITHIN_S
        try:
            client.connect(self._address.host, self._address.port)
            while not accepted.is_set() and time.monotonic() < until:
                if client.loop(timeout=0.2) != mqtt.MQTT_ERR_SUCCESS:
                    break
            client.disconnect()
        except OSError as error:
            _log.warning("the broker can't be asked to end the session (%s); trying again", error)
        return accepted.is_set()

    def _on_pre_connect(self, client: mqtt.Client, userdata: Any) -> None:
        if self._unsubscription is not None and not self._intake.passed_over:
            self._may_mark = self._marked  # perhaps it was for the mark that the broker hung up
            self._losses += 1
            if self._losses % _LOSSES == 0:
                _log.error(
                    "the connection was lost %d times while %s was leaving: stop the ingest that runs "
                    "under this id, if there is one. A broker that hangs up when it is asked to "
                    "unsubscribe, such as the embedded one, can't be left",
                    self._losses,
                    self._client_id,
                )
        self._mark, self._marked = None, False
        super()._on_pre_connect(client, userdata)

    def _send_acknowledgements(self) -> None:
        held = self._inbox.held
        super()._send_acknowledgements()
        if self._inbox.held < held:
            self._last_s = time.monotonic()

    def _begin(self, *, session_present: bool) -> None:
        if session_present:
            self._session_had = True
        else:
            _log.warning("the broker keeps no session of %s", self._client_id)
        self._connected.set()

    def _tidy(self) -> None:
        """Take the next step towards the end, if it is time."""
        if self._recalled is None or not self._connected.is_set():
            return
        if self._session_new:  # there is nothing but what is here
            self._end(quiet=True)
            return
        if self._unsubscription is None:
            before, _ = self._recalled
            if self._may_mark:
                self._mark = (
                    f"{self._client_id} {self._intake.connection} {time.time_ns()}".encode()
                )
                self._client.subscribe(self._topic, 1)
            _, self._unsubscription = self._client.unsubscribe(
                sorted({*before, *self._ungrouped, *self.filters})
            )
            if (
                self._mark is not None
            ):  # not every broker answers before that, but all keep the order
                self._client.publish(self._topic, self._mark, qos=1)
            self._last_s = self._looked_s = time.monotonic()
            return
        now_s = time.monotonic()
        if now_s - self._looked_s > _LISTENED_S:  # the machine slept, or was busy: nobody listened
            self._last_s = now_s
        self._looked_s = now_s
        quiet_s = _QUIET_S if self._marked else _QUIET_UNMARKED_S
        self._end(quiet=now_s - self._last_s >= quiet_s)

    def _end(self, *, quiet: bool) -> None:
        if quiet and self._inbox.held == 0 and not self._intake.passed_over:
            self._drained = True
            self._stop.set()

    def _is_own(self, topic: str, publish: Publish) -> bool:
        self._last_s = time.monotonic()
        if topic != self._topic:
            return super()._is_own(topic, publish)
        self._client.ack(publish.mid, publish.qos)
        if publish.payload == self._mark:
            self._marked = True
        return True
