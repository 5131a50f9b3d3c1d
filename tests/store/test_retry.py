"""Rejected messages read again: what is believed now goes in, the rest stays, the counters balance."""

from collections.abc import Callable, Iterator
from datetime import datetime

import psycopg
import pytest
from msgspec.structs import replace

from samples import RECEIVED, T0, after, broken, message, observations, packed, registration
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.contract.topics import observations_topic
from tsuji_platform.store import Database, Reader, Rejected, RowRefusedError
from tsuji_platform.store.records import Received, RejectedFilter, Retried, Tally
from tsuji_platform.store.retry import RetryWriter
from tsuji_platform.store.writer import Writer

TOPIC = observations_topic("pole")
WIND = Rejection(reason=Reason.IMPLAUSIBLE_VALUE, detail="wind_speed 500 m/s is outside 0 to 120")
HEAT = Rejection(
    reason=Reason.IMPLAUSIBLE_VALUE, detail="air_temperature 99 Cel is outside -50 to 60"
)
NAME = Rejection(reason=Reason.UNKNOWN_PROPERTY, detail="observed property 'temp' is not one of …")


@pytest.fixture
def retrier(store_url: str) -> Iterator[RetryWriter]:
    retrier = RetryWriter(store_url, "test")
    yield retrier
    retrier.close()


@pytest.fixture
def rejected(store_url: str) -> Iterator[Rejected]:
    with Database(store_url, size=2) as database:
        yield Rejected(database)


@pytest.fixture
def balanced(reader: Reader, rejected: Rejected) -> Callable[[], Tally]:
    """The counters, which balance and agree with what is kept."""

    def read() -> Tally:
        tally = reader.counters().tally
        assert tally.balanced()
        assert tally.rejected == sum(one.value_count for one in rejected.summary())
        return tally

    return read


def mixed(*rejections: Rejection, payload: bytes = b"raw", **results: float) -> Received:
    """A message of the pole with good and bad values, as some rules read it."""
    return replace(
        broken(TOPIC, payload, *rejections), observations=observations("pole", T0, **results)
    )


def test_what_is_believed_now_is_stored_and_counts_as_stored(
    writer: Writer, retrier: RetryWriter, rows: Callable, balanced: Callable
) -> None:
    writer.save([registration("pole", "air_temperature", "wind_speed")])
    writer.save([mixed(WIND, air_temperature=5)])
    outcome = retrier.retry([mixed(air_temperature=5, wind_speed=50)])
    assert outcome == Retried(tally=Tally(stored=1, rejected=-1), settled=1)
    assert rows() == {("pole", "air_temperature", T0): 5.0, ("pole", "wind_speed", T0): 50.0}
    assert balanced() == Tally(messages=2, received=2, stored=2)


def test_what_is_refused_as_before_stays_untouched(
    writer: Writer, retrier: RetryWriter, rejected: Rejected, rows: Callable, balanced: Callable
) -> None:
    writer.save([registration("pole"), mixed(WIND, HEAT), mixed(WIND, HEAT)])
    before = rejected.find()
    outcome = retrier.retry([mixed(WIND, HEAT)])
    assert outcome == Retried(untouched=1)
    assert rejected.find() == before
    assert balanced() == Tally(messages=3, received=4, rejected=4)


def test_what_is_believed_in_part_keeps_the_other_part(
    writer: Writer, retrier: RetryWriter, rejected: Rejected, rows: Callable, balanced: Callable
) -> None:
    writer.save([registration("pole", "air_temperature", "wind_speed"), mixed(WIND, HEAT)])
    outcome = retrier.retry([mixed(HEAT, wind_speed=100)])
    assert outcome == Retried(tally=Tally(stored=1, rejected=-1), changed=1)
    (row,) = rejected.find()
    assert (row.reason, row.detail, row.value_count) == ("implausible_value", HEAT.detail, 1)
    assert row.first_received_at == row.last_received_at == RECEIVED
    assert list(rows().values()) == [100.0]
    assert balanced() == Tally(messages=2, received=2, stored=1, rejected=1)


