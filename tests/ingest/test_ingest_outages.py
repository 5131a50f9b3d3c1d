"""Ingest, database or broker away: nothing is acknowledged that is not committed, nothing is lost."""

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import orjson
import psycopg
import pytest

from broker_queue import BrokerQueue
from hub_processes import HubProcesses
from own_ports import own_port
from samples import after, observations, thing
from tsuji_ingest import subscriber
from tsuji_ingest.service import Ingest
from tsuji_ingest.subscriber import Subscriber
from tsuji_platform.contract import observations_topic
from tsuji_platform.runtime.broker import find
from tsuji_platform.runtime.mosquitto import Mosquitto
from tsuji_platform.runtime.mqtt import is_free
from tsuji_platform.runtime.private import PrivateServer, private_database
from tsuji_platform.settings import BrokerAddress, IngestSettings
from tsuji_platform.store import Database, Reader, RowRefusedError, migrate
from tsuji_platform.store.writer import Writer
from tsuji_simulators.publish import Publisher


def publish(publisher: Publisher, minutes: Iterable[int]) -> None:
    """One message a minute, all acknowledged by the broker."""
    for minute in minutes:
        publisher.publish_observations(
            "pole", observations("pole", after(minutes=minute), air_temperature=minute % 50)
        )
    assert publisher.flush(timeout_s=90)


