"""Answers come from a real streaming replica while it keeps up, and from the primary otherwise."""

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from fastapi.testclient import TestClient

import replicas
from killed import kill_with_backends
from live_reader import Folded, follow, serving
from replicas import Pair
from samples import after, message, registration
from tsuji_platform.api.app import create_app
from tsuji_platform.api.hub import Hub
from tsuji_platform.runtime.private import PrivateServer
from tsuji_platform.store import Database, DatabaseAwayError, Reader, migrate
from tsuji_platform.store.replica import Pace, ReplicaState, ReplicatedDatabase
from tsuji_platform.store.writer import Writer

IN_RECOVERY = "SELECT pg_is_in_recovery() AS standby"


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with replicas.pair() as both:
        migrate(both.primary.url)
        yield both


@pytest.fixture
def writer(pair: Pair) -> Iterator[Writer]:
    writer = Writer(pair.primary.url, "test")
    writer.save([registration("pole", "air_temperature")])
    yield writer
    writer.close()


@pytest.fixture
def database(pair: Pair, eventually: Callable[..., None]) -> Iterator[ReplicatedDatabase]:
    with ReplicatedDatabase(
        Database(pair.primary.url, size=2), pair.replica.url, size=2, most_lag_s=3
    ) as database:
        eventually(lambda: reads_from_replica(database))
        yield database


def reads_from_replica(database: Database) -> bool:
    return bool(database.rows(IN_RECOVERY)[0]["standby"])


def newest(database: Database) -> list[float | None]:
    return [it.result for it in Reader(database).latest(thing_id="pole")]


def test_a_lag_is_the_age_of_what_is_lacking() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace.lag_s(0) == 0
    assert not pace.is_known
    for second, primary in enumerate((100, 100, 300, 400)):
        now[0] = second
        pace.mark(primary)
    now[0] = 10
    assert pace.lag_s(99) == 10
    assert not pace.is_known  # it may lack what is older than that
    assert pace.lag_s(100) == 8
    assert pace.lag_s(399) == 7
    assert pace.lag_s(400) == 0
    now[0] = 20
    pace.mark(400)
    assert pace.lag_s(400) == 0
    assert pace.is_known
    pace.mark(900)
    now[0] = 30
    pace.mark(500)  # another server took the primary's place, which had not got so far
    assert pace.lag_s(500) == 0


def test_one_that_is_behind_when_we_come_is_not_read_from(
    pair: Pair, writer: Writer, eventually: Callable[..., None]
) -> None:
    eventually(
        lambda: replicas.is_level(pair)
    )  # before, it lacks the tables that tell whose replica it is
    replicas.hold_replay(pair.replica, True)
    try:
        writer.save([message("pole", after(seconds=30), air_temperature=0.5)])
        primary = Database(pair.primary.url, size=2)
        with ReplicatedDatabase(primary, pair.replica.url, size=2, most_lag_s=1_000) as database:
            assert newest(database) == [0.5]
            eventually(lambda: database.state is ReplicaState.BEHIND)
            assert newest(database) == [0.5]
            replicas.hold_replay(pair.replica, False)
            eventually(lambda: reads_from_replica(database))
            assert newest(database) == [0.5]
    finally:
        replicas.hold_replay(pair.replica, False)


def test_a_replica_that_falls_behind_is_left_until_it_has_caught_up(
    pair: Pair, database: ReplicatedDatabase, writer: Writer, eventually: Callable[..., None]
) -> None:
    writer.save([message("pole", after(minutes=1), air_temperature=1)])
    eventually(lambda: newest(database) == [1])
    replicas.hold_replay(pair.replica, True)
    try:
        writer.save([message("pole", after(minutes=2), air_temperature=2)])
        eventually(lambda: newest(database) == [2])  # of the primary
        assert database.state is ReplicaState.BEHIND
        assert database.lag_s > 3
        assert not reads_from_replica(database)
        assert database.reading_url == pair.primary.url
    finally:
        replicas.hold_replay(pair.replica, False)
    eventually(lambda: (newest(database), database.reading_url) == ([2], pair.replica.url))


