"""A scenario as a stream of messages in the order of time: what is published, recorded, printed and broken.

Everything that leaves a simulation goes through here: `tsuji simulate` publishes it, records it or
prints it. Between `messages` and `carried` stands whoever wants to break something on purpose: he takes
the iterator and gives another one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import orjson

from tsuji_platform.contract import OBSERVED_PROPERTIES, encode_thing
from tsuji_platform.contract.topics import observations_topic, thing_topic
from tsuji_simulators.fleet import PERIOD_S, Member, Scenario
from tsuji_simulators.signals import results
from tsuji_simulators.tape.message import Carried

Report = dict[str, Any]
"""`time` (aware, UTC), `results` (number by observed property) and, of counts, `period_s`: the members of
one object of a payload (docs/messages.md)."""
_WINDOW_S = 600
_COUNTS = frozenset(one.id for one in OBSERVED_PROPERTIES.values() if one.is_count)


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a simulated thing, before it is encoded.

    Attributes:
        due_us: when it is to be sent, microseconds since 1970-01-01T00:00Z of simulated time. Messages
            stand in this order; whatever changes it (late, out of order, held back) must keep the stream
            sorted by the new one, since a broker's clock never goes back.
        thing_id: whose it is.
        topic: where it is published.
        payload: reports of the thing, each a fresh `dict` that belongs to whoever has the message; or
            bytes, which go out as they are: the thing's registration (retained, before its first
            report), or what is broken on purpose.
        retain: whether the broker keeps it for later subscribers.
        qos: 0, 1 or 2.
    """

    due_us: int
    thing_id: str
    topic: str
    payload: list[Report] | bytes
    retain: bool = False
    qos: int = 1


def messages(scenario: Scenario, seed: int, start_s: int, end_s: int) -> Iterator[Simulated]:
    """Everything that a scenario's things say: what they are, then their reports.

    Args:
        scenario: the city.
        seed: same seed, same bytes.
        start_s: seconds since 1970 UTC; registrations are due then.
        end_s: reports are due after `start_s` and not after this.

    Yields:
        Messages by `due_us`; those of the same second in the order of the scenario's things.
    """
    for member in scenario.members:
        yield Simulated(
            due_us=start_s * 1_000_000,
            thing_id=member.id,
            topic=thing_topic(member.id),
            payload=encode_thing(member.thing),
            retain=True,
        )
    for begin in range(start_s, end_s, _WINDOW_S):
        yield from _window(scenario, seed, begin, min(begin + _WINDOW_S, end_s))


def carried(message: Simulated) -> Carried:
    """The same as a broker carries it."""
    payload = message.payload
    if not isinstance(payload, bytes):
        payload = orjson.dumps(payload[0] if len(payload) == 1 else payload)
    return Carried(message.due_us, message.topic, payload, message.qos, message.retain)


def _window(scenario: Scenario, seed: int, start_s: int, end_s: int) -> Iterator[Simulated]:
    found: list[tuple[int, int, list[Report]]] = []
    for place, member in enumerate(scenario.members):
        first = start_s + 1 + (member.offset_s - start_s - 1) % PERIOD_S
        end = np.arange(first, end_s + 1, PERIOD_S)
        found += [(due, place, reports) for due, reports in _reports(scenario, seed, member, end)]
    for due, place, reports in sorted(found, key=lambda one: one[:2]):
        thing_id = scenario.members[place].id
        yield Simulated(
            due_us=due * 1_000_000,
            thing_id=thing_id,
            topic=observations_topic(thing_id),
            payload=reports,
        )


def _reports(
    scenario: Scenario, seed: int, member: Member, end: "np.ndarray[Any, np.dtype[np.int64]]"
) -> Iterator[tuple[int, list[Report]]]:
    found = results(scenario, seed, member, end, PERIOD_S)
    counts = [name for name in found if name in _COUNTS]
    others = [name for name in found if name not in _COUNTS]
    columns = {name: values.tolist() for name, values in found.items()}
    for row, due in enumerate(end.tolist()):
        time = datetime.fromtimestamp(due, UTC)
        reports: list[Report] = []
        if others:
            reports.append({"time": time, "results": {name: columns[name][row] for name in others}})
        if counts:
            numbers = {name: int(columns[name][row]) for name in counts}
            reports.append({"time": time, "results": numbers, "period_s": PERIOD_S})
        yield due, reports
