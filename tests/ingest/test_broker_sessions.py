"""What ingest makes of the session that the broker keeps for it: goes on with it, or says that it is gone."""

import math
import threading

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from broker_queue import BrokerQueue
from samples import after, observations, thing
from tsuji_ingest import subscriber
from tsuji_platform.contract.topics import OBSERVATIONS_FILTER
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import Reader
from tsuji_platform.store.sessions import IngestSessions
from tsuji_simulators.publish import Publisher

CLIENT_ID = "tsuji-ingest-test"


def test_a_reconnect_does_not_bring_all_that_is_retained_again(
    start_ingest, broker: PrivateServer, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    """A hundred thousand registrations would hold up what is new; a start does ask for them."""
    address = BrokerAddress.parse(broker.url)
    running = start_ingest()
    with Publisher(address) as publisher:  # which would send the last two seconds again
        publisher.publish_things([thing(f"pole-{number}") for number in range(50)])
        assert publisher.flush(timeout_s=90)
    eventually(lambda: len(reader.things()) == 50 and waiting.unacknowledged == 0)
    broker.stop()
    eventually(lambda: not running.ingest.connected)
    broker.start()
    eventually(lambda: running.ingest.connected)
    with Publisher(address) as publisher:
        publisher.publish_observations("pole-1", observations("pole-1", after(), air_temperature=1))
        assert publisher.flush(timeout_s=90)
    eventually(lambda: reader.counters().tally.stored == 1)
    assert running.ingest.ledger.account.messages == 51
    running.stop()
    again = start_ingest()
    eventually(lambda: again.ingest.ledger.account.messages == 50)


_GROUPS = (None, "hub", "hub2", None)


def test_an_ingest_that_changes_or_leaves_its_group_gets_each_message_once(
    start_ingest, broker: PrivateServer, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    """What it had subscribed to before would go on being delivered beside what it wants now."""
    with Publisher(BrokerAddress.parse(broker.url)) as publisher:
        publisher.publish_things([thing("pole")])
        for number, group in enumerate(_GROUPS):
            running = start_ingest(ingest_group=group)
            wanted = f"$share/{group}/{OBSERVATIONS_FILTER}" if group else OBSERVATIONS_FILTER

            def alone(wanted: str = wanted) -> bool:
                return [one for one in waiting.filters if one.endswith(OBSERVATIONS_FILTER)] == [
                    wanted
                ]

            eventually(alone, what=f"only {wanted}")
            for minute in range(100 * number, 100 * number + 100):
                publisher.publish_observations(
                    "pole", observations("pole", after(minutes=minute), air_temperature=1)
                )
            assert publisher.flush(timeout_s=90)
            stored = 100 * number + 100
            eventually(lambda stored=stored: reader.counters().tally.stored == stored)
            eventually(lambda: waiting.unacknowledged == 0)
            running.stop()
    assert reader.counters().tally.duplicate == 0


def test_a_session_that_the_broker_has_lost_is_said_and_counted(
    start_ingest,
    broker: PrivateServer,
    hub_url: str,
    waiting: BrokerQueue,
    eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def lose() -> None:
        broker.stop()
        for file in waiting.folder.iterdir():
            file.unlink()
        broker.start()

    running = start_ingest()
    eventually(lambda: _noted(hub_url))
    assert running.ingest.subscriber.sessions_lost == 0
    assert "no longer has the session" not in caplog.text
    lose()
    eventually(lambda: running.ingest.subscriber.sessions_lost == 1)
    eventually(lambda: running.ingest.connected and waiting.subscribed)
    assert caplog.text.count(f"no longer has the session of {CLIENT_ID}") == 1
    running.stop()
    lose()
    again = start_ingest()  # another process than the one that had it
    eventually(lambda: again.ingest.subscriber.sessions_lost == 1)
    assert caplog.text.count("no longer has the session") == 2


def _noted(url: str) -> bool:
    sessions = IngestSessions(url, CLIENT_ID)
    try:
        return sessions.known().existed
    finally:
        sessions.close()


def test_another_with_the_same_id_is_thought_of(
    start_ingest, broker: PrivateServer, eventually, monkeypatch, caplog
) -> None:
    """The broker ends the connection of whoever was there before, and in MQTT 3.1.1 it gives no reason."""
    monkeypatch.setattr(subscriber, "_SOON_S", math.inf)
    address = BrokerAddress.parse(broker.url)
    running = start_ingest()

    def is_told_after_one_more() -> bool:
        eventually(lambda: running.ingest.connected)
        other = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=CLIENT_ID,
            clean_session=False,
            reconnect_on_failure=False,  # ours ends its connection as soon
        )
        there = threading.Event()
        other.on_connect = lambda *_: there.set()
        other.connect(address.host, address.port)
        other.loop_start()
        assert there.wait(60)
        other.disconnect()
        other.loop_stop()
        return f"with our id {CLIENT_ID}" in caplog.text

    assert not is_told_after_one_more()
    eventually(is_told_after_one_more)