def test_followers_learn_at_once_what_a_replica_does_not_show_yet(
    pair: Pair, database: ReplicatedDatabase, writer: Writer, eventually: Callable[..., None]
) -> None:
    database._most_lag_s = 1_000
    folded = Folded()
    with serving(create_app(Hub(database))) as url:
        follow(url, folded, lambda name: name == "heartbeat", events="observations")
        replicas.hold_replay(pair.replica, True)
        try:
            writer.save([message("pole", after(minutes=3), air_temperature=3)])
            while [value for _, value in folded.newest.values()] != [3]:
                follow(url, folded, lambda name: name != "heartbeat", events="observations")
            eventually(lambda: newest(database) != [3])  # the primary, where a replica takes long
        finally:
            replicas.hold_replay(pair.replica, False)
        assert folded.reasons == ["new"]  # it went on where it was
        eventually(lambda: newest(database) == [3])


def test_what_a_replica_breaks_off_the_primary_answers(
    pair: Pair, database: ReplicatedDatabase, writer: Writer, eventually: Callable[..., None]
) -> None:
    query = (
        "SELECT pg_is_in_recovery() AS standby,"
        " pg_sleep(CASE WHEN pg_is_in_recovery() THEN 100 ELSE 0 END) FROM thing"
    )
    answered = []

    def ask() -> None:
        answered.append(database.rows(query))
        answered.append(database.reading(lambda it: it.execute(query).fetchall()))

    thread = threading.Thread(target=ask)
    thread.start()
    with psycopg.connect(pair.replica.url, autocommit=True) as watching:
        for number in (1, 2):
            while len(answered) < number:
                under_way = (
                    "SELECT FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(C%%' AND pid <> %s"
                )
                if watching.execute(under_way, [watching.info.backend_pid]).fetchall():
                    with psycopg.connect(pair.primary.url) as connection:  # as dropped chunks do
                        connection.execute("LOCK TABLE thing IN ACCESS EXCLUSIVE MODE")
    thread.join()
    assert [[row["standby"] for row in rows] for rows in answered] == [[False], [False]]
    eventually(lambda: reads_from_replica(database))


def test_with_either_away_answers_come_from_the_other(
    pair: Pair, database: ReplicatedDatabase, writer: Writer, eventually: Callable[..., None]
) -> None:
    writer.save([message("pole", after(minutes=9), air_temperature=9)])
    eventually(lambda: newest(database) == [9] and database.lag_s == 0)
    with TestClient(create_app(Hub(database))) as api:

        def replica() -> dict[str, object]:
            return dict(api.get("/v1/health").json()["database"]["replica"])

        in_use = {"state": "used", "lag_s": 0.0}
        eventually(lambda: replica() == in_use)
        kill_with_backends(pair.replica)
        for _ in range(3):
            assert api.get("/v1/things/pole").status_code == 200
        eventually(lambda: replica() == {"state": "away", "lag_s": None})
        pair.replica.start()
        eventually(lambda: replica() == in_use)

        kill_with_backends(pair.primary)
        try:
            assert api.get("/v1/things/pole").status_code == 200
            assert [it["result"] for it in api.get("/v1/latest").json()["items"]] == [9]
            eventually(lambda: replica() == {"state": "used", "lag_s": None})
        finally:
            pair.primary.start()
        eventually(lambda: replica() == in_use)


def test_what_is_no_replica_is_not_read_from(
    pair: Pair,
    plain_server: PrivateServer,
    caplog: pytest.LogCaptureFixture,
    eventually: Callable[..., None],
) -> None:
    migrate(plain_server.url)
    with ReplicatedDatabase(Database(pair.primary.url, size=1), plain_server.url) as database:
        assert database.state is ReplicaState.OTHER
        edition = "SELECT extname FROM pg_extension WHERE extname = 'timescaledb'"
        assert database.rows(edition) == [{"extname": "timescaledb"}]
        looks, look = [], database._look
        database._look = lambda: looks.append(look())
        kill_with_backends(pair.primary)
        try:
            eventually(lambda: len(looks) >= 2)
            assert database.state is ReplicaState.OTHER
            with pytest.raises(DatabaseAwayError):
                database.rows(edition)
        finally:
            pair.primary.start()
    assert "is no replica of TSUJI_DATABASE_URL" in caplog.text


def test_one_that_follows_no_longer_is_not_read_from(
    pair: Pair, database: ReplicatedDatabase, eventually: Callable[..., None]
) -> None:
    """The last test: from here on there are two databases."""
    with psycopg.connect(pair.replica.url, autocommit=True) as connection:
        connection.execute("SELECT pg_promote()")
    eventually(lambda: database.state is ReplicaState.OTHER)
    assert database.reading_url == pair.primary.url
