"""Rejected messages: kept once each with their reasons, and taken in when their cause is gone."""

from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from samples import (
    RECEIVED,
    T0,
    after,
    broken,
    message,
    observations,
    packed,
    received_at,
    registration,
)
from tsuji_platform.contract import Reason, Rejection, decode_observations
from tsuji_platform.store import Reader
from tsuji_platform.store.records import Healable, Received, RejectedRow, Saved, Tally
from tsuji_platform.store.writer import Writer

TOPIC = "tsuji/v1/things/pole/observations"


def rejection(detail: str, reason: Reason = Reason.BROKEN_JSON) -> Rejection:
    return Rejection(reason=reason, detail=detail)


def heal(writer: Writer) -> Saved:
    """What ingest does: read them again, with only the values that are still wanted."""

    def again(it: Healable) -> tuple[Healable, Received]:
        decoded = decode_observations(str(it.topic.split("/")[3]), it.payload, it.received_at)
        wanted = set(it.observed_properties)
        chosen = [o for o in decoded.observations if not wanted or o.observed_property in wanted]
        return it, Received(
            topic=it.topic,
            payload=it.payload,
            received_at=it.received_at,
            thing_id=it.topic.split("/")[3],
            observations=chosen,
        )

    return writer.heal([again(it) for it in writer.healable()])


def by_reason(kept: Sequence[RejectedRow]) -> dict[str, RejectedRow]:
    return {row.reason: row for row in kept}


def test_what_is_refused_is_kept_as_it_came(writer: Writer, reader: Reader) -> None:
    payload = bytes(range(256))
    writer.save([received_at(broken(TOPIC, payload, rejection("not JSON: …")), after(hours=1))])
    (row,) = reader.rejected()
    assert (row.topic, row.payload, row.thing_id) == (TOPIC, payload, "pole")
    assert (row.reason, row.detail, row.value_count, row.seen) == (
        "broken_json",
        "not JSON: …",
        1,
        1,
    )
    assert row.first_received_at == row.last_received_at == after(hours=1)


def test_the_same_message_again_is_counted_and_not_kept_twice(
    writer: Writer, reader: Reader
) -> None:
    one = broken(TOPIC, b"{", rejection("a"))
    writer.save([one, received_at(one, after(days=1))])
    writer.save([received_at(one, after(days=2)), broken(TOPIC, b"{{", rejection("a"))])
    kept = {row.payload: row for row in reader.rejected()}
    assert (kept[b"{"].seen, kept[b"{"].value_count) == (3, 3)
    assert kept[b"{"].first_received_at == RECEIVED
    assert kept[b"{"].last_received_at == after(days=2)
    assert kept[b"{{"].seen == 1
    assert reader.counters().tally == Tally(messages=4, received=4, rejected=4)


def test_each_reason_in_a_message_has_its_row(writer: Writer, reader: Reader) -> None:
    numbers = [rejection(f"value {i}", Reason.NOT_A_NUMBER) for i in range(8)]
    time = rejection("no offset", Reason.BAD_TIME)
    saved = writer.save([broken(TOPIC, b"[]", *numbers, numbers[0], time)])
    assert saved.tally == Tally(messages=1, received=10, rejected=10)
    kept = by_reason(reader.rejected())
    assert kept["bad_time"].detail == "no offset"
    assert kept["not_a_number"].value_count == 9
    assert kept["not_a_number"].detail == (
        "value 0; value 1; value 2; value 3; value 4; and 3 more"
    )
    assert reader.rejected_by_reason() == {"bad_time": 1, "not_a_number": 1}


def test_the_newest_come_first(writer: Writer, reader: Reader) -> None:
    writer.save(
        [
            received_at(broken(TOPIC, bytes([i]), rejection("x")), after(minutes=i * 7 % 5))
            for i in range(5)
        ]
    )
    times = [row.last_received_at for row in reader.rejected(limit=3)]
    assert times == [after(minutes=4), after(minutes=3), after(minutes=2)]


def test_ids_follow_the_order_of_arrival(writer: Writer, reader: Reader) -> None:
    for batch in range(3):
        writer.save(
            [
                received_at(broken(TOPIC, bytes([batch, i]), rejection("x")), after(seconds=batch))
                for i in range(20)
            ]
        )
    rows = reader.rejected()
    assert [row.payload for row in rows] == [
        bytes([batch, i]) for batch in reversed(range(3)) for i in reversed(range(20))
    ]
    assert [row.rejected_id for row in rows] == sorted((r.rejected_id for r in rows), reverse=True)


def test_a_value_of_an_unknown_thing_waits_until_the_thing_is_known(
    writer: Writer, reader: Reader, rows: Callable
) -> None:
    early = message("pole", air_temperature=5, wind_speed=1)
    writer.save([early])
    (row,) = reader.rejected()
    assert (row.reason, row.value_count) == ("unregistered_thing", 2)
    assert "'pole' is not registered" in row.detail
    assert writer.healable() == []

    writer.save([registration("pole", "air_temperature", "wind_speed")])
    assert heal(writer).tally == Tally(stored=2, rejected=-2)
    assert rows() == {("pole", "air_temperature", T0): 5.0, ("pole", "wind_speed", T0): 1.0}
    assert reader.rejected() == []
    assert reader.counters().tally == Tally(messages=2, received=2, stored=2)


