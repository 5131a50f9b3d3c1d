"""Manages the broker's users while it runs, by its dynamic security plugin; nobody else is disturbed.

The plugin takes commands as JSON on a topic of its own, and answers on another whoever asked
(Mosquitto's plugins/dynamic-security/README.md).
"""

import queue
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from types import TracebackType
from typing import Any, NoReturn

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tsuji_platform.contract.topics import USERS_ANSWERS_TOPIC, USERS_TOPIC
from tsuji_platform.devices.rights import RIGHTS, Role, role_document, role_name, role_of
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.settings_broker import trouble

_WITHIN_S = 20.0
_AT_ONCE = 200
"""Commands in a message, users in a page: a broker takes packets of a megabyte."""
_NO_CLIENT, _NO_ROLE = "Client not found", "Role not found"


class BrokerUsersError(Exception):
    """The broker's users can't be managed; the text says why and what to do."""


class BrokerUsersUnsureError(BrokerUsersError):
    """The broker has, or has not, done what it was told: no answer came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of the broker.

    Attributes:
        name: under which it connects; a thing's is its id.
        role: what it is for; None where its rights are none of ours.
        is_disabled: whether the broker lets it in no more.
        connections: how many it has; None where the broker doesn't say.
    """

    name: str
    role: Role | None
    is_disabled: bool
    connections: int | None


