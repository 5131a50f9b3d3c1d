"""Publishes a recording over MQTT: as fast as the broker takes it, or with its spacing at any speed."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from tsuji_platform.contract import Observation
from tsuji_platform.settings import BrokerAddress
from tsuji_simulators.mqtt5 import wait_for_mqtt5
from tsuji_simulators.publish import Publisher, PublisherClosedError
from tsuji_simulators.recorded.recording import Recording

TIMES_PER_MESSAGE = 100
"""At full speed so many reports of one thing travel as one array; the contract allows 1,000."""
_PROGRESS_EVERY_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayProgress:
    """How far a replay has come.

    Attributes:
        things: registered.
        observations: published.
        total: observations that there are to publish.
        messages: that carried them and the things.
        acknowledged: of these by the broker.
        time: phenomenon time of the newest published.
        unheard: messages that reached no subscriber; None where the broker doesn't say.
    """

    things: int
    observations: int
    total: int
    messages: int
    acknowledged: int
    time: datetime | None
    unheard: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether everything is published and acknowledged."""
        return self.observations == self.total and self.acknowledged == self.messages


def between(
    observations: Iterable[Observation], start: datetime | None, end: datetime | None
) -> Iterator[Observation]:
    """Those with start < phenomenon time ≤ end: counts whose period lies inside, since it ends then."""
    for one in observations:
        if (start is None or one.phenomenon_time > start) and (
            end is None or one.phenomenon_time <= end
        ):
            yield one


def replay(
    recording: Recording,
    address: BrokerAddress,
    *,
    speed: float | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    stop: threading.Event | None = None,
    on_progress: Callable[[ReplayProgress], None] | None = None,
) -> ReplayProgress:
    """Publish a recording with its original times, its things first.

    Args:
        recording: from one of the readers.
        address: the broker; waits until it is there.
        speed: times the original; None is as fast as the broker takes it, in arrays.
        start: aware; observations up to and including this time are left out.
        end: aware; observations after this time are left out.
        stop: ends it early.
        on_progress: called now and then, and at the end.

    Returns:
        The final state; not complete where `stop` was set before.
    """
    if speed is not None and not speed > 0:
        raise ValueError(f"speed must be above 0, got {speed}")
    stop = stop or threading.Event()
    chosen = list(between(recording.observations, start, end))
    mqtt5 = wait_for_mqtt5(address, stop)
    with Publisher(address, client_id="tsuji-replay", mqtt5=mqtt5, stop=stop) as publisher:
        count, newest, shown = 0, None, time.monotonic()

        def progress() -> ReplayProgress:
            counts = publisher.counts
            return ReplayProgress(
                things=len(recording.things),
                observations=count,
                total=len(chosen),
                messages=counts.published,
                acknowledged=counts.acknowledged,
                time=newest,
                unheard=counts.unheard,
            )

        messages = _arrays(chosen) if speed is None else _paced(chosen, speed, stop)
        try:
            publisher.publish_things(recording.things)
            for message in messages:
                publisher.publish_observations(message[0].thing_id, message)
                count += len(message)
                newest = max(newest or message[-1].phenomenon_time, message[-1].phenomenon_time)
                if on_progress is not None and time.monotonic() - shown > _PROGRESS_EVERY_S:
                    shown = time.monotonic()
                    on_progress(progress())
            publisher.flush()
        except PublisherClosedError:
            pass
        final = progress()
    if on_progress is not None:
        on_progress(final)
    return final


def _arrays(observations: Sequence[Observation]) -> Iterator[list[Observation]]:
    """Messages of up to `TIMES_PER_MESSAGE` times of one thing, roughly in time order."""
    waiting: dict[str, list[Observation]] = {}
    times: dict[str, int] = {}
    for report in _reports(observations):
        thing_id = report[0].thing_id
        waiting.setdefault(thing_id, []).extend(report)
        times[thing_id] = times.get(thing_id, 0) + 1
        if times[thing_id] == TIMES_PER_MESSAGE:
            yield waiting.pop(thing_id)
            times[thing_id] = 0
    yield from waiting.values()


def _paced(
    observations: Sequence[Observation], speed: float, stop: threading.Event
) -> Iterator[list[Observation]]:
    """One message per thing and time, each when its turn comes."""
    began = time.monotonic()
    for report in _reports(observations):
        since = (report[0].phenomenon_time - observations[0].phenomenon_time).total_seconds()
        stop.wait(max(began + since / speed - time.monotonic(), 0.0))
        if stop.is_set():
            return
        yield report


def _reports(observations: Sequence[Observation]) -> Iterator[list[Observation]]:
    """What each thing said at each time, in time order."""
    for _, moment in groupby(observations, lambda one: one.phenomenon_time):
        by_thing: dict[str, list[Observation]] = {}
        for one in moment:
            by_thing.setdefault(one.thing_id, []).append(one)
        yield from by_thing.values()
