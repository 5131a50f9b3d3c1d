"""What third parties use in their tests: run as they would, by a pytest of their own."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tsuji_platform.contract import Observation, Thing, encode_observations, encode_thing
from tsuji_platform.contract.topics import observations_topic, thing_topic
from tsuji_simulators.tape.message import Carried
from tsuji_simulators.tape.writer import TapeWriter

_START_US = 1_775_000_000_000_000

_OPTIONS = ["-q", "--strict-markers", "-p", "tsuji.pytest_plugin"] + [
    f"-pno:{name}" for name in ("tsuji", "cacheprovider", "dash", "schemathesis", "xdist")
]

_THEIRS = """
import threading

import httpx
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tsuji_simulators import replaying


@pytest.mark.tsuji_replay("known.tsuji", things=["pole-*"])
def test_the_hub_has_the_known_data(tsuji_hub):
    things = httpx.get(f"{tsuji_hub.api_url}/v1/things", timeout=90).json()
    assert "pole-1" in str(things)
    assert "gate" not in str(things)
    health = httpx.get(f"{tsuji_hub.api_url}/v1/health", timeout=90).json()["ingest"]
    assert (health["messages"], health["stored"], health["rejected"]) == (31, 30, 0)
    # again: everything is there already
    final = tsuji_hub.replay("known.tsuji", things=["pole-*"])
    assert final.sent == 31
    assert httpx.get(f"{tsuji_hub.api_url}/v1/health", timeout=90).json()["ingest"]["duplicate"] == 30


def test_a_service_hears_the_feed(tsuji_broker):
    heard = []
    client = Client(CallbackAPIVersion.VERSION2)
    subscribed, enough = threading.Event(), threading.Event()
    client.on_message = lambda _c, _d, message: (heard.append(message), len(heard) == 31 and enough.set())
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", int(tsuji_broker.rpartition(":")[2]))
    client.subscribe("tsuji/v1/things/pole-1/#", 1)
    client.loop_start()
    assert subscribed.wait(90)
    with replaying("known.tsuji", broker=tsuji_broker, things=["pole-1"], to_now=True) as replay:
        assert replay.finish(240).unheard == 0
        assert enough.wait(90)
    client.loop_stop()
    assert not any(b"2026-03-31" in message.payload for message in heard)
"""


def _known(path: Path) -> None:
    writer = TapeWriter(path, started_us=_START_US)
    carried = []
    for thing_id in ("pole-1", "gate"):
        thing = Thing(
            thing_id=thing_id,
            name=thing_id,
            longitude=139.7,
            latitude=35.7,
            datastreams=("air_temperature",),
        )
        carried.append(Carried(_START_US, thing_topic(thing_id), encode_thing(thing), 1, True))
        for n in range(30):
            time_us = _START_US + n * 60_000_000
            one = Observation(
                thing_id=thing_id,
                observed_property="air_temperature",
                phenomenon_time=datetime.fromtimestamp(time_us // 1_000_000, UTC),
                result=20.0 + n / 10,
            )
            carried.append(
                Carried(time_us, observations_topic(thing_id), encode_observations([one]))
            )
    writer.write(sorted(carried, key=lambda one: one.time_us))
    writer.close()


def test_third_parties_get_a_hub_with_known_data(tmp_path: Path) -> None:
    _known(tmp_path / "known.tsuji")
    (tmp_path / "test_theirs.py").write_text(_THEIRS)
    done = subprocess.run(
        # by its module's name, since it may be installed under its entry point's
        [sys.executable, "-m", "pytest", *_OPTIONS, "--rootdir", str(tmp_path), "test_theirs.py"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith("TSUJI_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
