"""The hub over TLS, each part with a user of its own: nothing is lost, and no password is told."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

import warm_tsuji
from proxy import Proxy
from samples import after, observations, thing
from secured_broker import Client, SecuredBroker, is_let_in, secured_broker
from tsuji.cli import app
from tsuji_ingest.broker_look import BrokerLookError, look
from tsuji_ingest.broker_users import BrokerUsers, BrokerUsersError, BrokerUsersUnsureError
from tsuji_ingest.live_topics import live_topics_published
from tsuji_ingest.service import Ingest
from tsuji_platform.analytics.suppression import Gate
from tsuji_platform.contract.topics import (
    OBSERVATIONS_FILTER,
    USERS_TOPIC,
    latest_topic,
    observations_topic,
)
from tsuji_platform.devices.certificates import make_authority
from tsuji_platform.devices.rights import Role
from tsuji_platform.settings import BrokerAddress, IngestSettings, LiveSettings
from tsuji_platform.settings_broker import BrokerTls
from tsuji_platform.store import Database, Reader
from tsuji_simulators.mqtt5 import mqtt5_of
from tsuji_simulators.publish import Publisher

Eventually = Callable[..., None]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_broker(tmp_path_factory.mktemp("secured") / "hub") as broker:
        broker.add("gateway", Role.REPLAY)
        broker.add("tape", Role.RECORDER)
        broker.add("app", Role.READER)
        yield broker


@pytest.fixture
def gateway(broker: SecuredBroker) -> BrokerAddress:
    return broker.address("gateway", "yawetag")


_SETTINGS = IngestSettings(ingest_id="tsuji-test", ingest_group="hub", ingest_wait_ms=10)


@contextmanager
def _running(database_url: str, address: BrokerAddress) -> Iterator[Ingest]:
    ingest = Ingest(database_url, address, _SETTINGS)
    thread = threading.Thread(target=ingest.run, daemon=True)
    thread.start()
    try:
        yield ingest
    finally:
        ingest.stop()
        thread.join(timeout=90)
        assert not thread.is_alive()


def test_ingest_stores_all_of_a_burst_through_broken_connections(
    broker: SecuredBroker,
    gateway: BrokerAddress,
    hub_url: str,
    hub_database: Database,
    eventually: Eventually,
) -> None:
    """Messages of 60 KB: each needs several records of TLS, and many wait when a connection comes."""
    reader = Reader(hub_database)
    mqtt5 = mqtt5_of(gateway)
    assert mqtt5 is not None
    assert mqtt5.largest_packet == 1_048_576, "it tells us what strangers are not told"
    with (
        Proxy(("localhost", broker.services_port)) as network,
        _running(hub_url, replace(broker.first("ingest"), port=network.port)) as ingest,
        Publisher(gateway, client_id="gateway", mqtt5=mqtt5) as publisher,
    ):
        eventually(lambda: ingest.connected)
        publisher.publish_things([thing("pole")])
        for turn in range(3):
            network.cut()
            for message in range(40):
                start = (turn * 40 + message) * 500
                publisher.publish_observations(
                    "pole",
                    [
                        one
                        for number in range(start, start + 500)
                        for one in observations(
                            "pole", after(seconds=number), air_temperature=number % 50
                        )
                    ],
                )
            assert publisher.flush(timeout_s=180)
            network.heal()
            stored = turn * 20_000
            eventually(lambda stored=stored: reader.counters().tally.stored > stored)
        eventually(lambda: reader.counters().tally.stored == 60_000, within=240)
        eventually(lambda: ingest.ledger.account.messages >= 121)
    tally = reader.counters().tally
    assert tally.balanced()
    assert (tally.rejected, tally.corrected) == (0, 0)
    leaving = Ingest(hub_url, broker.first("ingest"), _SETTINGS, leave=True)
    leaving.run()  # it may publish the mark that it waits for, and ends by itself
    assert leaving.subscriber.left.is_set()


def test_readers_get_what_the_hub_publishes(
    broker: SecuredBroker,
    gateway: BrokerAddress,
    hub_url: str,
    hub_database: Database,
    eventually: Eventually,
) -> None:
    ingest = broker.first("ingest")
    now = datetime.now(UTC)
    with (
        Client(broker.address("app", "ppa")) as app,
        _running(hub_url, ingest) as running,
        live_topics_published(
            hub_url, ingest, "tsuji-test", LiveSettings(live_topics=True), Gate(0)
        ),
        Publisher(gateway) as publisher,
    ):
        eventually(lambda: running.connected)
        publisher.publish_things([thing("pole")])
        assert app.may_subscribe("tsuji/v1/latest/+/+")
        publisher.publish_observations("pole", observations("pole", now, air_temperature=21))
        payload = b""
        while not payload:  # as long as the thing has no newest value yet
            topic, payload = app.messages.get(timeout=60)
        assert topic == latest_topic("pole", "air_temperature")
        assert json.loads(payload)["result"] == 21


def test_recorder_and_replay_work_as_commands(
    broker: SecuredBroker, gateway: BrokerAddress, tmp_path: Path, eventually: Eventually
) -> None:
    tape, folder = tmp_path / "one.tsuji", tmp_path / "home"
    folder.mkdir()
    recorder = broker.address("tape", "epat", services=True)
    environment = {**os.environ, "TSUJI_HOME": str(folder), "PYTHONUNBUFFERED": "1"}
    log = (tmp_path / "log").open("wb")
    with (
        log,
        subprocess.Popen(
            [sys.executable, "-m", "tsuji", "record", str(tape), "--topic", OBSERVATIONS_FILTER],
            env={**environment, **broker.settings(recorder, tmp_path)},
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            with Client(gateway) as publisher:

                def is_recorded() -> bool:
                    publisher.may_publish(observations_topic("pole"), b"something")
                    return tape.exists() and tape.stat().st_size > 300

                eventually(is_recorded, what=(tmp_path / "log").read_text())
        finally:
            process.terminate()
    assert process.returncode == 0, (tmp_path / "log").read_text()
    with Client(recorder) as listener:
        assert listener.may_subscribe(OBSERVATIONS_FILTER)
        done = warm_tsuji.run_text(
            "replay", str(tape), env={**environment, **broker.settings(gateway, tmp_path)}
        )
        assert done.returncode == 0, done.stderr
        assert listener.messages.get(timeout=60) == (observations_topic("pole"), b"something")
    assert "yawetag" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("authority", "TSUJI_BROKER_CA_FILE"),
        ("name", "another's"),
        ("password", "refuses us: Not authorized; check TSUJI_BROKER_URL"),
        ("no TLS there", "does not speak TLS"),
        ("no TLS here", "mqtts://"),
    ],
)
def test_ingest_says_why_it_is_not_let_in_and_tells_no_password(
    broker: SecuredBroker,
    tmp_path: Path,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    mistake: str,
    said: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    address = replace(broker.first("ingest"), password="hunter2")
    if mistake == "authority":
        file = tmp_path / "ca.crt"
        file.write_bytes(make_authority(datetime.now(UTC)).certificate)
        address = replace(address, tls=BrokerTls(ca=file))
    elif mistake == "name":
        address = replace(address, host="127.0.0.1")
    elif mistake == "no TLS here":
        address = replace(address, tls=None)
    elif mistake == "no TLS there":
        server = socket.create_server(("localhost", 0))
        threading.Thread(target=_babble, args=(server,), daemon=True).start()
        address = replace(address, port=server.getsockname()[1])
    with _running("postgresql://nobody@127.0.0.1:1/none", address) as ingest:
        eventually(lambda: said in caplog.text)
        assert not ingest.connected
    with Publisher(replace(address, username="gateway")) as publisher:
        if mistake == "no TLS here":
            return
        shown = {"password": "refused us"}.get(mistake, said)
        eventually(lambda: caplog.text.count(shown) >= 1 + (shown == said))
        assert not publisher.is_connected
    assert "hunter2" not in caplog.text


def _babble(server: socket.socket) -> None:
    """Take connections and say something that is no TLS."""
    while True:
        try:
            line, _ = server.accept()
        except OSError:
            return
        with line:
            line.sendall(b"220 this is a mail server\r\n" * 10)


@pytest.fixture
def tsuji(broker: SecuredBroker, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command as who manages users."""
    home = {**os.environ, "TSUJI_HOME": str(tmp_path)}
    environment = {**home, **broker.settings(broker.first("admin"), tmp_path)}

    def run(*arguments: str, **others: str) -> subprocess.CompletedProcess[str]:
        return warm_tsuji.run_text(*arguments, env={**environment, **others})

    return run


