"""What a series may cost: memory, values that are read, and time."""

import tracemalloc
from datetime import timedelta

import psycopg
import pytest

from rollup_check import refresh_to_rest
from samples import T0, after, registration
from tsuji_platform.store import Database, TookTooLongError, TooMuchError
from tsuji_platform.store.changed import bucket_of, note_runs
from tsuji_platform.store.history import History
from tsuji_platform.store.rollups import Refresher
from tsuji_platform.store.writer import Writer

_NAMES = ("pedestrians", "air_temperature", "wind_from_direction", "pedestrians_in")
_THINGS = ("a", "b")


def test_the_memory_of_a_series_does_not_grow_with_the_things_behind_it(
    writer: Writer, database: Database, connection: psycopg.Connection
) -> None:
    things = [f"t{number}" for number in range(40)]
    writer.save([registration(name, "pm2_5") for name in things])
    connection.execute(
        "INSERT INTO observation (datastream_id, phenomenon_time, result)"
        " SELECT datastream_id, %s + n * interval '5 minutes', n FROM datastream,"
        " generate_series(1, 1000) AS n",
        (T0,),
    )
    with connection.transaction(), connection.cursor() as cursor:
        first, last = bucket_of(after(minutes=5)), bucket_of(after(minutes=5000))
        rows = cursor.execute("SELECT datastream_id FROM datastream").fetchall()
        note_runs(cursor, [(key, first, last) for (key,) in rows])

    def peak(count: int) -> int:
        asked = things[:count], ["pm2_5"], T0, after(minutes=5000), timedelta(minutes=5)
        tracemalloc.start()
        try:
            steps = History(database).combined(*asked)
            assert [it.n for it in steps] == [count] * 1000
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # what is made once for all
    assert peak(40) < 1.5 * peak(2), "from the observations"
    refresher = Refresher(database.url)
    refresh_to_rest(refresher)
    refresher.close()
    assert peak(40) < 1.5 * peak(2), "from rollups"


def test_what_would_read_too_much_is_refused_with_what_to_ask_for(
    writer: Writer, database: Database
) -> None:
    """By the number of values that an answer is made of, not by what happens to be there."""
    writer.save([registration(name, *_NAMES) for name in _THINGS])
    history = History(database)
    asked = _THINGS, ["air_temperature"], T0 - timedelta(days=4000), T0
    for step, instead in ((60, "multiple of 300 s"), (420, "multiple of 300 s")):
        with pytest.raises(TooMuchError, match=rf"11,520,000 values.*{instead}"):
            history.combined(*asked, timedelta(seconds=step))
    years = _THINGS, ["air_temperature"], T0 - timedelta(days=40_000), T0
    with pytest.raises(TooMuchError, match=r"23,040,000 values.*multiple of 3600 s"):
        history.steps(*years, timedelta(minutes=5))
    assert history.combined(*years, timedelta(hours=1)) == []
    assert history.combined(*years, timedelta(days=1)) == []


def test_a_query_that_takes_too_long_is_ended(store_url: str) -> None:
    with (
        Database(store_url, size=1, query_s=0.05) as database,
        pytest.raises(TookTooLongError, match="statement timeout"),
    ):
        database.rows("SELECT pg_sleep(30)")
    with Database(store_url, size=1) as database:
        assert database.rows("SHOW statement_timeout") == [{"statement_timeout": "0"}]
