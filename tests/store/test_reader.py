"""What readers get: the newest values, totals of windows, steps of series."""

from datetime import datetime, timedelta

import pytest

from samples import T0, after, message, registration
from tsuji_platform.store import Reader, floor_to_step
from tsuji_platform.store.writer import Writer


@pytest.fixture
def pole(writer: Writer) -> Writer:
    writer.save([registration("pole", "air_temperature", "wind_from_direction")])
    return writer


def newest(reader: Reader) -> list[tuple[datetime, float]]:
    return [(it.time, it.result) for it in reader.latest()]


def test_the_newest_wins_and_a_late_one_does_not(pole: Writer, reader: Reader) -> None:
    pole.save([message("pole", after(minutes=5), air_temperature=5)])
    pole.save([message("pole", after(minutes=4), air_temperature=4)])
    assert newest(reader) == [(after(minutes=5), 5.0)]
    pole.save(
        [
            message("pole", after(minutes=7), air_temperature=7),
            message("pole", after(minutes=6), air_temperature=6),
        ]
    )
    assert newest(reader) == [(after(minutes=7), 7.0)]


def test_a_correction_of_the_newest_shows_and_one_of_an_older_does_not(
    pole: Writer, reader: Reader
) -> None:
    pole.save([message("pole", after(minutes=m), air_temperature=m) for m in (1, 2)])
    pole.save([message("pole", after(minutes=1), air_temperature=10)])
    assert newest(reader) == [(after(minutes=2), 2.0)]
    pole.save([message("pole", after(minutes=2), air_temperature=20)])
    assert newest(reader) == [(after(minutes=2), 20.0)]


def test_latest_can_be_narrowed(writer: Writer, reader: Reader) -> None:
    writer.save([registration(i, "wind_speed", "pm2_5") for i in ("a", "b")])
    writer.save([message(i, wind_speed=1, pm2_5=2) for i in ("a", "b")])
    assert len(reader.latest()) == 4
    assert {it.observed_property for it in reader.latest(thing_id="a")} == {"wind_speed", "pm2_5"}
    assert {it.thing_id for it in reader.latest(observed_properties=["pm2_5"])} == {"a", "b"}
    assert reader.latest(thing_id="' OR true --") == []


def test_the_newest_of_a_past_window_ends_at_its_end_and_begins_behind_its_start(
    pole: Writer, reader: Reader
) -> None:
    pole.save([message("pole", after(minutes=m), air_temperature=m) for m in range(10)])

    def at(start: int, end: int) -> list[float]:
        window = timedelta(minutes=end - start)
        return [it.result for it in reader.moment([], after(minutes=end), window).newest]

    assert at(0, 5) == [5.0]
    assert at(4, 5) == [5.0]
    assert at(9, 20) == []
    assert at(-60, -1) == []


def test_totals_leave_out_the_start_and_include_the_end(writer: Writer, reader: Reader) -> None:
    writer.save([registration("gate", "pedestrians_in", "pedestrians_out", "wind_speed")])
    writer.save(
        [
            message("gate", after(hours=h), 3600, pedestrians_in=10**h, pedestrians_out=5)
            for h in range(4)
        ]
    )
    two_hours = timedelta(hours=2)
    totals = reader.totals(["pedestrians_in", "pedestrians_out"], after(hours=2), two_hours)
    assert [(it.observed_property, it.time, it.result) for it in totals] == [
        ("pedestrians_in", after(hours=2), 110.0),
        ("pedestrians_out", after(hours=2), 10.0),
    ]
    then = reader.moment(["pedestrians_in", "pedestrians_out"], after(hours=2), two_hours)
    assert then.totals == totals
    assert reader.totals(["wind_speed"], after(hours=2), two_hours) == []
    assert reader.totals([], after(hours=2), two_hours) == []


def test_the_window_of_a_clock_that_runs_ahead_ends_with_its_newest(
    writer: Writer, reader: Reader
) -> None:
    """Of whole hours each window holds one, wherever the clock of the counter stands."""
    hour, tolerance = timedelta(hours=1), timedelta(minutes=5)
    for thing_id, ahead in (("exact", 0), ("fast", 4), ("too-fast", 6)):
        writer.save([registration(thing_id, "pedestrians_in", "rainfall")])
        writer.save(
            [
                message(
                    thing_id, after(hours=h, minutes=ahead), 3600, pedestrians_in=1000, rainfall=7
                )
                for h in range(3)
            ]
        )

    def counted(**options: object) -> dict[str, float]:
        totals = reader.totals(["pedestrians_in"], after(hours=2), hour, **options)
        assert [it.result * 7 for it in totals] == [
            it.result * 1000 for it in reader.totals(["rainfall"], after(hours=2), hour, **options)
        ]
        return {it.thing_id: it.result for it in totals}

    assert counted(ahead=tolerance) == {"exact": 1000, "fast": 1000, "too-fast": 1000}
    assert counted() == {"exact": 1000, "fast": 1000, "too-fast": 1000}


