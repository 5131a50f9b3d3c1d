"""A broker set up by `tsuji devices init`: nobody does there what is not theirs to do."""

import socket
import sqlite3
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from secured_broker import Client, SecuredBroker, is_let_in, secured_broker
from tsuji_platform.contract.topics import (
    DROPPED,
    LEAVING_FILTER,
    OBSERVATIONS_FILTER,
    SENSORTHINGS_FILTERS,
    THINGS_FILTER,
    alert_topic,
    latest_topic,
    leaving_topic,
    observations_topic,
    thing_topic,
)
from tsuji_platform.devices.folder import IN_CONTAINER, configuration, renew_certificate
from tsuji_platform.devices.rights import Role
from tsuji_platform.runtime import mqtt as one_connection
from tsuji_platform.settings import BrokerAddress

_CONTROL = "$CONTROL/dynamic-security/v1"
_PUBLISH = {
    "own": thing_topic("pole:1"),
    "own values": observations_topic("pole:1"),
    "another": thing_topic("pole-2"),
    "another's values": observations_topic("pole-2"),
    "sensorthings": "v1.1/Datastreams('pole:1:air_temperature')/Observations",
    "uplink": "v3/app@tenant/devices/one/up",
    "latest": latest_topic("pole:1", "air_temperature"),
    "alert": alert_topic("one"),
    "leaving": leaving_topic("tsuji-ingest"),
    "users": _CONTROL,
    "pattern": "tsuji/v1/things/%u",
    "elsewhere": "elsewhere",
}
_SUBSCRIBE = {
    "own": thing_topic("pole:1"),
    "own values": observations_topic("pole:1"),
    "another's values": observations_topic("pole-2"),
    "things": THINGS_FILTER,
    "values": OBSERVATIONS_FILTER,
    "a share": f"$share/hub/{OBSERVATIONS_FILTER}",
    "a share of own": f"$share/hub/{observations_topic('pole:1')}",
    "sensorthings": SENSORTHINGS_FILTERS[1],
    "latest": "tsuji/v1/latest/+/+",
    "alerts": "tsuji/v1/alerts/+",
    "leaving": LEAVING_FILTER,
    "dropped": DROPPED,
    "all": "#",
    "system": "$SYS/#",
    "users": f"{_CONTROL}/#",
}
_MAY_PUBLISH = {
    Role.THING: {"own", "own values"},
    Role.REPLAY: {
        "own", "own values", "another", "another's values", "sensorthings", "uplink", "pattern",
    },
    Role.READER: set(),
    Role.RECORDER: set(),
    Role.INGEST: {"latest", "alert", "leaving"},
}  # fmt: skip
_MAY_SUBSCRIBE = {
    Role.THING: {"own", "own values"},
    Role.REPLAY: set(),
    Role.READER: {"latest", "alerts"},
    Role.RECORDER: set(_SUBSCRIBE) - {"a share", "a share of own", "system", "users"},
    Role.INGEST: {
        "own", "own values", "another's values", "things", "values", "a share", "a share of own",
        "sensorthings", "leaving", "dropped",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_broker(tmp_path_factory.mktemp("secured") / "hub") as broker:
        yield broker


@pytest.fixture(scope="module")
def users(broker: SecuredBroker) -> dict[Role, BrokerAddress]:
    """One of each role; the thing is pole:1."""
    names = {
        Role.THING: "pole:1", Role.REPLAY: "gateway", Role.READER: "app", Role.RECORDER: "tape",
    }  # fmt: skip
    made = {role: broker.add(name, role) for role, name in names.items()}
    return {**made, Role.INGEST: broker.first("ingest")}


@pytest.mark.parametrize("role", _MAY_PUBLISH)
def test_a_role_publishes_and_subscribes_to_what_is_its_own_and_nothing_else(
    users: dict[Role, BrokerAddress], role: Role
) -> None:
    with Client(users[role], f"test-{role}") as client:
        may = {name for name, topic in _PUBLISH.items() if client.may_publish(topic)}
        assert may == _MAY_PUBLISH[role]
        may = {name for name, topic in _SUBSCRIBE.items() if client.may_subscribe(topic)}
        assert may == _MAY_SUBSCRIBE[role]


def test_a_reader_gets_newest_values_and_alerts_and_nothing_that_things_publish(
    users: dict[Role, BrokerAddress],
) -> None:
    latest, alert = latest_topic("pole:1", "rainfall"), alert_topic("two")
    with (
        Client(users[Role.READER]) as reader,
        Client(users[Role.THING]) as thing,
        Client(users[Role.INGEST], "test-ingest") as ingest,
    ):
        for name in _SUBSCRIBE:
            reader.may_subscribe(_SUBSCRIBE[name])
        assert thing.may_publish(thing_topic("pole:1"), retain=True)
        assert thing.may_publish(observations_topic("pole:1"))
        assert ingest.may_publish(latest, b"1")
        assert ingest.may_publish(alert, b"2")
        assert [reader.messages.get(timeout=60) for _ in range(2)] == [
            (latest, b"1"),
            (alert, b"2"),
        ]


def test_nobody_takes_over_the_session_of_another(
    broker: SecuredBroker, users: dict[Role, BrokerAddress]
) -> None:
    thing = users[Role.THING]
    inside = broker.address("pole:1", "1:elop", services=True)
    with Client(users[Role.INGEST], "tsuji-ingest") as ingest, Client(thing) as first:
        assert not is_let_in(inside, "tsuji-ingest")
        assert is_let_in(users[Role.READER], "tsuji-ingest")  # under its own name
        assert ingest.may_publish(leaving_topic("tsuji-ingest"))
        assert is_let_in(thing, "whatever")
        assert first.ended.get(timeout=60) == "Session taken over"


def test_a_last_will_goes_no_further_than_its_author(
    broker: SecuredBroker, users: dict[Role, BrokerAddress]
) -> None:
    other = broker.add("pole-3", Role.THING)
    with (
        Client(users[Role.INGEST], "test-wills") as ingest,
        Client(users[Role.THING], will=observations_topic("pole-3")) as hostile,
        Client(other, will=observations_topic("pole-3")) as honest,
    ):
        assert ingest.may_subscribe(OBSERVATIONS_FILTER)
        for thing in (hostile, honest):
            thing.vanish()
            thing.ended.get(timeout=60)
        assert ingest.messages.get(timeout=60) == (observations_topic("pole-3"), b"gone")
        assert ingest.may_publish(alert_topic("mark"))
        assert ingest.messages.empty(), "one of the two"


@pytest.mark.parametrize("services", [False, True], ids=["things", "services"])
def test_only_who_is_known_is_let_in(
    broker: SecuredBroker, users: dict[Role, BrokerAddress], services: bool
) -> None:
    good = broker.address("pole:1", "1:elop", services=services)
    assert is_let_in(good, "pole:1")
    assert not is_let_in(broker.address("pole:1", "1:elo", services=services), "pole:1")
    assert not is_let_in(broker.address("pole:1", "", services=services), "pole:1")
    assert not is_let_in(broker.address("pole:2", "1:elop", services=services), "pole:2")
    nobody = BrokerAddress(host=good.host, port=good.port, tls=good.tls)
    assert not is_let_in(nobody, "pole:1")
    # in which a broker can't refuse a subscription
    assert not is_let_in(good, "pole:1", mqtt.MQTTv31)
    assert is_let_in(good, "pole:1", mqtt.MQTTv311)


def test_a_new_certificate_is_shown_to_who_comes_and_ends_no_connection(
    broker: SecuredBroker, users: dict[Role, BrokerAddress], eventually: Callable[..., None]
) -> None:
    def shown() -> bytes:
        context = ssl.create_default_context(cafile=broker.authority)
        line = socket.create_connection(("localhost", broker.things_port))
        with context.wrap_socket(line, server_hostname="localhost") as secured:
            return secured.getpeercert(binary_form=True) or b""

    before = shown()
    with Client(users[Role.THING]) as thing:
        renew_certificate(broker.folder, ["localhost"], datetime.now(UTC))
        broker.read_certificate_again()
        eventually(lambda: shown() != before)
        assert thing.may_publish(thing_topic("pole:1"))
        assert thing.ended.empty()


@pytest.mark.parametrize("services", [False, True], ids=["things", "services"])
def test_plain_text_and_old_tls_are_refused(broker: SecuredBroker, services: bool) -> None:
    port = broker.services_port if services else broker.things_port
    assert not one_connection.answers(port)
    context = ssl.create_default_context(cafile=broker.authority)
    with socket.create_connection(("localhost", port)) as line:
        secured = context.wrap_socket(line, server_hostname="localhost")
        assert secured.version() == "TLSv1.3"
    old = ssl.create_default_context(cafile=broker.authority)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("localhost", port)) as line,
        pytest.raises(ssl.SSLError) as refused,
    ):
        old.wrap_socket(line, server_hostname="localhost")
    assert refused.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION", "the broker says so"


