"""What one worker makes of its parts of a caller's minute."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from tsuji_platform.api.rates import Rates
from tsuji_platform.store import Database
from tsuji_platform.store.keys import Allowances, Share


class _Slow(Allowances):
    """Takes 25 s to say how many requests are open."""

    now = 0.0

    def take(self, subject: str, quota: int, wanted: int) -> Share:
        self.now += 25
        return super().take(subject, quota, wanted)


def test_a_slow_answer_does_not_make_the_minute_longer(hub_database: Database) -> None:
    allowances = _Slow(hub_database)
    rates = Rates(allowances, clock=lambda: allowances.now)
    verdict = asyncio.run(rates.ask("a", 10))
    assert (verdict.passes, verdict.remaining) == (True, 9)
    assert verdict.resets_in_s == pytest.approx(35)


@pytest.fixture
def nothing_can_be_forgotten(hub_url: str) -> Iterator[None]:
    """The database refuses to delete allowances, but hands them out."""
    with psycopg.connect(hub_url, autocommit=True) as connection:
        connection.execute(
            """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE EXCEPTION 'not now'; END $$"""
        )
        connection.execute(
            "CREATE TRIGGER refuse BEFORE DELETE ON allowance EXECUTE FUNCTION refuse()"
        )
        yield
        connection.execute("DROP FUNCTION refuse CASCADE")


@pytest.mark.usefixtures("nothing_can_be_forgotten")
def test_callers_are_counted_together_where_old_minutes_can_not_be_forgotten(
    hub_database: Database,
) -> None:
    allowances = Allowances(hub_database)
    now = 0.0
    rates = Rates(allowances, clock=lambda: now)
    now = 3_600.0
    assert asyncio.run(rates.ask("a", 10)).passes
    assert allowances.take("a", 10, 1).remaining == 8
