"""A look at the broker: whether it lets us in, and what Mosquitto says of itself."""

import threading
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tsuji_platform.settings import BrokerAddress
from tsuji_platform.settings_broker import trouble

_PREFIX = "$SYS/broker/"
_VERSION = "version"
_KEPT = "store/messages/count"
_DROPPED = "publish/messages/dropped"
_AWAY = "clients/disconnected"
_ALL = (_VERSION, _KEPT, _DROPPED, _AWAY)
_PATIENCE_S = 5.0
_QUIET_S = 1.0
"""So long after the first answer others may follow: all of them are retained."""


class BrokerLookError(Exception):
    """The broker can't be reached or does not let us in; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSays:
    """What the broker says of itself; None where it does not say, or not to us.

    Attributes:
        version: its name and version.
        kept: messages that it keeps, retained ones among them.
        dropped: messages that it had no room for since its start.
        away: clients whose sessions it keeps while they are away.
    """

    version: str | None
    kept: int | None
    dropped: int | None
    away: int | None


def look(address: BrokerAddress, patience_s: float = _PATIENCE_S) -> BrokerSays:
    """Connect, read what is retained below `$SYS`, and go.

    Args:
        address: the broker.
        patience_s: for the connection, and again for its answers.

    Raises:
        BrokerLookError: it can't be reached, or refuses us.
        BrokerTlsError: the certificates can't be used.
    """
    said: dict[str, str] = {}
    outcome: list[str] = []
    connected, answered = threading.Event(), threading.Event()
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"tsuji-doctor-{uuid4().hex[:8]}",
        protocol=mqtt.MQTTv311,
        reconnect_on_failure=False,
    )
    address.introduce(client)

    def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        outcome.append(f"it refuses us: {reason}" if reason.is_failure else "")
        connected.set()

    def on_message(_client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        said[message.topic.removeprefix(_PREFIX)] = message.payload[:200].decode("utf-8", "replace")
        answered.set()

    client.on_connect, client.on_message = on_connect, on_message
    try:
        client.connect(address.host, address.port, keepalive=30)
    except (OSError, ValueError) as error:
        raise BrokerLookError(f"it can't be reached at {address}: {trouble(error)}") from error
    client.loop_start()
    try:
        if not connected.wait(patience_s):
            hint = (
                ""
                if address.tls
                else "; where it wants TLS, let TSUJI_BROKER_URL begin with mqtts://"
            )
            raise BrokerLookError(
                f"something listens at {address}, but does not speak MQTT with us{hint}"
            )
        if outcome[0]:
            raise BrokerLookError(outcome[0])
        client.subscribe([(f"{_PREFIX}{name}", 0) for name in _ALL])
        if answered.wait(patience_s):
            deadline = time.monotonic() + _QUIET_S
            while len(said) < len(_ALL) and time.monotonic() < deadline:
                time.sleep(0.01)
    finally:
        client.disconnect()
        client.loop_stop()
    return BrokerSays(
        version=said.get(_VERSION),
        kept=_number(said.get(_KEPT)),
        dropped=_number(said.get(_DROPPED)),
        away=_number(said.get(_AWAY)),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
