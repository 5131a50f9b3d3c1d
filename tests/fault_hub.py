"""A hub of real processes behind networks that can be cut, for tests that break it on purpose."""

import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
from paho.mqtt import publish
from psycopg.conninfo import conninfo_to_dict

from broker_queue import BrokerQueue
from devices import Key
from hub_processes import HubProcesses
from ingest_figures import IngestFigures
from own_ports import own_port
from proxy import Proxy
from rollup_check import assert_exact
from shifted_clock import ShiftedClock
from small_volume import SmallServer, small_server
from tsuji_platform.runtime.private import PrivateServer, private_broker
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import migrate
from tsuji_platform.store.records import Tally

_PATIENCE_S = 2.0
"""A supervisor gives more; what it comes to is the same."""
GROUP = "faults"
MEMBERS = ("ingest-1", "ingest-2")

_ROWS = """
    SELECT thing_id, observed_property, phenomenon_time, result
    FROM observation JOIN datastream USING (datastream_id)
    WHERE phenomenon_time >= %s AND phenomenon_time < %s
"""
_COUNTERS = """
    SELECT coalesce(sum(messages), 0)::int, coalesce(sum(received), 0)::int,
        coalesce(sum(stored), 0)::int, coalesce(sum(duplicate), 0)::int,
        coalesce(sum(corrected), 0)::int, coalesce(sum(rejected), 0)::int
    FROM ingest_counter
"""
_TABLES = """
    SELECT string_agg(tablename, ', ') FROM pg_tables
    WHERE schemaname = 'public' AND tablename <> 'migration'
"""
_REJECTED = "SELECT topic, payload, reason, value_count FROM rejected_message"
_WRONG_LATEST = """
    SELECT count(*) FROM datastream LEFT JOIN latest USING (datastream_id) LEFT JOIN LATERAL (
        SELECT phenomenon_time, result FROM observation AS o
        WHERE o.datastream_id = datastream.datastream_id ORDER BY phenomenon_time DESC LIMIT 1
    ) AS newest ON true
    WHERE (latest.phenomenon_time, latest.result)
        IS DISTINCT FROM (newest.phenomenon_time, newest.result)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A row of the rejected messages."""

    topic: str
    payload: bytes
    reason: str
    value_count: int


