"""What ingest says of itself over HTTP adds up, while it works, while it waits, and afterwards."""

import re
import socket
from collections.abc import Callable

import psycopg
import pytest

from broker_queue import BrokerQueue
from hub_processes import HubProcesses
from ingest_figures import OUTCOMES, IngestFigures
from own_ports import own_port
from samples import after, observations, thing
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress
from tsuji_simulators.publish import Publisher


@pytest.fixture
def watched(hub: HubProcesses) -> IngestFigures:
    """A running ingest."""
    port = own_port()
    hub.environment["TSUJI_INGEST_PORT"] = str(port)
    hub.start("ingest")
    return IngestFigures(port)


def test_figures_add_up_while_the_database_stands_and_afterwards(
    watched: IngestFigures,
    hub_url: str,
    broker: PrivateServer,
    eventually: Callable[..., None],
) -> None:
    eventually(lambda: watched.health["status"] == "ok")
    with Publisher(BrokerAddress.parse(broker.url)) as publisher:
        publisher.publish_things([thing("gate", "pedestrians")])
        eventually(lambda: watched.health["messages"] >= 1)

        def publish(count: int) -> None:
            for minute in range(count):
                publisher.publish_observations(
                    "gate", observations("gate", after(minutes=minute), 60, pedestrians=minute)
                )
            publisher.flush()

        publish(300)
        publisher.publish("tsuji/v1/things/gate/observations", b"not JSON")
        publisher.flush()
        eventually(lambda: watched.health["stored"] == 300 and watched.health["rejected"] == 1)
        watched.check_balance()
        with psycopg.connect(hub_url) as lock:
            lock.execute("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE")
            publish(500)  # the first 300 once more, and 200 new ones
            # how many of them are read ahead depends on how quickly they come
            eventually(lambda: watched.health["waiting"] > 0)
            watched.check_balance()
            lock.rollback()
        eventually(lambda: watched.health["received"] == 801 and watched.health["waiting"] == 0)
        watched.check_balance()
        health = watched.health
        assert (health["stored"], health["duplicate"], health["rejected"]) == (500, 300, 1)
        publisher.publish_observations("late", observations("late", after(), 60, pedestrians=1))
        eventually(lambda: watched.health["rejected"] == 2)
        publisher.publish_things([thing("late", "pedestrians")])
        eventually(lambda: watched.figures["tsuji_ingest_healed_values", "stored"] == 1)
        figures = watched.figures
        with psycopg.connect(hub_url) as connection:
            row = connection.execute(
                "SELECT stored, duplicate, corrected, rejected, waiting FROM ingest_counter"
            ).fetchone()
        assert row == (
            *(
                figures["tsuji_ingest_values_total", outcome]
                + figures["tsuji_ingest_healed_values", outcome]
                for outcome in OUTCOMES
            ),
            0,
        ), "what the process counts is what the database counts"
        assert figures["tsuji_ingest_commit_seconds_bucket", "+Inf"] == 804
        assert figures[("tsuji_ingest_commit_seconds_sum",)] > 0
        assert figures["tsuji_ingest_observation_age_seconds_bucket", "+Inf"] == 801
        assert figures[("tsuji_ingest_broker_connected",)] == 1
        assert figures[("process_resident_memory_bytes",)] > 1e6


def test_health_says_that_it_waits_for_the_broker(
    watched: IngestFigures, broker: PrivateServer, eventually: Callable[..., None]
) -> None:
    eventually(lambda: watched.health["status"] == "ok")
    broker.stop()
    eventually(lambda: watched.health["status"] == "waiting")
    assert watched.health["broker"]["connected"] is False
    assert watched.health["database"]["ok"]
    broker.start()
    eventually(lambda: watched.health["status"] == "ok")


def test_other_paths_are_told_what_there_is(
    watched: IngestFigures, eventually: Callable[..., None]
) -> None:
    eventually(lambda: watched.health["status"] == "ok")
    answer = watched.get("/")
    assert answer.status_code == 404
    assert "/metrics" in answer.json()["detail"]


def test_a_port_that_is_taken_is_named(hub: HubProcesses, broker: PrivateServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        hub.environment["TSUJI_INGEST_PORT"] = str(port)
        done = hub.run("ingest")
    assert done.returncode == 1
    assert re.search(rf"^tsuji: can't listen on 127.0.0.1:{port} .*TSUJI_INGEST_PORT", done.stderr)
    assert BrokerQueue(broker, "tsuji-ingest").filters == set()
