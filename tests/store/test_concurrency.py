"""Several writers on the same keys: none is blocked for good, and the table ends exact."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from samples import after, broken, message, registration
from tsuji_platform.contract import Reason, Rejection
from tsuji_platform.store import Reader
from tsuji_platform.store.records import Received, Tally
from tsuji_platform.store.writer import Writer

_THINGS = [f"pole-{i:02}" for i in range(8)]


@pytest.fixture
def writers(store_url: str):
    several = [Writer(store_url, f"writer-{i}") for i in range(2)]
    yield several
    for one in several:
        one.close()


def _at_once(writers: list[Writer], batches: list[list[list[Received]]]) -> list[Tally]:
    """Each writer saves its batches, all at the same time."""

    def work(writer: Writer, mine: list[list[Received]]) -> list[Tally]:
        return [writer.save(batch).tally for batch in mine]

    with ThreadPoolExecutor(len(writers)) as pool:
        done = [pool.submit(work, *pair) for pair in zip(writers, batches, strict=True)]
        return [tally for future in done for tally in future.result(timeout=400)]


def _sum(tallies: list[Tally], name: str) -> int:
    return sum(getattr(tally, name) for tally in tallies)


def test_the_same_values_in_opposite_order_are_stored_once(
    writers: list[Writer], rows: Callable, reader: Reader
) -> None:
    writers[0].save([registration(name, "air_temperature", "wind_speed") for name in _THINGS])
    batches = [
        [
            message(name, after(hours=batch, minutes=m), air_temperature=m, wind_speed=batch)
            for name in _THINGS
            for m in range(20)
        ]
        for batch in range(12)
    ]
    backwards = [batch[::-1] for batch in batches]
    tallies = _at_once(writers, [batches, backwards])
    expected = 12 * 20 * len(_THINGS) * 2
    assert len(rows()) == expected
    assert _sum(tallies, "stored") == _sum(tallies, "duplicate") == expected
    assert reader.counters().tally.balanced()
    assert {it.time for it in reader.latest()} == {after(hours=11, minutes=19)}


def test_corrections_against_each_other_leave_table_and_newest_equal(
    writers: list[Writer], rows: Callable, reader: Reader
) -> None:
    writers[0].save([registration(name) for name in _THINGS])
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    generator = random.Random(seed)

    def batches() -> list[list[Received]]:
        return [
            [
                message(
                    generator.choice(_THINGS),
                    after(minutes=generator.randrange(6)),
                    air_temperature=generator.randrange(50),
                )
                for _ in range(40)
            ]
            for _ in range(20)
        ]

    tallies = _at_once(writers, [batches(), batches()])
    table = rows()
    assert _sum(tallies, "stored") == len(table)
    assert _sum(tallies, "received") == 2 * 20 * 40
    for it in reader.latest():
        newest = max(time for name, _, time in table if name == it.thing_id)
        assert it.time == newest
        assert it.result == table[it.thing_id, it.observed_property, newest]


def test_refusals_in_opposite_order_do_not_block(writers: list[Writer], reader: Reader) -> None:
    bad = Rejection(reason=Reason.BROKEN_JSON, detail="not JSON")
    batch = [broken("tsuji/v1/things/pole/observations", bytes([i]), bad) for i in range(200)]
    tallies = _at_once(writers, [[batch] * 10, [batch[::-1]] * 10])
    assert _sum(tallies, "rejected") == 2 * 10 * 200
    kept = reader.rejected(limit=1000)
    assert len(kept) == 200
    assert {(row.seen, row.value_count) for row in kept} == {(20, 20)}


def test_registrations_in_opposite_order_do_not_block(
    writers: list[Writer], reader: Reader
) -> None:
    batches = [
        [registration(name, "pm2_5", "wind_speed", capacity=n) for name in _THINGS]
        for n in range(1, 20)
    ]
    _at_once(writers, [batches, [batch[::-1] for batch in batches]])
    assert {row.thing.capacity for row in reader.things()} == {19}
    assert len(reader.things()) == len(_THINGS)
