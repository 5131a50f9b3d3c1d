"""The simulated fleet as a service: live at once, with the past filled in behind it.

Every thing reports at its own second of each minute. What lies in the past - the days of history of
the first start, and the gap after each stop - is a backlog that a second thread publishes, newest
first and slowly enough that live messages never wait behind it. A small file remembers what the
broker has acknowledged; since the signals are pure functions, whatever is published again after a
crash has the very same values.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tsuji_platform.settings import BrokerAddress
from tsuji_simulators.fleet import PERIOD_S, Member, Scenario
from tsuji_simulators.mqtt5 import wait_for_mqtt5
from tsuji_simulators.outbox import Receipt
from tsuji_simulators.publish import Publisher, PublisherClosedError
from tsuji_simulators.signals import observations, results
from tsuji_simulators.state import Span, State

logger = logging.getLogger(__name__)

SEED = 1
"""Of whoever names none."""
CHUNK_S = 7_200
"""The backlog is published in pieces of so many seconds, each of all things."""
BACKLOG_OBSERVATIONS_PER_S = 8_000
"""What a small machine stores with ease beside everything else that it runs."""
BACKLOG_WINDOW = 20
"""Unacknowledged messages of the backlog, a small part of the publisher's window."""
SKIP_AFTER_S = 300
"""When live publishing has fallen so far behind, the rest becomes backlog."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetProgress:
    """Where the simulated fleet stands.

    Attributes:
        time: up to which live reports are published.
        published: messages since the start.
        acknowledged: of these by the broker.
        backlog_s: seconds of the past that are still to be published.
        is_connected: whether the broker is there.
        unheard: messages that reached no subscriber; None where the broker doesn't say.
    """

    time: datetime
    published: int
    acknowledged: int
    backlog_s: int
    is_connected: bool
    unheard: int | None = None


def run(
    address: BrokerAddress,
    scenario: Scenario,
    seed: int,
    state_folder: Path,
    history_days: float,
    stop: threading.Event,
    on_progress: Callable[[FleetProgress], None] | None = None,
) -> None:
    """Simulate the scenario's fleet in real time until `stop` is set.

    Args:
        address: the broker; it need not be there yet.
        scenario: the city.
        seed: same seed, same values.
        state_folder: holds what was published already; made where it is missing.
        history_days: days published on the first start.
        stop: ends it within about a second.
        on_progress: called about once a second.

    Raises:
        ValueError: where the state file is damaged.
    """
    state_folder.mkdir(parents=True, exist_ok=True)
    path = state_file(state_folder, scenario, seed)
    state = State(path, now=int(time.time()), history_days=history_days)
    mqtt5 = wait_for_mqtt5(address, stop)
    with (
        Publisher(address, client_id=f"tsuji-{scenario.name}", mqtt5=mqtt5, stop=stop) as publisher,
        ThreadPoolExecutor(1, "backlog") as pool,
    ):
        try:
            publisher.publish_things(member.thing for member in scenario.members)
            backlog = pool.submit(_publish_backlog, scenario, seed, state, publisher, stop)
            _publish_live(scenario, seed, state, publisher, stop, backlog, on_progress)
        except PublisherClosedError:
            logger.debug("stopped while waiting for the broker")
        finally:
            stop.set()


def state_file(folder: Path, scenario: Scenario, seed: int) -> Path:
    """Where a fleet notes what it has published."""
    return folder / f"simulated-{scenario.name}-{seed}.json"


def report(
    publisher: Publisher, scenario: Scenario, seed: int, member: Member, span: Span
) -> tuple[Receipt, int]:
    """Publish a thing's reports of a span as one message; the receipt and how many observations."""
    end = np.arange(span.start + span.step_s, span.end + 1, span.step_s) + member.offset_s
    reported = results(scenario, seed, member, end, span.step_s)
    found = observations(member, reported, end, span.step_s)
    return publisher.publish_observations(member.id, found), len(found)


def _publish_live(
    scenario: Scenario,
    seed: int,
    state: State,
    publisher: Publisher,
    stop: threading.Event,
    backlog: "Future[None]",
    on_progress: Callable[[FleetProgress], None] | None,
) -> None:
    by_second: list[list[Member]] = [[] for _ in range(PERIOD_S)]
    for member in scenario.members:
        by_second[member.offset_s].append(member)
    second = state.live_from + PERIOD_S
    receipts: list[Receipt] = []
    minutes: deque[tuple[int, list[Receipt]]] = deque()
    while not stop.is_set():
        if backlog.done():
            backlog.result()  # raises what ended it
        behind = time.time() - second
        if behind < 0:
            stop.wait(-behind)
            continue
        if behind > SKIP_AFTER_S:
            second = int(second + behind) // PERIOD_S * PERIOD_S
            state.skip_live_to(second - PERIOD_S)
            receipts, minutes = [], deque()
        minute = second // PERIOD_S * PERIOD_S
        for member in by_second[second - minute]:
            span = Span(start=minute - PERIOD_S, end=minute, step_s=PERIOD_S)
            receipts.append(report(publisher, scenario, seed, member, span)[0])
        second += 1
        if second - minute == PERIOD_S:
            minutes.append((minute, receipts))
            receipts = []
        while minutes and all(one.is_acknowledged for one in minutes[0][1]):
            state.live_acknowledged(minutes.popleft()[0])
        if on_progress is not None and behind < 1:
            on_progress(_progress(second - 1, state, publisher))


def _progress(second: int, state: State, publisher: Publisher) -> FleetProgress:
    counts = publisher.counts
    return FleetProgress(
        time=datetime.fromtimestamp(second, UTC),
        published=counts.published,
        acknowledged=counts.acknowledged,
        backlog_s=sum(span.end - span.start for span in state.backlog),
        is_connected=publisher.is_connected,
        unheard=counts.unheard,
    )


def _publish_backlog(
    scenario: Scenario, seed: int, state: State, publisher: Publisher, stop: threading.Event
) -> None:
    while not stop.is_set():
        chunk = state.newest_chunk(CHUNK_S)
        if chunk is None:
            stop.wait(1.0)
            continue
        receipts: list[Receipt] = []
        try:
            for member in scenario.members:
                began = time.monotonic()
                receipt, amount = report(publisher, scenario, seed, member, chunk)
                receipts.append(receipt)
                publisher.wait(receipts[-BACKLOG_WINDOW : -BACKLOG_WINDOW + 1])
                spent = time.monotonic() - began
                stop.wait(max(amount / BACKLOG_OBSERVATIONS_PER_S - spent, 0.0))
            publisher.wait(receipts)
        except PublisherClosedError:
            return
        state.chunk_acknowledged(chunk)
