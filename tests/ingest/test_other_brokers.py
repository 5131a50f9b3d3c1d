"""Ingest with the broker that Python brings: no $SYS topics, no check of what topics hold."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from samples import after, observations, thing
from tsuji_ingest.decoders import filters
from tsuji_ingest.service import Ingest
from tsuji_platform.runtime import broker as brokers
from tsuji_platform.runtime.broker import EmbeddedBroker
from tsuji_platform.runtime.private import Instance, PrivateServer, private_folder
from tsuji_platform.settings import BrokerAddress, IngestSettings
from tsuji_platform.store import Database, Reader
from tsuji_platform.store.sessions import IngestSessions
from tsuji_simulators.publish import Publisher


@pytest.fixture
def embedded_broker() -> Iterator[PrivateServer]:
    """The last resort of `tsuji up`."""
    with private_folder() as folder:
        instance = Instance.locate(folder).create()
        port = brokers.choose_port(None, instance.broker_folder, standard=None)
        program = EmbeddedBroker()
        server = PrivateServer(
            brokers.broker_child(program, instance.broker_folder, port, instance.account),
            f"mqtt://127.0.0.1:{port}",
            instance.log_folder / "broker.log",
            program.description,
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def address(embedded_broker: PrivateServer) -> BrokerAddress:
    return BrokerAddress.parse(embedded_broker.url)


@pytest.fixture
def ingest(
    hub_url: str, address: BrokerAddress, eventually: Callable[..., None]
) -> Iterator[Ingest]:
    ingest = Ingest(hub_url, address, IngestSettings(ingest_id="x", ingest_wait_ms=10))
    thread = threading.Thread(target=ingest.run, daemon=True)
    thread.start()
    eventually(lambda: ingest.connected)
    yield ingest
    ingest.stop()
    thread.join(timeout=90)
    assert not thread.is_alive()


def _publish_raw(address: BrokerAddress, topic: bytes, payload: bytes) -> None:
    """Publish what no client library lets through, and wait for the acknowledgement."""

    def text(octets: bytes) -> bytes:
        return struct.pack("!H", len(octets)) + octets

    hello = text(b"MQTT") + bytes([4, 2, 0, 60]) + text(b"device")
    message = text(topic) + struct.pack("!H", 1) + payload
    with socket.create_connection((address.host, address.port), timeout=90) as connection:
        connection.sendall(bytes([0x10, len(hello)]) + hello)
        assert connection.recv(4)[:1] == b"\x20"
        connection.sendall(bytes([0x32, len(message)]) + message)
        assert connection.recv(4)[:1] == b"\x40"


def test_it_stores_and_stays_connected_where_the_broker_has_no_dollar_topics(
    ingest: Ingest,
    address: BrokerAddress,
    hub_database: Database,
    eventually: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = Reader(hub_database)
    with Publisher(address) as publisher:
        publisher.publish_things([thing("pole")])
        for minute in range(100):
            publisher.publish_observations(
                "pole", observations("pole", after(minutes=minute), air_temperature=minute % 50)
            )
        assert publisher.flush(timeout_s=90)
    eventually(lambda: reader.counters().tally.stored == 100)
    eventually(lambda: ingest.connected)
    assert caplog.text.count("is lost") == 0


def test_a_topic_with_a_null_is_kept_visibly_and_holds_nothing_up(
    ingest: Ingest,
    address: BrokerAddress,
    hub_database: Database,
    eventually: Callable[..., None],
) -> None:
    eventually(lambda: ingest.connected)
    reader = Reader(hub_database)
    _publish_raw(address, b"tsuji/v1/things/a\0b/observations", b"{}")
    eventually(lambda: reader.counters().tally.rejected == 1)
    with Publisher(address) as publisher:
        publisher.publish_things([thing("pole")])
        publisher.publish_observations("pole", observations("pole", after(), air_temperature=1))
        assert publisher.flush(timeout_s=90)
    eventually(lambda: reader.counters().tally.stored == 1)
    (kept,) = reader.rejected(limit=10)
    assert kept.topic == r"tsuji/v1/things/a\u0000b/observations"
    assert kept.reason == "bad_thing"


def test_a_broker_that_hangs_up_when_it_is_asked_to_unsubscribe_is_named(
    ingest: Ingest,
    address: BrokerAddress,
    hub_url: str,
    hub_database: Database,
    eventually: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = Reader(hub_database)
    with Publisher(address) as publisher:
        publisher.publish_things([thing("pole")])
        assert publisher.flush(timeout_s=90)
        eventually(lambda: len(reader.things()) == 1)
        ingest.stop()
        eventually(lambda: not ingest.subscriber.is_alive)
        for minute in range(50):
            publisher.publish_observations(
                "pole", observations("pole", after(minutes=minute), air_temperature=1)
            )
        assert publisher.flush(timeout_s=90)
    leaver = Ingest(hub_url, address, IngestSettings(ingest_id="x"), leave=True)
    thread = threading.Thread(target=leaver.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: "can't be left" in caplog.text)
        eventually(lambda: reader.counters().tally.stored == 50)
    finally:
        leaver.stop()
        thread.join(timeout=90)
    assert not thread.is_alive()
    assert not leaver.subscriber.left.is_set()


def test_a_change_of_groups_does_not_end_every_connection_of_such_a_broker(
    ingest: Ingest,
    address: BrokerAddress,
    hub_url: str,
    eventually: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    sessions = IngestSessions(hub_url, "x")
    eventually(lambda: sessions.known().existed)
    ingest.stop()
    eventually(lambda: not ingest.subscriber.is_alive, what="its id is free")
    sessions.widen([f"$share/hub/{one}" for one in filters()])
    sessions.close()
    again = Ingest(hub_url, address, IngestSettings(ingest_id="x", ingest_wait_ms=10))
    thread = threading.Thread(target=again.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: again.connected)
        with Publisher(address) as publisher:
            publisher.publish_things([thing("pole")])
            assert publisher.flush(timeout_s=90)
        with Database(hub_url) as database:
            eventually(lambda: len(Reader(database).things()) == 1)
        eventually(lambda: again.connected)
        assert caplog.text.count("the broker") <= 2, "one connection for each thing it dislikes"
    finally:
        again.stop()
        thread.join(timeout=90)
    assert not thread.is_alive()
