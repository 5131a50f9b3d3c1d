"""The whole ingest under a clock that jumps and under a flood of bad messages."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import sleep
from types import SimpleNamespace

import orjson
import psycopg
import pytest

from broker_queue import BrokerQueue
from rollup_check import refresh_to_rest
from samples import observations, thing
from tsuji_ingest import intake, upkeep
from tsuji_ingest.upkeep import Upkeep
from tsuji_platform.contract import observations_topic
from tsuji_platform.settings import IngestSettings
from tsuji_platform.store import Database, Reader, Refresher, Rejected
from tsuji_simulators.publish import Publisher

DAY = timedelta(days=1)
_ALL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class WallClock:
    """The machine's clock, set by the test: what ingest asks for the time, and nothing else."""

    def __init__(self) -> None:
        self.off = timedelta(0)

    def now(self, zone: object = UTC) -> datetime:
        return datetime.now(UTC) + self.off


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    clock = WallClock()
    monkeypatch.setattr(intake, "datetime", clock)
    monkeypatch.setattr(upkeep, "datetime", clock)
    monkeypatch.setattr(upkeep, "_LOOK_EVERY_S", 0.05)
    return clock


@pytest.fixture
def stored(hub_url: str) -> Callable[[], dict[tuple[str, str, datetime], float]]:
    def read() -> dict[tuple[str, str, datetime], float]:
        with psycopg.connect(hub_url, options="-c timezone=UTC") as connection:
            return {
                row[:3]: row[3]
                for row in connection.execute(
                    "SELECT thing_id, observed_property, phenomenon_time, result"
                    " FROM observation JOIN datastream USING (datastream_id)"
                )
            }

    return read


def committed(reader: Reader, messages: int) -> Callable[[], bool]:
    return lambda: reader.counters().tally.messages >= messages


def moment(**ago: float) -> datetime:
    """A moment of the right clock, to the millisecond."""
    now = datetime.now(UTC) - timedelta(**ago)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def send(publisher: Publisher, time: datetime, **results: float) -> None:
    publisher.publish_observations("pole", observations("pole", time, **results))


def test_what_a_clock_that_was_behind_refused_comes_in_once_it_is_set(
    start_ingest, publisher, reader, clock, stored, eventually, caplog
) -> None:
    clock.off = -DAY
    start_ingest()
    publisher.publish_things([thing("pole", "air_temperature", "wind_speed")])
    times = [moment(minutes=minute) for minute in range(5)]
    for number, time in enumerate(times):
        send(publisher, time, air_temperature=number, wind_speed=1)
    send(publisher, times[1], air_temperature=11)  # a correction of what is refused as yet
    ahead = moment(days=-2)  # this one is wrong by any clock
    send(publisher, ahead, air_temperature=49)
    eventually(committed(reader, 8))
    assert reader.rejected_by_reason() == {"future_time": 7}
    assert stored() == {}

    with caplog.at_level(logging.INFO):
        clock.off = timedelta(0)
        eventually(lambda: reader.rejected_by_reason() == {"future_time": 1})
    expected = {("pole", "air_temperature", time): float(i) for i, time in enumerate(times)}
    expected |= {("pole", "wind_speed", time): 1.0 for time in times}
    expected["pole", "air_temperature", times[1]] = 11.0
    assert stored() == expected
    tally = reader.counters().tally
    assert tally.balanced()
    assert (tally.stored, tally.rejected) == (10, 1)
    (warning,) = [one for one in caplog.messages if "clock was set" in one]
    assert "set forward by 1 day, 0:00:00" in warning
    assert [it.time for it in reader.latest(thing_id="pole")] == [times[0]] * 2