def test_users_are_made_given_other_passwords_and_revoked_while_others_go_on(
    broker: SecuredBroker, tsuji: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with Client(broker.first("ingest"), "tsuji-other") as bystander:
        added = tsuji("devices", "add", "pole:1", "pole-2")
        assert added.returncode == 0, added.stderr
        passwords = dict(line.split() for line in added.stdout.splitlines())
        assert set(passwords) == {"pole:1", "pole-2"}
        with Client(broker.address("pole:1", passwords["pole:1"])) as pole:
            assert pole.may_publish(observations_topic("pole:1"))
            rotated = tsuji("devices", "rotate", "pole:1", "--json")
            assert pole.ended.get(timeout=60) == "Administrative action"
        new = json.loads(rotated.stdout)
        assert new["name"] == "pole:1"
        assert not is_let_in(broker.address("pole:1", passwords["pole:1"]))
        with (
            Client(broker.address("pole:1", new["password"])) as pole,
            Client(broker.address("pole-2", passwords["pole-2"])) as other,
        ):
            listed = [
                json.loads(line) for line in tsuji("devices", "list", "--json").stdout.splitlines()
            ]
            found = {one["name"]: one for one in listed}
            assert found["pole:1"] == {
                "name": "pole:1", "role": "thing", "disabled": False, "connections": 1,
            }  # fmt: skip
            assert found["ingest"]["role"] == "ingest"
            assert "connected" in tsuji("devices", "list").stdout
            revoked = tsuji("devices", "revoke", "pole:1")
            assert (revoked.returncode, revoked.stdout) == (0, "pole:1 is revoked\n")
            assert pole.ended.get(timeout=60) == "Administrative action"
            assert other.may_publish(observations_topic("pole-2"))
            assert other.ended.empty()
        assert not is_let_in(broker.address("pole:1", new["password"]))
        assert bystander.ended.empty()
    log = broker.log.read_text()
    assert not [one for one in (*passwords.values(), new["password"]) if one in log]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "app", "pole-7"], "there is a user app already"),
        (["revoke", "app", "pole-7"], "there is no user pole-7"),
        (["rotate", "pole-7"], "there is no user pole-7"),
    ],
)
def test_what_can_not_be_done_is_said_and_nothing_is_done(
    broker: SecuredBroker,
    tsuji: Callable[..., subprocess.CompletedProcess[str]],
    words: list[str],
    said: str,
) -> None:
    done = tsuji("devices", *words)
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert not done.stdout
    with BrokerUsers(broker.first("admin")) as users:
        names = {user.name for user in users.all()}
    assert {"app", "admin"} <= names
    assert "pole-7" not in names


