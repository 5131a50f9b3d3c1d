"""Random late, corrected and new observations between drops, against a model in plain Python.

Of what is dropped the model knows the bounds by itself, from what was written and from how long it is to be
kept: what is younger stays, what is older goes, to the row where rows are deleted, and up to the length of a
chunk later where chunks are dropped. Only within that length it takes what went from the database.
"""

import random
from collections import defaultdict
from datetime import datetime, timedelta

import psycopg
import pytest

from rollup_check import kept, refresh_to_rest
from samples import T0, message, registration
from tsuji_platform.store import Refresher
from tsuji_platform.store.cover import DAY, FIVE_MINUTES, HOUR, ORIGIN, RAW, ceiling
from tsuji_platform.store.history_retention import HistoryRetention
from tsuji_platform.store.writer import Writer

Key = tuple[int, datetime]
BEFORE = datetime(2000, 1, 1, tzinfo=T0.tzinfo)


class Model:
    """What the rollups must hold: sums of counts, and which of them are sealed."""

    def __init__(self) -> None:
        self.raw: dict[Key, int] = {}
        self.dirty: set[Key] = set()
        self.fives: dict[Key, tuple[int, int]] = {}
        self.hours: dict[Key, tuple[int, int]] = {}
        self.sealed_fives: set[Key] = set()
        self.sealed_hours: set[Key] = set()
        self.too_late = 0

    def save(self, key: int, time: datetime, value: int) -> None:
        if self.raw.get((key, time)) != value:
            self.raw[key, time] = value
            self.dirty.add((key, ceiling(time, FIVE_MINUTES)))

    def refresh(self) -> None:
        for key, end in self.dirty:
            if self._is_sealed(key, end):
                continue
            hour = ceiling(end, HOUR)
            put(self.fives, (key, end), added((1, v) for (k, t), v in self.raw.items()
                if k == key and ceiling(t, FIVE_MINUTES) == end))  # fmt: skip
            put(self.hours, (key, hour), added(v for (k, e), v in self.fives.items()
                if k == key and ceiling(e, HOUR) == hour))  # fmt: skip
        self.dirty.clear()

    def _is_sealed(self, key: int, end: datetime) -> bool:
        return (key, end) in self.sealed_fives or (key, ceiling(end, HOUR)) in self.sealed_hours

    def drop(self, raw_since: datetime, before: datetime) -> None:
        self.too_late += sum(
            self._is_sealed(key, ceiling(time, FIVE_MINUTES))
            for key, time in self.raw
            if time <= min(before, raw_since)
        )
        self.raw = {k: v for k, v in self.raw.items() if k[1] > raw_since}
        self.sealed_fives |= {k for k in self.fives if k[1] <= raw_since}

    def drop_fives(self, since: datetime) -> None:
        self.fives = {k: v for k, v in self.fives.items() if k[1] > since}
        self.sealed_hours |= {k for k in self.hours if k[1] <= since}

    def days(self) -> dict[Key, tuple[int, int]]:
        found = defaultdict(list)
        for (key, end), value in self.hours.items():
            found[key, ceiling(end, DAY)].append(value)
        return {key: added(values) for key, values in found.items()}


class Bounds:
    """Between which moments what is kept must begin, by plain arithmetic.

    Args:
        ages: how long to keep, by width.
        by_chunks: whether chunks are dropped, rather than rows deleted.
    """

    def __init__(self, ages: dict[timedelta, timedelta], *, by_chunks: bool) -> None:
        self._ages = ages
        self._chunk = {RAW: 7 * DAY, FIVE_MINUTES: 5 * DAY} if by_chunks else {}
        self._newest = BEFORE

    def saw(self, time: datetime) -> None:
        self._newest = max(self._newest, time)

    def check(self, width: timedelta, before: set[Key], after: set[Key], finer: datetime) -> None:
        """See that of what there was exactly the right part is gone.

        Args:
            width: of what.
            before: what there was.
            after: what is left.
            finer: since when there is what this is made of.
        """
        if width not in self._ages:
            assert after == before
            return
        step = HOUR if width else FIVE_MINUTES
        target = self._newest - self._ages[width]
        target = min(target, finer) if width else target
        target -= (target - ORIGIN) % step
        surely_gone = target - self._chunk.get(width, timedelta(0))
        assert after <= before
        assert {key for key in before if key[1] > target} <= after
        assert not [key for key in after if key[1] <= surely_gone - step * bool(self._chunk)]
        if not self._chunk:
            assert after == {key for key in before if key[1] > target}