def test_a_count_over_more_than_the_window_is_no_part_of_it(writer: Writer, reader: Reader) -> None:
    writer.save([registration("gate", "pedestrians_in"), registration("month", "pedestrians")])
    writer.save([message("month", after(minutes=50), 31 * 86_400, pedestrians=900_000)])
    writer.save([message("gate", after(minutes=50), 86_400, pedestrians_in=5000)])
    writer.save([message("gate", after(minutes=55), 3600, pedestrians_in=7)])
    totals = reader.totals(["pedestrians_in", "pedestrians"], after(hours=1), timedelta(hours=1))
    assert [(it.thing_id, it.result) for it in totals] == [("gate", 7.0)]
    then = reader.moment(["pedestrians_in", "pedestrians"], after(hours=1), timedelta(hours=1))
    assert then.totals == totals


def test_what_a_thing_no_longer_lists_counts_for_the_past_only(
    writer: Writer, reader: Reader
) -> None:
    hour = timedelta(hours=1)
    writer.save([registration("gate", "pedestrians_in"), message("gate", pedestrians_in=7)])
    writer.save([registration("gate", "pedestrians_out")])
    assert [it.result for it in reader.totals(["pedestrians_in"], T0, hour)] == [7.0]
    assert [it.result for it in reader.moment(["pedestrians_in"], T0, hour).totals] == [7.0]
    assert reader.totals(["pedestrians_in"], T0, hour, declared=True) == []


def test_a_step_is_named_by_its_end_and_includes_it(pole: Writer, reader: Reader) -> None:
    quarter = timedelta(minutes=15)
    pole.save(
        [
            message("pole", T0, air_temperature=1),
            message("pole", T0 + timedelta(microseconds=1), air_temperature=2),
            message("pole", after(minutes=7), air_temperature=4),
            message("pole", after(minutes=15), air_temperature=8),
            message("pole", after(minutes=15, microseconds=1), air_temperature=16),
            message("pole", after(minutes=45), air_temperature=32),
        ]
    )
    steps = reader.steps(["pole"], ["air_temperature"], T0, after(hours=1), quarter)
    assert [(it.end, it.n, it.total, it.highest) for it in steps] == [
        (after(minutes=15), 3, 14.0, 8.0),
        (after(minutes=30), 1, 16.0, 16.0),
        (after(minutes=45), 1, 32.0, 32.0),
    ]


def test_steps_carry_what_a_mean_direction_needs(pole: Writer, reader: Reader) -> None:
    pole.save(
        [
            message("pole", after(minutes=1), wind_from_direction=350),
            message("pole", after(minutes=2), wind_from_direction=10),
        ]
    )
    (step,) = reader.steps(
        ["pole"], ["wind_from_direction"], T0, after(hours=1), timedelta(hours=1)
    )
    assert step.sine == pytest.approx(0)
    assert step.cosine == pytest.approx(2 * 0.984807753)


def test_steps_of_a_day_are_days_in_tokyo(writer: Writer, reader: Reader) -> None:
    day = timedelta(days=1)
    writer.save([registration("gate", "pedestrians")])
    moments = {
        "2026-03-31T15:00:00+00:00": 1,  # midnight in Tokyo ends the 31st
        "2026-03-31T15:00:01+00:00": 2,
        "2026-04-01T14:59:59+00:00": 4,
        "2026-04-01T15:00:00+00:00": 8,
        "2026-04-01T15:00:01+00:00": 16,
        "1999-12-31T12:00:00+00:00": 32,  # before the origin of all steps
    }
    writer.save(
        [
            message("gate", datetime.fromisoformat(text), 1, pedestrians=count)
            for text, count in moments.items()
        ]
    )
    begin = datetime.fromisoformat("1990-01-01T00:00:00+09:00")
    steps = reader.steps(["gate"], ["pedestrians"], begin, after(days=9), day)
    assert [(it.end.isoformat(), it.total) for it in steps] == [
        ("1999-12-31T15:00:00+00:00", 32.0),
        ("2026-03-31T15:00:00+00:00", 1.0),
        ("2026-04-01T15:00:00+00:00", 14.0),
        ("2026-04-02T15:00:00+00:00", 16.0),
    ]


