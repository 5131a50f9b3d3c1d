"""A live stream that is cut anywhere goes on where it was, at any worker and after any restart."""

import contextlib
import itertools
import random
import signal
import threading
from collections.abc import Callable
from datetime import timedelta

import httpx
import psutil

from hub_processes import HubProcesses
from live_reader import AWAY, Folded, Key, Value, follow
from samples import T0, message, registration
from tsuji_platform.store.writer import Writer

GAUGES = [f"gauge-{number}" for number in range(8)]
OTHERS = "air_temperature", "rainfall"
CUTS = 16
ENOUGH = len(GAUGES) * len(OTHERS) + CUTS
"""Values that are told over all cuts: more than a snapshot holds."""
ASKED = {"events": "observations", "kind": "gauge"}


class Scribe:
    """Writes on and on, each value once, and remembers what it wrote."""

    def __init__(self, url: str) -> None:
        self._writer = Writer(url, "scribe")
        self._random = random.Random(6)
        self._number = 0
        self._time = T0
        self.written: dict[Key, list[Value]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        for gauge in GAUGES:
            self._writer.save([registration(gauge, *OTHERS, kind="gauge")])
        self._writer.save([registration("other", *OTHERS, kind="something else")])
        self._write()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._writer.close()

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            if self._random.random() < 0.05:  # it no longer measures this, or does so again
                listed = self._random.choice([OTHERS, OTHERS[:1]])
                gauge = self._random.choice(GAUGES[:3])
                self._writer.save([registration(gauge, *listed, kind="gauge")])
            else:
                self._write()

    def _write(self) -> None:
        if self._random.random() < 0.8:  # otherwise it corrects what is newest
            self._time += timedelta(seconds=1)
        batch = []
        for thing in self._random.sample([*GAUGES, "other"], 3):
            name = self._random.choice(OTHERS)
            self._number += 1
            result = self._number / 1_000
            batch.append(message(thing, self._time, **{name: result}))
            time = self._time.isoformat().replace("+00:00", "Z")
            self.written.setdefault((thing, name), []).append((time, result))
        self._writer.save(batch)


def is_part_in_order(part: list[Value], whole: list[Value]) -> bool:
    rest = iter(whole)
    return all(one in rest for one in part)


def test_whatever_is_cut_or_killed_what_a_reader_knows_is_what_is_newest(
    hub: HubProcesses, hub_url: str, eventually: Callable
) -> None:
    scribe, chance, folded = Scribe(hub_url), random.Random(7), Folded()
    hub.start("api", TSUJI_API_WORKERS="2")
    follow(hub.api_url, folded, lambda name: name == "heartbeat", **ASKED)
    scribe.start()
    try:
        for cut in itertools.count():
            if cut >= CUTS and sum(map(len, folded.told.values())) > ENOUGH:
                break
            if cut == 4:
                children = psutil.Process(hub.pid("api")).children()
                workers = [it for it in children if "spawn_main" in " ".join(it.cmdline())]
                chance.choice(workers).kill()
            if cut == 10:
                family = psutil.Process(hub.pid("api")).children(recursive=True)
                hub.end("api", signal.SIGKILL)
                assert not psutil.wait_procs(family, timeout=60)[1]  # they end with who began them
                hub.start("api", TSUJI_API_WORKERS="2")
            at_most, events = chance.choice([None, chance.randrange(4_000)]), [chance.randrange(2)]

            def enough(_name: str, events: list[int] = events) -> bool:
                events[0] -= 1
                return events[0] < 0

            with contextlib.suppress(*AWAY):  # whoever was killed has cut it itself
                follow(hub.api_url, folded, enough, at_most=at_most, **ASKED)
    finally:
        scribe.stop()

    items = httpx.get(f"{hub.api_url}/v1/latest", timeout=90).json()["items"]
    newest = {
        (it["thing"], it["observed_property"]): (it["time"], it["result"])
        for it in items
        if it["thing"] != "other"
    }

    def caught_up() -> bool:
        with contextlib.suppress(*AWAY):
            follow(hub.api_url, folded, lambda name: name == "heartbeat", **ASKED)
        return folded.newest == newest

    eventually(caught_up)
    assert folded.reasons == ["new"]
    assert sum(map(len, folded.told.values())) > ENOUGH > len(newest)
    for key, told in folded.told.items():
        assert len(set(told)) == len(told), f"{key} was told something twice"
        assert is_part_in_order(told, scribe.written[key]), f"{key} was told in another order"