def test_all_reasons_of_a_message_are_dealt_with_at_once(
    writer: Writer, retrier: RetryWriter, rejected: Rejected, rows: Callable, balanced: Callable
) -> None:
    writer.save([registration("pole", "air_temperature", "wind_speed"), mixed(WIND, NAME)])
    assert len(rejected.find()) == 2
    outcome = retrier.retry([mixed(NAME, wind_speed=50)])
    assert outcome == Retried(tally=Tally(stored=1, rejected=-1), changed=1)
    (row,) = rejected.find()
    assert row.reason == "unknown_property"
    outcome = retrier.retry([mixed(wind_speed=50, air_temperature=7)])
    assert outcome == Retried(tally=Tally(stored=1, rejected=-1), settled=1)
    assert balanced() == Tally(messages=2, received=2, stored=2)


def test_another_reason_takes_the_place_of_the_first(
    writer: Writer, retrier: RetryWriter, rejected: Rejected, balanced: Callable
) -> None:
    writer.save([mixed(NAME, NAME, NAME)])
    outcome = retrier.retry([mixed(WIND, air_temperature=7)])  # the pole is not registered
    assert (outcome.changed, outcome.tally.rejected) == (1, -1)
    assert {row.reason: row.value_count for row in rejected.find()} == {
        "implausible_value": 1,
        "unregistered_thing": 1,
    }
    assert balanced() == Tally(messages=1, received=3, rejected=2, duplicate=1)


def test_what_is_refused_for_the_reason_of_its_neighbours_from_now_on_is_kept_beside_them(
    writer: Writer, retrier: RetryWriter, rejected: Rejected, rows: Callable, balanced: Callable
) -> None:
    early = observations("pole", T0, wind_speed=1)
    late = observations("pole", after(days=1), rainfall=2)
    future = Rejection(reason=Reason.FUTURE_TIME, detail="a day ahead")
    writer.save([registration("pole"), replace(mixed(future), observations=early)])
    assert {row.reason for row in rejected.find()} == {"future_time", "undeclared_datastream"}
    outcome = retrier.retry([replace(mixed(), observations=early + late)])
    assert outcome == Retried(tally=Tally(), changed=1)
    (row,) = rejected.find()
    assert (row.reason, row.value_count) == ("undeclared_datastream", 2)

    writer.save([registration("pole", "rainfall")])
    (found,) = writer.healable()
    assert found.observed_properties == ["rainfall", "wind_speed"]
    assert balanced() == Tally(messages=3, received=2, rejected=2)


def test_repetitions_become_duplicates_and_values_accepted_before_count_nothing_twice(
    writer: Writer, retrier: RetryWriter, rows: Callable, balanced: Callable
) -> None:
    writer.save([registration("pole", "air_temperature", "wind_speed")])
    writer.save([mixed(WIND, air_temperature=5)] * 3)
    assert balanced() == Tally(messages=4, received=6, stored=1, duplicate=2, rejected=3)
    outcome = retrier.retry([mixed(air_temperature=5, wind_speed=50)])
    assert outcome.tally == Tally(stored=1, duplicate=2, rejected=-3)
    assert balanced() == Tally(messages=4, received=6, stored=2, duplicate=4)


def test_values_that_were_not_counted_then_are_received_now(
    writer: Writer, retrier: RetryWriter, rows: Callable, balanced: Callable
) -> None:
    writer.save([registration("pole", "air_temperature", "wind_speed", "pm2_5")])
    writer.save([broken(TOPIC, b"raw", Rejection(reason=Reason.BROKEN_JSON, detail="a whole"))])
    outcome = retrier.retry([mixed(air_temperature=5, wind_speed=50, pm2_5=7)])
    assert outcome.tally == Tally(received=2, stored=3, rejected=-1)
    assert balanced() == Tally(messages=2, received=3, stored=3)