@pytest.mark.parametrize(
    ("time", "step", "floor"),
    [
        ("2026-04-01T00:14:59+00:00", timedelta(minutes=15), "2026-04-01T00:00:00+00:00"),
        ("2026-04-01T00:15:00+00:00", timedelta(minutes=15), "2026-04-01T00:15:00+00:00"),
        ("2026-04-01T14:59:59+00:00", timedelta(days=1), "2026-03-31T15:00:00+00:00"),
        ("1990-01-01T14:00:00+00:00", timedelta(days=1), "1989-12-31T15:00:00+00:00"),
    ],
)
def test_python_and_the_database_cut_steps_alike(
    writer: Writer, reader: Reader, time: str, step: timedelta, floor: str
) -> None:
    moment, end = datetime.fromisoformat(time), datetime.fromisoformat(floor)
    assert floor_to_step(moment, step) == end
    writer.save([registration("pole"), message("pole", end, air_temperature=1)])
    writer.save([message("pole", end + timedelta(microseconds=1), air_temperature=2)])
    steps = reader.steps(["pole"], ["air_temperature"], end - step, end + step, step)
    assert [(it.end, it.total) for it in steps] == [(end, 1.0), (end + step, 2.0)]


def test_the_usual_counting_period_is_that_of_the_span(writer: Writer, reader: Reader) -> None:
    writer.save([registration("gate", "pedestrians_in", "wind_speed"), registration("month")])

    def usual(start: int, end: int, *thing_ids: str) -> int | None:
        names = ["pedestrians_in", "pedestrians", "wind_speed"]
        return reader.usual_period_s(thing_ids, names, after(hours=start), after(hours=end))

    assert usual(0, 9, "gate") is None
    periods = [31 * 86_400, 3600, 7200, 3600, 900, 300, 300]  # the hours 1 to 7
    for hour, period_s in enumerate(periods, start=1):
        writer.save([message("gate", after(hours=hour), period_s, pedestrians_in=1, wind_speed=3)])
    assert usual(0, 1, "gate") == 31 * 86_400
    assert usual(1, 4, "gate", "none") == 3600  # a single odd one decides nothing
    assert usual(1, 3, "gate") == 7200  # of two the longer: no step may be shorter than its count
    assert usual(4, 9, "gate") == 300
    assert usual(0, 9) is None
    writer.save([registration("slow", "pedestrians")])
    writer.save([message("slow", after(hours=6), 3600, pedestrians=1)])
    assert usual(4, 9, "gate", "slow") == 3600


def test_the_period_of_a_thing_is_that_of_its_newest_counts(writer: Writer, reader: Reader) -> None:
    def period_s() -> int | None:
        (row,) = reader.things()
        return row.period_s

    writer.save([registration("gate", "pedestrians_in", "wind_speed")])
    assert period_s() is None
    writer.save([message("gate", after(minutes=1), 31 * 86_400, pedestrians_in=1)])
    assert period_s() == 31 * 86_400
    writer.save([message("gate", after(minutes=9), 60, pedestrians_in=1, wind_speed=3)])
    assert period_s() == 60


def test_things_come_page_by_page_with_the_time_of_their_newest(
    writer: Writer, reader: Reader
) -> None:
    writer.save([registration(f"pole-{i:02}", "pm2_5", "wind_speed") for i in range(7)])
    writer.save(
        [
            message("pole-03", after(minutes=1), pm2_5=1),
            message("pole-03", after(minutes=2), wind_speed=1),
        ]
    )
    first = reader.things(limit=4)
    rest = reader.things(limit=4, after=first[-1].thing.thing_id)
    assert [row.thing.thing_id for row in first + rest] == [f"pole-{i:02}" for i in range(7)]
    assert {row.thing.thing_id: row.last_observed_at for row in first}["pole-03"] == after(
        minutes=2
    )
    assert rest[0].last_observed_at is None
    assert first[0].thing.datastreams == ("pm2_5", "wind_speed")
    assert reader.things(thing_id="nobody") == []