def test_the_configuration_for_containers_is_what_the_command_makes() -> None:
    file = Path(__file__).resolve().parents[2] / "deploy" / "mosquitto-secure.conf"
    assert file.read_text(encoding="utf-8") == configuration(IN_CONTAINER)


def test_users_and_what_waits_for_them_outlive_a_kill(
    tmp_path: Path, eventually: Callable[..., None]
) -> None:
    with secured_broker(tmp_path / "hub") as broker:
        broker.add("pole-9", Role.THING)
        ingest = broker.first("ingest")
        kept = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id="tsuji-ingest", clean_session=False
        )
        ingest.introduce(kept)
        got: list[bytes] = []
        kept.on_connect = lambda *_: kept.subscribe(OBSERVATIONS_FILTER, 1)
        kept.on_message = lambda *told: got.append(told[2].payload)
        there: list[bool] = []
        kept.on_subscribe = lambda *_: there.append(True)
        kept.connect(ingest.host, ingest.port)
        kept.loop_start()
        eventually(lambda: there)
        kept.disconnect()
        kept.loop_stop()
        with Client(broker.address("pole-9", "9-elop")) as thing:
            assert thing.may_publish(observations_topic("pole-9"), b"kept")
        data = broker.folder / "broker" / "data"
        eventually(lambda: '"pole-9"' in (data / "dynamic-security.json").read_text())
        with closing(sqlite3.connect(data / "mosquitto.sqlite3", timeout=90)) as found:
            count = "SELECT count(*) FROM client_msgs"
            eventually(lambda: found.execute(count).fetchone() == (1,))
        broker.kill()
        broker.start()
        kept.connect(ingest.host, ingest.port)
        kept.loop_start()
        eventually(lambda: got == [b"kept"])
        kept.disconnect()
        kept.loop_stop()
        assert is_let_in(broker.address("pole-9", "9-elop"))
