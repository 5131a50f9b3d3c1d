"""From packet to row: what is good is stored, what is not is kept with its reason."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from broker_queue import BrokerQueue
from samples import T0, after, observations, thing
from tsuji_ingest import things
from tsuji_platform.contract import observations_topic, thing_topic
from tsuji_platform.contract.messages import MAX_PAYLOAD_BYTES
from tsuji_platform.store import DatabaseAwayError, Reader
from tsuji_platform.store.records import Tally
from tsuji_simulators.publish import Publisher


def settled(reader: Reader, waiting: BrokerQueue, messages: int) -> Callable[[], bool]:
    """Whether so many messages are committed and all of them acknowledged."""
    return lambda: reader.counters().tally.messages >= messages and waiting.unacknowledged == 0


def newest(reader: Reader) -> dict[tuple[str, str], float]:
    return {(it.thing_id, it.observed_property): it.result for it in reader.latest()}


def test_things_register_and_their_observations_are_stored(
    start_ingest, publisher: Publisher, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    start_ingest()
    pole = thing("pole", "air_temperature", "pedestrians_in", name="西新宿", capacity=9)
    publisher.publish_things([pole])
    for minute in range(20):
        content = observations("pole", after(minutes=minute), air_temperature=minute)
        content += observations("pole", after(minutes=minute), 60, pedestrians_in=minute)
        publisher.publish_observations("pole", content)
    eventually(settled(reader, waiting, 21))
    assert reader.counters().tally == Tally(messages=21, received=40, stored=40)
    assert newest(reader) == {("pole", "air_temperature"): 19.0, ("pole", "pedestrians_in"): 19.0}
    (row,) = reader.things()
    assert row.thing == pole
    assert row.period_s == 60


def test_an_observation_before_its_thing_comes_in_by_itself(
    start_ingest, publisher: Publisher, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    start_ingest()
    for minute in range(3):
        publisher.publish_observations(
            "pole", observations("pole", after(minutes=minute), wind_speed=minute)
        )
    eventually(settled(reader, waiting, 3))
    assert reader.rejected_by_reason() == {"unregistered_thing": 3}
    assert reader.counters().tally.rejected == 3
    publisher.publish_things([thing("pole", "wind_speed")])
    eventually(lambda: reader.counters().tally.stored == 3)
    assert reader.counters().tally == Tally(messages=4, received=3, stored=3)
    assert reader.rejected() == []
    assert newest(reader) == {("pole", "wind_speed"): 2.0}


def test_an_undeclared_value_waits_until_it_is_declared(
    start_ingest, publisher: Publisher, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    start_ingest()
    publisher.publish_things([thing("pole", "wind_speed")])
    publisher.publish_observations("pole", observations("pole", T0, wind_speed=1, pm2_5=7))
    eventually(settled(reader, waiting, 2))
    assert newest(reader) == {("pole", "wind_speed"): 1.0}
    assert reader.rejected_by_reason() == {"undeclared_datastream": 1}
    publisher.publish_things([thing("pole", "wind_speed", "pm2_5")])
    eventually(lambda: reader.counters().tally.stored == 2)
    assert newest(reader)["pole", "pm2_5"] == 7.0
    assert reader.counters().tally == Tally(messages=3, received=2, stored=2)


def test_bad_messages_are_kept_with_a_reason_and_harm_no_neighbour(
    start_ingest, publisher: Publisher, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    start_ingest()
    publisher.publish_things([thing("pole", "air_temperature", "pedestrians")])
    future = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    here = observations_topic("pole")
    bad: list[tuple[str, bytes, str]] = [
        (here, b"", "broken_json"),
        (here, b"{", "broken_json"),
        (here, bytes(range(256)), "broken_json"),
        (here, b"[" * 100_000, "oversize"),
        (here, b" " * (MAX_PAYLOAD_BYTES + 1), "oversize"),
        (here, b"42", "wrong_shape"),
        (here, b'{"time":"2026-04-01T09:00:00","results":{"air_temperature":1}}', "bad_time"),
        (here, orjson.dumps({"time": future, "results": {"air_temperature": 1}}), "future_time"),
        (here, b'{"time":"2026-04-01T00:00:00Z","results":{"mood":1}}', "unknown_property"),
        (
            here,
            b'{"time":"2026-04-01T00:00:00Z","results":{"air_temperature":"1"}}',
            "not_a_number",
        ),
        (here, b'{"time":"2026-04-01T00:00:00Z","results":{"pedestrians":1}}', "missing_period"),
        (thing_topic("pole"), b'{"location":null}', "bad_thing"),
        ("tsuji/v1/things/no id/observations", b"{}", "bad_thing"),
        ("tsuji/v1/things/\U0001f600'\\/observations", b"{}", "bad_thing"),
        ("tsuji/v1/things/" + "x" * 65, b"{}", "bad_thing"),
        ("tsuji/v1/things/", b"{}", "bad_thing"),
    ]
    for number, (topic, payload, _) in enumerate(bad):
        publisher.publish(topic, payload)
        publisher.publish_observations(
            "pole", observations("pole", after(minutes=number), air_temperature=number)
        )
    mixed = {
        "time": "2026-04-02T00:00:00Z",
        "results": {"air_temperature": 21, "pedestrians": -1, "nonsense": {}},
    }
    publisher.publish(here, orjson.dumps([mixed, 7, mixed | {"time": 5}]))
    eventually(settled(reader, waiting, 2 + 2 * len(bad)))
    kept = {(row.topic, row.payload): row.reason for row in reader.rejected(limit=1000)}
    for topic, payload, reason in bad:
        assert kept[topic, payload] == reason, (topic, payload[:80])
    tally = reader.counters().tally
    assert tally.balanced()
    assert tally.stored == len(bad) + 1
    assert tally.rejected == len(bad) + 4
    assert newest(reader) == {("pole", "air_temperature"): 21.0}


def test_messages_outside_of_our_topics_are_not_even_delivered(
    start_ingest, publisher: Publisher, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    start_ingest()
    for topic in ("elsewhere", "tsuji/v1/things/pole/other", "tsuji/v2/things/pole"):
        publisher.publish(topic, b"x")
    publisher.publish_things([thing("pole")])
    eventually(settled(reader, waiting, 1))
    assert reader.counters().tally == Tally(messages=1)
    assert reader.rejected() == []


def test_a_cleared_registration_leaves_the_thing(
    start_ingest, publisher: Publisher, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    start_ingest()
    publisher.publish_things([thing("pole", "wind_speed")])
    publisher.publish(thing_topic("pole"), b"", retain=True)
    publisher.publish_observations("pole", observations("pole", T0, wind_speed=1))
    eventually(settled(reader, waiting, 3))
    assert reader.counters().tally == Tally(messages=3, received=1, stored=1)


def test_repetitions_and_corrections_are_counted_as_what_they_are(
    start_ingest, publisher: Publisher, reader: Reader, waiting: BrokerQueue, eventually
) -> None:
    start_ingest(ingest_batch=7)
    publisher.publish_things([thing("pole", "wind_speed")])
    for value in (1, 1, 1, 2, 2):
        for minute in range(10):
            publisher.publish_observations(
                "pole", observations("pole", after(minutes=minute), wind_speed=value)
            )
    eventually(settled(reader, waiting, 51))
    assert reader.counters().tally == Tally(
        messages=51, received=50, stored=10, duplicate=30, corrected=10
    )
    assert newest(reader) == {("pole", "wind_speed"): 2.0}


def test_things_that_change_are_announced_and_equal_ones_are_not(
    start_ingest,
    publisher: Publisher,
    reader: Reader,
    waiting: BrokerQueue,
    eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(things, "_AGAIN_S", 0.1)
    told: list[None] = []
    changed = things.ThingsFollower.changed

    def tell(follower: things.ThingsFollower) -> None:
        told.append(None)
        changed(follower)

    monkeypatch.setattr(things.ThingsFollower, "changed", tell)
    calls: list[int] = []

    def note() -> None:
        calls.append(len(reader.things()))
        if len(calls) == 1:
            raise DatabaseAwayError("away")

    def publish_alone(messages: int) -> None:
        """A message in a batch of its own: of those before it, all is told by then."""
        eventually(settled(reader, waiting, messages - 1))
        publisher.publish(observations_topic("pole-0"), b"{")
        eventually(settled(reader, waiting, messages))

    start_ingest(on_things_changed=note)
    publisher.publish_things([thing(f"pole-{i}") for i in range(30)])
    eventually(lambda: len(calls) >= 2 and calls[-1] == 30, what="tried again after the failure")
    publish_alone(31)
    before, count = len(told), len(calls)
    publisher.publish_things([thing(f"pole-{i}") for i in range(30)])
    publisher.publish_things([thing("pole-0", longitude=1)])
    eventually(lambda: len(calls) > count)
    publish_alone(63)
    assert len(told) == before + 1


def test_things_that_a_killed_ingest_left_unassigned_are_assigned_at_the_next_start(
    start_ingest, eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(things, "_AGAIN_S", 0.1)
    calls: list[None] = []

    def assign() -> None:
        calls.append(None)
        if len(calls) == 1:
            raise ValueError("a defect must not end it for good")

    start_ingest(on_things_changed=assign)
    eventually(lambda: len(calls) == 2)