def test_a_newer_value_is_not_undone(
    writer: Writer, retrier: RetryWriter, reader: Reader, rows: Callable, balanced: Callable
) -> None:
    writer.save([registration("pole"), mixed(HEAT), message("pole", air_temperature=6)])
    outcome = retrier.retry([mixed(air_temperature=9)])
    assert outcome == Retried(tally=Tally(duplicate=1, rejected=-1), settled=1)
    assert rows() == {("pole", "air_temperature", T0): 6.0}
    assert [it.result for it in reader.latest()] == [6.0]
    assert balanced() == Tally(messages=3, received=2, stored=1, duplicate=1)


def test_two_messages_with_the_same_value_store_it_once(
    writer: Writer, retrier: RetryWriter, rows: Callable, balanced: Callable
) -> None:
    writer.save([registration("pole"), mixed(HEAT), mixed(HEAT, payload=b"other")])
    again = [mixed(air_temperature=9), mixed(air_temperature=9, payload=b"other")]
    outcome = retrier.retry(again)
    assert outcome == Retried(tally=Tally(stored=1, duplicate=1, rejected=-2), settled=2)
    assert balanced() == Tally(messages=3, received=2, stored=1, duplicate=1)


def test_what_no_decoder_reads_here_is_left_alone(
    writer: Writer, retrier: RetryWriter, rejected: Rejected, balanced: Callable
) -> None:
    writer.save([mixed(HEAT)])
    for reason in (Reason.UNKNOWN_TOPIC, Reason.NOT_STORABLE):
        elsewhere = broken(TOPIC, b"raw", Rejection(reason=reason, detail="no decoder"))
        assert retrier.retry([elsewhere]) == Retried(untouched=1)
    assert [row.reason for row in rejected.find()] == ["implausible_value"]
    assert balanced().rejected == 1


def test_what_waits_for_its_thing_goes_on_waiting(
    writer: Writer, retrier: RetryWriter, rejected: Rejected, balanced: Callable
) -> None:
    early = message("pole", wind_speed=1)
    writer.save([early, early])
    before = rejected.find()
    assert retrier.retry([early]) == Retried(untouched=1)
    assert rejected.find() == before
    writer.save([registration("pole", "wind_speed")])
    outcome = retrier.retry([early])
    assert outcome == Retried(tally=Tally(stored=1, duplicate=1, rejected=-2), settled=1)
    assert balanced() == Tally(messages=3, received=2, stored=1, duplicate=1)


def test_a_registration_registers_its_thing_unless_that_is_known_by_now(
    writer: Writer, retrier: RetryWriter, reader: Reader, rejected: Rejected, balanced: Callable
) -> None:
    refused = Rejection(reason=Reason.BAD_THING, detail="no")
    old, new = registration("pole", name="old"), registration("gate", name="old")
    writer.save([replace(one, thing=None, rejections=[refused]) for one in (old, new)])
    writer.save([registration("gate", name="new")])
    outcome = retrier.retry([old, new])
    assert outcome.things_changed
    assert (outcome.settled, outcome.tally) == (2, Tally(duplicate=2, rejected=-2))
    assert {row.thing.thing_id: row.thing.name for row in reader.things()} == {
        "gate": "new",
        "pole": "old",
    }
    assert balanced() == Tally(messages=3, received=2, duplicate=2)


def test_what_another_took_meanwhile_is_passed_over(
    writer: Writer, retrier: RetryWriter, rows: Callable, balanced: Callable
) -> None:
    writer.save([registration("pole")])
    assert retrier.retry([mixed(air_temperature=9)]) == Retried()
    assert rows() == {}
    assert balanced() == Tally(messages=1)


def test_counts_and_their_periods_come_in(
    writer: Writer, retrier: RetryWriter, reader: Reader, balanced: Callable
) -> None:
    writer.save([registration("gate", "pedestrians")])
    content = observations("gate", T0, 900, pedestrians=3)
    content += observations("gate", after(hours=1), 60, pedestrians=4)
    good = packed("gate", content)
    lacking = Rejection(reason=Reason.MISSING_PERIOD, detail="no period_s")
    writer.save([replace(good, observations=(), rejections=[lacking] * 2)])
    assert retrier.retry([good]).tally == Tally(stored=2, rejected=-2)
    span = (after(hours=-1), after(hours=2))
    assert reader.usual_period_s(["gate"], ["pedestrians"], *span) == 900
    assert [it.result for it in reader.latest()] == [4.0]