def test_a_clock_that_jumps_to_and_fro_unseen_costs_nothing_either(
    start_ingest, publisher, reader, clock, stored, eventually, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(upkeep, "_LOOK_EVERY_S", 1.0)
    monkeypatch.setattr(upkeep, "_FLOOD_LOOK_EVERY_S", 0.1)
    watch = upkeep.ClockWatch(lambda: datetime.now(UTC), upkeep.uptime_s)
    monkeypatch.setattr(upkeep, "ClockWatch", lambda *_: watch)  # it never sees the clock astray
    step, may_look = upkeep.Upkeep._step, threading.Lock()

    def step_between(self: Upkeep) -> None:
        with may_look:
            step(self)

    monkeypatch.setattr(upkeep.Upkeep, "_step", step_between)
    start_ingest()
    publisher.publish_things([thing("pole")])
    eventually(committed(reader, 1))
    time = moment()
    with may_look:  # the clock is right again before the next look
        clock.off = -DAY
        send(publisher, time, air_temperature=1)
        eventually(committed(reader, 2))
        assert stored() == {}
        clock.off = timedelta(0)
    eventually(lambda: stored() == {("pole", "air_temperature", time): 1.0})
    assert reader.rejected_by_reason() == {}
    assert "clock was set" not in caplog.text


def test_what_has_come_since_is_not_undone(
    start_ingest, publisher, reader, clock, stored, eventually, monkeypatch
) -> None:
    """The clock is right again, the corrections are in, and only then is the old refusal read again."""
    monkeypatch.setattr(upkeep.Upkeep, "_step", lambda _self: None)
    clock.off = -DAY
    running = start_ingest()
    publisher.publish_things([thing("pole", "air_temperature", "wind_speed")])
    time = moment()
    send(publisher, time, air_temperature=1, wind_speed=1)
    eventually(committed(reader, 2))
    clock.off = timedelta(0)
    send(publisher, time, air_temperature=2)
    eventually(committed(reader, 3))
    running.stop()
    monkeypatch.undo()
    monkeypatch.setattr(upkeep, "_LOOK_EVERY_S", 0.05)

    start_ingest()  # after a kill in between nobody has seen the clock jump
    eventually(lambda: reader.rejected_by_reason() == {})
    assert stored() == {
        ("pole", "air_temperature", time): 2.0,
        ("pole", "wind_speed", time): 1.0,
    }
    assert reader.counters().tally.balanced()


def test_what_was_refused_of_an_unknown_thing_waits_for_it_after_the_clock_is_set(
    start_ingest, publisher, reader, clock, stored, eventually
) -> None:
    clock.off = -DAY
    start_ingest()
    time = moment()
    send(publisher, time, air_temperature=1)
    eventually(committed(reader, 1))
    clock.off = timedelta(0)
    eventually(lambda: reader.rejected_by_reason() == {"unregistered_thing": 1})
    publisher.publish_things([thing("pole")])
    eventually(lambda: stored() == {("pole", "air_temperature", time): 1.0})


def test_a_clock_set_back_warns_and_what_is_ahead_of_it_is_not_the_newest(
    start_ingest, publisher, reader, clock, stored, eventually, caplog
) -> None:
    clock.off = DAY
    start_ingest()
    publisher.publish_things([thing("pole", "air_temperature"), thing("gate", "wind_speed")])
    tomorrow, now = moment(days=-1), moment()
    send(publisher, tomorrow, air_temperature=1)
    send(publisher, now, air_temperature=2)
    eventually(committed(reader, 4))
    assert [it.time for it in reader.latest()] == [tomorrow]
    clock.off = timedelta(0)
    eventually(lambda: [it.time for it in reader.latest()] == [now])
    (warning,) = [one for one in caplog.messages if "clock was set" in one]
    assert "set back by 1 day, 0:00:00" in warning
    later = moment(seconds=-1)
    send(publisher, later, air_temperature=3)
    eventually(lambda: [(it.time, it.result) for it in reader.latest()] == [(later, 3.0)])
    assert ("pole", "air_temperature", tomorrow) in stored()


def test_a_clock_that_is_behind_what_was_stored_is_doubted_at_the_start(
    start_ingest, publisher, reader, clock, eventually, caplog
) -> None:
    running = start_ingest()
    publisher.publish_things([thing("pole")])
    send(publisher, moment(), air_temperature=1)
    eventually(committed(reader, 2))
    running.stop()
    assert "the hub's clock says" not in caplog.text
    clock.off = -DAY
    start_ingest()
    eventually(lambda: "the hub's clock says" in caplog.text)


def test_a_flood_of_bad_messages_is_forgotten_while_it_comes_and_good_ones_pass(
    start_ingest, publisher, reader, hub_database: Database, clock, eventually, monkeypatch,
    waiting: BrokerQueue,
) -> None:  # fmt: skip
    monkeypatch.setattr(upkeep, "_FLOOD_LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(upkeep, "_FORGET_EVERY_S", 1.0)
    start_ingest(rejected_messages=500)
    rejected = Rejected(hub_database)
    publisher.publish_things([thing("pole")])
    begun = moment()
    for number in range(6_000):
        publisher.publish(observations_topic(f"ghost-{number % 7}"), b'{"broken": %d' % number)
        if number % 100 == 0:
            send(publisher, begun - timedelta(seconds=number), air_temperature=1)
    eventually(committed(reader, 6_061))
    eventually(lambda: waiting.unacknowledged == 0)
    eventually(lambda: rejected.by_reason()["broken_json"].messages <= 500)
    tally = reader.counters().tally
    assert tally.balanced()
    assert (tally.stored, tally.rejected) == (60, 6_000)
    kept, forgotten = rejected.by_reason()["broken_json"], rejected.forgotten()
    assert kept.messages + forgotten.messages == 6_000
    assert kept.value_count + forgotten.value_count == tally.rejected
    newest = [orjson.loads(row.payload + b"}")["broken"] for row in rejected.find(limit=10)]
    assert newest == list(range(5_999, 5_989, -1))


def test_age_counts_only_by_a_clock_that_has_stood_for_an_hour(
    hub_url: str, reader: Reader, publisher, start_ingest, eventually, monkeypatch
) -> None:
    running = start_ingest()
    publisher.publish(observations_topic("pole"), b"{")
    eventually(committed(reader, 1))
    running.stop()
    clocks = SimpleNamespace(wall=datetime.now(UTC), steady=1_000.0)
    settings = IngestSettings(ingest_id="x", rejected_days=90)
    keeping = Upkeep(hub_url, settings, wall=lambda: clocks.wall, steady=lambda: clocks.steady)

    def step(**length: float) -> dict[str, int]:
        clocks.steady += timedelta(**length).total_seconds()
        clocks.wall += timedelta(**length)
        keeping._step()
        return reader.rejected_by_reason()

    assert step(minutes=61)
    clocks.wall += timedelta(days=91)  # by mistake, or after a mistake
    assert step(minutes=1)
    assert step(minutes=30)
    assert step(minutes=31) == {}


def test_history_that_is_old_enough_is_dropped_once_the_clock_is_believed(
    start_ingest, publisher, reader, clock, stored, eventually, monkeypatch, hub_url
) -> None:
    monkeypatch.setenv("TSUJI_RAW_DAYS", "30")
    monkeypatch.setattr(upkeep, "_DROP_EVERY_S", 0.1)
    monkeypatch.setattr(upkeep, "_AGE_BELIEVED_AFTER_S", 10**6)
    start_ingest()
    publisher.publish_things([thing("pole")])
    eventually(committed(reader, 1))
    times = [moment(days=days) for days in (60, 45, 20, 0)]
    for time in times:
        send(publisher, time, air_temperature=20)
    eventually(lambda: len(stored()) == 4)
    refresher = Refresher(hub_url)
    refresh_to_rest(refresher)
    while refresher.profile():
        pass
    refresher.close()
    sleep(1)
    assert len(stored()) == 4  # the clock was not watched for long enough
    monkeypatch.setattr(upkeep, "_AGE_BELIEVED_AFTER_S", 0.0)
    eventually(lambda: {time for _, _, time in stored()} == set(times[2:]))
    assert sum(it.n for it in reader.steps(["pole"], ["air_temperature"], *_ALL, DAY)) == 4