def test_who_comes_without_tls_is_told_of_it(broker: SecuredBroker) -> None:
    plain = replace(broker.first("admin"), tls=None)
    with pytest.raises(BrokerUsersError, match="mqtts://"), BrokerUsers(plain) as users:
        users.all()
    with pytest.raises(BrokerLookError, match="mqtts://"):
        look(plain, patience_s=1)


def test_no_password_that_may_hold_is_lost(
    broker: SecuredBroker,
    tsuji: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chief = broker.add("chief", Role.ADMIN)
    chief = replace(chief, port=broker.services_port)
    many = {f"many-{n}": "as before" for n in range(200)}
    with BrokerUsers(broker.first("admin")) as users:
        users.add(many, Role.THING)
        with pytest.raises(BrokerUsersError, match="already exists"):
            users.add({"new-1": "new", "app": "new", "new-2": "new"}, Role.THING)
        assert not users.there(["new-1", "new-2"])
    # who gives itself another password is disconnected, and all others have theirs by then
    rotated = tsuji("devices", "rotate", "chief", *many, **broker.settings(chief, tmp_path))
    assert rotated.returncode == 0, rotated.stderr
    passwords = dict(line.split() for line in rotated.stdout.splitlines())
    assert set(passwords) == {"chief", *many}
    chief = replace(chief, password=passwords["chief"])
    assert is_let_in(broker.address("many-199", passwords["many-199"]))
    with BrokerUsers(broker.first("admin")) as others, BrokerUsers(chief) as users:
        others.revoke(["chief"])
        with pytest.raises(BrokerUsersError, match="Administrative action"):
            users.set_passwords(dict.fromkeys(many, "new"))

    set_passwords = BrokerUsers.set_passwords

    def breaks(users: BrokerUsers, wanted: dict[str, str]) -> None:
        set_passwords(users, wanted)
        raise BrokerUsersUnsureError("the connection broke before the answer came")

    monkeypatch.setattr(BrokerUsers, "set_passwords", breaks)
    for name, value in broker.settings(broker.first("admin"), tmp_path).items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["devices", "rotate", "many-1"])
    assert isinstance(done.exception, BrokerUsersUnsureError)
    name, password = done.stdout.split()
    assert is_let_in(broker.address(name, password))
    assert "not known" in done.stderr


def test_who_may_not_manage_users_is_told(
    broker: SecuredBroker,
    tsuji: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    app = broker.address("app", "ppa")
    refused = tsuji("devices", "list", **broker.settings(app, tmp_path))
    assert refused.returncode == 1
    assert "user 'app' may not manage users" in refused.stderr
    with pytest.raises(BrokerUsersError, match="refuses user 'app'") as wrong:
        BrokerUsers(replace(app, password="hunter2")).__enter__()
    assert "hunter2" not in str(wrong.value)
    ca = tmp_path / "other.crt"
    ca.write_bytes(make_authority(datetime.now(UTC)).certificate)
    refused = tsuji("devices", "list", TSUJI_BROKER_CA_FILE=str(ca))
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert "not trusted" in line


def test_roles_get_the_rights_of_this_version(
    broker: SecuredBroker,
    tsuji: Callable[..., subprocess.CompletedProcess[str]],
    eventually: Eventually,
) -> None:
    broker.add("pole-8", Role.THING)
    topic, address = observations_topic("pole-8"), broker.address("pole-8", "8-elop")
    older = {"command": "modifyRole", "rolename": "tsuji-thing", "acls": []}
    with Client(broker.first("admin")) as admin:
        assert admin.may_publish(USERS_TOPIC, json.dumps({"commands": [older]}).encode())

    def may_publish() -> bool:
        with Client(address) as pole:
            return pole.may_publish(topic)

    eventually(lambda: not may_publish())
    assert tsuji("devices", "rights").stdout == "thing has the rights of this version now\n"
    eventually(may_publish)
    assert tsuji("devices", "rights").stdout == (
        "all roles have the rights of this version already\n"
    )
