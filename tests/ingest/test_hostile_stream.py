"""The hostile corpus through a real broker into a real ingest, each file between good neighbours."""

from collections.abc import Callable
from pathlib import Path

import psycopg

from broker_queue import BrokerQueue
from hub_processes import HubProcesses
from samples import after, message, thing
from tsuji_ingest.decoders import registered
from tsuji_ingest.packet import Packet
from tsuji_platform.contract import encode_thing, observations_topic, thing_topic
from tsuji_platform.contract.topics import DatastreamId, datastream_observations_topic
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress, DecoderSettings
from tsuji_platform.store import Database, Reader
from tsuji_simulators.publish import Publisher

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = sorted((ROOT / "tests" / "payloads" / "hostile").iterdir())
MAPPING = ROOT / "docs" / "the-things-stack.toml"


def hostile_messages() -> dict[str, bytes]:
    """Each file as an observations message, as a registration and in the other formats."""
    messages = {}
    for number, file in enumerate(HOSTILE):
        datastream = DatastreamId(thing_id=f"hostile-{number}", observed_property="air_temperature")
        for topic in (
            observations_topic(f"hostile-{number}"),
            thing_topic(f"nothing-{number}"),
            datastream_observations_topic(datastream),
            f"v3/any@ttn/devices/gate-{number}/up",
        ):
            messages[topic] = file.read_bytes()
    return messages


def test_hostile_messages_end_with_a_reason_and_harm_no_neighbour(
    hub: HubProcesses,
    broker: PrivateServer,
    hub_database: Database,
    hub_url: str,
    eventually: Callable[..., None],
) -> None:
    hub.environment |= {
        "TSUJI_THE_THINGS_STACK": str(MAPPING),
        "TSUJI_INGEST_BATCH": "50000",
        "TSUJI_INGEST_WAIT_MS": "4000",
    }
    reader = Reader(hub_database)
    hub.start("ingest")
    eventually(lambda: BrokerQueue(broker, "tsuji-ingest").subscribed)
    with Publisher(BrokerAddress.parse(hub.broker_url)) as publisher:
        for name in ["good", *(f"hostile-{number}" for number in range(len(HOSTILE)))]:
            it = thing(name, "air_temperature", "wind_speed", "pedestrians")
            publisher.publish(thing_topic(name), encode_thing(it))
        assert publisher.flush(90)
        registered_things = len(HOSTILE) + 1
        eventually(lambda: len(reader.things()) == registered_things)
        hub.end("ingest")  # so that all of them wait at the broker and come in one batch

        messages = hostile_messages()
        for number, (topic, payload) in enumerate(messages.items()):
            neighbour = message("good", after(minutes=number), air_temperature=number % 40)
            publisher.publish(neighbour.topic, neighbour.payload)
            publisher.publish(topic, payload)
        last = message("good", after(minutes=len(messages)), air_temperature=7)
        publisher.publish(last.topic, last.payload)
        assert publisher.flush(90)

        hub.start("ingest")
        sent = registered_things + 2 * len(messages) + 1
        eventually(lambda: reader.counters().tally.messages >= sent, what="all are dealt with")
        tally = reader.counters().tally
        assert tally.messages == sent
        assert tally.balanced()

        with psycopg.connect(hub_url) as connection:
            stored = connection.execute(
                "SELECT thing_id, count(*), min(result), max(result),"
                " array_agg(DISTINCT observation.xmin::text)"
                " FROM observation JOIN datastream USING (datastream_id)"
                " WHERE phenomenon_time <= %s GROUP BY thing_id",
                [after(minutes=10_000)],
            ).fetchall()
            refused = connection.execute(
                "SELECT topic, array_agg(reason ORDER BY reason), bool_and(length(detail) > 5)"
                " FROM rejected_message GROUP BY topic"
            ).fetchall()
            raw = dict(connection.execute("SELECT topic, payload FROM rejected_message").fetchall())
        by_thing = {name: (count, low, high) for name, count, low, high, _ in stored}
        assert by_thing.pop("good") == (len(messages) + 1, 0, 39)
        transactions = {xmin for *_, xmins in stored for xmin in xmins}
        assert len(transactions) < len(messages) / 20, "they came in batches, bad beside good"

        # by the names of the files, for Tsuji's own format
        reasons = {topic: reason for topic, reason, _ in refused}
        assert all(explained for *_, explained in refused)
        for number, file in enumerate(HOSTILE):
            outcome = file.stem.split("-")[0]
            if outcome == "stored":
                value = 0 if file.stem in ("stored-1e-999", "stored-minus-zero") else 21.5
                count = 1000 if "1000" in file.stem else 1
                assert by_thing.pop(f"hostile-{number}") == (count, value, value), file.stem
            else:
                assert reasons[observations_topic(f"hostile-{number}")] == [outcome], file.stem
        assert by_thing == {}

        # for all formats: what the decoders say is what is kept, byte for byte
        decoders = registered(DecoderSettings(the_things_stack=MAPPING))
        now = after(days=1)
        expected = {
            topic: sorted({one.reason.value for one in received.rejections})
            for topic, payload in messages.items()
            for received in [decoders.decode(Packet(topic=topic, payload=payload, received_at=now))]
            if received.rejections
        }
        assert reasons == expected
        assert {topic: bytes(payload) for topic, payload in raw.items()} == {
            topic: messages[topic] for topic in expected
        }
        assert "defect" not in hub.log("ingest").read_text()

        # and the stream goes on
        end = message("good", after(days=30), air_temperature=1)
        publisher.publish(end.topic, end.payload)
        eventually(lambda: reader.counters().tally.stored > tally.stored)
