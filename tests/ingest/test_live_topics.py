"""What is newest is kept by the broker for whoever subscribes, whatever is killed meanwhile."""

import random
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import orjson
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from psycopg.conninfo import make_conninfo

from hub_processes import HubProcesses
from samples import T0, message, registration
from tsuji_ingest import live_topics
from tsuji_ingest.live_topics import LiveTopics
from tsuji_platform.analytics.suppression import OPEN, Gate
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import Database, Reader, changes
from tsuji_platform.store.writer import Writer

NAMES = "air_temperature", "rainfall"


class Kept:
    """What a broker keeps on the live topics, as a newcomer gets it."""

    def __init__(self, broker: PrivateServer) -> None:
        self._address = BrokerAddress.parse(broker.url)

    def __call__(self) -> dict[tuple[str, str], dict]:
        found: dict[tuple[str, str], dict] = {}
        done = threading.Event()
        client = mqtt.Client(CallbackAPIVersion.VERSION2)

        def on_message(_client: object, _userdata: object, it: mqtt.MQTTMessage) -> None:
            if it.topic == "marker":
                done.set()
            elif it.retain and it.payload:
                thing, name = it.topic.removeprefix("tsuji/v1/latest/").split("/")
                found[thing, name] = orjson.loads(it.payload)

        client.on_message = on_message
        client.connect(self._address.host, self._address.port)
        client.subscribe([("tsuji/v1/latest/#", 1), ("marker", 1)])
        client.publish("marker", b"", qos=1)  # comes behind all that is kept
        client.loop_start()
        assert done.wait(120)
        client.disconnect()
        client.loop_stop()
        return found


@pytest.fixture
def publish(hub_url: str, broker: PrivateServer) -> Iterator[Callable[..., LiveTopics]]:
    started: list[LiveTopics] = []

    def start(ingest_id: str = "one", gate: Gate = OPEN, **more: bool) -> LiveTopics:
        address = BrokerAddress.parse(broker.url)
        started.append(LiveTopics(hub_url, address, ingest_id, gate, **more))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_a_newcomer_gets_what_is_newest(
    hub_url: str, broker: PrivateServer, publish: Callable, eventually: Callable
) -> None:
    kept, writer = Kept(broker), Writer(hub_url, "test")
    writer.save([registration("pole", *NAMES), registration("gate", "pedestrians")])
    writer.save([message("pole", T0, air_temperature=12), message("gate", T0, pedestrians=3)])
    first = publish(gate=Gate(5))
    eventually(lambda: len(kept()) == 2)
    assert kept()["pole", "air_temperature"] == {
        "thing": "pole",
        "observed_property": "air_temperature",
        "time": "2026-04-01T00:00:00Z",
        "result": 12.0,
        "unit": "Cel",
        "period_s": None,
        "received_at": "2026-04-01T12:00:00Z",
    }
    small = kept()["gate", "pedestrians"]
    assert (small["result"], small["suppressed"], small["period_s"]) == (None, True, 300)
    writer.save(
        [message("pole", T0, air_temperature=13, rainfall=1)]
    )  # a correction, and a new one
    eventually(lambda: ("pole", "rainfall") in kept())
    eventually(lambda: kept()["pole", "air_temperature"]["result"] == 13)
    writer.save([registration("pole", "rainfall")])
    eventually(lambda: set(kept()) == {("pole", "rainfall"), ("gate", "pedestrians")})

    publish("two", Gate(5))  # stands by, and goes on
    first.stop()
    writer.save([message("pole", T0 + timedelta(hours=1), rainfall=2)])
    eventually(lambda: kept()["pole", "rainfall"]["result"] == 2)
    writer.close()


def test_a_broker_that_was_away_has_all_of_it_again(
    hub_url: str, broker: PrivateServer, publish: Callable, eventually: Callable
) -> None:
    kept, writer = Kept(broker), Writer(hub_url, "test")
    writer.save([registration("pole", *NAMES), message("pole", T0, air_temperature=1, rainfall=2)])
    running = publish()
    eventually(lambda: len(kept()) == 2)
    broker.kill()
    writer.save([message("pole", T0 + timedelta(hours=1), rainfall=3)])
    for file in (broker.log.parents[1] / "broker" / "data").iterdir():
        file.unlink()  # it has forgotten everything
    broker.start()
    eventually(lambda: len(kept()) == 2)
    eventually(lambda: kept()["pole", "rainfall"]["result"] == 3)
    running.stop()
    publish(withdraw=True)  # the setting was taken back
    eventually(lambda: kept() == {})
    writer.close()


def test_kills_leave_nothing_old_and_nothing_out(
    hub: HubProcesses,
    hub_url: str,
    hub_database: Database,
    broker: PrivateServer,
    eventually: Callable,
) -> None:
    kept, writer, chance = Kept(broker), Writer(hub_url, "test"), random.Random(3)
    things = [f"pole-{number}" for number in range(300)]
    writer.save([registration(thing, *NAMES) for thing in things])
    hub.environment["TSUJI_LIVE_TOPICS"] = "1"
    time = T0
    for _ in range(2):
        before = hub_database.rows("SELECT published::text FROM live_publisher")
        hub.start("ingest")
        eventually(
            lambda before=before: (
                hub_database.rows("SELECT published::text FROM live_publisher") != before
            ),
            what="it publishes",
        )
        for _ in range(20):
            time += timedelta(seconds=1)
            some = chance.sample(things, 100)
            writer.save([message(one, time, rainfall=chance.randrange(1, 400)) for one in some])
        hub.end("ingest", signal.SIGKILL)
    hub.start("ingest")
    writer.close()

    def is_kept() -> bool:
        newest = {
            (it.thing_id, it.observed_property): it.result for it in Reader(hub_database).latest()
        }
        return {key: it["result"] for key, it in kept().items()} == newest

    eventually(is_kept)
    assert len(kept()) > 250


def test_a_schema_that_is_lacking_is_said_once(
    timescaledb_server: PrivateServer,
    broker: PrivateServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    eventually: Callable[..., None],
) -> None:
    tries: list[str] = []

    def counted(url: str, heartbeat_s: float) -> Iterator[bool]:
        tries.append(url)
        return changes(url, heartbeat_s)

    monkeypatch.setattr(live_topics, "changes", counted)
    bare = make_conninfo(timescaledb_server.url, dbname="postgres")
    topics = LiveTopics(bare, BrokerAddress.parse(broker.url), "one", OPEN)
    topics.start()
    eventually(lambda: len(tries) >= 3)
    topics.stop()
    assert caplog.text.count("live topics wait") == 1