def test_a_value_beyond_the_declared_ones_waits_alone(
    writer: Writer, reader: Reader, rows: Callable
) -> None:
    writer.save(
        [
            registration("pole", "air_temperature"),
            message("pole", air_temperature=5, wind_speed=1, illuminance=100),
        ]
    )
    (row,) = reader.rejected()
    assert (row.reason, row.value_count) == ("undeclared_datastream", 2)
    assert "wind_speed, illuminance" in row.detail
    assert rows() == {("pole", "air_temperature", T0): 5.0}
    assert writer.healable() == []

    writer.save([registration("pole", "air_temperature", "illuminance")])
    assert heal(writer).tally == Tally(stored=1, rejected=-1)
    (row,) = reader.rejected()
    assert (row.reason, row.value_count) == ("undeclared_datastream", 1)
    assert writer.healable() == []

    writer.save([registration("pole", "air_temperature", "illuminance", "wind_speed")])
    heal(writer)
    assert reader.rejected() == []
    assert rows() == {
        ("pole", "air_temperature", T0): 5.0,
        ("pole", "illuminance", T0): 100.0,
        ("pole", "wind_speed", T0): 1.0,
    }
    assert reader.counters().tally == Tally(messages=4, received=3, stored=3)


def test_repetitions_of_what_waited_become_duplicates(
    writer: Writer, reader: Reader, rows: Callable
) -> None:
    early = message("pole", air_temperature=5)
    writer.save([early, early])
    writer.save([early, registration("other")])
    writer.save([registration("pole"), early])  # this one is good already
    assert heal(writer).tally == Tally(duplicate=3, rejected=-3)
    assert rows() == {("pole", "air_temperature", T0): 5.0}
    assert reader.counters().tally == Tally(messages=6, received=4, stored=1, duplicate=3)


def test_what_waited_goes_on_waiting_where_only_the_reason_has_changed(
    writer: Writer, reader: Reader
) -> None:
    early = message("pole", wind_speed=1)
    writer.save([early, early])
    writer.save([registration("pole", "air_temperature")])
    heal(writer)
    (row,) = reader.rejected()
    assert (row.reason, row.value_count) == ("undeclared_datastream", 1)
    assert reader.counters().tally == Tally(messages=3, received=2, rejected=1, duplicate=1)
    assert writer.healable() == []


def test_two_that_heal_at_once_take_each_message_once(
    writer: Writer, store_url: str, reader: Reader, rows: Callable
) -> None:
    writer.save([message("pole", after(minutes=i), air_temperature=i) for i in range(5)])
    writer.save([registration("pole")])
    seen_by_another = [(it, message("pole", air_temperature=9)) for it in writer.healable()]
    heal(writer)
    other = Writer(store_url, "other")
    assert other.heal(seen_by_another).tally == Tally()
    other.close()
    assert len(rows()) == 5
    assert reader.counters().tally == Tally(messages=6, received=5, stored=5)


def test_a_message_that_waited_does_not_undo_a_later_correction(
    writer: Writer, reader: Reader, rows: Callable
) -> None:
    writer.save([message("pole", air_temperature=5)])
    writer.save([registration("pole"), message("pole", air_temperature=6)])
    assert heal(writer).tally == Tally(duplicate=1, rejected=-1)
    assert rows() == {("pole", "air_temperature", T0): 6.0}
    assert [it.result for it in reader.latest()] == [6.0]


def test_a_datastream_that_is_no_longer_listed_takes_nothing_in_and_keeps_its_history(
    writer: Writer, reader: Reader, rows: Callable, store_url: str
) -> None:
    writer.save([registration("pole", "air_temperature", "wind_speed")])
    writer.save([message("pole", air_temperature=5, wind_speed=1)])
    writer.save([registration("pole", "wind_speed")])
    later = message("pole", after(minutes=1), air_temperature=6)
    assert writer.save([later]).tally.rejected == 1
    assert ("pole", "air_temperature", T0) in rows()
    assert [it.observed_property for it in reader.latest()] == ["wind_speed"]
    (row,) = reader.things()
    assert row.thing.datastreams == ("wind_speed",)

    other = Writer(store_url, "other")  # the first writer must not rely on what it remembers
    other.save([registration("pole", "air_temperature", "wind_speed")])
    other.close()
    heal(writer)
    assert rows()["pole", "air_temperature", after(minutes=1)] == 6.0


def test_a_thing_that_moves_is_updated_and_an_equal_registration_changes_nothing(
    writer: Writer, reader: Reader
) -> None:
    assert writer.save([registration("pole", "wind_speed", capacity=30)]).things_changed
    assert not writer.save([registration("pole", "wind_speed", capacity=30)]).things_changed
    moved = registration("pole", "wind_speed", longitude=139.7, latitude=35.7, owner="都")
    assert writer.save([registration("pole", "wind_speed"), moved]).things_changed
    (row,) = reader.things()
    assert row.thing == moved.thing


@pytest.mark.parametrize("copies", [1, 3])
def test_an_array_waits_as_a_whole(
    writer: Writer, reader: Reader, rows: Callable, copies: int
) -> None:
    content = [
        one
        for minute in range(40)
        for one in observations("gate", after(minutes=minute), 60, pedestrians=minute)
    ]
    writer.save([packed("gate", content)] * copies)
    writer.save([registration("gate", "pedestrians")])
    heal(writer)
    assert len(rows()) == 40
    assert reader.counters().tally == Tally(
        messages=copies + 1, received=40 * copies, stored=40, duplicate=40 * (copies - 1)
    )


def test_a_retained_message_that_was_refused_is_not_counted_anew(
    writer: Writer, reader: Reader
) -> None:
    why = Rejection(reason=Reason.BAD_THING, detail="no location")
    bad = broken("tsuji/v1/things/pole", b"{}", why)
    once = replace(bad, retained=True)
    assert writer.save([once]).tally == Tally(messages=1, received=1, rejected=1)
    assert writer.save([once, once]).tally == Tally(messages=2)
    assert writer.save([bad]).tally == Tally(messages=1, received=1, rejected=1)
    (row,) = reader.rejected()
    assert (row.seen, row.value_count) == (2, 2)
