"""From a device's MQTT packet to a changed pixel, through everything that is real."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import paho.mqtt.client as mqtt
import pytest
from playwright.sync_api import Page

from broker_queue import BrokerQueue
from city import MESH, live, until
from hub_processes import HubProcesses
from samples import observations, thing
from tsuji.area_sets import put_demonstration
from tsuji_dashboard.bins import BINS
from tsuji_platform.contract import (
    encode_observations,
    encode_thing,
    observations_topic,
    thing_topic,
)
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.settings import BrokerAddress

WATCH = """code => {
  const path = window.tsuji.map.areas.get(code).getElement();
  window.seen = [];
  new MutationObserver(() => requestAnimationFrame(() => {
    window.seen.push([path.getAttribute('fill'), Date.now()]);
    performance.mark('tsuji-pixel ' + path.getAttribute('fill'));
  })).observe(path, {attributes: true, attributeFilter: ['fill']});
}"""


@pytest.fixture
def device(hub: HubProcesses) -> Callable[..., None]:
    """Publishes as a pole does."""
    address = BrokerAddress.parse(hub.broker_url)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="pole-1")
    client.username_pw_set(address.username, address.password)
    client.connect(address.host, address.port)
    client.loop_start()
    pole = thing("pole-1", "air_temperature", longitude=139.6956, latitude=35.6911)
    client.publish(thing_topic("pole-1"), encode_thing(pole), qos=1, retain=True).wait_for_publish(
        90
    )

    def publish(temperature: float) -> None:
        now = datetime.now(UTC)
        payload = encode_observations(observations("pole-1", now, air_temperature=temperature))
        client.publish(observations_topic("pole-1"), payload, qos=1)

    return publish


def test_a_packet_changes_its_pixel_without_being_asked_for(
    hub: HubProcesses,
    broker: PrivateServer,
    device: Callable[..., None],
    open_page: Callable[..., Page],
    tmp_path: Path,
    eventually: Callable[..., None],
) -> None:
    hub.environment["TSUJI_TILES_URL"] = ""
    put_demonstration(hub.environment["TSUJI_DATABASE_URL"])
    for name in ("ingest", "api", "dashboard"):
        hub.start(name)
    eventually(lambda: BrokerQueue(broker, "tsuji-ingest").subscribed, what="a session")
    page = open_page(f"{hub.dashboard_url}?set={MESH}&figure=air_temperature&lang=en")
    device(12.0)
    live(page)
    page.context.tracing.start(screenshots=True)
    code = page.evaluate("() => [...window.tsuji.data.areas.keys()][0]")
    page.evaluate(WATCH, code)
    bins = BINS["air_temperature"]
    took = []
    for value in (-3.0, 8.0, 17.0, 28.0, 36.0):
        colour = bins.palette("light")[bins.index(value)]
        published = time.time()
        device(value)
        until(page, "colour => window.seen.some(([fill]) => fill === colour)", colour)
        painted = next(at for fill, at in page.evaluate("window.seen") if fill == colour)
        took.append(painted / 1000 - published)
    page.context.tracing.stop(path=tmp_path / "packet-to-pixel.zip")
    marks = page.evaluate("() => performance.getEntriesByType('mark').map(mark => mark.name)")
    assert len({name for name in marks if name.startswith("tsuji-pixel")}) == len(took)
    assert median(took) < 10, took  # far below the 30 s of those that have to ask
