"""What the private broker still owes a client, read from the file in which it keeps that."""

import sqlite3
from contextlib import closing
from urllib.parse import urlsplit

from tsuji_platform.contract.topics import OBSERVATIONS_FILTER
from tsuji_platform.runtime import mqtt
from tsuji_platform.runtime.private import PrivateServer

_WAIT_FOR_PUBACK = 3


class BrokerQueue:
    """The messages that a broker keeps for one client until it acknowledges them.

    It answers a moment before it writes, and would seem to owe nothing of what it has just taken. So it is
    asked something else before its messages are counted: by that answer it has written what it had taken.

    Attributes:
        folder: where the broker keeps everything.
    """

    def __init__(self, broker: PrivateServer, client_id: str) -> None:
        self.folder = broker.log.parents[1] / "broker" / "data"
        self._address = f"file:{self.folder / 'mosquitto.sqlite3'}?mode=ro"
        self._port = urlsplit(broker.url).port or 0
        self._client_id = client_id

    def _count(self, table: str, condition: str = "true") -> int:
        with closing(sqlite3.connect(self._address, uri=True, timeout=90)) as connection:
            query = f"SELECT count(*) FROM {table} WHERE client_id = ? AND {condition}"
            return connection.execute(query, [self._client_id]).fetchone()[0]

    @property
    def subscribed(self) -> bool:
        """Whether it has a session that collects observations."""
        return bool(self._count("subscriptions", f"topic = '{OBSERVATIONS_FILTER}'"))

    @property
    def filters(self) -> set[str]:
        """What its session subscribes to."""
        with closing(sqlite3.connect(self._address, uri=True, timeout=90)) as connection:
            query = "SELECT topic FROM subscriptions WHERE client_id = ?"
            return {topic for (topic,) in connection.execute(query, [self._client_id])}

    def shares(self, group: str) -> bool:
        """Whether it has a session that collects its share of a group's observations."""
        return f"$share/{group}/{OBSERVATIONS_FILTER}" in self.filters

    @property
    def unacknowledged(self) -> int:
        """Messages that it has not acknowledged, delivered or not."""
        return self._messages()

    @property
    def delivered(self) -> int:
        """Of these, the messages that were sent to it."""
        return self._messages(f"state = {_WAIT_FOR_PUBACK}")

    def _messages(self, condition: str = "true") -> int:
        mqtt.answers(self._port, timeout_s=90)  # where it is away it takes nothing either
        return self._count("client_msgs", condition)
