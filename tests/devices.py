"""Devices for tests under faults: what they publish, and what has to be in the table afterwards."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import orjson

from samples import T0, observations, thing
from tsuji_platform.contract import Observation, Thing, encode_observations, observations_topic
from tsuji_simulators.outbox import Receipt
from tsuji_simulators.publish import Publisher

Key = tuple[str, str, datetime]
"""Thing, observed property, phenomenon time."""
DEGREES = "air_temperature"
COUNT = "pedestrians"
_LAST = 50
_BAD_DECIBELS = 999
_now_numbers = count()


def hour(round_: int) -> datetime:
    """When the hour begins that a round publishes about."""
    return T0 + timedelta(hours=round_)


class Device:
    """Publishes for some things over a connection of its own: in any order, twice, corrected, wrong.

    Args:
        name: beginning of its things' ids.
        publisher: its connection, which stays over all rounds.
        things: how many.

    Attributes:
        history: every value that was published for a key, in order.
        bad: payloads that have to be kept as rejected, by topic.
        values: how many values were published, repetitions and bad ones included.
        began: when it was made; some values are about moments after it.
    """

    def __init__(self, name: str, publisher: Publisher, things: int = 5) -> None:
        self.publisher = publisher
        self._ids = [f"{name}-{number}" for number in range(things)]
        self._last: deque[tuple[str, list[Observation]]] = deque(maxlen=_LAST)
        self.history: dict[Key, list[float]] = {}
        self.bad: set[tuple[str, bytes]] = set()
        self.values = 0
        self.began = datetime.now(UTC)

    @property
    def things(self) -> list[Thing]:
        """What it registers."""
        return [thing(one, DEGREES, COUNT) for one in self._ids]

    def run(self, round_: int, seed: str, messages: int) -> None:
        """Publish so many messages, and wait until the broker has them."""
        generator = random.Random(seed)
        say: list[tuple[Callable[[int, random.Random], None], int]] = [
            (self._news, 70),
            (self._repetition, 8),
            (self._correction, 8),
            (self._several, 5),
            (self._bad_beside_good, 4),
            (self._broken, 2),
            (self._now, 3),
        ]
        kinds, weights = zip(*say, strict=True)
        for kind in generator.choices(kinds, weights, k=messages):
            kind(round_, generator)
        self.publisher.flush()

    def _content(self, round_: int, generator: random.Random) -> tuple[str, list[Observation]]:
        time = hour(round_) + timedelta(milliseconds=generator.randrange(3_600_000))
        return self._about(time, generator)

    def _about(self, time: datetime, generator: random.Random) -> tuple[str, list[Observation]]:
        results = {DEGREES: generator.randrange(400) / 10, COUNT: generator.randrange(1000)}
        if generator.random() < 0.5:
            del results[generator.choice((DEGREES, COUNT))]
        name = generator.choice(self._ids)
        return name, observations(name, time, 60, **results)

    def _say(self, name: str, content: list[Observation]) -> None:
        self._note(content)
        self._last.append((name, content))
        self.publisher.publish_observations(name, content)

    def _note(self, content: list[Observation]) -> None:
        for one in content:
            key = (one.thing_id, one.observed_property, one.phenomenon_time)
            self.history.setdefault(key, []).append(float(one.result))
        self.values += len(content)

    def _news(self, round_: int, generator: random.Random) -> None:
        self._say(*self._content(round_, generator))

    def _repetition(self, round_: int, generator: random.Random) -> None:
        if self._last:
            self._say(*generator.choice(self._last))

    def _correction(self, round_: int, generator: random.Random) -> None:
        """Another value for a key of a moment ago, or of the round before."""
        if self._last:
            name, content = generator.choice(self._last)
            time = content[0].phenomenon_time
            results = {o.observed_property: generator.randrange(40) for o in content}
            self._say(name, observations(name, time, 60, **results))

    def _several(self, round_: int, generator: random.Random) -> None:
        name = generator.choice(self._ids)
        content = []
        for _ in range(generator.randrange(2, 20)):
            time = hour(round_) + timedelta(milliseconds=generator.randrange(3_600_000))
            content += observations(name, time, **{DEGREES: generator.randrange(400) / 10})
        self._say(name, content)

    def _bad_beside_good(self, round_: int, generator: random.Random) -> None:
        name, content = self._content(round_, generator)
        document = orjson.loads(encode_observations(content))
        good = document if isinstance(document, list) else [document]
        bad = {"time": good[0]["time"], "results": {"sound_level": _BAD_DECIBELS}}
        topic, payload = observations_topic(name), orjson.dumps([*good, bad])
        self._note(content)
        self._refused(topic, payload)

    def _broken(self, round_: int, generator: random.Random) -> None:
        self._refused(
            observations_topic(generator.choice(self._ids)), b"%d{" % generator.randrange(10**6)
        )

    def _refused(self, topic: str, payload: bytes) -> None:
        self.bad.add((topic, payload))
        self.values += 1
        self.publisher.publish(topic, payload)

    def _now(self, round_: int, generator: random.Random) -> None:
        """Of this very moment: a clock in the past takes it for the future."""
        time = datetime.now(UTC).replace(microsecond=next(_now_numbers) % 1_000_000)
        self._say(*self._about(time, generator))


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A value that was published once, and what its publisher knows of it."""

    key: Key
    result: float
    receipt: Receipt


class TrustingDevice:
    """Publishes each value once and never again, whatever becomes of the broker that acknowledged it.

    Attributes:
        sent: everything, in order.
    """

    def __init__(self, name: str, publisher: Publisher) -> None:
        self.publisher = publisher
        self._id = name
        self.sent: list[Once] = []

    @property
    def things(self) -> list[Thing]:
        """What it registers."""
        return [thing(self._id, DEGREES)]

    def run(self, round_: int, seed: str, messages: int) -> None:
        """Publish so many messages, and wait until the broker has acknowledged them."""
        for number in range(messages):
            time = hour(round_) + timedelta(milliseconds=number)
            (content,) = observations(self._id, time, **{DEGREES: number % 50})
            receipt = self.publisher.publish_observations(self._id, [content])
            key = (self._id, DEGREES, time)
            self.sent.append(Once(key=key, result=float(content.result), receipt=receipt))
        self.publisher.flush()
