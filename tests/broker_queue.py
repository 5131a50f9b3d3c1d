"""What the private broker still owes a client, read from the file in which it keeps that."""

import sqlite3
from contextlib import closing

from tsuji_platform.contract.topics import OBSERVATIONS_FILTER
from tsuji_platform.runtime.private import PrivateServer

_WAIT_FOR_PUBACK = 3


class BrokerQueue:
    """The messages that a broker keeps for one client until it acknowledges them."""

    def __init__(self, broker: PrivateServer, client_id: str) -> None:
        folder = broker.log.parents[1] / "broker" / "data"
        self._address = f"file:{folder / 'mosquitto.sqlite3'}?mode=ro"
        self._client_id = client_id

    def _count(self, table: str, condition: str = "true") -> int:
        with closing(sqlite3.connect(self._address, uri=True, timeout=5)) as connection:
            query = f"SELECT count(*) FROM {table} WHERE client_id = ? AND {condition}"
            return connection.execute(query, [self._client_id]).fetchone()[0]

    @property
    def subscribed(self) -> bool:
        """Whether it has a session that collects observations."""
        return bool(self._count("subscriptions", f"topic = '{OBSERVATIONS_FILTER}'"))

    @property
    def unacknowledged(self) -> int:
        """Messages that it has not acknowledged, delivered or not."""
        return self._count("client_msgs")

    @property
    def delivered(self) -> int:
        """Of these, the messages that were sent to it."""
        return self._count("client_msgs", f"state = {_WAIT_FOR_PUBACK}")
