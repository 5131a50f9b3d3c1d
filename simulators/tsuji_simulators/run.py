"""The simulated fleet as a service: live at once, with the past filled in behind it.

Every thing reports at its own second of its interval. What lies in the past - the days of history of
the first start, and the gap after each stop - is a backlog that a second thread publishes, newest
first and slowly enough that live messages never wait behind it. A small file remembers what the
broker has acknowledged; since the signals are pure functions, whatever is published again after a
crash has the very same values.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tsuji_platform.contract.topics import observations_topic
from tsuji_platform.settings import BrokerAddress
from tsuji_simulators.crew import Crew, crews
from tsuji_simulators.feed import reports_of
from tsuji_simulators.fleet import Member
from tsuji_simulators.mqtt5 import wait_for_mqtt5
from tsuji_simulators.outbox import Receipt
from tsuji_simulators.publish import Publisher, PublisherClosedError
from tsuji_simulators.randomness import Integers
from tsuji_simulators.scenario import Scenario
from tsuji_simulators.simulated import encoded
from tsuji_simulators.state import Span, State

logger = logging.getLogger(__name__)

MINUTE_S = 60
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
    if scenario.history_days is not None:
        history_days = min(history_days, scenario.history_days)
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
) -> tuple[Receipt | None, int]:
    """Publish a thing's reports of a span as one message; the receipt and how many observations.

    None where none of its reports lies in the span.
    """
    end, period_s = ends_of(member, span)
    if not end.size:
        return None, 0
    found = [
        report
        for reports in reports_of(scenario, seed, Crew((member,)), end[None, :], period_s)
        for report in reports
    ]
    receipt = publisher.publish(observations_topic(member.id), encoded(found))
    return receipt, sum(len(report["results"]) for report in found)


def ends_of(member: Member, span: Span) -> tuple[Integers, int]:
    """When a thing reports in a span, and the seconds that each report covers.

    Steps of the span that are longer than the thing's interval take the place of its reports.
    """
    interval_s = member.interval_s
    if span.step_s > interval_s and span.step_s % interval_s == 0:
        ends = np.arange(span.start + span.step_s, span.end + 1, span.step_s)
        return ends + member.offset_s % MINUTE_S, span.step_s
    earliest = span.start + MINUTE_S
    first = earliest + (member.offset_s - earliest) % interval_s
    return np.arange(first, span.end + MINUTE_S, interval_s), interval_s


def _publish_live(
    scenario: Scenario,
    seed: int,
    state: State,
    publisher: Publisher,
    stop: threading.Event,
    backlog: "Future[None]",
    on_progress: Callable[[FleetProgress], None] | None,
) -> None:
    due = _by_second(scenario.members)
    intervals = sorted({interval_s for interval_s, _ in due})
    second = state.live_from + MINUTE_S
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
            second = int(second + behind) // MINUTE_S * MINUTE_S
            state.skip_live_to(second - MINUTE_S)
            receipts, minutes = [], deque()
        minute = second // MINUTE_S * MINUTE_S
        for interval_s in intervals:
            for crew in due.get((interval_s, second % interval_s), ()):
                receipts += _report_now(publisher, scenario, seed, crew, second)
        second += 1
        if second - minute == MINUTE_S:
            minutes.append((minute, receipts))
            receipts = []
        while minutes and all(one.is_acknowledged for one in minutes[0][1]):
            state.live_acknowledged(minutes.popleft()[0])
        if on_progress is not None and behind < 1:
            on_progress(_progress(second - 1, state, publisher))


def _by_second(members: Sequence[Member]) -> dict[tuple[int, int], list[Crew]]:
    """Who reports at which second of which interval."""
    due: dict[tuple[int, int], list[Member]] = {}
    for one in members:
        due.setdefault((one.interval_s, one.offset_s), []).append(one)
    return {when: crews(some) for when, some in due.items()}


def _report_now(
    publisher: Publisher, scenario: Scenario, seed: int, crew: Crew, second: int
) -> list[Receipt]:
    end = np.full((len(crew), 1), second, dtype=np.int64)
    found = reports_of(scenario, seed, crew, end, crew.interval_s)
    return [
        publisher.publish(observations_topic(one.id), encoded(reports))
        for one, reports in zip(crew.members, found, strict=True)
    ]


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
                if receipt is not None:
                    receipts.append(receipt)
                publisher.wait(receipts[-BACKLOG_WINDOW : -BACKLOG_WINDOW + 1])
                spent = time.monotonic() - began
                stop.wait(max(amount / BACKLOG_OBSERVATIONS_PER_S - spent, 0.0))
            publisher.wait(receipts)
        except PublisherClosedError:
            return
        state.chunk_acknowledged(chunk)