class BrokerUsers:
    """A connection over which users are managed.

    Args:
        address: the broker, and a user who may manage others.
    """

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._answers: queue.SimpleQueue[list[dict[str, Any]]] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._problem = ""
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"tsuji-devices-{token_hex(4)}",
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        address.introduce(self._client)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    def __enter__(self) -> "BrokerUsers":
        try:
            self._client.connect(self._address.host, self._address.port, keepalive=30)
        except OSError as error:
            raise BrokerUsersError(
                f"the broker at {self._address} can't be reached: {trouble(error)}"
            ) from None
        self._client.loop_start()
        self._ready.wait(_WITHIN_S)
        if not self._ready.is_set() or self._problem:
            self._close()
            raise BrokerUsersError(
                self._problem or f"the broker at {self._address} does not answer"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def all(self) -> list[User]:
        """Every user, by name."""
        found: list[User] = []
        while True:
            page = {"verbose": True, "count": _AT_ONCE, "offset": len(found)}
            (answer,) = self._ask([{"command": "listClients", **page}])
            data = self._good(answer)
            some = [_user(one) for one in data.get("clients", ())]
            found += some
            if not some or len(found) >= int(data.get("totalCount", 0)):
                return sorted(found, key=lambda user: user.name)

    def there(self, names: Sequence[str]) -> dict[str, User]:
        """Those of these users that there are."""
        found = {}
        commands = [{"command": "getClient", "username": name} for name in names]
        for name, answer in zip(names, self._ask(commands), strict=True):
            if answer.get("error") != _NO_CLIENT:
                found[name] = _user(self._good(answer)["client"])
        return found

    def add(self, passwords: Mapping[str, str], role: Role) -> None:
        """Make users of one role, all or none of them.

        Args:
            passwords: by user; none of them is there.
            role: made at the broker where it is missing, or has other rights than ours.

        Raises:
            BrokerUsersUnsureError: some may have been made.
            BrokerUsersError: none was made.
        """
        self.put_roles([role])
        bound = RIGHTS[role].bound
        answers = self._ask(
            {
                "command": "createClient",
                "username": name,
                "password": password,
                **({"clientid": name} if bound else {}),
                "textdescription": "Made by `tsuji devices add`",
                "roles": [{"rolename": role_name(role), "priority": 0}],
            }
            for name, password in passwords.items()
        )
        refused = [answer for answer in answers if "error" in answer]
        if refused:
            made = zip(passwords, answers, strict=True)
            self.revoke([name for name, answer in made if "error" not in answer])
            self._good(refused[0])

    def revoke(self, names: Iterable[str]) -> None:
        """Remove users; the broker ends their connections."""
        for answer in self._ask({"command": "deleteClient", "username": name} for name in names):
            if answer.get("error") != _NO_CLIENT:
                self._good(answer)

    def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Give users other passwords; the broker ends their connections, ours last of all.

        Raises:
            BrokerUsersError: some may have theirs, others not.
        """
        names = sorted(passwords, key=lambda name: name == self._address.username)
        answers = self._ask(
            {"command": "setClientPassword", "username": name, "password": passwords[name]}
            for name in names
        )
        for answer in answers:
            self._good(answer)

    def put_roles(self, roles: Iterable[Role]) -> list[Role]:
        """Let roles be what this version knows, and return those that were not."""
        changed = []
        for role in roles:
            wanted = role_document(role)
            (answer,) = self._ask([{"command": "getRole", "rolename": role_name(role)}])
            if answer.get("error") == _NO_ROLE:
                command = "createRole"
            elif _rights(self._good(answer)["role"]) != _rights(wanted):
                command = "modifyRole"
            else:
                continue
            for one in self._ask([{"command": command, **wanted}]):
                self._good(one)
            changed.append(role)
        return changed

    def _ask(self, commands: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give commands, and return the answer to each in their order."""
        answers: list[dict[str, Any]] = []
        waiting = list(commands)
        while waiting:
            if self._problem:
                self._lost(is_unsure=bool(answers))
            some, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            body = orjson.dumps({"commands": some})
            self._client.publish(USERS_TOPIC, body, qos=1)
            given: list[dict[str, Any]] = []
            until = time.monotonic() + _WITHIN_S
            while len(given) < len(some):
                try:
                    more = self._answers.get(timeout=max(0.0, until - time.monotonic()))
                except queue.Empty:
                    more = []
                if not more:  # nothing in time, or no connection any more
                    self._lost(is_unsure=True)
                given += more
            answers += given
        return answers

    def _lost(self, *, is_unsure: bool) -> NoReturn:
        kind = BrokerUsersUnsureError if is_unsure else BrokerUsersError
        raise kind(
            self._problem
            or f"the broker at {self._address} does not answer about its users: it needs Mosquitto's "
            "dynamic security plugin (docs/broker.md), and we a user who manages the others"
        )

    def _good(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        if "error" in answer:
            raise BrokerUsersError(
                f"the broker at {self._address} refuses {answer.get('command')}: {answer['error']}"
            )
        return dict(answer.get("data") or {})

    def _close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    # What follows runs in paho's thread.

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _p: Any
    ) -> None:
        if reason.is_failure:
            who = self._address.username
            self._fail(
                f"the broker at {self._address} refuses "
                + (f"user {who!r}: {reason}; check its password" if who else f"us: {reason}")
                + " (TSUJI_BROKER_USER, TSUJI_BROKER_PASSWORD_FILE)"
            )
            return
        client.subscribe(USERS_ANSWERS_TOPIC, 1)

    def _on_subscribe(
        self, _client: mqtt.Client, _data: Any, _mid: int, reasons: Any, _p: Any
    ) -> None:
        if reasons[0].is_failure:
            self._fail(
                f"user {self._address.username!r} may not manage users at the broker at "
                f"{self._address}: name one who may in TSUJI_BROKER_USER"
            )
        self._ready.set()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            answers = orjson.loads(message.payload)["responses"]
        except (ValueError, KeyError, TypeError):
            return
        if answers:
            self._answers.put(answers)

    def _on_disconnect(
        self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _p: Any
    ) -> None:
        if self._problem:
            return
        if self._address.tls is None and not self._ready.is_set():
            self._fail(
                f"the broker at {self._address} ended the connection before it had answered: where it wants "
                "TLS, let TSUJI_BROKER_URL begin with mqtts://"
            )
            return
        self._fail(f"the broker at {self._address} ended the connection: {reason}")

    def _fail(self, problem: str) -> None:
        self._problem = problem
        self._ready.set()
        self._answers.put([])  # who waits for one waits no longer


def _user(document: Mapping[str, Any]) -> User:
    roles = [role_of(str(one.get("rolename"))) for one in document.get("roles", ())]
    connections = document.get("connections")
    return User(
        name=str(document["username"]),
        role=next((role for role in roles if role is not None), None),
        is_disabled=bool(document.get("disabled", False)),
        connections=None if connections is None else len(connections),
    )


def _rights(role: Mapping[str, Any]) -> set[tuple[str, str, bool]]:
    return {
        (str(one["acltype"]), str(one["topic"]), bool(one["allow"])) for one in role.get("acls", ())
    }