def added(values) -> tuple[int, int]:
    n = total = 0
    for one, other in values:
        n, total = n + one, total + other
    return n, total


def put(sums: dict[Key, tuple[int, int]], key: Key, value: tuple[int, int]) -> None:
    if value[0]:
        sums[key] = value
    else:
        sums.pop(key, None)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ages", [{RAW: 20 * DAY}, {RAW: 10 * DAY, FIVE_MINUTES: 20 * DAY}])
def test_any_sequence_ends_as_the_model_says(
    store_url: str, writer: Writer, ages: dict[timedelta, timedelta], seed: int
) -> None:
    generator, model = random.Random(seed), Model()
    writer.save([registration(name, "pedestrians") for name in ("a", "b")])
    refresher, retention = Refresher(store_url), HistoryRetention(store_url, ages, rows_at_once=15)
    connection = psycopg.connect(store_url, autocommit=True, options="-c timezone=UTC")
    with connection:
        keys = dict(connection.execute("SELECT thing_id, datastream_id FROM datastream").fetchall())
        extension = "SELECT FROM pg_extension WHERE extname = 'timescaledb'"
        bounds = Bounds(ages, by_chunks=bool(connection.execute(extension).fetchall()))
        if connection.execute(extension).fetchall():
            connection.execute("SELECT set_chunk_time_interval('rollup_5min', interval '5 days')")
        now, horizons = T0, {0: BEFORE, 300: BEFORE}
        for _ in range(40):
            action = generator.choice(["save", "save", "save", "refresh", "drop"])
            if action == "save":
                now += timedelta(hours=generator.choice([0, 1, 50]))
                batch = []
                for _ in range(generator.randrange(1, 12)):
                    ago = generator.choice([0, 1, 9, 21, 30, 45]) * DAY
                    edge = timedelta(
                        minutes=5 * generator.randrange(-2, 3),
                        microseconds=generator.choice([-1, 0, 1]),
                    )
                    time, name = ceiling(now - ago, DAY) - DAY + edge, generator.choice("ab")
                    value = generator.randrange(50)
                    batch.append(message(name, time, 60, pedestrians=value))
                    model.save(keys[name], time, value)
                    bounds.saw(time)
                writer.save(batch)
                continue
            refresh_to_rest(refresher)
            while refresher.profile():
                pass
            model.refresh()
            if action == "refresh":
                continue
            connection.execute(
                "UPDATE horizon SET late_since = late_since - interval '25 hours',"
                " late_last = late_last - interval '25 hours'"
            )
            newest = now + timedelta(days=1)
            held, sums = set(model.raw), set(model.fives)
            while any(one.until for one in retention.drop_some(newest)):
                found = {0: BEFORE, 300: BEFORE} | dict(
                    connection.execute("SELECT width_s, since FROM horizon").fetchall()
                )
                left = set(
                    connection.execute(
                        "SELECT datastream_id, phenomenon_time FROM observation"
                    ).fetchall()
                )
                gone = [time for key, time in model.raw if (key, time) not in left]
                if gone:
                    model.drop(max(gone), horizons[0])
                    model.sealed_fives |= {k for k in model.fives if k[1] <= found[0]}
                assert set(model.raw) == left
                model.drop_fives(found[300])
                horizons = found
            bounds.check(RAW, held, set(model.raw), BEFORE)
            bounds.check(FIVE_MINUTES, sums, set(model.fives), horizons[0])
            check(connection, model)
        refresh_to_rest(refresher)
        model.refresh()
        check(connection, model)
        assert horizons[0] > BEFORE
    refresher.close()
    retention.close()


def check(connection: psycopg.Connection, model: Model) -> None:
    for level, wanted in (("rollup_hour", model.hours), ("rollup_day", model.days())):
        assert {k: row[:2] for k, row in kept(connection, level).items()} == wanted, level
    (since,) = connection.execute(
        "SELECT coalesce(max(since), '2000-01-01') FROM horizon WHERE width_s = 300"
    ).fetchone()
    fives = {k: row[:2] for k, row in kept(connection, "rollup_5min").items() if k[1] > since}
    assert fives == {k: v for k, v in model.fives.items() if k[1] > since}
    (too_late,) = connection.execute(
        "SELECT coalesce(sum(too_late), 0)::int FROM horizon"
    ).fetchone()
    assert too_late == model.too_late
