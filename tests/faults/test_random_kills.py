"""kill -9 of ingest, database and broker at random moments: nothing is lost, nothing is doubled.

Mosquitto acknowledges what it has read in one turn of its loop before it commits that to its file,
about a millisecond. A kill in between takes with it what nobody will send again, unless the publisher
does: a broker that went away is given the last messages once more. That is harmless, since ingest
knows them.
"""

import random
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from broker_queue import BrokerQueue
from hub_processes import HubProcesses
from samples import after, observations, thing
from tsuji_platform.contract import Observation
from tsuji_platform.runtime.private import PrivateServer, private_database
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import Database, Reader, migrate
from tsuji_simulators.publish import Publisher

ROUNDS = 5
MOMENTS = 500  # in each round
KEPT = 200  # more than can be on its way in one turn of the broker's loop
THINGS = [f"pole-{i}" for i in range(10)]


class Device:
    """Publishes two values a message; now and then one comes twice, or is corrected."""

    def __init__(self, publisher: Publisher, seed: int) -> None:
        self._publisher = publisher
        self._generator = random.Random(seed)
        self._last: deque[tuple[str, list[Observation]]] = deque(maxlen=KEPT)
        self.broker_was_away = threading.Event()
        self.published: dict[tuple[str, str, datetime], float] = {}

    def run(self, round_: int) -> None:
        for number in range(MOMENTS):
            self._catch_up()
            name = self._generator.choice(THINGS)
            time = after(hours=round_, seconds=number)
            for _ in range(self._generator.choice((1, 1, 1, 2))):
                degrees = self._generator.randrange(40)
                content = observations(name, time, 60, air_temperature=degrees, pedestrians=number)
                for _ in range(self._generator.choice((1, 1, 2))):
                    self._say(name, content)
        self._publisher.flush()
        self._catch_up()

    def _catch_up(self) -> None:
        if self.broker_was_away.is_set():
            self.broker_was_away.clear()
            for name, content in list(self._last):
                self._publisher.publish_observations(name, content)

    def _say(self, name: str, content: list[Observation]) -> None:
        self._publisher.publish_observations(name, content)
        self._last.append((name, content))
        for one in content:
            self.published[name, one.observed_property, one.phenomenon_time] = one.result


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    """A server of this test's own, since it is killed."""
    with private_database(kind="timescaledb") as server:
        migrate(server.url)
        yield server


@pytest.fixture
def hub(server: PrivateServer, broker: PrivateServer, tmp_path: Path) -> Iterator[HubProcesses]:
    processes = HubProcesses(server.url, broker.url, tmp_path)
    yield processes
    processes.close()


def test_random_kills_lose_and_double_nothing(
    hub: HubProcesses,
    server: PrivateServer,
    broker: PrivateServer,
    eventually: Callable[..., None],
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    generator = random.Random(seed)
    owed = BrokerQueue(broker, "tsuji-ingest")
    hub.start("ingest")
    eventually(lambda: owed.subscribed, within=20)
    with Publisher(BrokerAddress.parse(broker.url), max_unacknowledged=50) as publisher:
        device = Device(publisher, seed)

        def kill_ingest() -> None:
            hub.end("ingest", signal.SIGKILL)
            hub.start("ingest")

        def kill_database() -> None:
            server.kill()
            server.start()

        def kill_broker() -> None:
            broker.kill()
            broker.start()
            device.broker_was_away.set()

        publisher.publish_things([thing(name, "air_temperature", "pedestrians") for name in THINGS])
        for round_ in range(ROUNDS):
            worker = threading.Thread(target=device.run, args=(round_,), daemon=True)
            worker.start()
            for fault in generator.sample([kill_ingest, kill_database, kill_broker], k=2):
                reached = publisher.counts.acknowledged + generator.randrange(MOMENTS // 3)
                while publisher.counts.acknowledged < reached and worker.is_alive():
                    worker.join(timeout=0.005)
                print(f"round {round_}: {fault.__name__} at {publisher.counts}")
                fault()
            worker.join(timeout=60)
            assert not worker.is_alive()
        device.run(ROUNDS)  # and a last one in peace, which sends again what the broker may lack
    eventually(lambda: owed.unacknowledged == 0, within=40, what="the broker's queue is drained")

    with psycopg.connect(server.url, options="-c timezone=UTC") as connection:
        rows = connection.execute(
            "SELECT thing_id, observed_property, phenomenon_time, result"
            " FROM observation JOIN datastream USING (datastream_id)"
        ).fetchall()
    stored = {(name, observed, time): result for name, observed, time, result in rows}
    assert len(rows) == len(stored), "a key is there twice"
    assert stored == device.published
    with Database(server.url) as database:
        tally = Reader(database).counters().tally
    assert tally.balanced()
    assert tally.stored == len(device.published)
    assert tally.rejected == 0
