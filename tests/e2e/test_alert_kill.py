"""A rule fires and clears while ingest is killed again and again: each alert is told, and told once."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import paho.mqtt.client as mqtt
import pytest
from httpx_sse import connect_sse
from paho.mqtt.enums import CallbackAPIVersion

from hub_processes import HubProcesses
from samples import area_set, observations, square, thing
from tsuji.area_sets import by_kind
from tsuji_platform.settings import BrokerAddress
from tsuji_platform.store import Areas, Database
from tsuji_simulators.publish import Publisher
from webhook_receiver import SECRET, Receiver

RULES = """
[[rule]]
id = "hot"
label = { ja = "暑い", en = "Hot" }
observed_property = "air_temperature"
things = { ids = ["pole-1"] }
at_least = 35
clears_below = 33

[[rule]]
id = "hot-area"
label = { ja = "暑いエリア", en = "Hot area" }
figure = "air_temperature"
areas = { set = "squares" }
at_least = 35
"""
ROUNDS = 2


class Listener:
    """Everything that is published about alerts.

    Attributes:
        said: messages in order, repetitions included.
        kept: what the broker retains, by topic.
    """

    def __init__(self, broker_url: str) -> None:
        self.said: list[dict[str, Any]] = []
        self.kept: dict[str, bytes] = {}
        address = BrokerAddress.parse(broker_url)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect(address.host, address.port)
        self._client.loop_start()
        assert subscribed.wait(90)

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        options = mqtt.SubscribeOptions(qos=1, retainAsPublished=True)
        client.subscribe("tsuji/v1/alerts/+", options=options)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.payload:
            self.said.append(orjson.loads(message.payload))
        if message.retain:
            self.kept[message.topic] = message.payload
            if not message.payload:
                del self.kept[message.topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def listener(hub: HubProcesses) -> Iterator[Listener]:
    listener = Listener(hub.broker_url)
    yield listener
    listener.close()


def followed(
    hub: HubProcesses, heard: list[dict[str, Any]], begun: threading.Event, stop: threading.Event
) -> None:
    """Read the live stream, as long as the API is there."""
    with (
        contextlib.suppress(httpx.HTTPError),
        httpx.Client(timeout=90) as client,
        connect_sse(client, "GET", f"{hub.api_url}/v1/live?area_set=squares") as source,
    ):
        for event in source.iter_sse():
            begun.set()
            if event.event == "alert":
                heard.append(event.json())
            if stop.is_set():
                return


def test_alerts_survive_kills_without_doubling(
    hub: HubProcesses, listener: Listener, tmp_path: Path, eventually: Callable
) -> None:
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8")
    with Database(hub.environment["TSUJI_DATABASE_URL"], size=1) as database:
        Areas(database).put(area_set("squares", square("W", 139.69, 35.69)), by_kind)
    failing = Receiver(lambda number: (503, {}) if number % 3 == 1 else (204, {}))
    heard: list[dict[str, Any]] = []
    begun, stop = threading.Event(), threading.Event()
    with failing, Publisher(BrokerAddress.parse(hub.broker_url)) as publisher:
        hub.environment |= {
            "TSUJI_ALERTS": str(tmp_path / "rules.toml"),
            "TSUJI_WEBHOOK_URLS": f"http://127.0.0.1:9/dead {failing.url}",
            "TSUJI_WEBHOOK_SECRET": SECRET,
        }
        hub.start("api")
        hub.start("ingest")
        threading.Thread(target=followed, args=(hub, heard, begun, stop), daemon=True).start()
        assert begun.wait(90)

        def say(degrees: float) -> None:
            content = observations("pole-1", datetime.now(UTC), air_temperature=degrees)
            publisher.publish_observations("pole-1", content)
            publisher.flush()

        def restart() -> None:
            hub.end("ingest", signal.SIGKILL)
            hub.start("ingest")

        def asked(state: str) -> list[dict[str, Any]]:
            answer = httpx.get(f"{hub.api_url}/v1/alerts?state={state}", timeout=90)
            return list(answer.raise_for_status().json()["items"])

        publisher.publish_things([thing("pole-1", kind="smart_pole")])
        known = f"{hub.api_url}/v1/things/pole-1"
        eventually(lambda: httpx.get(known, timeout=90).status_code == 200)
        say(20)
        for number in range(1, ROUNDS + 1):
            say(36)
            restart()  # wherever it is with that
            eventually(lambda: len(asked("on")) == 2, what="both alerts are on")
            restart()  # while they are on
            say(38)
            hub.end("ingest", signal.SIGKILL)
            say(20)  # while nobody is there
            hub.start("ingest")
            eventually(lambda n=number: len(asked("ended")) == 2 * n, what="both ended")
            assert asked("on") == []
        hub.end("ingest", signal.SIGKILL)
        hub.start("ingest")  # once more, over what is past
        expected = 2 * 2 * ROUNDS
        eventually(lambda: len({it["id"] for it in listener.said}) == expected)
        eventually(lambda: len({it["id"] for it in failing.taken}) == expected)
        eventually(lambda: len({it["id"] for it in heard}) == expected)
        eventually(lambda: not listener.kept, what="nothing is retained any more")
        stop.set()

        def waiting() -> dict[str, int]:
            health = httpx.get(f"{hub.api_url}/v1/health", timeout=90).json()["alerts"]
            return {it["target"]: it["waiting"] for it in health["targets"] if it["waiting"]}

        # the dead one holds nobody up; the others note a moment later that they were heard
        eventually(lambda: list(waiting().values()) == [expected], what=f"{expected} for one")

        def is_well() -> bool:
            health.update(httpx.get(f"{hub.api_url}/v1/health", timeout=90).json()["alerts"])
            return bool(health["state"] == "ok")

        health: dict[str, Any] = {}
        eventually(is_well, what="the evaluator shows itself")
        ended = asked("ended")
    assert failing.problems == []
    assert max(failing.tries.values()) > 1
    assert len(ended) == 2 * ROUNDS
    pole = [it for it in ended if it["thing"] == "pole-1"]
    assert [it["peak"]["value"] for it in pole] == [38.0] * ROUNDS
    assert {it["end_reason"] for it in ended} == {"cleared"}
    assert all(it["start"] < it["end"] for it in ended)
    for told in (listener.said, failing.taken, heard):
        once = {it["id"]: it for it in told}  # as a consumer does
        by_alert: dict[str, list[str]] = {}
        for it in once.values():
            by_alert.setdefault(it["data"]["id"], []).append(it["type"])
        assert by_alert == {it["id"]: ["alert.started", "alert.ended"] for it in ended}
    assert (health["state"], health["on"], health["evaluator"]) == ("ok", 0, "tsuji-ingest")
    assert "hidden" not in str(health)
    assert "127.0.0.1" not in str(health)