def test_what_is_published_while_ingest_is_away_is_stored_when_it_returns(
    start_ingest, publisher: Publisher, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    first = start_ingest()
    publisher.publish_things([thing("pole")])
    publish(publisher, range(10))
    eventually(lambda: reader.counters().tally.stored == 10 and waiting.unacknowledged == 0)
    first.stop()
    publish(publisher, range(10, 300))
    eventually(lambda: waiting.unacknowledged == 290)
    start_ingest()
    eventually(lambda: reader.counters().tally.stored == 300 and waiting.unacknowledged == 0)
    tally = reader.counters().tally
    assert (tally.received, tally.stored) == (300, 300)  # a new session gets the thing once more


def test_an_ingest_that_is_stopped_in_the_middle_stores_all_once(
    start_ingest, publisher: Publisher, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    publisher.publish_things([thing("pole")])
    for _ in range(4):
        running = start_ingest(ingest_batch=20)
        publish(publisher, range(200))
        running.stop()  # in the middle of it, or behind it: both are fine
    start_ingest()
    eventually(lambda: waiting.unacknowledged == 0 and reader.counters().tally.stored == 200)
    tally = reader.counters().tally
    assert tally.balanced()
    assert (tally.stored, tally.corrected, tally.rejected) == (200, 0, 0)


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateServer]:
    """A server of this file's own, since it is stopped."""
    with private_database(kind="timescaledb") as server:
        migrate(server.url)
        yield server


@pytest.mark.parametrize("how", ["stop", "kill -9"])
def test_with_the_database_away_nothing_is_acknowledged_and_all_is_stored_afterwards(
    start_ingest,
    server: PrivateServer,
    publisher: Publisher,
    waiting: BrokerQueue,
    eventually,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    caplog.set_level(logging.INFO)
    start_ingest(server.url)
    publisher.publish_things([thing("pole", capacity=len(how))])
    with Database(server.url) as database:
        reader = Reader(database)
        eventually(lambda: [it.thing.capacity for it in reader.things()] == [len(how)])
        eventually(lambda: waiting.unacknowledged == 0)
        before = reader.counters().tally
    server.stop() if how == "stop" else server.kill()
    begin = 300 * len(how)
    publish(publisher, range(begin, begin + 300))
    eventually(lambda: waiting.delivered == 300, what="all are with ingest")
    eventually(lambda: "can't serve now" in caplog.text)
    assert waiting.unacknowledged == 300
    server.start()
    eventually(lambda: waiting.unacknowledged == 0)
    with Database(server.url) as database:
        tally = Reader(database).counters().tally
        assert tally.stored - before.stored == 300
        assert tally.received - before.received == 300
    away = [record for record in caplog.records if "wait at the broker" in record.message]
    assert len(away) == 1, "said once, not for every try"
    assert "the database is back" in caplog.text


def test_a_broker_that_restarts_is_found_again(
    start_ingest,
    broker: PrivateServer,
    publisher: Publisher,
    reader: Reader,
    waiting: BrokerQueue,
    eventually,
) -> None:
    running = start_ingest()
    publisher.publish_things([thing("pole")])
    publish(publisher, range(50))
    broker.kill()
    broker.start()
    publish(publisher, range(50, 100))
    eventually(lambda: running.ingest.connected and reader.counters().tally.stored == 100)
    eventually(lambda: waiting.unacknowledged == 0)
    tally = reader.counters().tally
    assert (tally.stored, tally.corrected, tally.rejected) == (100, 0, 0)
    assert tally.balanced()


def test_nothing_is_acknowledged_before_it_is_committed(
    start_ingest,
    publisher: Publisher,
    reader: Reader,
    waiting: BrokerQueue,
    eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch is committed, the acknowledgement is held back: the broker must still have it all."""
    hold, committed, may_go_on = threading.Event(), threading.Event(), threading.Event()
    acknowledge = Subscriber.acknowledge

    def held_back(self: Subscriber, packets) -> None:
        if not hold.is_set():
            acknowledge(self, packets)
            return
        committed.set()
        assert may_go_on.wait(timeout=120)
        acknowledge(self, packets)

    monkeypatch.setattr(Subscriber, "acknowledge", held_back)
    start_ingest()
    publisher.publish_things([thing("pole")])
    eventually(lambda: reader.things() and waiting.unacknowledged == 0)
    hold.set()
    publish(publisher, range(1))
    assert committed.wait(timeout=120)
    assert reader.counters().tally.stored == 1
    eventually(lambda: waiting.unacknowledged == 1)
    may_go_on.set()
    eventually(lambda: waiting.unacknowledged == 0)


@pytest.mark.parametrize("poisons", [{7}, {0, 1, 2}, {31}, set(range(32))])
def test_a_message_that_the_database_refuses_is_kept_apart_from_its_neighbours(
    start_ingest,
    publisher: Publisher,
    reader: Reader,
    waiting: BrokerQueue,
    eventually,
    monkeypatch: pytest.MonkeyPatch,
    poisons: set[int],
) -> None:
    """No message is known that the database refuses and the decoder does not; so one is made up."""
    save = Writer.save

    def refusing(self: Writer, batch):
        for message in batch:
            for one in message.observations:
                if one.result in poisons:
                    raise RowRefusedError("no such number")
        return save(self, batch)

    monkeypatch.setattr(Writer, "save", refusing)
    publisher.publish_things([thing("pole")])
    start_ingest(ingest_batch=32).stop()  # makes the session; the broker collects from here on
    publish(publisher, range(32))
    start_ingest(ingest_batch=32)
    eventually(lambda: waiting.unacknowledged == 0 and reader.counters().tally.received == 32)
    tally = reader.counters().tally
    assert (tally.stored, tally.rejected) == (32 - len(poisons), len(poisons))
    kept = reader.rejected(limit=100)
    assert len(kept) == len(poisons)
    assert all(row.reason == "not_storable" and "no such number" in row.detail for row in kept)
    assert all(row.topic == observations_topic("pole") and row.payload for row in kept)


def _fail_at(url: str, condition: str) -> None:
    """Let the database fail, as if it were damaged, at rows of which this holds."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"""
            -- first, as those who insert have it: else both would wait for each other
            LOCK TABLE observation IN SHARE ROW EXCLUSIVE MODE;
            CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF {condition} THEN
                    RAISE 'index contains unexpected zero page' USING ERRCODE = 'XX002';
                END IF;
                RETURN new;
            END $$;
            CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON observation
            FOR EACH ROW EXECUTE FUNCTION fail();
            """
        )


@pytest.fixture
def failing(hub_url: str) -> Iterator[Callable[[str], None]]:
    yield partial(_fail_at, hub_url)
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute("DROP TRIGGER IF EXISTS fail ON observation")


@pytest.mark.parametrize("count", [1, 40])
def test_a_damaged_database_costs_no_message_its_place(
    start_ingest,
    publisher: Publisher,
    reader: Reader,
    waiting: BrokerQueue,
    eventually,
    failing: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
    count: int,
) -> None:
    start_ingest()
    publisher.publish_things([thing("pole")])
    eventually(lambda: reader.things() and waiting.unacknowledged == 0)
    failing("true")
    publish(publisher, range(count))
    eventually(lambda: caplog.text.count("unexpected zero page") and waiting.delivered == count)
    time.sleep(4)  # long enough for a look at each message
    assert reader.counters().tally.rejected == 0
    assert waiting.unacknowledged == count
    failing("false")
    eventually(lambda: reader.counters().tally.stored == count)
    assert reader.counters().tally.rejected == 0
    eventually(lambda: waiting.unacknowledged == 0)


@pytest.fixture
def tries(hub_url: str) -> Iterator[None]:
    """A sequence that goes on in transactions that fail, too."""
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE tries")
        yield
        connection.execute("DROP SEQUENCE tries")


@pytest.mark.usefixtures("tries")
def test_a_database_that_is_put_right_while_its_messages_are_looked_at_costs_none_its_place(
    start_ingest,
    publisher: Publisher,
    reader: Reader,
    waiting: BrokerQueue,
    eventually,
    failing: Callable[[str], None],
) -> None:
    """It fails at a message that stands alone, and at none after that: this message is not to blame."""
    start_ingest()
    publisher.publish_things([thing("pole")])
    eventually(lambda: reader.things() and waiting.unacknowledged == 0)
    failing("nextval('tries') <= 5 + 6")
    publish(publisher, range(40))
    eventually(lambda: waiting.unacknowledged == 0)
    tally = reader.counters().tally
    assert (tally.stored, tally.rejected) == (40, 0)
    failing("false")


def test_one_message_at_which_the_database_fails_does_not_stop_the_others(
    start_ingest,
    publisher: Publisher,
    reader: Reader,
    waiting: BrokerQueue,
    eventually,
    failing: Callable[[str], None],
) -> None:
    start_ingest()
    publisher.publish_things([thing("pole")])
    eventually(lambda: reader.things() and waiting.unacknowledged == 0)
    failing("new.result = 7")
    publish(publisher, [7])
    eventually(lambda: waiting.delivered == 1)
    publish(publisher, range(20))
    eventually(lambda: reader.counters().tally.stored == 19)
    eventually(lambda: waiting.unacknowledged == 0)
    (kept,) = reader.rejected(limit=10)
    assert kept.reason == "not_storable"
    assert kept.seen == reader.counters().tally.rejected
    assert "unexpected zero page" in kept.detail


def test_ingest_ends_when_asked_though_the_database_does_not_answer(
    start_ingest,
    hub_url: str,
    publisher: Publisher,
    reader: Reader,
    waiting: BrokerQueue,
    eventually,
) -> None:
    running = start_ingest()
    publisher.publish_things([thing("pole")])
    eventually(lambda: reader.things() and waiting.unacknowledged == 0)
    with psycopg.connect(hub_url) as lock:
        lock.execute("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE")
        publish(publisher, range(5))
        eventually(lambda: waiting.delivered == 5)
        running.stop()  # waits for its end, with an error where that does not come
        assert waiting.unacknowledged == 5
    start_ingest()
    eventually(lambda: reader.counters().tally.stored == 5)
    assert reader.counters().waiting == 0


def test_the_command_stores_and_stops_when_asked(
    hub: HubProcesses, broker: PrivateServer, publisher: Publisher, reader: Reader, eventually
) -> None:
    hub.start("ingest")
    eventually(lambda: BrokerQueue(broker, "tsuji-ingest").subscribed)
    publisher.publish_things([thing("pole")])
    publish(publisher, range(5))
    eventually(lambda: reader.counters().tally.received == 5)
    assert hub.end("ingest") == 0
    assert "Traceback" not in hub.log("ingest").read_text()


@pytest.fixture
def strict_broker(tmp_path: Path, eventually) -> Iterator[Callable[[str], BrokerAddress]]:
    """A Mosquitto with settings of the test's own."""
    running: list[subprocess.Popen[bytes]] = []

    def start(settings: str) -> BrokerAddress:
        program, _, _ = find()
        assert isinstance(program, Mosquitto)
        port = own_port()
        configuration = tmp_path / "mosquitto.conf"
        configuration.write_text(f"listener {port} 127.0.0.1\nuser root\n{settings}\n")
        running.append(subprocess.Popen([program.program, "-c", configuration]))
        eventually(lambda: not is_free(port))
        return BrokerAddress(host="127.0.0.1", port=port, username="ingest", password="hunter2")

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def start_refused(hub_url: str) -> Iterator[Callable[[BrokerAddress], Ingest]]:
    """Start an ingest that does not get through to the broker."""
    running: list[tuple[Ingest, threading.Thread]] = []

    def start(address: BrokerAddress) -> Ingest:
        ingest = Ingest(hub_url, address, IngestSettings(ingest_id="x"))
        running.append((ingest, threading.Thread(target=ingest.run, daemon=True)))
        running[-1][1].start()
        return ingest

    yield start
    for ingest, thread in running:
        ingest.stop()
        thread.join(timeout=90)
        assert not thread.is_alive()


def test_a_broker_that_does_not_let_us_in_is_named_and_tried_again(
    start_refused, strict_broker, eventually, caplog: pytest.LogCaptureFixture
) -> None:
    address = strict_broker("allow_anonymous false")
    ingest = start_refused(address)
    said = f"the broker at 127.0.0.1:{address.port} refuses us: Not authorized"
    eventually(lambda: caplog.text.count(said) >= 2, what="refused and tried again")
    assert "TSUJI_BROKER_URL" in caplog.text
    assert "hunter2" not in caplog.text
    assert not ingest.connected


def test_a_refused_subscription_is_named_and_tried_again(
    start_refused,
    strict_broker,
    tmp_path: Path,
    eventually,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriber, "_SUBSCRIBE_AGAIN_S", 0.1)
    program, _, _ = find()
    assert isinstance(program, Mosquitto)
    assert program.plugin is not None
    rights = tmp_path / "rights.json"
    rights.write_bytes(
        orjson.dumps(
            {
                "defaultACLAccess": {"subscribe": False},
                "clients": [],
                "groups": [{"groupname": "all", "roles": []}],
                "roles": [],
                "anonymousGroup": "all",
            }
        )
    )
    plugin = program.plugin.with_name("mosquitto_dynamic_security.so")
    address = strict_broker(
        f"allow_anonymous true\nglobal_plugin {plugin}\nplugin_opt_config_file {rights}"
    )
    ingest = start_refused(replace(address, username=None, password=None))
    said = "the broker does not let us subscribe to ['tsuji/v1/things/+"
    eventually(lambda: caplog.text.count(said) >= 3, what="refused and tried again")
    assert not ingest.connected


def test_what_the_broker_had_no_room_for_is_said(
    start_refused, strict_broker, eventually, caplog: pytest.LogCaptureFixture
) -> None:
    address = strict_broker(
        "allow_anonymous true\nmax_queued_messages 10\nmax_inflight_messages 5\nsys_interval 1"
    )
    address = replace(address, username=None, password=None)
    first = start_refused(address)
    eventually(lambda: first.connected)
    first.stop()
    eventually(lambda: not first.subscriber.is_alive, what="it has hung up")
    with Publisher(address) as publisher:
        publish(publisher, range(100))
        assert publisher.flush(timeout_s=90)
    start_refused(address)
    eventually(lambda: "the broker has dropped 90 messages" in caplog.text)
    assert "max_queued_bytes" in caplog.text
