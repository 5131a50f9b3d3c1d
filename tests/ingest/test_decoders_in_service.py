"""Decoders inside ingest: what a broker grants, and what waited when its decoder is away."""

import logging
from collections.abc import Iterator

import psycopg
import pytest
from msgspec.structs import replace
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from samples import T0, broken, message, observations, registration
from tsuji_ingest import healing
from tsuji_ingest.decoders import filters
from tsuji_ingest.inbox import Inbox
from tsuji_ingest.subscriber import Subscriber
from tsuji_platform.contract.topics import UPLINKS_FILTER
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import Database, Reader
from tsuji_platform.store.records import Tally
from tsuji_platform.store.writer import Writer


@pytest.fixture
def writer(hub_url: str) -> Iterator[Writer]:
    writer = Writer(hub_url, "test")
    yield writer
    writer.close()


def heal(writer: Writer) -> Tally:
    return writer.heal([(it, healing._read_again(it)) for it in writer.healable()]).tally


def test_what_waited_is_kept_where_nothing_reads_its_format_any_more(
    writer: Writer, hub_database: Database
) -> None:
    uplink = replace(
        broken(UPLINKS_FILTER.replace("+", "dev1"), b"{}"),
        thing_id="dev1",
        observations=observations("dev1", T0, air_temperature=5, wind_speed=1),
    )
    writer.save([uplink])
    writer.save([registration("dev1", "air_temperature", "wind_speed")])
    assert heal(writer).balanced()
    reader = Reader(hub_database)
    (row,) = reader.rejected()
    assert (row.reason, row.payload) == ("unknown_topic", b"{}")
    assert writer.healable() == []
    assert reader.counters().tally.balanced()


def test_what_waited_is_kept_where_it_does_not_hold_the_awaited_value_any_more(
    writer: Writer, hub_database: Database, hub_url: str
) -> None:
    writer.save([registration("pole"), message("pole", wind_speed=1)])
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute("UPDATE rejected_message SET observed_properties = '{pm2_5}'")
    writer.save([registration("pole", "air_temperature", "pm2_5")])
    heal(writer)
    (row,) = Reader(hub_database).rejected()
    assert row.reason == "not_storable"
    assert "does not hold any more" in row.detail


def test_more_values_than_were_counted_then_are_received_now(
    writer: Writer, hub_database: Database
) -> None:
    whole = message("pole", air_temperature=5, wind_speed=1, pm2_5=7)
    writer.save([replace(whole, observations=whole.observations[:1])])  # by an earlier mapping
    writer.save([registration("pole", "air_temperature", "wind_speed", "pm2_5")])
    assert heal(writer) == Tally(received=2, stored=3, rejected=-1)
    assert Reader(hub_database).counters().tally == Tally(messages=2, received=3, stored=3)


@pytest.mark.parametrize(
    ("refused", "goes_on"),
    [("v1.1/+/Observations", True), ("tsuji/v1/things/+/observations", False)],
)
def test_without_the_rights_for_another_format_ingest_goes_on(
    refused: str, goes_on: bool, caplog: pytest.LogCaptureFixture
) -> None:
    subscriber = Subscriber(BrokerAddress(host="127.0.0.1", port=9), "test", Inbox())
    answers = [
        ReasonCode(PacketTypes.SUBACK, identifier=0x80 if one == refused else 1)
        for one in filters()
    ]
    with caplog.at_level(logging.ERROR):
        subscriber._subscription = 1
        subscriber._on_subscribe(subscriber._client, None, 1, answers, None)
    assert subscriber.connected is goes_on
    assert refused in caplog.text
