"""What tests of recordings and replays share: recordings, and what the broker carries."""

import threading
from collections.abc import Callable
from pathlib import Path

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from broker_queue import BrokerQueue
from hub_processes import HubProcesses
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress
from tsuji_simulators.tape.message import Carried
from tsuji_simulators.tape.reader import Tape
from tsuji_simulators.tape.writer import TapeWriter

Eventually = Callable[..., None]


def ingesting(hub: HubProcesses, broker: PrivateServer, eventually: Eventually) -> BrokerQueue:
    """Start ingest, and wait until the broker collects messages for it."""
    hub.start("ingest")
    queue = BrokerQueue(broker, "tsuji-ingest")
    eventually(lambda: queue.subscribed, what="a session")
    return queue


def recorded(path: Path) -> list[Carried]:
    return list(Tape(path).messages()) if path.exists() else []


def tape(path: Path, count: int, *, gap_us: int = 1_000) -> Path:
    writer = TapeWriter(path, started_us=1_775_000_000_000_000)
    writer.write(
        [
            Carried(
                1_775_000_000_000_000 + n * gap_us, f"test/{n % 4}", str(n).encode(), n % 3, n == 1
            )
            for n in range(count)
        ]
    )
    writer.close()
    return path


class Ear:
    """Whoever listens to a broker."""

    def __init__(self, address: BrokerAddress, topic: str = "#") -> None:
        self.messages: list[MQTTMessage] = []
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_connect = lambda client, *_: client.subscribe(topic, 2)
        self.client.connect(address.host, address.port)
        self.client.loop_start()
        assert subscribed.wait(90)

    def __enter__(self) -> "Ear":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    @property
    def numbers(self) -> list[int]:
        return [int(one.payload) for one in self.messages]