def test_what_the_database_refuses_changes_nothing(
    writer: Writer, retrier: RetryWriter, store_url: str, rows: Callable, balanced: Callable
) -> None:
    writer.save([registration("pole"), mixed(HEAT)])
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE observation ADD CONSTRAINT mild CHECK (result < 30)")
        try:
            with pytest.raises(RowRefusedError):
                retrier.retry([mixed(air_temperature=40)])
        finally:
            connection.execute("ALTER TABLE observation DROP CONSTRAINT mild")
    assert balanced() == Tally(messages=2, received=1, rejected=1)
    assert retrier.retry([mixed(air_temperature=20)]).settled == 1


def test_of_values_for_the_same_time_the_last_to_arrive_goes_in(
    writer: Writer, retrier: RetryWriter, rejected: Rejected, rows: Callable, balanced: Callable
) -> None:
    writer.save([registration("pole")])
    read_as = {}
    for degrees in range(7):
        payload = bytes([degrees])
        read_as[payload] = mixed(payload=payload, air_temperature=degrees)
        writer.save([replace(mixed(HEAT, payload=payload), received_at=after(minutes=degrees))])
    for page in rejected.to_retry(RejectedFilter(), limit=2):
        retrier.retry([read_as[one.payload] for one in page])
    assert rows() == {("pole", "air_temperature", T0): 6.0}
    assert balanced() == Tally(messages=8, received=7, stored=1, duplicate=6)


def test_pages_go_through_what_was_there_at_the_beginning(
    writer: Writer, retrier: RetryWriter, rejected: Rejected
) -> None:
    writer.save([mixed(NAME, payload=bytes([i])) for i in range(7)])
    seen = []
    for page in rejected.to_retry(RejectedFilter(), limit=3):
        seen += [one.payload for one in page]
        retrier.retry([mixed(WIND, payload=one.payload) for one in page])  # kept anew each time
    assert sorted(seen) == [bytes([i]) for i in range(7)]
    assert {row.reason for row in rejected.find()} == {"implausible_value"}


def test_messages_are_found_by_reason_thing_and_time(writer: Writer, rejected: Rejected) -> None:
    def at(time: datetime, topic: str, rejection: Rejection) -> Received:
        return replace(broken(topic, str(time).encode(), rejection), received_at=time)

    gate = observations_topic("gate")
    writer.save(
        [at(T0, TOPIC, WIND), at(after(hours=1), TOPIC, NAME), at(after(hours=2), gate, NAME)]
    )

    def found(**which: object) -> list[datetime]:
        return [row.last_received_at for row in rejected.find(RejectedFilter(**which))]

    assert found() == [after(hours=2), after(hours=1), T0]
    assert found(reason="unknown_property", thing_id="pole") == [after(hours=1)]
    assert found(since=after(hours=1)) == [after(hours=2), after(hours=1)]
    assert found(before=after(hours=1)) == [T0]
    assert [(one.reason, one.thing_id, one.messages) for one in rejected.summary()] == [
        ("implausible_value", "pole", 1),
        ("unknown_property", "gate", 1),
        ("unknown_property", "pole", 1),
    ]
    (row,) = rejected.find(RejectedFilter(reason="implausible_value"), payload_bytes=4)
    assert (row.payload, row.payload_size) == (b"2026", 25)
    whole = rejected.get(row.rejected_id)
    assert whole is not None
    assert whole.payload == str(T0).encode()
    assert rejected.get(10**6) is None


def test_purging_takes_what_fits_and_leaves_the_counters(
    writer: Writer, rejected: Rejected, reader: Reader
) -> None:
    writer.save([mixed(WIND, HEAT), mixed(NAME)])
    before = reader.counters()
    assert rejected.purge(RejectedFilter(reason="implausible_value")) == (1, 2)
    assert [row.reason for row in rejected.find()] == ["unknown_property"]
    assert reader.counters() == before
