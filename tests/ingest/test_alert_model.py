"""Whenever turns are taken, fail or are cut off by kills: alerts are those that all values in order give."""

import contextlib
from itertools import count

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alarmed import HOT, Alarmed
from samples import after, registration
from tsuji_platform.analytics.alerts import State, step
from tsuji_platform.store import StoreError

_PLACES = st.lists(
    st.tuples(
        st.integers(1, 90),  # minutes until the value
        st.integers(30, 38),
        st.sampled_from(["", "turn", "kill", "fail", "takeover"]),
    ),
    min_size=1,
    max_size=14,
)


@pytest.fixture
def city(hub_url: str):
    city = Alarmed(hub_url, HOT)
    yield city
    city.close()


def expected(city: Alarmed, values: list[tuple[float, int]]) -> list[tuple]:
    (rule,) = city.rules.rule
    state, events = State(), []
    for minute, value in values:
        state, event = step(rule.condition, state, after(minutes=minute), float(value))
        if event is not None:
            events.append(event)
    found = [(e.start, None, None) for e in events if e.end is None]
    for i, one in enumerate(e for e in events if e.end is not None):
        found[i] = one.start, one.end, one.peak
    return found


def fail(city: Alarmed) -> None:
    """A turn whose transaction the database refuses at its end, if it has anything to write."""
    broken = "ALTER TABLE alert_state ADD CONSTRAINT broken CHECK (false) NOT VALID"
    with psycopg.connect(city.url, autocommit=True) as connection:
        connection.execute(broken)
        with contextlib.suppress(StoreError):
            city.turn()
        connection.execute("ALTER TABLE alert_state DROP CONSTRAINT broken")


_numbers = count(100)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(_PLACES)
def test_alerts_are_those_of_all_values_in_order(city: Alarmed, places) -> None:
    pole = f"pole-{next(_numbers)}"
    city.writer.save([registration(pole, "air_temperature", kind="smart_pole")])
    city.say(pole, 0, air_temperature=20)
    with psycopg.connect(city.url, autocommit=True) as connection:
        connection.execute("DELETE FROM alert_evaluator")
    city.begin()
    city.turn()
    minute, values, holder = 0, [(0, 20)], "ingest"
    for wait, degrees, what in places:
        minute += wait
        values.append((minute, degrees))
        city.say(pole, minute, air_temperature=degrees)
        if what == "takeover":
            with psycopg.connect(city.url, autocommit=True) as connection:
                connection.execute(
                    "UPDATE alert_evaluator SET seen_at = seen_at - interval '1 day'"
                )
            holder = f"ingest-{minute}"
        if what in ("kill", "takeover"):
            city.begin(holder)
        if what in ("turn", "takeover"):
            city.turn()
        if what == "fail":
            fail(city)
    city.begin(holder)
    city.turn()
    rows = city.found(thing_id=pole)[::-1]
    shown = [(row.start, row.end, row.peak if row.end else None) for row in rows]
    assert shown == expected(city, values)
    told = [kind for kind, about in city.told() if about == pole]
    assert told == ["started", "ended"] * (len(told) // 2) + ["started"] * (len(told) % 2)
    assert len(told) == sum(1 if end is None else 2 for _, end, _ in shown)
