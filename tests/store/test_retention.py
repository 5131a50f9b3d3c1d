"""Rejected messages are forgotten where they are too old or too many; the counters know of it."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import psycopg
import pytest

from samples import RECEIVED, after, broken, message, received_at, registration
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.contract.topics import observations_topic
from tsuji_platform.store import Database, Reader, Rejected
from tsuji_platform.store.records import Amount, Received, RejectedFilter
from tsuji_platform.store.retention import Limits, Retention
from tsuji_platform.store.writer import Writer

TOPIC = observations_topic("pole")
BAD = Rejection(reason=Reason.BROKEN_JSON, detail="not JSON")
WIDE = Limits(age=timedelta(days=90), messages=1_000, octets=10**9)


@pytest.fixture
def rejected(store_url: str) -> Iterator[Rejected]:
    with Database(store_url, size=2) as database:
        yield Rejected(database)


@pytest.fixture
def retention(store_url: str) -> Iterator[Callable[..., Retention]]:
    opened = []

    def make(**limits: object) -> Retention:
        chosen = {"age": WIDE.age, "messages": WIDE.messages, "octets": WIDE.octets} | limits
        opened.append(Retention(store_url, "test", Limits(**chosen)))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def balanced(reader: Reader, rejected: Rejected) -> Callable[[], None]:
    """What is counted as rejected is kept or forgotten."""

    def check() -> None:
        tally = reader.counters().tally
        assert tally.balanced()
        kept = sum(amount.value_count for amount in rejected.by_reason().values())
        assert tally.rejected == kept + rejected.forgotten().value_count

    return check


def bad(number: int, time: datetime = RECEIVED, size: int = 0) -> Received:
    return received_at(broken(TOPIC, b"%d " % number + b"x" * size, BAD, BAD), time)


def waiting(number: int, time: datetime = RECEIVED) -> Received:
    return received_at(message("ghost", after(seconds=number), air_temperature=1), time)


def numbers(rejected: Rejected, reason: Reason = Reason.BROKEN_JSON) -> list[int]:
    return [
        int(row.payload.split()[0])
        for row in rejected.find(RejectedFilter(reason=reason), limit=10_000)
    ]


def test_the_oldest_go_first_and_are_counted(
    writer: Writer, retention, rejected: Rejected, balanced
) -> None:
    writer.save([bad(i, after(minutes=i * 7 % 30)) for i in range(30)])
    assert retention(messages=10).forget(RECEIVED) == Amount(messages=20, value_count=40)
    kept = rejected.find(limit=100)
    assert [row.last_received_at for row in kept] == [
        after(minutes=minute) for minute in reversed(range(20, 30))
    ]
    assert rejected.forgotten() == Amount(messages=20, value_count=40)
    balanced()
    assert retention(messages=10).forget(RECEIVED) == Amount(messages=0, value_count=0)
    assert retention(messages=9).forget(RECEIVED) == Amount(messages=1, value_count=2)
    assert rejected.forgotten() == Amount(messages=21, value_count=42)
    balanced()


def test_what_came_again_lately_is_not_old(
    writer: Writer, retention, rejected: Rejected, balanced
) -> None:
    writer.save([bad(i, after(days=-100)) for i in range(3)])
    writer.save([bad(1, after(days=-80)), bad(3, after(days=-89))])
    writer.save([waiting(1, after(days=-100)), waiting(2, after(days=-1))])
    assert retention().forget(after(), by_age=False) == Amount(messages=0, value_count=0)
    assert retention().forget(after()) == Amount(messages=3, value_count=5)
    assert sorted(numbers(rejected)) == [1, 3]
    assert rejected.by_reason()["unregistered_thing"].messages == 1
    balanced()


def test_large_ones_take_more_of_the_room(
    writer: Writer, retention, rejected: Rejected, balanced
) -> None:
    writer.save([bad(i, after(minutes=i), size=20_000) for i in range(20)])
    writer.save([bad(i, after(hours=1, minutes=i)) for i in range(20, 40)])
    assert retention(octets=110_000).forget(RECEIVED).messages == 15
    assert sorted(numbers(rejected)) == list(range(15, 40))
    balanced()


def test_what_waits_for_its_thing_goes_last(
    writer: Writer, retention, rejected: Rejected, reader: Reader, rows: Callable, balanced
) -> None:
    writer.save([waiting(i, after(days=-3, minutes=i)) for i in range(10)])
    writer.save([bad(i, after(minutes=i)) for i in range(50)])
    retention(messages=20).forget(RECEIVED)
    assert sorted(numbers(rejected)) == list(range(40, 50))
    writer.save([registration("ghost")])
    writer.heal([(one, _again(one.payload)) for one in writer.healable()])
    assert len(rows()) == 10
    balanced()


def test_what_waits_leaves_a_tenth_of_the_room_to_others(
    writer: Writer, retention, rejected: Rejected, balanced
) -> None:
    writer.save([bad(i, after(minutes=i)) for i in range(10)])
    writer.save([waiting(i, after(days=1, minutes=i)) for i in range(100)])
    retention(messages=20).forget(RECEIVED)
    # the eighteen newest that wait, and the newest of all that remain: here two more that wait
    kept = rejected.by_reason()
    assert kept["unregistered_thing"].messages == 20
    writer.save([bad(i, after(days=2, minutes=i)) for i in range(10, 20)])
    retention(messages=20).forget(RECEIVED)
    assert rejected.by_reason()["unregistered_thing"].messages == 18
    assert sorted(numbers(rejected)) == [18, 19]
    balanced()


def test_a_row_that_others_work_on_is_left_for_the_next_time(
    writer: Writer, retention, rejected: Rejected, store_url: str, balanced
) -> None:
    writer.save([bad(i, after(minutes=i)) for i in range(5)])
    with psycopg.connect(store_url) as connection:
        connection.execute("SELECT FROM rejected_message WHERE payload = '0 ' FOR UPDATE")
        assert retention(messages=2).forget(RECEIVED).messages == 2
        assert sorted(numbers(rejected)) == [0, 3, 4]
    assert retention(messages=2).forget(RECEIVED).messages == 1
    assert sorted(numbers(rejected)) == [3, 4]
    balanced()


def test_it_stops_when_asked(writer: Writer, retention, rejected: Rejected, balanced) -> None:
    writer.save([bad(i) for i in range(2_500)])
    asked = iter([False, False, True, True])
    forgotten = retention(messages=1).forget(RECEIVED, stopped=lambda: next(asked))
    assert forgotten.messages == 1_000
    assert len(numbers(rejected)) == 1_500
    balanced()


def test_the_extent_shows_that_much_has_come(writer: Writer, retention) -> None:
    watch = retention()
    before = watch.extent()
    writer.save([bad(i, size=500) for i in range(2_000)])
    after_it = watch.extent()
    assert after_it.newest_id >= before.newest_id + 2_000
    assert after_it.room > before.room + 1_000_000


def test_several_forget_while_others_write_and_nothing_is_lost_from_the_counts(
    store_url: str, reader: Reader, rejected: Rejected, balanced
) -> None:
    """Two writers flood with the same and other bad messages, two retentions run all the while."""
    failures: list[Exception] = []
    written = threading.Event()

    def guarded(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - told by the test
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def flood(name: str) -> None:
        writer = Writer(store_url, name)
        for batch in range(40):
            some = [bad(batch * 50 + i, after(seconds=batch)) for i in range(100)]
            writer.save([*some, *(waiting(batch * 5 + i) for i in range(10))])
        writer.close()

    def forget(name: str) -> None:
        one = Retention(store_url, name, Limits(age=WIDE.age, messages=100, octets=10**9))
        while not written.is_set():
            one.forget(RECEIVED)
        one.forget(RECEIVED)
        one.close()

    forgetting = [guarded(lambda n=n: forget(n)) for n in ("w1", "other")]
    writing = [guarded(lambda n=n: flood(n)) for n in ("w1", "w2")]
    for thread in writing:
        thread.join()
    written.set()
    for thread in forgetting:
        thread.join()
    assert failures == []
    assert sum(amount.messages for amount in rejected.by_reason().values()) == 100
    assert reader.counters().tally.rejected == 2 * 40 * (100 * 2 + 10)
    balanced()


def _again(payload: bytes) -> Received:
    (one,) = [waiting(i) for i in range(10) if waiting(i).payload == payload]
    return one
