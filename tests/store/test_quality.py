"""Flags as SQL finds them are those of the stated rule, on both kinds of database."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quality_reference import flags_of
from samples import after, message, observations, packed, registration
from tsuji_platform.contract.quality import Flag, QualityRule, StepLimit, StuckLimit
from tsuji_platform.store import Database
from tsuji_platform.store import quality as module
from tsuji_platform.store.quality import Flagged, NewestFlag, Quality
from tsuji_platform.store.writer import Writer

RULES = {
    rule.observed_property: rule
    for rule in (
        QualityRule(
            observed_property="air_temperature",
            step=StepLimit(at_once=2, per_minute=0.25, longest_gap=timedelta(minutes=6)),
            stuck=StuckLimit(after=timedelta(minutes=7), readings=4, steady_from=9),
        ),
        QualityRule(
            observed_property="pedestrians",
            stuck=StuckLimit(after=timedelta(minutes=3), readings=6, steady_up_to=0),
        ),
        QualityRule(
            observed_property="wind_speed",
            step=StepLimit(at_once=4, per_minute=0, longest_gap=timedelta(minutes=30)),
        ),
    )
}
"""Short times, so that short series meet every limit; a fourth datastream has no rule."""
NAMES = ("air_temperature", "pedestrians", "pm2_5", "wind_speed")
Table = dict[tuple[str, str], dict[datetime, float]]


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with Database(store_url, size=2) as database:
        yield database


@pytest.fixture
def quality(database: Database) -> Quality:
    return Quality(database, RULES)


@pytest.fixture
def emptied(store_url: str) -> Iterator[Callable[[], None]]:
    """The database again and again: an example must not see the one before."""
    with psycopg.connect(store_url, autocommit=True) as connection:
        yield lambda: connection.execute("TRUNCATE observation, latest, ingest_counter") and None


def expected(table: Table, thing: str) -> list[Flagged]:
    """All observations of a thing, flagged by the reference."""
    found = []
    for (owner, name), results in table.items():
        if owner == thing:
            series = sorted(results.items())
            rule = RULES.get(name, QualityRule(observed_property=name))
            for (time, value), flags in zip(series, flags_of(series, rule), strict=True):
                found.append(
                    Flagged(
                        observed_property=name,
                        time=time,
                        result=value,
                        period_s=300 if name == "pedestrians" else None,
                        flags=tuple(flag for flag in Flag if flag in flags),
                    )
                )
    return sorted(found, key=lambda it: (it.time, it.observed_property))


def paged(quality: Quality, thing: str, start: datetime, end: datetime, limit: int, **more):
    """All items of a span, page by page."""
    items: list[Flagged] = []
    place = None
    while True:
        page = quality.observations(thing, start, end, limit=limit, after=place, **more)
        assert len(page.items) <= limit
        items += page.items
        if page.after is None:
            return items
        assert place is None or page.after > place
        place = page.after


# Runs of the same value at steps of half a minute to twelve: both flags are common, and so are gaps.
_pieces = st.lists(
    st.tuples(
        st.sampled_from(("a", "b")),
        st.sampled_from(NAMES),
        st.sampled_from((0.5, 1.0, 1.5, 3.0, 12.0)),
        st.sampled_from((0, 1, 2, 3, 6, 9)),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=14,
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(data=st.data(), pieces=_pieces)
def test_sql_and_the_stated_rule_agree_whatever_came_when(
    database: Database, writer: Writer, quality: Quality, emptied, data, pieces
) -> None:
    emptied()
    writer.save([registration(name, *NAMES) for name in ("a", "b")])
    clock = dict.fromkeys([(thing, name) for thing in ("a", "b") for name in NAMES], 0.0)
    readings = []
    for thing, name, step, value, count in pieces:
        for _ in range(count):
            clock[thing, name] += step
            readings.append((thing, name, after(minutes=clock[thing, name]), float(value)))
    corrected = data.draw(st.lists(st.sampled_from(readings), max_size=4))
    wrong = [(thing, name, time, value + 1) for thing, name, time, value in corrected]
    disorder = data.draw(st.permutations(readings))
    repeated = data.draw(st.lists(st.sampled_from(readings), max_size=4))
    table: Table = {}
    for batch in (wrong, disorder, repeated):
        if batch:
            writer.save(
                [packed(it[0], observations(it[0], it[2], **{it[1]: it[3]})) for it in batch]
            )
    for thing, name, time, value in readings:
        table.setdefault((thing, name), {})[time] = value

    latest_time = after(minutes=max(clock.values()))
    for thing in ("a", "b"):
        want = expected(table, thing)
        limit = data.draw(st.integers(1, 40))
        assert paged(quality, thing, after(minutes=-1), latest_time, limit) == want
        cut = data.draw(st.floats(0, max(clock.values())))
        start, end = after(minutes=cut), after(minutes=cut + 20)
        inside = [it for it in want if start < it.time <= end]
        assert paged(quality, thing, start, end, limit) == inside
        flagged = paged(quality, thing, start, end, limit, wanted="flagged")
        assert flagged == [it for it in inside if it.flags]
        good = paged(quality, thing, start, end, limit, wanted="good", observed_property="pm2_5")
        assert good == [it for it in inside if it.observed_property == "pm2_5"]

    flagged_now, since = newest_flagged(table)
    assert quality.newest() == flagged_now
    assert quality.newest("a") == [it for it in flagged_now if it.thing_id == "a"]
    assert quality.since([it for it in flagged_now if Flag.STUCK in it.flags]) == since


def newest_flagged(table: Table) -> tuple[list[NewestFlag], dict[tuple[str, str], datetime]]:
    """What the reference says of the newest observations, and since when the stuck ones are so."""
    found, since = [], {}
    for (thing, name), results in sorted(table.items()):
        series = sorted(results.items())
        if name not in RULES:
            continue
        flags = flags_of(series, RULES[name])[-1]
        time, value = series[-1]
        others = [then for then, other in series if other != value]
        if flags:
            found.append(
                NewestFlag(
                    thing_id=thing,
                    observed_property=name,
                    time=time,
                    result=value,
                    flags=tuple(flag for flag in Flag if flag in flags),
                )
            )
        if Flag.STUCK in flags:
            since[thing, name] = min(then for then in results if not others or then > max(others))
    return found, since


def temperatures(writer: Writer, values: list[float], every: float = 1) -> None:
    writer.save([registration("a", *NAMES)])
    writer.save(
        [message("a", after(minutes=i * every), air_temperature=v) for i, v in enumerate(values)]
    )


def steps(quality: Quality, values: int) -> str:
    page = quality.observations("a", after(minutes=-1), after(days=1), limit=values)
    return "".join("!" if Flag.STEP in it.flags else "." for it in page.items)


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ([5, 5, 5, 5, 20, 5, 5, 5, 5], "....!...."),  # a spike: not the way back
        ([5, 5, 5, 5, 20, 20, 5, 5, 5], "....!!..."),  # a longer one
        ([5, 5, 5, 5, 20, 20, 20, 20, 20], "....!!!.."),  # a new level, until it is confirmed
        ([5, 20, 5, 20, 5, 20, 5, 20, 5, 20], "...!.!!!!!"),  # flapping
        ([0, 0.6, 1.2, 1.8, 2.4, 3, 3.6, 4.2], "........"),  # a steady rise
        ([5, 20, 20, 20], "...."),  # one reading alone is no witness
    ],
)
def test_a_step_belongs_to_the_reading_that_jumps(
    writer: Writer, quality: Quality, values: list[float], flags: str
) -> None:
    temperatures(writer, values)
    assert steps(quality, len(values)) == flags


def test_after_a_silence_nothing_is_compared(writer: Writer, quality: Quality) -> None:
    temperatures(writer, [5, 20, 5, 20, 5, 20], every=6.5)
    assert steps(quality, 6) == "......"


def test_a_correction_and_a_late_reading_change_the_flags_of_what_follows(
    writer: Writer, quality: Quality
) -> None:
    temperatures(writer, [7.0] * 9)
    (flag,) = quality.newest()
    assert (flag.flags, flag.time) == ((Flag.STUCK,), after(minutes=8))
    assert quality.since([flag]) == {("a", "air_temperature"): after()}
    writer.save([message("a", after(minutes=4), air_temperature=7.5)])
    assert quality.newest() == []
    writer.save([message("a", after(minutes=4), air_temperature=7)])
    assert quality.newest() == [flag]
    writer.save([message("a", after(minutes=4.5), air_temperature=6)])
    assert quality.newest() == []


def test_what_a_thing_no_longer_lists_is_not_flagged_now(writer: Writer, quality: Quality) -> None:
    temperatures(writer, [7.0] * 9)
    writer.save([registration("a", "wind_speed")])
    assert quality.newest() == []
    page = quality.observations("a", after(), after(days=1), limit=100)
    assert [Flag.STUCK in it.flags for it in page.items] == [False] * 6 + [True, True]


def test_the_beginning_of_a_stuck_value_is_sought_for_a_week(
    writer: Writer, quality: Quality
) -> None:
    writer.save([registration("a", *NAMES)])
    content = [
        one
        for hours in range(0, 24 * 9, 2)
        for one in observations("a", after(hours=hours), wind_speed=5, pedestrians=5)
    ]
    writer.save([packed("a", content)])
    (flag,) = quality.newest()
    assert quality.since([flag]) == {("a", "pedestrians"): flag.time - timedelta(days=7)}
    assert quality.since([]) == {}


def test_a_filter_that_few_readings_fit_ends_its_pages_early(
    writer: Writer, quality: Quality, monkeypatch: pytest.MonkeyPatch
) -> None:
    temperatures(writer, [5, 6] * 50 + [20] + [5, 6] * 50)
    monkeypatch.setattr(module, "MOST_READ", 20)
    first = quality.observations("a", after(minutes=-1), after(days=1), limit=5, wanted="flagged")
    assert first.items == ()
    assert first.after is not None
    found = paged(quality, "a", after(minutes=-1), after(days=1), 5, wanted="flagged")
    assert [it.time for it in found] == [after(minutes=100)]


def test_an_unknown_thing_has_no_readings(quality: Quality) -> None:
    page = quality.observations("nobody", after(), after(days=1), limit=5)
    assert (page.items, page.after) == ((), None)
