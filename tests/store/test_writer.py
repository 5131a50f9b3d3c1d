"""What a batch becomes: stored, found again, corrected or kept as rejected; and counted as that."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from msgspec.structs import force_setattr

from samples import T0, after, broken, message, observations, registration
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.store import Database, Reader, RowRefusedError
from tsuji_platform.store.database import connect
from tsuji_platform.store.queries import load
from tsuji_platform.store.records import Received, Tally
from tsuji_platform.store.writer import Writer


def test_new_values_are_stored(writer: Writer, rows: Callable) -> None:
    saved = writer.save(
        [
            registration("pole", "air_temperature", "relative_humidity"),
            message("pole", T0, air_temperature=12.5, relative_humidity=40),
            message("pole", after(minutes=1), air_temperature=12.75),
        ]
    )
    assert saved.tally == Tally(messages=3, received=3, stored=3)
    assert saved.things_changed
    assert rows() == {
        ("pole", "air_temperature", T0): 12.5,
        ("pole", "relative_humidity", T0): 40.0,
        ("pole", "air_temperature", after(minutes=1)): 12.75,
    }


def test_a_duplicate_changes_nothing(writer: Writer, rows: Callable) -> None:
    again = message("pole", air_temperature=12.5)
    writer.save([registration("pole"), again])
    assert writer.save([again]).tally == Tally(messages=1, received=1, duplicate=1)
    assert rows() == {("pole", "air_temperature", T0): 12.5}


def test_another_value_for_the_same_time_is_a_correction(writer: Writer, rows: Callable) -> None:
    writer.save([registration("pole"), message("pole", air_temperature=12.5)])
    saved = writer.save([message("pole", air_temperature=-3)])
    assert saved.tally == Tally(messages=1, received=1, corrected=1)
    assert rows() == {("pole", "air_temperature", T0): -3.0}


def test_another_period_for_the_same_count_is_a_correction(writer: Writer, store_url: str) -> None:
    writer.save([registration("gate", "pedestrians"), message("gate", T0, 300, pedestrians=7)])
    assert writer.save([message("gate", T0, 900, pedestrians=7)]).tally.corrected == 1
    with psycopg.connect(store_url) as connection:
        assert connection.execute("SELECT period_s, result FROM observation").fetchall() == [
            (900, 7)
        ]


def test_the_last_value_in_a_batch_counts(writer: Writer, rows: Callable, reader: Reader) -> None:
    one, other = message("pole", air_temperature=1), message("pole", air_temperature=2)
    saved = writer.save([registration("pole"), one, one, other, other, one, other])
    assert saved.tally == Tally(messages=7, received=6, stored=1, duplicate=2, corrected=3)
    assert rows() == {("pole", "air_temperature", T0): 2.0}
    assert [it.result for it in reader.latest()] == [2.0]


def test_a_mixed_batch_balances(writer: Writer, rows: Callable) -> None:
    writer.save([registration("pole"), message("pole", air_temperature=1)])
    bad = Rejection(reason=Reason.NOT_A_NUMBER, detail="x")
    both = message("pole", after(minutes=2), air_temperature=4, wind_speed=2)
    saved = writer.save(
        [
            message("pole", air_temperature=1),  # duplicate
            message("pole", after(minutes=1), air_temperature=3),  # stored
            both,  # stored, undeclared
            message("ghost", air_temperature=9),  # unregistered
            broken("tsuji/v1/things/pole/observations", b"{", bad, bad),  # rejected twice
            message("pole", air_temperature=1.5),  # corrected
        ]
    )
    assert saved.tally == Tally(
        messages=6, received=8, stored=2, duplicate=0, corrected=2, rejected=4
    )
    assert saved.tally.balanced()
    assert not saved.things_changed
    assert rows() == {
        ("pole", "air_temperature", T0): 1.5,
        ("pole", "air_temperature", after(minutes=1)): 3.0,
        ("pole", "air_temperature", after(minutes=2)): 4.0,
    }


def test_counters_add_up_over_batches_writers_and_restarts(
    writer: Writer, store_url: str, reader: Reader
) -> None:
    first = message("pole", air_temperature=1)
    writer.save([registration("pole"), first])
    assert reader.counters().last_stored_at is not None
    stored_at = reader.counters().last_stored_at
    writer.close()
    writer.save([first, message("ghost", air_temperature=1)])
    other = Writer(store_url, "another")
    other.save([message("pole", air_temperature=2)])
    other.close()
    counters = reader.counters()
    assert counters.tally == Tally(
        messages=5, received=4, stored=1, duplicate=1, corrected=1, rejected=1
    )
    assert counters.tally.balanced()
    assert counters.last_stored_at == stored_at  # neither of the later ones stored anything new


def test_an_empty_batch_is_fine(writer: Writer, reader: Reader) -> None:
    assert writer.save([]).tally == Tally()
    assert reader.counters().tally == Tally()


def _refused_by_the_database() -> Received:
    """A message that passes no decoder; the database is the last to say no."""
    impossible = observations("pole", after(minutes=1), air_temperature=1)
    force_setattr(impossible[0], "result", None)
    return Received(
        topic="t", payload=b"x", received_at=T0, thing_id="pole", observations=impossible
    )


def test_a_batch_that_the_database_refuses_leaves_nothing(
    writer: Writer, rows: Callable, reader: Reader
) -> None:
    writer.save([registration("pole")])
    before = reader.counters()
    batch = [
        registration("new"),
        message("pole", air_temperature=1),
        message("ghost", air_temperature=1),
        _refused_by_the_database(),
    ]
    with pytest.raises(RowRefusedError, match="result"):
        writer.save(batch)
    assert rows() == {}
    assert reader.counters() == before
    assert reader.rejected() == []
    assert [row.thing.thing_id for row in reader.things()] == ["pole"]

    saved = writer.save(batch[:-1])
    assert saved.tally == Tally(messages=3, received=2, stored=1, rejected=1)
    assert saved.things_changed


def test_the_newest_is_known_to_the_microsecond_however_far_its_time(
    writer: Writer, connection: psycopg.Connection
) -> None:
    """The years beyond 2255 have more microseconds than a float can tell apart."""
    times = {
        "air_temperature": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        "relative_humidity": datetime(2345, 6, 7, 8, 9, 10, 123457, tzinfo=UTC),
        "air_pressure": datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        "wind_speed": datetime(2026, 4, 1, 0, 0, 0, 999999, tzinfo=UTC),
    }
    values = {"air_temperature": 10, "relative_humidity": 50, "air_pressure": 1000, "wind_speed": 1}
    writer.save([registration("pole", *times)])
    writer.save([message("pole", time, **{name: values[name]}) for name, time in times.items()])
    found = connection.execute(
        "SELECT observed_property, phenomenon_time FROM latest JOIN datastream USING (datastream_id)"
    ).fetchall()
    assert dict(found) == times


def test_corrections_touch_only_their_own_chunks(writer: Writer, store_url: str) -> None:
    """What a correction costs depends on the batch, not on what is stored: it goes by the key."""
    writer.save([registration("pole")])
    writer.save([message("pole", after(days=7 * n), air_temperature=n) for n in range(60)])
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute(
            "CREATE TEMPORARY TABLE stage AS SELECT datastream_id, period_s, phenomenon_time,"
            " result + 1 AS result, now() AS received_at FROM observation LIMIT 1"
        )
        plan = "\n".join(
            line for (line,) in connection.execute("EXPLAIN " + load("writing")["put_observations"])
        )
    assert "Scan" in plan
    assert not re.search(r"Scan.* on (observation|_hyper)", plan), plan


def test_no_connection_of_ours_refuses_to_unpack_much_of_a_columnstore(store_url: str) -> None:
    """By default a batch that corrects values of a hundred datastreams there would fail for ever."""
    limit = (
        "SELECT current_setting('timescaledb.max_tuples_decompressed_per_dml_transaction') AS most"
    )
    with connect(store_url) as connection, Database(store_url, size=1) as database:
        connection.execute(
            "SELECT FROM observation"
        )  # loads TimescaleDB, which may think otherwise
        found = [*connection.execute(limit), *database.rows(limit)]
    assert found == [{"most": "0"}] * 2
