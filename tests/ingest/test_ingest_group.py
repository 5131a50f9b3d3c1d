"""Several ingests on a shared subscription divide the work, and none of it is lost with one of them."""

import signal
from collections.abc import Callable

import psycopg
import pytest

from broker_queue import BrokerQueue
from hub_processes import HubProcesses
from samples import after, observations, thing
from tsuji_platform.contract.topics import OBSERVATIONS_FILTER, THINGS_FILTER, thing_topic
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import Database, Reader
from tsuji_simulators.publish import Publisher

MEMBERS = ("ingest-1", "ingest-2")
MESSAGES = 3_000


def _start(hub: HubProcesses, member: str) -> None:
    hub.start(member, "ingest", TSUJI_INGEST_ID=member, TSUJI_INGEST_GROUP="hub")


def _shares(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT ingest_id, stored FROM ingest_counter").fetchall())


@pytest.fixture
def queues(broker: PrivateServer) -> dict[str, BrokerQueue]:
    return {member: BrokerQueue(broker, member) for member in MEMBERS}


@pytest.fixture
def publisher(broker: PrivateServer) -> Publisher:
    with Publisher(BrokerAddress.parse(broker.url)) as publisher:
        yield publisher


def _publish(publisher: Publisher, count: int, begin: int = 0) -> None:
    for second in range(begin, begin + count):
        name = f"gate-{second % 10}"
        publisher.publish_observations(
            name, observations(name, after(seconds=second), 60, pedestrians=second)
        )
    assert publisher.flush(timeout_s=90)


def _results(url: str) -> list[float]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT result FROM observation ORDER BY phenomenon_time")
        return [result for (result,) in rows]


def test_a_group_divides_the_messages_and_loses_none_with_a_killed_member(
    hub: HubProcesses,
    hub_url: str,
    hub_database: Database,
    publisher: Publisher,
    queues: dict[str, BrokerQueue],
    eventually: Callable[..., None],
) -> None:
    publisher.publish_things([thing(f"gate-{n}", "pedestrians") for n in range(10)])
    for member in MEMBERS:
        _start(hub, member)
    eventually(lambda: all(q.shares("hub") for q in queues.values()))
    eventually(lambda: len(Reader(hub_database).things()) == 10)
    _publish(publisher, MESSAGES)
    eventually(lambda: _results(hub_url) == list(range(MESSAGES)))
    assert all(stored > MESSAGES // 10 for stored in _shares(hub_url).values())
    assert set(_shares(hub_url)) == set(MEMBERS)

    assert hub.end(MEMBERS[0], signal.SIGKILL) == -signal.SIGKILL
    _publish(publisher, MESSAGES, begin=MESSAGES)
    eventually(lambda: queues[MEMBERS[1]].unacknowledged == 0)
    _start(hub, MEMBERS[0])  # what the broker gave it waits for its client id
    eventually(lambda: _results(hub_url) == list(range(2 * MESSAGES)))
    tally = Reader(hub_database).counters().tally
    assert tally.stored == 2 * MESSAGES
    assert tally.balanced()


def test_a_member_that_leaves_takes_its_share_along_and_nothing_more(
    hub: HubProcesses,
    hub_url: str,
    hub_database: Database,
    publisher: Publisher,
    queues: dict[str, BrokerQueue],
    eventually: Callable[..., None],
) -> None:
    publisher.publish_things([thing(f"gate-{n}", "pedestrians") for n in range(10)])
    for member in MEMBERS:
        _start(hub, member)
    eventually(lambda: all(q.shares("hub") for q in queues.values()))
    eventually(lambda: len(Reader(hub_database).things()) == 10)
    _publish(publisher, 100)
    eventually(lambda: _results(hub_url) == list(range(100)))
    eventually(lambda: all(q.unacknowledged == 0 for q in queues.values()))
    assert hub.end(MEMBERS[1]) == 0
    _publish(publisher, 100, begin=100)
    left = queues[MEMBERS[1]]
    eventually(lambda: len(_results(hub_url)) + left.unacknowledged == 200)
    waiting = left.unacknowledged
    assert waiting > 10, "a member that is stopped goes on getting its share"

    hub.environment |= {"TSUJI_INGEST_ID": MEMBERS[1], "TSUJI_INGEST_GROUP": "hub"}
    done = hub.run("ingest", "--leave")
    assert done.returncode == 0, done.stderr
    assert f"{MEMBERS[1]} has left: {waiting} messages" in done.stdout
    assert _results(hub_url) == list(range(200))
    eventually(lambda: left.filters == set())
    _publish(publisher, 100, begin=200)
    eventually(lambda: _results(hub_url) == list(range(300)))
    assert left.unacknowledged == 0
    assert [one.ingest_id for one in Reader(hub_database).ingests()] == [MEMBERS[0]]
    assert Reader(hub_database).counters().tally.duplicate == 0

    again = hub.run("ingest", "--leave")  # there is nothing left to leave
    assert again.returncode == 0, again.stderr
    assert f"keeps no session of {MEMBERS[1]}" in again.stderr


def test_each_member_knows_the_things_and_a_bad_registration_counts_once(
    hub: HubProcesses,
    hub_database: Database,
    publisher: Publisher,
    queues: dict[str, BrokerQueue],
    eventually: Callable[..., None],
) -> None:
    for member in MEMBERS:
        _start(hub, member)
    eventually(lambda: all(q.shares("hub") for q in queues.values()))
    publisher.publish(thing_topic("broken"), b"{}", retain=True)
    publisher.publish_things([thing("gate-0", "air_temperature")])
    publisher.publish_things([thing("gate-0", "pedestrians")])
    publisher.flush()
    reader = Reader(hub_database)
    eventually(lambda: reader.counters().tally.messages == 6, what="each member has all three")
    eventually(lambda: all(q.unacknowledged == 0 for q in queues.values()))
    eventually(lambda: [row.thing.datastreams for row in reader.things()] == [("pedestrians",)])
    _publish(publisher, 100)  # nine of ten are of unknown things
    eventually(lambda: reader.counters().tally.received == 101)
    assert reader.counters().tally.stored == 10
    assert reader.rejected_by_reason()["bad_thing"] == 1
    assert reader.counters().tally.rejected == 91


def test_an_ingest_that_joins_a_group_gives_up_its_own_subscription(
    hub: HubProcesses,
    publisher: Publisher,
    queues: dict[str, BrokerQueue],
    eventually: Callable[..., None],
) -> None:
    queue = queues["ingest-1"]
    hub.start("ingest-1", "ingest", TSUJI_INGEST_ID="ingest-1")
    eventually(lambda: queue.subscribed)
    hub.end("ingest-1")
    publisher.publish_things([thing("gate-0", "pedestrians")])
    _publish(publisher, 1)  # waits in the session, and is not lost by the change
    _start(hub, "ingest-1")
    eventually(lambda: queue.shares("hub"))
    eventually(lambda: not queue.subscribed)
    assert queue.filters >= {THINGS_FILTER, f"$share/hub/{OBSERVATIONS_FILTER}"}
    eventually(lambda: queue.unacknowledged == 0)
    assert hub.log("ingest-1").read_text().count("Traceback") == 0
