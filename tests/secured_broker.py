"""A real Mosquitto as `tsuji devices init` sets it up, and clients of it."""

import os
import queue
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import paho.mqtt.client as mqtt

from tsuji_ingest.broker_users import BrokerUsers
from tsuji_platform.devices.folder import Places
from tsuji_platform.devices.rights import Role
from tsuji_platform.runtime.private import PrivateServer, private_secured_broker
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.settings_broker import BrokerTls

WITHIN_S = 90


class SecuredBroker:
    """A broker with TLS, users and rights.

    Attributes:
        folder: as it was made.
        things_port: where things connect.
        services_port: where ingest connects.
        authority: file of the certificate that its own is signed with.
    """

    def __init__(self, folder: Path, server: PrivateServer, places: Places) -> None:
        self.folder, self._server = folder, server
        self.things_port, self.services_port = places.things_port, places.services_port
        self.authority = folder / "broker" / "tls" / "ca.crt"
        self.log = server.log
        self.start, self.kill = server.start, server.kill

    def read_certificate_again(self) -> None:
        os.kill(self._server.pid, signal.SIGHUP)

    def password(self, name: str) -> str:
        """Of one of the first two users."""
        return (self.folder / "private" / f"{name}.password").read_text().strip()

    def address(self, name: str, password: str, *, services: bool = False) -> BrokerAddress:
        return BrokerAddress(
            host="localhost",
            port=self.services_port if services else self.things_port,
            username=name,
            password=password,
            tls=BrokerTls(ca=self.authority),
        )

    def first(self, name: str) -> BrokerAddress:
        """Address of `admin` or `ingest`."""
        return self.address(name, self.password(name), services=True)

    def add(self, name: str, role: Role) -> BrokerAddress:
        """Make a user, whose password is its name backwards."""
        with BrokerUsers(self.first("admin")) as users:
            users.add({name: name[::-1]}, role)
        return self.address(name, name[::-1])

    def settings(self, address: BrokerAddress, folder: Path) -> dict[str, str]:
        """The environment of a command that connects so, the password in a file."""
        file = folder / f"{address.username}.password"
        file.write_text(f"{address.password}\n")
        return {
            "TSUJI_BROKER_URL": f"mqtts://{address}",
            "TSUJI_BROKER_USER": address.username or "",
            "TSUJI_BROKER_PASSWORD_FILE": str(file),
            "TSUJI_BROKER_CA_FILE": str(self.authority),
        }


class Client:
    """Somebody who connects with MQTT 5, in which a broker says what it refuses."""

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str = "",
        protocol: Any = mqtt.MQTTv5,
        will: str | None = None,
    ) -> None:
        self._connected: queue.Queue[bool] = queue.Queue()
        self._subscribed: queue.Queue[bool] = queue.Queue()
        self._published: queue.Queue[bool] = queue.Queue()
        self.messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.ended: queue.Queue[str] = queue.Queue()
        self._address = address
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=protocol,
            reconnect_on_failure=False,
        )
        address.introduce(self._client)
        if will is not None:
            self._client.will_set(will, b"gone", qos=1)
        self._client.on_connect = lambda *got: self._connected.put(not got[3].is_failure)
        self._client.on_subscribe = lambda *got: self._subscribed.put(not got[3][0].is_failure)
        self._client.on_publish = lambda *got: self._published.put(not got[3].is_failure)
        self._client.on_message = lambda *got: self.messages.put((got[2].topic, got[2].payload))
        self._client.on_disconnect = self._on_disconnect

    def __enter__(self) -> "Client":
        assert self.is_let_in()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def vanish(self) -> None:
        """End the connection without a word, upon which the broker publishes the last will."""
        line = self._client.socket()
        assert isinstance(line, ssl.SSLSocket)
        line.shutdown(socket.SHUT_RDWR)

    def _on_disconnect(self, *got: Any) -> None:
        self.ended.put(str(got[3]))
        for answers in (self._subscribed, self._published):
            answers.put(False)  # whoever waits for one gets no other

    def is_let_in(self) -> bool:
        self._client.connect(self._address.host, self._address.port)
        self._client.loop_start()
        return self._connected.get(timeout=WITHIN_S)

    def may_subscribe(self, topic: str) -> bool:
        self._client.subscribe(topic, 1)
        return self._subscribed.get(timeout=WITHIN_S)

    def may_publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> bool:
        self._client.publish(topic, payload, qos=1, retain=retain)
        return self._published.get(timeout=WITHIN_S)


def is_let_in(address: BrokerAddress, client_id: str = "", protocol: Any = mqtt.MQTTv5) -> bool:
    """Whether the broker lets somebody in."""
    client = Client(address, client_id, protocol)
    with suppress(AssertionError), client:
        return True
    return False


@contextmanager
def secured_broker(folder: Path) -> Iterator[SecuredBroker]:
    """Run one in a folder that is made."""
    with private_secured_broker(folder) as (server, places):
        yield SecuredBroker(folder, server, places)