class FaultHub:
    """Database, broker and ingests, each behind a network of its own, and a clock for ingest.

    Attributes:
        server: the database, on a small volume.
        broker: the broker.
        networks: proxies by the pair that they stand between.
        clock: that of the ingests.
        figures: what each ingest says of itself while it runs, by id.
        members: the ingests that are meant to run, by id.
    """

    def __init__(self, server: SmallServer, broker: PrivateServer, folder: Path) -> None:
        self.server = server
        self.broker = broker
        host, port = urlsplit(broker.url).hostname or "", urlsplit(broker.url).port or 0
        socket = Path(str(conninfo_to_dict(server.url)["host"])) / ".s.PGSQL.5432"
        self.networks = {
            "device-broker": Proxy((host, port)),
            "broker-ingest": Proxy((host, port)),
            "ingest-database": Proxy(socket),
        }
        database = self.networks["ingest-database"].port
        self.clock = ShiftedClock(folder)
        self._processes = HubProcesses(
            f"postgresql://tsuji@127.0.0.1:{database}/tsuji?sslmode=disable&gssencmode=disable",
            f"mqtt://127.0.0.1:{self.networks['broker-ingest'].port}",
            folder,
        )
        self._broker_address = {"hostname": host, "port": port}
        self._group: str | None = None
        self.figures = {member: IngestFigures(own_port()) for member in MEMBERS}
        self.members: tuple[str, ...] = ()

    @property
    def device_address(self) -> BrokerAddress:
        """Where devices find the broker."""
        return BrokerAddress(host="127.0.0.1", port=self.networks["device-broker"].port)

    def start(self, members: Sequence[str], group: str | None) -> None:
        """Run these ingests instead of those that run, and wait until the broker delivers to them."""
        if (tuple(members), group) == (self.members, self._group):
            return
        for member in self.members:
            self._processes.end(member)
        self.members, self._group = tuple(members), group
        for member in members:
            self.start_ingest(member)
        deadline = time.monotonic() + 120
        while not self._subscribed():
            assert time.monotonic() < deadline, self.log(members[0])
            time.sleep(0.02)

    def start_ingest(self, member: str) -> None:
        """Start one that was ended."""
        settings = {
            "TSUJI_INGEST_ID": member,
            "TSUJI_INGEST_PORT": str(self.figures[member].port),
            **self.clock.environment,
        }
        if self._group is not None:
            settings["TSUJI_INGEST_GROUP"] = self._group
        self._processes.start(member, "ingest", **settings)

    def end_ingest(self, member: str, number: signal.Signals) -> None:
        """End one, and wait until it has; one that waits for an answer of the database is killed."""
        self._processes.end(member, number, kill_after_s=_PATIENCE_S)

    def _subscribed(self) -> bool:
        """Whether the broker collects for all of them, in the way that is meant."""
        queues = [BrokerQueue(self.broker, member) for member in self.members]
        if self._group is None:
            return all(queue.subscribed for queue in queues)
        return all(queue.shares(self._group) and not queue.subscribed for queue in queues)

    def process(self, member: str) -> psutil.Process:
        """An ingest's process."""
        return psutil.Process(self._processes.pid(member))

    def owed(self) -> int:
        """Messages that the broker keeps for the ingests."""
        return sum(BrokerQueue(self.broker, member).unacknowledged for member in self.members)

    def connections(self) -> int:
        """How many there have been over all networks: whatever comes twice came over another one."""
        return sum(network.connections for network in self.networks.values())

    def log(self, member: str) -> str:
        """What an ingest printed."""
        return self._processes.log(member).read_text(errors="replace")

    def _connect(self) -> psycopg.Connection[tuple]:
        return psycopg.connect(self.server.url, options="-c timezone=UTC", autocommit=True)

    def rows(self, spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[Key, float]]:
        """Observations in some spans of phenomenon time, end excluded."""
        with self._connect() as connection:
            return [
                ((name, observed, time), result)
                for span in spans
                for name, observed, time, result in connection.execute(_ROWS, span)
            ]

    def books(self) -> tuple[Tally, list[Refusal]]:
        """The counters of all ingests, and everything that is kept as rejected, at one moment."""
        with self._connect() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            row = connection.execute(_COUNTERS).fetchone()
            refused = connection.execute(_REJECTED).fetchall()
        assert row is not None
        counted = ("messages", "received", "stored", "duplicate", "corrected", "rejected")
        kept = ("topic", "payload", "reason", "value_count")
        return (
            Tally(**dict(zip(counted, row, strict=True))),
            [Refusal(**dict(zip(kept, one, strict=True))) for one in refused],
        )

    def tally(self) -> Tally:
        """The counters of all ingests."""
        return self.books()[0]

    def rejected(self) -> list[Refusal]:
        """Everything that is kept as rejected."""
        return self.books()[1]

    def wrong_latest(self) -> int:
        """Datastreams whose newest observation is not the one that is shown as such."""
        with self._connect() as connection:
            row = connection.execute(_WRONG_LATEST).fetchone()
        assert row is not None
        return int(row[0])

    def check_rollups(self, within: float) -> None:
        """Wait until every sum over time equals what the observations come to."""
        deadline = time.monotonic() + within
        with self._connect() as connection:
            while True:
                try:
                    assert_exact(connection)
                except AssertionError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
                else:
                    return

    def begin_anew(self) -> None:
        """Undo whatever a test has left broken, and forget all that has come in."""
        self._processes.close()
        self.clock.shift(0)
        for network in self.networks.values():
            network.heal()
        self.server.volume.empty()
        self.server.make_serve()
        for member in MEMBERS:
            self._processes.log(member).unlink(missing_ok=True)
            # a clean session under its id ends the lasting one
            publish.single("faults/end", client_id=member, **self._broker_address)
        with self._connect() as connection:
            tables = connection.execute(_TABLES).fetchone()
            assert tables is not None
            connection.execute(f"TRUNCATE {tables[0]} RESTART IDENTITY")
        self.members, self._group = (), None

    def close(self) -> None:
        """End the ingests and the networks."""
        self._processes.close()
        for network in self.networks.values():
            network.close()


@contextmanager
def fault_hub(folder: Path, mib: int = 384) -> Iterator[FaultHub]:
    """Run database and broker; ingests are started by whoever asks."""
    with ExitStack() as stack:
        server = stack.enter_context(small_server(mib))
        migrate(server.url)
        hub = FaultHub(server, stack.enter_context(private_broker()), folder)
        stack.callback(hub.close)
        yield hub


class Worker(threading.Thread):
    """A thread whose error is not lost: `finish` raises it."""

    def __init__(self, target, *arguments) -> None:
        super().__init__(daemon=True)
        self._work, self._arguments = target, arguments
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._work(*self._arguments)
        except BaseException as error:  # noqa: BLE001 - raised again by `finish`
            self._error = error

    def finish(self, timeout_s: float) -> None:
        """Wait for its end."""
        self.join(timeout_s)
        if self._error is not None:
            raise self._error
        assert not self.is_alive(), f"a device has not finished after {timeout_s} s"
