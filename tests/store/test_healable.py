"""What waits for its thing is found at little cost, and goes in so that the last word stands."""

from collections.abc import Callable

import psycopg
import pytest

from samples import T0, after, message, received_at, registration
from tsuji_platform.store import Reader, queries
from tsuji_platform.store.records import Tally
from tsuji_platform.store.writer import Writer


def heal_page_by_page(writer: Writer, limit: int, *, read_as: dict[bytes, object]) -> int:
    """Heal as ingest does, a few messages at a time; returns in how many pages."""
    pages = 0
    while page := writer.healable(limit):
        writer.heal([(one, read_as[one.payload]) for one in page])
        pages += 1
    return pages


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_of_values_that_waited_for_the_same_time_the_last_stands(
    writer: Writer, reader: Reader, rows: Callable, limit: int
) -> None:
    waited = [
        received_at(message("pole", air_temperature=degrees), after(minutes=degrees))
        for degrees in range(5)
    ]
    for one in waited:
        writer.save([one])
    writer.save([registration("pole")])
    heal_page_by_page(writer, limit, read_as={one.payload: one for one in waited})
    assert rows() == {("pole", "air_temperature", T0): 4.0}
    assert [it.result for it in reader.latest()] == [4.0]
    assert reader.rejected() == []
    tally = reader.counters().tally
    assert (tally.received, tally.stored, tally.rejected) == (5, 1, 0)
    assert tally.balanced()


@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize("declared", [[], ["wind_speed"]], ids=["unregistered", "undeclared"])
def test_of_what_came_at_one_moment_the_last_stands_too(
    writer: Writer, rows: Callable, limit: int, declared: list[str]
) -> None:
    waited = [message("pole", air_temperature=degrees) for degrees in range(8)]
    if declared:
        writer.save([registration("pole", *declared)])
    writer.save(waited)
    writer.save([registration("pole", *declared, "air_temperature")])
    heal_page_by_page(writer, limit, read_as={one.payload: one for one in waited})
    assert rows() == {("pole", "air_temperature", T0): 7.0}


def test_what_waits_for_other_things_and_properties_is_passed_over(
    writer: Writer, reader: Reader
) -> None:
    ghosts = [message(f"ghost-{i}", wind_speed=i) for i in range(20)]
    writer.save([registration("pole", "wind_speed"), registration("gate", "wind_speed"), *ghosts])
    some = [
        message("pole", rainfall=1),
        message("pole", after(minutes=1), rainfall=1, pm2_5=2),
        message("gate", pm2_5=1),
        message("gate", rainfall=3),
    ]
    writer.save(some)
    assert writer.healable() == []
    writer.save([registration("pole", "wind_speed", "pm2_5"), registration("ghost-7", "rainfall")])
    found = {one.payload for one in writer.healable()}
    assert found == {some[1].payload, ghosts[7].payload}
    pages = heal_page_by_page(
        writer, 1, read_as={one.payload: one for one in [*some, *ghosts]}
    )  # what is refused for another reason then, or in part, does not come up again
    assert pages == 2
    assert reader.counters().tally == Tally(messages=28, received=25, stored=1, rejected=24)


def test_it_costs_little_while_200_000_wait_in_vain(writer: Writer, store_url: str) -> None:
    writer.save([registration(f"thing-{i}", "wind_speed") for i in range(50)])
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO rejected_message (digest, topic, payload, thing_id, reason, detail,"
            " observed_properties, value_count, first_received_at, last_received_at)"
            " SELECT sha256(i::text::bytea), 't', 'p', CASE WHEN i % 2 = 0 THEN 'ghost-' || i"
            " ELSE 'thing-' || i % 50 END, CASE WHEN i % 2 = 0 THEN 'unregistered_thing' ELSE"
            " 'undeclared_datastream' END, 'd', CASE WHEN i % 2 = 0 THEN '{}'::text[] ELSE"
            " ARRAY['rainfall'] END, 1, now(), now() FROM generate_series(1, 200000) AS i"
        )
        connection.execute("ANALYZE rejected_message")
        assert writer.healable() == []
        ((plan,),) = connection.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + queries.load("writing")["healable"],
            {"limit": 500, "octets": 1_000_000},
        ).fetchall()
    read = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    assert 0 < read < 2_000, "it reads those that wait"


def test_a_page_holds_no_more_payload_than_was_asked_for(writer: Writer) -> None:
    """What grows fiftyfold while it is read must not all be read at once."""
    waited = [
        message("pole", after(minutes=minute), air_temperature=minute) for minute in range(20)
    ]
    writer.save(waited)
    writer.save([registration("pole", "air_temperature")])
    size = len(waited[-1].payload)
    assert len(writer.healable(100, size * 5)) == 5
    assert [one.payload for one in writer.healable(100, 1)] == [waited[-1].payload], (
        "one in any case"
    )
    assert len(writer.healable(3, 10**6)) == 3
