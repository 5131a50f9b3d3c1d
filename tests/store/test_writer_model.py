"""Any order of new, repeated, late and corrected values ends as a dictionary would."""

from collections import Counter
from datetime import datetime

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samples import after, observations, packed, registration
from tsuji_platform.store import Database, Reader
from tsuji_platform.store.writer import Writer

_THINGS = ("a", "b", "unregistered")
_PROPERTIES = ("air_temperature", "pedestrians", "wind_speed")  # the last is not declared

_value = st.tuples(
    st.sampled_from(_THINGS),
    st.sampled_from(_PROPERTIES),
    st.integers(0, 5),  # few times and values, so that they meet
    st.integers(0, 2),
)
_batches = st.lists(st.lists(_value, max_size=12), min_size=1, max_size=6)


class Model:
    """What the table should be."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, str, datetime], float] = {}
        self.counts: Counter[str] = Counter()

    def take(self, thing: str, name: str, time: datetime, value: float) -> None:
        self.counts["received"] += 1
        key = thing, name, time
        if thing == "unregistered" or name == "wind_speed":
            self.counts["rejected"] += 1
        elif key not in self.table:
            self.counts["stored"] += 1
            self.table[key] = value
        elif self.table[key] == value:
            self.counts["duplicate"] += 1
        else:
            self.counts["corrected"] += 1
            self.table[key] = value

    @property
    def newest(self) -> dict[tuple[str, str], tuple[datetime, float]]:
        newest: dict[tuple[str, str], tuple[datetime, float]] = {}
        for (thing, name, time), value in sorted(self.table.items()):
            newest[thing, name] = time, value
        return newest


@pytest.fixture
def emptied(store_url: str):
    """The database again and again: an example must not see the one before."""
    with psycopg.connect(store_url, autocommit=True) as connection:

        def empty() -> None:
            connection.execute("TRUNCATE observation, latest, rejected_message, ingest_counter")

        yield empty


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(batches=_batches, restarts=st.sets(st.integers(0, 5)))
def test_table_newest_and_counters_equal_the_model(
    store_url: str, writer: Writer, reader: Reader, emptied, batches, restarts
) -> None:
    emptied()
    writer.save([registration(name, "air_temperature", "pedestrians") for name in ("a", "b")])
    model = Model()
    for number, batch in enumerate(batches):
        if number in restarts:
            writer.close()
        messages = []
        for thing, name, minute, value in batch:
            time = after(minutes=minute)
            messages.append(packed(thing, observations(thing, time, **{name: value})))
            model.take(thing, name, time, value)
        tally = writer.save(messages).tally
        assert tally.balanced()
    tally = reader.counters().tally
    assert tally.balanced()
    # within a batch a value that goes and comes back counts as corrections all the same
    for kind in ("received", "stored", "rejected"):
        assert getattr(tally, kind) == model.counts[kind], kind
    assert tally.duplicate + tally.corrected == (
        model.counts["duplicate"] + model.counts["corrected"]
    )
    with Database(store_url, size=1) as database:
        stored = {
            (row["thing_id"], row["observed_property"], row["phenomenon_time"]): row["result"]
            for row in database.rows(
                "SELECT thing_id, observed_property, phenomenon_time, result"
                " FROM observation JOIN datastream USING (datastream_id)"
            )
        }
    assert stored == model.table
    assert {
        (it.thing_id, it.observed_property): (it.time, it.result) for it in reader.latest()
    } == model.newest
