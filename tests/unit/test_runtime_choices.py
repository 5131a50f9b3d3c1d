"""What is chosen follows the settings, the existing data and the ports that are free."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tsuji_platform.runtime import broker, database, mqtt, process
from tsuji_platform.runtime.account import own_account
from tsuji_platform.runtime.basics import SetupError
from tsuji_platform.runtime.database import Edition
from tsuji_platform.runtime.home import Instance
from tsuji_platform.runtime.logs import LogFile
from tsuji_platform.runtime.mosquitto import Mosquitto
from tsuji_platform.runtime.postgres import Programs
from tsuji_platform.settings import BrokerSettings, DatabaseSettings


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(home=tmp_path, account=own_account()).create()


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def programs(version: str, timescaledb: str | None) -> Programs:
    return Programs(
        bin=Path("/nowhere"), version=version, timescaledb=timescaledb, origin="installed"
    )


def data_of(instance: Instance, version: str, **edition: bool) -> None:
    (instance.database_folder / "data").mkdir()
    (instance.database_folder / "data" / "PG_VERSION").write_text(f"{version}\n")
    (instance.database_folder / "edition.json").write_text(json.dumps(edition))


def test_a_database_of_yours_comes_first(instance):
    choice = database.choose(DatabaseSettings(database_url="postgresql://db.example/x"), instance)
    assert choice.url == "postgresql://db.example/x"
    assert choice.child is None


def test_a_broker_of_yours_comes_first_and_one_that_is_away_is_said(instance, taken_port):
    url = f"mqtt://user:secret@127.0.0.1:{taken_port}"
    choice = broker.choose(BrokerSettings(broker_url=url), instance)
    assert (choice.url, choice.child, choice.notice) == (url, None, None)
    assert "secret" not in choice.description + choice.why
    away = f"mqtt://user:secret@127.0.0.1:{mqtt.free_port()}"
    choice = broker.choose(BrokerSettings(broker_url=away), instance)
    assert choice.url == away
    assert choice.notice is not None
    assert choice.notice.startswith("Nothing answers at TSUJI_BROKER_URL (127.0.0.1:")
    assert "unset TSUJI_BROKER_URL" in choice.notice
    assert "secret" not in choice.notice


@pytest.mark.parametrize(
    ("version", "timescaledb", "plain_fits", "timescaledb_fits"),
    [("17.4", "2.19.3", True, True), ("17.4", None, True, False), ("18.1", "2.31", False, False)],
)
def test_data_is_bound_to_its_major_version_and_extension(
    version, timescaledb, plain_fits, timescaledb_fits
):
    found = programs(version, timescaledb)
    assert Edition(major=17, timescaledb=False).fits(found) is plain_fits
    assert Edition(major=17, timescaledb=True).fits(found) is timescaledb_fits


def test_the_edition_of_existing_data_is_read(instance):
    assert Edition.of(instance.database_folder) is None
    data_of(instance, "17", timescaledb=True)
    assert Edition.of(instance.database_folder) == Edition(major=17, timescaledb=True)


def test_data_that_fits_no_program_is_refused_with_advice(instance):
    data_of(instance, "9", timescaledb=False)
    with pytest.raises(SetupError, match=r"needs PostgreSQL 9 without TimescaleDB.*move the data"):
        database.choose(DatabaseSettings(), instance)


def test_a_port_that_was_asked_for_and_is_taken_is_refused(instance, taken_port):
    with pytest.raises(SetupError, match=f"port {taken_port} .*TSUJI_BROKER_PORT"):
        broker.choose_port(taken_port, instance.broker_folder)


def test_an_earlier_broker_that_does_not_end_is_named(instance, monkeypatch):
    # Another user's may not be signalled.
    monkeypatch.setattr(process, "send", lambda *_: None)
    monkeypatch.setattr(broker, "_RELEASE_S", 0.2)
    configuration = str(instance.broker_folder / "mosquitto.conf")
    running = "import time; print(flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", running, configuration], stdout=subprocess.PIPE
    ) as earlier:
        assert earlier.stdout
        try:
            earlier.stdout.readline()  # before, its command line may not be there yet
            with pytest.raises(SetupError, match=rf"process {earlier.pid}\) .*TSUJI_HOME"):
                broker.choose_port(None, instance.broker_folder, standard=None)
        finally:
            earlier.kill()


def test_an_instance_keeps_its_port(instance):
    first = broker.choose_port(None, instance.broker_folder, standard=None)
    assert broker.choose_port(None, instance.broker_folder) == first
    assert broker.last_port(instance.broker_folder) == first


def test_a_port_that_is_taken_is_given_up(instance, taken_port):
    (instance.broker_folder / "port").write_text(str(taken_port))
    port = broker.choose_port(None, instance.broker_folder, standard=taken_port)
    assert port != taken_port
    assert mqtt.is_free(port)


def test_what_listens_but_is_no_broker_does_not_answer(taken_port):
    assert not mqtt.answers(taken_port, timeout_s=0.2)
    assert not mqtt.answers(mqtt.free_port(), timeout_s=0.2)


def test_mosquitto_is_told_to_keep_everything_and_to_stay_on_loopback(tmp_path):
    newest = Mosquitto(
        program=Path("/m"), version=(2, 1, 2), plugin=Path("/p.so"), origin="installed"
    )
    lines = newest.configure(tmp_path, tmp_path / "data", 1883).read_text().splitlines()
    assert [line for line in lines if line.startswith("listener")] == ["listener 1883 127.0.0.1"]
    assert {"plugin_opt_sync full", "plugin_opt_flush_period 0", "max_queued_messages 0"} <= {
        *lines
    }


@pytest.mark.parametrize(("version", "plugin"), [((2, 0, 21), Path("/p.so")), ((2, 1, 0), None)])
def test_an_older_mosquitto_saves_as_often_as_it_can(tmp_path, version, plugin):
    older = Mosquitto(program=Path("/m"), version=version, plugin=plugin, origin="installed")
    assert not older.keeps_everything
    lines = older.configure(tmp_path, tmp_path / "data", 1883).read_text().splitlines()
    assert {"persistence true", "autosave_on_changes true"} <= {*lines}


def test_the_embedded_broker_stays_on_loopback(tmp_path):
    text = broker.EmbeddedBroker().configure(tmp_path, 1999).read_text()
    assert 'listen = "127.0.0.1:1999"' in text
    assert "0.0.0.0" not in text


def test_logs_turn_over_and_return_complete_lines(tmp_path):
    log = LogFile(tmp_path / "x.log", limit=20)
    assert log.write(b"one\ntw") == ["one"]
    assert log.write(b"o\n\xff\n") == ["two", "\ufffd"]
    assert log.write(b"more than the limit\n") == ["more than the limit"]
    log.write(b"new\n")
    log.close()
    assert (tmp_path / "x.log").read_bytes() == b"new\n"
    assert b"more than" in (tmp_path / "x.log.1").read_bytes()


def test_a_log_folder_that_was_removed_does_not_stop_anything(tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    log = LogFile(folder / "x.log", limit=10)
    shutil.rmtree(folder)
    assert log.write(b"beyond the limit\n") == ["beyond the limit"]
    assert log.write(b"lost\n") == ["lost"]
    folder.mkdir()
    log.write(b"again\n")
    log.close()
    assert (folder / "x.log").read_bytes() == b"again\n"
