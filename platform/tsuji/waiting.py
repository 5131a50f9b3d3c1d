"""Waits for the broker, and says so, since a command that is just silent looks broken."""

import threading
from typing import TYPE_CHECKING

import typer

from tsuji_platform.settings import BrokerAddress
from tsuji_platform.settings_broker import trouble

if TYPE_CHECKING:
    from tsuji_simulators.mqtt5 import Mqtt5


def wait_for_broker(
    address: BrokerAddress, stop: threading.Event, timeout_s: float | None = None
) -> "Mqtt5 | None":
    """What the broker grants those who speak MQTT 5, once it is there.

    Args:
        address: the broker.
        stop: ends the waiting.
        timeout_s: it has to be there by then; None waits for as long as it takes.

    Returns:
        None where it knows only older versions, or `stop` was set before.

    Raises:
        ConnectionError: it is not there within `timeout_s`.
    """
    from tsuji_simulators.mqtt5 import mqtt5_of, wait_for_mqtt5

    try:
        return mqtt5_of(address)
    except OSError as error:
        typer.echo(
            f"no broker answers at {address} ({trouble(error)}); waiting for one",
            err=True,
        )
    return wait_for_mqtt5(address, stop, timeout_s)
