"""Small counts in what is read: the same is withheld from observations, and from sums that outlive them."""

import csv
import io
import math
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import psycopg
import pytest

from export_city import Run
from retention_steps import DAY, NOW, Retain, cut_chunks, drop, horizon
from samples import T0
from tsuji_platform.analytics.gaps import Absence, gaps
from tsuji_platform.analytics.quarters import TOKYO, midnight
from tsuji_platform.analytics.readings import Step
from tsuji_platform.analytics.suppression import Gate
from tsuji_platform.store import Database, Reader
from tsuji_platform.store.cover import FIVE_MINUTES, HOUR, RAW
from tsuji_platform.store.profiles import Profiles
from tsuji_platform.store.writer import Writer

GATE = Gate(4)
ASKED = ["gate"], ["pedestrians"]
START = T0 - 60 * DAY
FIRST_DAY = START.astimezone(TOKYO).date() + DAY
DAYS = [FIRST_DAY + n * DAY for n in range(50)]


def told(ends: list[datetime]) -> tuple[float, int]:
    """The sum of the counts of some hours, and how many are withheld: n hours ago n % 7 were counted."""
    counts = [int((T0 - end) / HOUR) % 7 for end in ends if START < end <= T0]
    small = [it for it in counts if 0 < it < GATE.small]
    return float(sum(counts) - sum(small)), len(small)


@pytest.fixture
def reader(database: Database) -> Reader:
    return Reader(database, GATE)


@pytest.fixture
def database(store_url: str):
    with Database(store_url, size=2) as database:
        yield database


def test_sums_leave_the_same_out_when_observations_are_gone(
    gate: Writer,
    rest: Callable[[], None],
    retain: Retain,
    connection: psycopg.Connection,
    reader: Reader,
    database: Database,
) -> None:
    rest()

    def read(step: timedelta) -> list[Step]:
        return reader.steps(*ASKED, START, T0, step)

    def quarters() -> np.ndarray:
        return Profiles(database, GATE).of(*ASKED, DAYS)["gate", "pedestrians"][0]

    before = {step: read(step) for step in (FIVE_MINUTES, HOUR, DAY)}
    for one in before[HOUR]:
        assert (one.total, one.left_out) == told([one.end])
    for one in before[DAY]:
        assert (one.total, one.left_out) == told([one.end - n * HOUR for n in range(24)])
    combined = reader.combined(*ASKED, START, T0, DAY)
    assert [(it.total, it.left_out) for it in combined] == [
        (it.total, it.left_out) for it in before[DAY]
    ]
    shown = quarters()
    for place, day in enumerate(DAYS):
        for hour in range(1, 25):
            total, left_out = told([midnight(day) + hour * HOUR])
            expected = math.inf if left_out else total
            assert shown[place, 4 * hour - 1] == expected
    drop(retain())
    assert horizon(connection) > START + 10 * DAY
    assert {step: read(step) for step in before} == before
    assert np.array_equal(quarters(), shown, equal_nan=True)


def test_what_can_only_be_told_with_small_counts_is_said_to_be_gone(
    gate: Writer,
    rest: Callable[[], None],
    retain: Retain,
    connection: psycopg.Connection,
    reader: Reader,
    database: Database,
) -> None:
    rest()
    cut_chunks(connection)
    drop(retain({RAW: 20 * DAY, FIVE_MINUTES: 20 * DAY}), NOW)
    since = horizon(connection, 300)
    assert since > START + 10 * DAY
    everything = Reader(database).steps(*ASKED, START, T0, HOUR)
    left = reader.steps(*ASKED, START, T0, HOUR)
    assert everything[0].end < since - 10 * DAY
    assert [one.end for one in left] == [one.end for one in everything if one.end - HOUR >= since]
    evidence = reader.evidence(*ASKED, START, T0, HOUR)
    (first, *_) = gaps([START + HOUR], HOUR, set(), evidence)
    assert first.reason is Absence.NO_LONGER_KEPT
    days = Profiles(database, GATE).of(*ASKED, DAYS[:3])["gate", "pedestrians"][0]
    assert np.isinf(days).all()


def test_an_export_withholds_what_it_is_told_to(
    gate: Writer, rest: Callable[[], None], tsuji: Run
) -> None:
    asked = "--thing", "gate", "--observed-property", "pedestrians", "--from", "2026-03-25"
    for step, hours in (("raw", 1), ("1h", 1), ("1day", 24)):
        done = tsuji("export", "-", "--step", step, *asked, "--suppress", GATE.small)
        assert done.returncode == 0, done.stderr
        rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
        assert {row["suppressed"] for row in rows} >= (
            {"true", "false"} if hours == 1 else {"false"}
        )
        for row in rows:
            end = datetime.fromisoformat(row["time"])
            total, left_out = told([end - n * HOUR for n in range(hours)])
            hidden = left_out > 0 and total == 0
            assert (row["left_out"], row["suppressed"]) == (str(left_out), str(hidden).lower())
            assert row["result"] == "" if hidden else float(row["result"]) == total
    refused = tsuji("export", "-", "--suppress", 2)
    assert refused.returncode == 2
    assert b"3 or more" in refused.stderr
