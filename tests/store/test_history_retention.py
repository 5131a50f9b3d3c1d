"""What is old enough is dropped once it is rolled up, and no sum ever loses a part of itself."""

from datetime import timedelta

import psycopg

from retention_steps import (
    DAY,
    NOW,
    OLD,
    Retain,
    a_day_passes,
    cut_chunks,
    drop,
    horizon,
    hours_pass,
    raw,
    sums,
)
from rollup_check import LEVELS, assert_exact
from samples import T0, message, registration
from tsuji_platform.store import Database, Reader
from tsuji_platform.store.cover import FIVE_MINUTES, HOUR, RAW
from tsuji_platform.store.history_retention import Dropped, Obstacle
from tsuji_platform.store.writer import Writer


def test_nothing_is_dropped_without_a_setting(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    held = raw(connection)
    assert drop(retain({})) == []
    assert raw(connection) == held
    assert [one.age for one in retain({}).outlook(NOW)] == [None] * 3


def test_what_is_not_rolled_up_stays(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    held = raw(connection)
    (one,) = retain().drop_some(NOW)
    assert one == Dropped(width=RAW, obstacle=Obstacle.PENDING)
    assert retain().outlook(NOW)[0].obstacle is Obstacle.PENDING
    assert raw(connection) == held
    rest()
    before = sums(connection)
    gate.save([message("gate", OLD, 300, pedestrians=99)])  # a correction, not rolled up yet
    (one,) = retain().drop_some(NOW)
    assert one.obstacle is Obstacle.PENDING
    rest()
    assert sums(connection) != before
    drop(retain())
    assert horizon(connection) > OLD
    rest()
    assert max(row[1] for row in sums(connection)["rollup_5min"].values()) == 99


def test_a_late_observation_never_replaces_a_sum_by_a_part_of_it(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    drop(retain())
    before = sums(connection)
    late = [message("gate", OLD + timedelta(seconds=s), 300, pedestrians=50) for s in (-1, -2)]
    gate.save(late)
    rest()
    assert sums(connection) == before
    (outlook, *_) = retain().outlook(NOW)
    assert (outlook.late, outlook.too_late) == (2, 2)
    assert [one.obstacle for one in retain().drop_some(NOW)] in ([], [Obstacle.LATE])
    a_day_passes(connection)
    drop(retain())
    assert sums(connection) == before
    assert min(raw(connection)) > horizon(connection)
    (outlook, *_) = retain().outlook(NOW)
    assert (outlook.late, outlook.too_late, outlook.horizon.too_late) == (0, 0, 2)
    assert outlook.horizon.late_since is None


def test_history_that_comes_late_is_rolled_up_where_there_was_none(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    """An import of old files, in two parts that share a bucket, while observations are dropped."""
    rest()
    drop(retain())
    before = sums(connection)
    gate.save([registration("old", "pedestrians")])
    times = [OLD + timedelta(minutes=m) for m in range(1, 600)]
    gate.save([message("old", time, 60, pedestrians=1) for time in times[:302]])
    rest()
    assert {one.obstacle for one in retain().drop_some(NOW)} <= {Obstacle.LATE}
    gate.save([message("old", time, 60, pedestrians=1) for time in times[302:]])
    gate.save([message("old", times[0], 60, pedestrians=3)])  # a correction
    rest()
    (key,) = connection.execute(
        "SELECT datastream_id FROM datastream WHERE thing_id = 'old'"
    ).fetchone()

    def check(gone: dict) -> None:
        for level in LEVELS:
            new = {k: row for k, row in gone[level].items() if k not in before[level]}
            assert {k[0] for k in new} == {key}
            assert sum(row[0] for row in new.values()) == len(times)
            assert sum(row[1] for row in new.values()) == len(times) + 2
            assert {k: gone[level][k] for k in before[level]} == before[level]

    check(sums(connection))
    a_day_passes(connection)
    assert [one.too_late for one in drop(retain())] in ([0], [0, 0])
    assert min(raw(connection)) > horizon(connection)
    gate.save([message("old", times[10], 60, pedestrians=7)])  # now it is sealed
    gate.save([message("old", OLD - DAY, 60, pedestrians=7)])  # and this is still new
    rest()
    after_all = sums(connection)
    assert after_all["rollup_5min"].pop((key, OLD - DAY))[1] == 7
    after_all["rollup_hour"].pop((key, OLD - DAY))
    assert after_all["rollup_day"].pop((key, OLD - DAY + timedelta(hours=15)))[1] == 7
    check(after_all)
    assert retain().outlook(NOW)[0].too_late == 1


def test_each_late_observation_has_a_day_of_grace_but_a_trickle_keeps_nothing_for_ever(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    drop(retain())
    late = []
    for number in range(4):  # every 20 hours: 60 after the first
        hours_pass(connection, 20)
        late.append(OLD + timedelta(minutes=number, seconds=1))
        gate.save([message("gate", late[-1], 60, pedestrians=1)])
        rest()
        assert [one.obstacle for one in retain().drop_some(NOW)] == [Obstacle.LATE]
    assert raw(connection) >= set(late)
    hours_pass(connection, 13)
    gate.save([message("gate", OLD + timedelta(seconds=2), 60, pedestrians=1)])
    rest()
    drop(retain())
    assert min(raw(connection)) > horizon(connection)
    late_times = "SELECT late_since, late_last FROM horizon WHERE width_s = 0"
    assert connection.execute(late_times).fetchall() == [(None, None)]


def test_every_width_has_a_time_of_its_own_and_days_stay(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    cut_chunks(connection)
    before = sums(connection)
    drop(retain({RAW: 10 * DAY, FIVE_MINUTES: 20 * DAY, HOUR: 40 * DAY}))
    found = sums(connection)
    assert found["rollup_day"] == before["rollup_day"]
    for width_s, level, days in ((300, "rollup_5min", 20), (3600, "rollup_hour", 40)):
        since = horizon(connection, width_s)
        assert T0 - (days + 3) * DAY < since <= T0 - days * DAY
        assert found[level] == {k: v for k, v in before[level].items() if k[1] > since}
    assert horizon(connection, 3600).hour == 15  # midnight in Tokyo: hours make days


def test_a_late_observation_changes_no_day_whose_hours_are_gone(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    ages = {RAW: 1 * DAY, FIVE_MINUTES: 1 * DAY, HOUR: 2 * DAY}
    cut_chunks(connection)
    drop(retain(ages))
    since = horizon(connection, 3600)
    assert since > OLD
    before = sums(connection)
    days = before["rollup_day"]
    (keys,) = connection.execute("SELECT array_agg(datastream_id) FROM datastream").fetchone()
    assert len({k[0] for k in days}) == 2
    direction = max(keys)
    for time in (
        OLD,
        since - timedelta(minutes=1),
        horizon(connection, 300) - timedelta(minutes=7),
    ):
        gate.save([message("gate", time, 300, pedestrians=1000, wind_from_direction=90)])
    gate.save([message("gate", OLD + timedelta(hours=1), 300, wind_from_direction=90)])
    rest()
    found = sums(connection)["rollup_day"]
    assert {k: v for k, v in found.items() if k[0] != direction} == days
    news = {k[1]: v for k, v in found.items() if k[0] == direction}
    assert {k: (v[0], v[4] > 0.99 * v[0]) for k, v in news.items()} == {
        OLD + timedelta(hours=15): (2, True),
        since: (1, True),
        max(news): (1, True),
    }
    # a second one joins them until the next drop, and none after it
    gate.save([message("gate", OLD + timedelta(hours=2), 300, wind_from_direction=90)])
    rest()
    key = direction, OLD + timedelta(hours=15)
    assert sums(connection)["rollup_day"][key][0] == 3
    a_day_passes(connection)
    drop(retain(ages))
    gate.save([message("gate", OLD + timedelta(hours=3), 300, wind_from_direction=90)])
    rest()
    assert sums(connection)["rollup_day"][key][0] == 3
    assert sums(connection)["rollup_day"].keys() == found.keys()


def test_ages_count_from_the_newest_observation_that_is_not_ahead_of_the_clock(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    drop(retain(), T0 + 1000 * DAY)  # the clock is wrong, or the hub was away
    assert T0 - 38 * DAY < horizon(connection) <= T0 - 30 * DAY
    connection.execute("TRUNCATE horizon")
    connection.execute("UPDATE latest SET phenomenon_time = %s", (T0 + 1000 * DAY,))
    assert drop(retain()) == []


def test_an_empty_database_has_nothing_to_drop(retain: Retain, store_url: str) -> None:
    assert drop(retain()) == []
    assert [one.oldest for one in retain().outlook(NOW)] == [None] * 3


def test_rows_go_in_slices_and_chunks_a_few_at_a_time(
    gate: Writer, rest, retain: Retain, connection: psycopg.Connection
) -> None:
    rest()
    before = sums(connection)
    done = drop(retain(rows_at_once=100, chunks_at_once=2))
    assert len(done) > 3
    assert all(one.rows <= 100 and one.chunks <= 2 for one in done)
    assert sorted(one.until for one in done) == [one.until for one in done]
    assert done[-1].until == horizon(connection)
    assert sums(connection) == before


def test_before_the_first_drop_all_is_as_ever(
    gate: Writer, rest, connection: psycopg.Connection, store_url: str
) -> None:
    rest()
    assert_exact(connection)
    assert connection.execute("SELECT count(*) FROM horizon").fetchone() == (0,)
    with Database(store_url, size=1) as database:
        assert (
            Reader(database).evidence(["gate"], ["pedestrians"], OLD, T0, HOUR).kept_since is None
        )
